#include "libos/proc/proc.h"

#include <errno.h>
#include <string.h>

#include "libos/proc/internal.h"
#include "libos/start/error.h"
#include "libos/vm/vm.h"

/* Copies argv's strings into the block, one behind the other. Returns whether they fit. */
static bool put_arguments(struct exos_start *start, int argc, char *const *argv)
{
    size_t used = 0;
    for (int i = 0; i < argc; i++) {
        size_t size = strlen(argv[i]) + 1;
        if (size > EXOS_ARGUMENTS_SIZE - used)
            return false;
        memcpy(start->arguments + used, argv[i], size);
        used += size;
    }
    start->argc = (uint32_t)argc;
    return true;
}

/* A page of this program's own that holds the start block; the child gets it mapped, not given. */
static int64_t make_start(struct proc *proc, const struct proc_options *options, uint64_t upper)
{
    if (options->cap_count > EXOS_CAPS_MAX)
        return -PROC_ARGUMENTS;
    struct exos_start *start = vm_alloc(1, VM_READ_WRITE);
    if (!start)
        return -AEGIS_E_NO_PAGE;
    proc->start = start;
    *start = (struct exos_start){.magic = EXOS_START_MAGIC,
                                 .env = proc->env,
                                 .parent = exos.env,
                                 .upper = upper,
                                 .cap_count = (uint32_t)options->cap_count};
    memcpy(start->caps, options->caps, options->cap_count * sizeof *options->caps);
    if (!put_arguments(start, options->argc, options->argv))
        return -PROC_ARGUMENTS;
    return vm_map(proc->env, EXOS_START_ADDRESS, (uint64_t)vm_page_at(start), VM_READ_WRITE, NULL);
}

static int64_t make_env(const char *name)
{
    char padded[AEGIS_NAME_SIZE] = "";
    size_t length = strnlen(name, sizeof padded - 1);
    memcpy(padded, name, length);
    int64_t page = aegis_page_alloc(AEGIS_ANY);
    int64_t root = page < 0 ? page : aegis_page_alloc(AEGIS_ANY);
    int64_t env = root < 0 ? root : aegis_env_create((uint64_t)page, (uint64_t)root, padded);
    if (env < 0 && page >= 0)
        aegis_page_free((uint64_t)page);
    if (env < 0 && root >= 0)
        aegis_page_free((uint64_t)root);
    return env;
}

static uint32_t protection(uint32_t flags)
{
    return (flags & ELF_READ ? AEGIS_PROT_READ : 0) | (flags & ELF_WRITE ? AEGIS_PROT_WRITE : 0) |
           (flags & ELF_EXEC ? AEGIS_PROT_EXEC : 0);
}

static int64_t load(struct proc *proc, const struct elf_program *program,
                    const struct proc_options *options)
{
    int64_t status = 0;
    for (uint32_t i = 0; i < program->count && status == 0; i++) {
        const struct elf_segment *s = &program->segments[i];
        status = proc_fill(proc->env, s->address, s->memory_size, s->data, s->file_size,
                           protection(s->flags));
    }
    uint64_t stack =
        (options->stack_pages ? options->stack_pages : PROC_STACK_PAGES) * AEGIS_PAGE_SIZE;
    if (status == 0)
        status = proc_fill(proc->env, EXOS_START_ADDRESS - stack, stack, NULL, 0, VM_READ_WRITE);
    if (status == 0)
        status = make_start(proc, options, program->upper);
    return status;
}

int64_t proc_create(struct proc *proc, const struct proc_options *options)
{
    struct elf_program program;
    int64_t status = proc_find_program(options->name, &program);
    if (status < 0)
        return status;
    int64_t env = make_env(options->name);
    if (env < 0)
        return env;
    *proc = (struct proc){.env = (uint32_t)env, .entry = program.entry};
    status = load(proc, &program, options);
    if (status < 0) {
        struct proc_status ignored;
        aegis_env_end(proc->env, 0);
        proc_wait(proc, &ignored, AEGIS_FOREVER);
    }
    return status;
}

/*
 * The child's instructions were written as data, by this hart, which is also the one that will
 * fetch them: fence.i orders the two (Zifencei). It needs no privilege.
 */
int64_t proc_start(struct proc *proc)
{
    __asm__ volatile("fence.i" ::: "memory");
    return aegis_env_start(proc->env, proc->entry, EXOS_START_ADDRESS, EXOS_START_ADDRESS);
}

int64_t proc_spawn(struct proc *proc, const struct proc_options *options)
{
    int64_t status = proc_create(proc, options);
    return status < 0 ? status : proc_start(proc);
}
