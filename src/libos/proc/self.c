/* What a process knows of itself and its place, and how it begins and ends as one. */
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <unistd.h>

#include "libos/proc/internal.h"
#include "libos/proc/session.h"
#include "libos/proc/table.h"
#include "libos/start/internal.h"
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/upcall/upcall.h"
#include "libos/wait/wait.h"

static int fail(int error)
{
    errno = error;
    return -1;
}

/* Without memory for a session there are no processes but this one. */
pid_t getpid(void)
{
    return proc_session_need() ? (pid_t)exos.env : proc_self();
}

pid_t getppid(void)
{
    if (proc_session_need() || proc_self() == 1)
        return 0;
    return table_parent(table_self);
}

pid_t getpgid(pid_t pid)
{
    uint64_t life;

    if (proc_session_need())
        return fail(ENOMEM);
    const struct table_entry *entry = pid ? table_find(pid, &life) : table_self;
    return entry ? (pid_t)(__atomic_load_n(&entry->kin, __ATOMIC_RELAXED) >> 32 & INT32_MAX)
                 : fail(ESRCH);
}

pid_t getpgrp(void)
{
    return getpgid(0);
}

int setpgid(pid_t pid, pid_t group)
{
    uint64_t life;

    if (pid < 0 || group < 0)
        return fail(EINVAL);
    if (proc_session_need())
        return fail(ENOMEM);
    if (pid == 0)
        pid = proc_self();
    struct table_entry *entry = table_find(pid, &life);
    uint64_t kin = entry ? __atomic_load_n(&entry->kin, __ATOMIC_RELAXED) : 0;
    if (!entry || (pid != proc_self() && (pid_t)kin != proc_self()))
        return fail(ESRCH);
    __atomic_store_n(&entry->kin, (uint64_t)(uint32_t)(group ? group : pid) << 32 | (uint32_t)kin,
                     __ATOMIC_RELAXED);
    return 0;
}

pid_t setsid(void)
{
    if (proc_session_need())
        return fail(ENOMEM);
    if (getpgrp() == proc_self())
        return fail(EPERM);
    setpgid(0, 0);
    table_say(0, TABLE_LEADER);
    return proc_self();
}

int setpgrp(void)
{
    return setpgid(0, 0);
}

/* The record that a part has written, by name; both ends NULL if there is none. What is said to lie
 * outside of the block, or where nothing can be aligned, isn't there. */
static struct exos_pass find_record(const struct exos_start *start, const char *name)
{
    uint64_t most = EXOS_START_PAGES * AEGIS_PAGE_SIZE;
    uint64_t at = start ? start->pass : 0, size = start ? start->pass_size : 0, end = at + size;

    if (at % alignof(struct proc_record) || at > most || size > most - at)
        return (struct exos_pass){0};
    while (end - at >= sizeof(struct proc_record)) {
        struct proc_record *record = (struct proc_record *)((uintptr_t)start + at);
        at += sizeof *record;
        if (record->size > end - at)
            break;
        if (!strncmp(record->name, name, sizeof record->name - 1))
            return (struct exos_pass){(uint8_t *)(record + 1),
                                      (uint8_t *)(record + 1) + record->size};
        uint64_t step = (record->size + sizeof *record / 2 - 1) & ~(sizeof *record / 2 - 1);
        at = step > end - at ? end : at + step;
    }
    return (struct exos_pass){0};
}

void proc_begin(const struct exos_start *start)
{
    if (start && start->pid)
        proc_enter(start);
    for (const struct exos_part *const *part = exos_parts_begin; part < exos_parts_end; part++)
        if ((*part)->at_start) {
            struct exos_pass pass = find_record(start, (*part)->name);
            (*part)->at_start(&pass);
        }
}

bool proc_says_goodbye;

/* Threads that wait in something, or are in the middle of it, won't come back to it. */
static void stop_threads(void)
{
    exos_stopped = true;
    exos_wait_hooks.give_away = aegis_wait;
}

void proc_end_parts(void)
{
    if (proc_says_goodbye)
        stop_threads();
    EXOS_SET(proc_says_goodbye, false);
    for (const struct exos_part *const *part = exos_parts_end; part-- > exos_parts_begin;)
        if ((*part)->at_exit)
            (*part)->at_exit();
}

void proc_say_goodbye(void)
{
    if (proc_says_goodbye && !exos_held && !upcall_is_inside())
        proc_end_parts();
}

void proc_say(uint64_t value)
{
    struct table_entry *self = table_self;

    if (!self)
        return;
    uint64_t signal = value >> 8 & 0x7f, status = signal ? signal : (value & 0xff) << 8;
    uint64_t incarnation = (uint64_t)proc_self() >> TABLE_SLOT_BITS;
    __atomic_store_n(&self->said, incarnation << 40 | TABLE_SAID | status, __ATOMIC_RELEASE);
}
