/* Signals as POSIX has them: actions, the mask, what is pending, sending. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>

#include "libos/proc/internal.h"
#include "libos/proc/signals.h"
#include "libos/proc/table.h"
#include "libos/start/start.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

/* By default. */
#define IGNORED                                                                                    \
    (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) |       \
     SIGNAL_BIT(SIGIO))

struct signal_state signals = {.ignored = IGNORED, .stack = {.ss_flags = SS_DISABLE}};

static int fail(int error)
{
    errno = error;
    return -1;
}

static bool is_signal(int signal)
{
    return signal > 0 && signal < NSIG;
}

/* What others have sent, out of the table's word. */
static void take(void)
{
    uint64_t sent = table_self ? __atomic_load_n(&table_self->pending, __ATOMIC_ACQUIRE) : 0;

    if (!(sent & SIGNAL_ALL) || sent >> 40 != (uint64_t)proc_self() >> TABLE_SLOT_BITS)
        return;
    sent = __atomic_fetch_and(&table_self->pending, ~SIGNAL_ALL, __ATOMIC_ACQ_REL) & SIGNAL_ALL;
    if (sent & SIGNAL_BIT(SIGCONT)) { /* whatever else becomes of it */
        signals.stopped = false;
        __atomic_fetch_and(&signals.pending, ~SIGNAL_STOPS, __ATOMIC_RELAXED);
    } else if (sent & SIGNAL_STOPS) {
        __atomic_fetch_and(&signals.pending, ~SIGNAL_BIT(SIGCONT), __ATOMIC_RELAXED);
    }
    sent &= ~signals.ignored;
    if (sent) /* else a fork's parent or child would copy the page for what nobody looks at */
        __atomic_fetch_or(&signals.pending, sent, __ATOMIC_RELAXED);
}

/* Children that have ended since the last look are settled, which sends SIGCHLD. */
static void look_for_ends(void)
{
    static uint64_t seen;
    uint64_t ended = aegis_env(exos.env)->ended;

    if (ended == seen)
        return;
    seen = ended;
    table_tidy();
}

uint64_t signal_due(void)
{
    if (table_self && !(signals.ignored & SIGNAL_BIT(SIGCHLD)))
        look_for_ends();
    take();
    /* Once: the beginning of a slice may come between, whose handler may set the next. */
    uint64_t alarm = __atomic_load_n(&exos_wait_hooks.alarm, __ATOMIC_RELAXED);
    if (alarm != AEGIS_FOREVER && time_now() >= alarm &&
        __atomic_compare_exchange_n(&exos_wait_hooks.alarm, &alarm, AEGIS_FOREVER, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        __atomic_fetch_or(&signals.pending, SIGNAL_BIT(SIGALRM), __ATOMIC_RELAXED);
    if (signals.pending & signals.ignored)
        __atomic_fetch_and(&signals.pending, ~signals.ignored, __ATOMIC_RELAXED);
    return signals.pending & ~signals.mask;
}

enum signal_action signal_action_of(int signal)
{
    _sig_func_ptr handler = signals.actions[signal].sa_handler;

    if (handler != SIG_DFL)
        return handler == SIG_IGN ? SIGNAL_IGNORE : SIGNAL_HANDLE;
    if (SIGNAL_BIT(signal) & IGNORED)
        return SIGNAL_IGNORE;
    return SIGNAL_BIT(signal) & SIGNAL_STOPS ? SIGNAL_STOP : SIGNAL_END;
}

/* What follows from a new action. */
static void note_action(int signal)
{
    bool ignores = signal_action_of(signal) == SIGNAL_IGNORE;

    signals.ignored = (signals.ignored & ~SIGNAL_BIT(signal)) | (ignores ? SIGNAL_BIT(signal) : 0);
    if (signal == SIGCHLD) {
        exos_wait_hooks.ended = ignores ? NULL : &aegis_env(exos.env)->ended;
        table_say(TABLE_QUIET, signals.actions[signal].sa_flags & SA_NOCLDSTOP ? TABLE_QUIET : 0);
    }
    if (ignores)
        signal_due();
}

int sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
    if (!is_signal(signal) || (action && SIGNAL_BIT(signal) & SIGNAL_SURE))
        return fail(EINVAL);
    if (before)
        *before = signals.actions[signal];
    if (!action)
        return 0;
    signal_listen();
    signals.actions[signal] = *action;
    note_action(signal);
    return 0;
}

_sig_func_ptr signal(int signal, _sig_func_ptr handler)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigaction before;

    return sigaction(signal, &action, &before) ? SIG_ERR : before.sa_handler;
}

int siginterrupt(int signal, int flag)
{
    struct sigaction action;

    if (sigaction(signal, NULL, &action))
        return -1;
    action.sa_flags = flag ? action.sa_flags & ~SA_RESTART : action.sa_flags | SA_RESTART;
    return sigaction(signal, &action, NULL);
}

/* A handler that runs in a call of the program's own interrupts no wait: not the next one either.
 */
static void check_here(void)
{
    bool interrupted = signals.interrupted;

    signal_check();
    signals.interrupted = interrupted;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
    uint64_t mask = signals.mask;

    if (before)
        *before = mask;
    if (!set)
        return 0;
    switch (how) {
    case SIG_BLOCK:
        mask |= *set;
        break;
    case SIG_UNBLOCK:
        mask &= ~*set;
        break;
    case SIG_SETMASK:
        mask = *set;
        break;
    default:
        return fail(EINVAL);
    }
    signals.mask = mask & SIGNAL_ALL & ~SIGNAL_SURE;
    check_here();
    return 0;
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    return sigprocmask(how, set, before) ? EINVAL : 0;
}

int sigpending(sigset_t *set)
{
    signal_due();
    *set = signals.pending & signals.mask;
    return 0;
}

uint64_t proc_mask_begin(uint64_t blocked)
{
    uint64_t before = signals.mask;

    getpid();                    /* others reach only members of a session */
    signals.interrupted = false; /* before */
    signals.mask = blocked & SIGNAL_ALL & ~SIGNAL_SURE;
    return before;
}

void proc_mask_end(uint64_t before)
{
    signals.mask = before;
    check_here();
}

/* Sleep until a handler has run, with mask, by which one may run at once. */
static int suspend(uint64_t mask)
{
    uint64_t handled = exos_handled(), before = proc_mask_begin(mask);

    while (exos_wait_any(NULL, 0, AEGIS_FOREVER, handled) != -EXOS_INTERRUPTED)
        ;
    proc_mask_end(before);
    return fail(EINTR);
}

int sigsuspend(const sigset_t *mask)
{
    return suspend(*mask);
}

int pause(void)
{
    return suspend(signals.mask);
}

void siglongjmp(sigjmp_buf buffer, int value)
{
    if (buffer->saves)
        sigprocmask(SIG_SETMASK, &buffer->mask, NULL);
    signals.interrupted = false; /* whatever wait the handler came into, it is left */
    longjmp(buffer->registers, value);
}

int sigwait(const sigset_t *set, int *signal)
{
    uint64_t wanted = *set & SIGNAL_ALL & ~SIGNAL_SURE, saved = signals.mask;

    getpid();
    signals.mask |= wanted;
    for (;;) {
        const volatile uint64_t *doorbell = proc_doorbell();
        uint64_t rung = doorbell ? *doorbell : 0;
        signal_due();
        uint64_t found = signals.pending & wanted;
        if (found) {
            *signal = __builtin_ctzl(found);
            __atomic_fetch_and(&signals.pending, ~SIGNAL_BIT(*signal), __ATOMIC_RELAXED);
            signals.mask = saved;
            return 0;
        }
        struct aegis_predicate when = {0};
        if (doorbell)
            when = AEGIS_WHEN(*doorbell, NE, rung);
        exos_wait(&when, doorbell ? 1 : 0, exos_wait_hooks.alarm);
    }
}

int sigaltstack(const stack_t *stack, stack_t *before)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    bool in_use = here - (uint64_t)signals.stack.ss_sp < signals.stack.ss_size;

    if (before) {
        *before = signals.stack;
        before->ss_flags |= in_use ? SS_ONSTACK : 0;
    }
    if (!stack)
        return 0;
    if (in_use)
        return fail(EPERM);
    if (stack->ss_flags & ~SS_DISABLE)
        return fail(EINVAL);
    if (stack->ss_flags & SS_DISABLE) {
        signals.stack = (stack_t){.ss_flags = SS_DISABLE};
        return 0;
    }
    if (stack->ss_size < MINSIGSTKSZ)
        return fail(ENOMEM);
    signals.stack = *stack;
    return 0;
}

unsigned alarm(unsigned seconds)
{
    uint64_t before = exos_wait_hooks.alarm, now = time_now(), second = aegis_info()->timebase;

    getpid();
    signal_listen();
    exos_wait_hooks.alarm = seconds ? now + seconds * second : AEGIS_FOREVER;
    if (before == AEGIS_FOREVER)
        return 0;
    return before <= now ? 1 : (unsigned)((before - now + second - 1) / second);
}

int raise(int signal)
{
    if (!is_signal(signal))
        return fail(EINVAL);
    if (table_self)
        table_self->sender = (uint64_t)proc_self();
    __atomic_fetch_or(&signals.pending, SIGNAL_BIT(signal), __ATOMIC_RELAXED);
    check_here();
    return 0;
}

/* One process; ESRCH if it isn't there. Who has ended and wasn't waited for takes it without
 * effect. */
static int send(pid_t pid, int signal)
{
    uint64_t life;

    if (pid == proc_self())
        return signal ? raise(signal) : 0;
    if (!table_find(pid, &life))
        return ESRCH;
    if (signal == 0 || (!table_signal(pid, signal) && signal != SIGKILL))
        return 0;
    /* Whoever owns its environment need not wait until it looks, nor for a word that it spoils; but
     * that the table names an environment isn't enough. */
    uint32_t env = signal == SIGKILL ? proc_env(pid, NULL) : 0;
    if (env && table_is_process(env))
        aegis_env_end(env, SIGKILL << 8);
    return 0;
}

/* All of a group, or all but this process and the first if group is 0. */
static int send_all(pid_t group, int signal)
{
    int sent = 0;

    for (uint32_t slot = 1; slot < TABLE_SLOTS; slot++) {
        uint64_t life = table_life(table_entry(slot));
        uint64_t kin = __atomic_load_n(&table_entry(slot)->kin, __ATOMIC_RELAXED);
        pid_t pid = table_pid(slot, life);
        if (life_state(life) != LIFE_LIVE || pid == proc_self() ||
            (group ? (pid_t)(kin >> 32) != group : pid == 1))
            continue;
        sent += send(pid, signal) == 0;
    }
    bool own = group && group == getpgrp();
    if (own)
        send(proc_self(), signal);
    return sent || own ? 0 : ESRCH;
}

int kill(pid_t pid, int signal)
{
    int error = signal < 0 || signal >= NSIG ? EINVAL : 0;

    if (!error)
        error = proc_session_need();
    if (!error && pid > 0)
        error = send(pid, signal);
    else if (!error)
        error = pid == INT_MIN ? ESRCH
                               : send_all(pid == 0    ? getpgrp()
                                          : pid == -1 ? 0
                                                      : -pid,
                                          signal);
    return error ? fail(error) : 0;
}

int killpg(pid_t group, int signal)
{
    return group <= 1 ? fail(EINVAL) : kill(-group, signal);
}

void proc_signals(uint64_t *ignored, uint64_t *blocked)
{
    *blocked = signals.mask;
    *ignored = 0;
    for (int signal = 1; signal < NSIG; signal++)
        if (signals.actions[signal].sa_handler == SIG_IGN)
            *ignored |= SIGNAL_BIT(signal);
}

void proc_begin_signals(const struct exos_start *start)
{
    signals.mask = start->blocked & SIGNAL_ALL & ~SIGNAL_SURE;
    for (int signal = 1; signal < NSIG; signal++)
        if (start->ignored & SIGNAL_BIT(signal) & ~SIGNAL_SURE) {
            signals.actions[signal].sa_handler = SIG_IGN;
            note_action(signal);
        }
    if (start->replaces && start->alarm)
        exos_wait_hooks.alarm = start->alarm;
}

void proc_forget_signals(void)
{
    exos_wait_hooks.alarm = AEGIS_FOREVER;
    EXOS_SET(signals.pending, 0);
}
