#include "libos/start/start.h"

#include <picotls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/start/internal.h"
#include "libos/vm/internal.h"

#define ARGV_MAX 64

struct exos exos;

extern char __first_tls[], __image_end[];
void __libc_init_array(void);

static char *arguments[ARGV_MAX + 1];

/* Splits the block's strings into argv; stops at the page's end, whatever argc says. */
static int read_arguments(struct exos_start *start)
{
    char *at = start->arguments, *end = (char *)start + AEGIS_PAGE_SIZE;
    int argc = 0;
    while (argc < ARGV_MAX && (uint32_t)argc < start->argc) {
        size_t length = strnlen(at, (size_t)(end - at));
        if (length == (size_t)(end - at))
            break;
        arguments[argc++] = at;
        at += length + 1;
    }
    return argc;
}

static int read_start(uintptr_t argument)
{
    static char boot_name[] = "init";
    const uint64_t *first_word = (const uint64_t *)argument;

    exos.upper = (uint64_t)__image_end;
    if (first_word && *first_word == EXOS_START_MAGIC) {
        exos.start = (struct exos_start *)argument;
        exos.env = (uint32_t)exos.start->env;
        exos.parent = (uint32_t)exos.start->parent;
        return read_arguments(exos.start);
    }
    if (first_word) {
        exos.boot = (const struct aegis_start *)argument;
        exos.env = (uint32_t)exos.boot->env;
        if (exos.boot->upper > exos.upper)
            exos.upper = exos.boot->upper;
    }
    arguments[0] = boot_name;
    return 1;
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
    int argc = read_start(argument);
    vm_init(exos.upper);
    __libc_init_array();
    exit(main(argc, arguments));
}

void _exit(int status)
{
    aegis_env_end(0, (uint64_t)(status & 0xff));
    for (;;) /* the call doesn't return; if it did, this is nobody's loss but ours */
        aegis_yield(0);
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
