#include "libos/proc/proc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "libos/proc/image.h"
#include "libos/proc/internal.h"
#include "libos/proc/session.h"
#include "libos/proc/signals.h"
#include "libos/proc/table.h"
#include "libos/start/error.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"

#define TABLE_BYTES (AEGIS_MEGAPAGE * AEGIS_PAGE_SIZE) /* of addresses, that one table serves */

static int64_t make_env(const char *name)
{
    char padded[AEGIS_NAME_SIZE] = "";
    size_t length = strnlen(name, sizeof padded - 1);
    memcpy(padded, name, length);
    return aegis_env_create(AEGIS_ANY, AEGIS_ANY, padded);
}

/* Pages that are all the child's own, as those of the machine's first program are. */
static int64_t load(uint32_t env, const struct elf_program *program)
{
    int64_t status = 0;
    for (uint32_t i = 0; i < program->count && status == 0; i++) {
        const struct elf_segment *s = &program->segments[i];
        status =
            proc_fill(env, s->address, s->memory_size, s->data, s->file_size, proc_protection(s));
    }
    return status;
}

/* The block's first page stays this program's own, mapped for both; the rest is given. */
static int64_t share_block(struct proc *proc, const struct proc_block *block)
{
    size_t first = block->size < AEGIS_PAGE_SIZE ? block->size : AEGIS_PAGE_SIZE;

    proc->start = vm_alloc(1, VM_READ_WRITE);
    if (!proc->start)
        return -AEGIS_E_NO_PAGE;
    memcpy(proc->start, block->start, first);
    int64_t status = vm_map(proc->env, EXOS_START_ADDRESS, (uint64_t)vm_page_at(proc->start),
                            VM_READ_WRITE | AEGIS_MAP_INHERIT, NULL);
    if (status == 0 && block->size > first)
        status = proc_fill(proc->env, EXOS_START_ADDRESS + first, block->size - first,
                           (const char *)block->start + first, block->size - first, VM_READ_WRITE);
    return status;
}

static struct exos_start head_of(const struct proc *proc, const struct proc_options *options,
                                 const struct elf_program *program)
{
    return (struct exos_start){
        .magic = EXOS_START_MAGIC,
        .env = proc->env,
        .parent = exos.env,
        .upper = program->upper,
        .pid = (uint64_t)proc->pid,
        .ignored = options->ignored,
        .blocked = options->blocked,
        .replaces = options->replaces != 0,
        .alarm = exos_wait_hooks.alarm == AEGIS_FOREVER ? 0 : exos_wait_hooks.alarm};
}

static int64_t begin(struct proc *proc, const struct proc_options *options,
                     const struct elf_program *program)
{
    const struct exos_start head = head_of(proc, options, program);
    const struct exos_child child = {.env = proc->env,
                                     .pid = (uint64_t)proc->pid,
                                     .actions = options->actions,
                                     .replaces = options->replaces != 0};
    struct proc_block block;

    int64_t status = block_make(&block, &head, options, options->member ? &child : NULL);
    bool told = status == 0 && options->member;
    if (status == 0 && options->member)
        status = proc_put(proc->env, EXOS_START_ADDRESS, vm_pages(block.size), AEGIS_SHARE_COPY,
                          block.start);
    else if (status == 0)
        status = share_block(proc, &block);
    if (status == 0 && options->member)
        status = proc_session_share(proc->env);
    if (status < 0 && told)
        block_undo(&child);
    return status;
}

static void undo(struct proc *proc)
{
    struct aegis_predicate ended = aegis_when_ended(proc->env);

    aegis_env_end(proc->env, SIGKILL << 8);
    while (aegis_env(proc->env)->state != AEGIS_ENV_ENDED)
        aegis_wait(&ended, 1, AEGIS_FOREVER);
    table_hold(proc->env, false);
    table_free_env(proc->env);
    vm_free(proc->start);
}

/* An environment with the program in it, that waits to be started, for the number pid. */
static int64_t create(struct proc *proc, const struct proc_options *options, pid_t pid)
{
    struct proc_image own, *image;
    int64_t status = proc_find_program(options, &own, &image);

    if (status < 0)
        return status;
    table_making++; /* a sweep in between would take it for an unfinished one of somebody else's */
    int64_t env = make_env(options->name);
    if (env >= 0)
        table_hold((uint32_t)env, true);
    table_making--;
    if (env < 0)
        return env;
    *proc = (struct proc){.env = (uint32_t)env, .entry = image->program.entry, .pid = pid};
    size_t stack = options->stack_pages ? options->stack_pages : PROC_STACK_PAGES;
    const uint64_t stack_end = EXOS_START_ADDRESS - 1;
    status = vm_first_tables(proc->env, image->program.lower);
    if (status == 0 && image->program.lower / TABLE_BYTES != stack_end / TABLE_BYTES)
        status = vm_next_tables(proc->env, stack_end);
    if (status == 0)
        status = options->member && image->name ? proc_put_image(proc->env, image)
                                                : load(proc->env, &image->program);
    if (status == 0)
        status = proc_put_zeros(proc->env, EXOS_START_ADDRESS - stack * AEGIS_PAGE_SIZE, stack);
    if (status == 0)
        status = begin(proc, options, &image->program);
    if (status < 0)
        undo(proc);
    return status;
}

static int64_t create_or_make_room(struct proc *proc, const struct proc_options *options, pid_t pid)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* images, and the block */

    pthread_mutex_lock(&one_at_a_time);
    int64_t status = create(proc, options, pid);

    if ((status == -AEGIS_E_NO_PAGE || status == -AEGIS_E_QUOTA) && proc_drop_images())
        status = create(proc, options, pid);
    if (status == -AEGIS_E_NO_PAGE || status == -AEGIS_E_QUOTA)
        proc_drop_images(); /* memory is short: others may have it */
    pthread_mutex_unlock(&one_at_a_time);
    return status;
}

int64_t proc_create(struct proc *proc, const struct proc_options *options)
{
    if (options->stack_pages > PROC_STACK_MOST)
        return -AEGIS_E_RANGE;
    if (!options->member || options->replaces)
        return create_or_make_room(proc, options, options->replaces);
    pid_t pid = proc_claim();
    if (pid < 0)
        return pid == -ENOMEM ? -AEGIS_E_NO_PAGE : -PROC_NO_ENTRY;
    if (options->group || options->leads) /* before parts are told of the child */
        proc_join(pid, options->group < 0 || options->leads ? pid : options->group, options->leads);
    int64_t status = create_or_make_room(proc, options, pid);
    if (status < 0) {
        proc_drop(pid);
        return status;
    }
    proc->claimed = true;
    return 0;
}

/*
 * The child's instructions were written as data, by this hart, which is also the one that will
 * fetch them: fence.i orders the two (Zifencei). It needs no privilege.
 */
int64_t proc_start(struct proc *proc)
{
    __asm__ volatile("fence.i" ::: "memory");
    int64_t status =
        aegis_env_start(proc->env, proc->entry, EXOS_START_ADDRESS, EXOS_START_ADDRESS);
    if (status == 0 && proc->claimed)
        proc_carry(proc->pid, proc->env);
    proc->claimed &= status < 0;
    return status;
}

int64_t proc_spawn(struct proc *proc, const struct proc_options *options)
{
    int64_t status = proc_create(proc, options);
    if (status < 0)
        return status;
    status = proc_start(proc);
    if (status < 0) {
        undo(proc);
        if (proc->claimed)
            proc_drop(proc->pid);
    }
    return status;
}
