#include "libos/start/start.h"

#include <picotls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/start/internal.h"
#include "libos/vm/internal.h"

EXOS_HOT struct exos exos;

extern char __first_tls[], __image_end[];
void __libc_init_array(void);

static char *no_arguments[2];

/* Returns argv; argc and environ are set, too. */
static char **read_start(uintptr_t argument, int *argc)
{
    static char boot_name[] = "init";
    const uint64_t *first_word = (const uint64_t *)argument;

    exos.upper = (uint64_t)__image_end;
    if (first_word && *first_word == EXOS_START_MAGIC) {
        exos.start = (struct exos_start *)argument;
        exos.env = (uint32_t)exos.start->env;
        exos.parent = (uint32_t)exos.start->parent;
        *argc = (int)exos.start->argc;
        environ = exos.start->pointers + *argc + 1;
        return exos.start->pointers;
    }
    if (first_word) {
        exos.boot = (const struct aegis_start *)argument;
        exos.env = (uint32_t)exos.boot->env;
        if (exos.boot->upper > exos.upper)
            exos.upper = exos.boot->upper;
    }
    no_arguments[0] = boot_name;
    *argc = 1;
    return no_arguments;
}

/* What is exposed lies elsewhere in another version: nothing that this program reads could be
 * trusted. */
static void check_version(void)
{
    static const char wrong[] = "built for another version of the kernel's interface: build kernel "
                                "and programs from the same sources\n";
    if (aegis_info()->version == AEGIS_ABI_VERSION)
        return;
    aegis_log(wrong, sizeof wrong - 1);
    _exit(127);
}

void exos_begin(uintptr_t argument)
{
    check_version();
    _init_tls(__first_tls);
    int argc;
    char **argv = read_start(argument, &argc);
    vm_init(exos.upper);
    atexit(proc_end_parts); /* the first registered, so that it runs last */
    __libc_init_array();
    proc_begin(exos.start);
    exit(main(argc, argv, environ));
}

void exos_end(uint64_t value)
{
    proc_say(value);
    aegis_env_end(0, value);
    for (;;) /* the call doesn't return; if it did, this is nobody's loss but ours */
        aegis_yield(0);
}

void _exit(int status)
{
    proc_say_goodbye();
    exos_end((uint64_t)(status & 0xff));
}

struct aegis_predicate aegis_when_ended(uint32_t env)
{
    const volatile struct aegis_env_info *info = aegis_env(env);
    return (struct aegis_predicate){.word = (const volatile uint64_t *)&info->state,
                                    .mask = 0xff,
                                    .value = AEGIS_ENV_ENDED,
                                    .op = AEGIS_WAKE_EQ};
}

_Static_assert(offsetof(struct aegis_env_info, state) % 8 == 0, "state begins a word");
