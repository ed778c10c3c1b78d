/*
 * fork: a child environment with the same memory (vm/cow.c), which goes on where this process is.
 *
 * The child begins in fork_resume with nothing but its memory: what the kernel keeps of an
 * environment (where exceptions and slices are told, gates, bindings) is made anew, or is not its
 * own any more. Until upcalls are bound it writes to no page but those that were copied at once.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libos/proc/internal.h"
#include "libos/proc/mark.h"
#include "libos/proc/session.h"
#include "libos/proc/table.h"
#include "libos/slice/slice.h"
#include "libos/start/error.h"
#include "libos/upcall/hold.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/fork.h"
#include "libos/vm/vm.h"

/* Bytes of the stack around the mark in which the child writes before its upcalls are bound. */
#define STACK_BELOW 1024
#define STACK_ABOVE 512

/* Asks parts from the first on; returns an errno value, and how many were asked. */
static int ask_parts(size_t *asked)
{
    int error = 0;
    const struct exos_part *const *part = exos_parts_begin;
    for (; part < exos_parts_end && !error; part++)
        if ((*part)->before_fork)
            error = (*part)->before_fork();
    *asked = (size_t)(part - exos_parts_begin) - (error != 0);
    return error;
}

static void tell_parts(size_t asked, const struct exos_child *child)
{
    while (asked-- > 0)
        if (exos_parts_begin[asked]->after_fork)
            exos_parts_begin[asked]->after_fork(child);
}

static pid_t begin_child(pid_t pid, uint32_t env)
{
    upcall_forked();
    vm_forked();
    proc_adopt(pid, env);
    slice_in_child();
    for (const struct exos_part *const *part = exos_parts_begin; part < exos_parts_end; part++)
        if ((*part)->in_child)
            (*part)->in_child();
    exos_release(); /* what the parent holds */
    return 0;
}

static void undo_env(uint32_t env)
{
    struct aegis_predicate ended = aegis_when_ended(env);

    aegis_env_end(env, SIGKILL << 8);
    while (aegis_env(env)->state != AEGIS_ENV_ENDED)
        aegis_wait(&ended, 1, AEGIS_FOREVER);
    table_free_env(env);
}

/* The block's pages, which nobody has told vm of: a first page that another owns is shared, to talk
 * with it. */
static int64_t declare_block(void)
{
    static bool declared;
    if (declared || !exos.start)
        return 0;
    int64_t status =
        vm_declare(EXOS_START_ADDRESS, EXOS_START_PAGES, VM_RESIDENT, VM_READ_WRITE, VM_COPY);
    if (status == 0 && vm_page_at(exos.start) < 0)
        status = vm_inherit(exos.start, 1, VM_SHARE);
    declared = status == 0 || status == -AEGIS_E_IN_USE;
    return declared ? 0 : status;
}

/* Makes the child and starts it, for number pid. 0, or a negated error of the kernel's; -1 in the
 * child. */
static int64_t make_child(pid_t pid, size_t asked, uint32_t *env)
{
    char name[AEGIS_NAME_SIZE];
    struct fork_mark mark;

    for (size_t i = 0; i < sizeof name; i++)
        name[i] = aegis_env(exos.env)->name[i];
    int64_t made = aegis_env_create(AEGIS_ANY, AEGIS_ANY, name);
    if (made < 0)
        return made;
    *env = (uint32_t)made;
    if (fork_mark(&mark))
        return -1;
    int64_t status =
        vm_fork(*env, (uint64_t)&mark - STACK_BELOW, (uint64_t)(&mark + 1) + STACK_ABOVE);
    if (status == 0)
        status = proc_session_share(*env);
    const struct exos_child child = {.env = status == 0 ? *env : 0, .pid = (uint64_t)pid};
    if (status == 0) {
        tell_parts(asked, &child);
        status = aegis_env_start(*env, (uint64_t)fork_resume, (uint64_t)&mark, (uint64_t)&mark);
    }
    if (status < 0)
        undo_env(*env);
    return status;
}

pid_t fork(void)
{
    uint32_t env = 0;
    size_t asked;
    int error = proc_session_need();
    if (!error)
        error = ask_parts(&asked);
    else
        asked = 0;
    pid_t pid = error ? -error : proc_claim();
    int64_t status = pid < 0 ? 0 : declare_block();
    if (pid >= 0 && status == 0)
        status = vm_fork_ready();
    if (pid >= 0 && status == 0) {
        exos_hold();
        status = make_child(pid, asked, &env);
        if (status == -1)
            return begin_child(pid, env);
        if (status == 0)
            proc_carry(pid, env);
        exos_release();
    }
    if (pid >= 0 && status == 0)
        return pid;
    if (pid >= 0)
        proc_drop(pid);
    tell_parts(asked, &(struct exos_child){0});
    errno = pid < 0 ? -pid : aegis_errno(status) == ENOMEM ? ENOMEM : EAGAIN;
    return -1;
}
