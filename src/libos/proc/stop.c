/*
 * Stopping and going on. A process stops itself, where it notices the signal, and says so in its
 * entry of the session's table, where its parent's waitpid finds it. The kernel knows nothing of
 * it: a stopped process sleeps.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/internal.h"
#include "libos/proc/session.h"
#include "libos/proc/signals.h"
#include "libos/proc/table.h"
#include "libos/start/start.h"
#include "libos/upcall/hold.h"

#define STOPPED_FOR (0x7fUL << 16) /* in said */

/* Of the incarnation that life names; false: the word is another's, or others keep changing it. */
static bool change(struct table_entry *entry, uint64_t incarnation, uint64_t off, uint64_t on)
{
    uint64_t said = __atomic_load_n(&entry->said, __ATOMIC_ACQUIRE);

    for (int i = 0; i < TABLE_TRIES && said >> 40 == incarnation; i++)
        if (__atomic_compare_exchange_n(&entry->said, &said, (said & ~off) | on, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return true;
    return false;
}

void table_say(uint64_t off, uint64_t on)
{
    if (table_self)
        change(table_self, (uint64_t)proc_self() >> TABLE_SLOT_BITS, off, on);
}

int table_news(struct table_entry *entry, uint64_t life, int options)
{
    uint64_t said = __atomic_load_n(&entry->said, __ATOMIC_ACQUIRE);
    uint64_t incarnation = life_incarnation(life);

    if (said >> 40 != incarnation)
        return -1;
    if (options & WUNTRACED && said & TABLE_HALTED && said & TABLE_STOPPED)
        return change(entry, incarnation, TABLE_HALTED, 0) ? (int)(said >> 8 & 0x7f00) | 0x7f : -1;
    if (options & WCONTINUED && said & TABLE_CONTINUED)
        return change(entry, incarnation, TABLE_CONTINUED, 0) ? 0xffff : -1;
    return -1;
}

static pid_t group_of(pid_t pid)
{
    uint64_t life;
    const struct table_entry *entry = table_find(pid, &life);

    return entry ? (pid_t)(__atomic_load_n(&entry->kin, __ATOMIC_RELAXED) >> 32) : 0;
}

bool table_is_orphaned(pid_t group)
{
    for (uint32_t slot = 1; slot < TABLE_SLOTS; slot++) {
        const struct table_entry *entry = table_entry(slot);
        uint64_t life = table_life(entry);
        uint64_t kin = __atomic_load_n(&entry->kin, __ATOMIC_RELAXED);
        uint64_t said = __atomic_load_n(&entry->said, __ATOMIC_RELAXED);
        bool leads = said >> 40 == life_incarnation(life) && said & TABLE_LEADER;
        if (life_state(life) != LIFE_LIVE || (pid_t)(kin >> 32) != group || leads ||
            !table_carried(life))
            continue;
        if (table_parent(entry) == (pid_t)kin && group_of((pid_t)kin) != group)
            return false;
    }
    return true;
}

bool proc_is_orphaned(void)
{
    return !table_self || table_is_orphaned((pid_t)(table_self->kin >> 32));
}

/* The parent learns what became of this process: by SIGCHLD, or, if it wants none, where it waits.
 */
static void tell_parent(void)
{
    uint64_t life;
    pid_t parent = table_parent(table_self);
    const struct table_entry *entry = table_find(parent, &life);

    if (entry && __atomic_load_n(&entry->said, __ATOMIC_RELAXED) & TABLE_QUIET)
        proc_ring(parent);
    else
        table_signal(parent, SIGCHLD);
}

/* Predicates for the end of the parent's environment: how many, 0 if it has none that lives. */
static size_t watch_parent(struct aegis_predicate when[2])
{
    uint64_t life;
    pid_t parent = (pid_t)__atomic_load_n(&table_self->kin, __ATOMIC_RELAXED);

    if (!table_find(parent, &life) || life_state(life) != LIFE_LIVE)
        return 0;
    uint32_t env = carrier_env(life), serial = aegis_env(env % aegis_info()->env_count)->serial;
    if (!table_carried(life))
        return 0;
    when[0] = aegis_when_ended(env);
    when[1] = (struct aegis_predicate){.word = (const volatile uint64_t *)aegis_env(env),
                                       .mask = UINT32_MAX,
                                       .value = serial,
                                       .op = AEGIS_WAKE_NE};
    return 2;
}

/* Who could have continued this group has ended: POSIX has it hung up, and go on (XSH _exit). */
static void hang_up(void)
{
    pid_t group = (pid_t)(table_self->kin >> 32);

    signals.stopped = exos_stopped = false;
    if (group <= 1) {
        raise(SIGHUP);
        return;
    }
    kill(-group, SIGHUP);
    kill(-group, SIGCONT);
}

static void sleep_stopped(void)
{
    const volatile uint64_t *doorbell = proc_doorbell();
    bool had_parent = true;

    while (signals.stopped && !(signals.pending & SIGNAL_BIT(SIGKILL))) {
        struct aegis_predicate when[3] = {AEGIS_WHEN(*doorbell, NE, *doorbell)};
        size_t watched = had_parent ? watch_parent(when + 1) : 0;
        signal_due();
        if (had_parent && !watched && proc_is_orphaned())
            hang_up();
        had_parent = watched > 0;
        if (signals.stopped)
            aegis_wait(when, 1 + watched, AEGIS_FOREVER);
    }
}

/* Nobody could continue what is outside of a session; nor whom others come to for that, process 1;
 * nor an orphaned group, which only SIGSTOP stops. Other threads wait as well: exos_stopped. */
void signal_stop(int signal)
{
    if (!table_self || proc_self() == 1 || (signal != SIGSTOP && proc_is_orphaned()))
        return;
    signals.stopped = exos_stopped = true;
    table_say(TABLE_CONTINUED | STOPPED_FOR, TABLE_STOPPED | TABLE_HALTED | TABLE_BY(signal));
    tell_parent();
    sleep_stopped();
    signals.stopped = exos_stopped = false;
    table_say(TABLE_STOPPED | TABLE_HALTED, TABLE_CONTINUED);
    if (!(signals.pending & SIGNAL_BIT(SIGKILL)))
        tell_parent();
}
