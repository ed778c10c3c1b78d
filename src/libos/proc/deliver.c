/*
 * How signals reach their handlers: on the stack that was interrupted, or the one of sigaltstack,
 * with the registers in a ucontext_t above the handler's frame, which it may change.
 *
 *   from where a slice begins   the listener sets pc to the trampoline, sp below what was there
 *   from an exception           the upcall's handler does the same; so handlers run outside of
 *                               upcalls, and may leave by siglongjmp
 *   in a call                   signal_here makes the context of its caller
 */
#include <errno.h>
#include <stddef.h>

#include "libos/proc/deliver.h"
#include "libos/proc/internal.h"
#include "libos/proc/signals.h"
#include "libos/proc/table.h"
#include "libos/slice/slice.h"
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"

_Static_assert(offsetof(ucontext_t, uc_mcontext.__gregs) == UC_X(0), "deliver.S");
_Static_assert(offsetof(ucontext_t, uc_mcontext.__fpregs) == UC_F(0), "deliver.S");
_Static_assert(offsetof(ucontext_t, uc_mcontext.__fcsr) == UC_FCSR, "deliver.S");
_Static_assert(sizeof(ucontext_t) <= UC_SIZE, "deliver.S");

/* Where the trampoline was entered from, and the signal of an exception there, 0 for none; busy
 * until it has taken that over. */
struct signal_from {
    uint64_t pc, sp;
    uint64_t busy;
    uint64_t fault;
};
extern struct signal_from signal_from;
struct signal_from signal_from;
_Static_assert(offsetof(struct signal_from, sp) == SIGNAL_FROM_SP, "deliver.S");
_Static_assert(offsetof(struct signal_from, busy) == SIGNAL_FROM_BUSY, "deliver.S");
_Static_assert(offsetof(struct signal_from, fault) == SIGNAL_FROM_FAULT, "deliver.S");

static bool on_alternate(uint64_t sp)
{
    return sp - (uint64_t)signals.stack.ss_sp < signals.stack.ss_size;
}

/* Where a handler's ucontext goes if it interrupts a program whose stack pointer is sp. */
static uint64_t place_context(int signal, uint64_t sp)
{
    const stack_t *stack = &signals.stack;
    bool alternate = signals.actions[signal].sa_flags & SA_ONSTACK && stack->ss_size &&
                     !(stack->ss_flags & SS_DISABLE) && !on_alternate(sp);

    if (alternate)
        sp = (uint64_t)stack->ss_sp + stack->ss_size;
    return (sp & ~15UL) - UC_SIZE;
}

/* Makes pc and sp of what is interrupted those of the trampoline. */
static void redirect(int signal, bool is_fault, uint64_t *pc, uint64_t *sp)
{
    signal_from = (struct signal_from){*pc, *sp, true, is_fault ? (uint64_t)signal : 0};
    *pc = (uint64_t)signal_trampoline;
    *sp = place_context(signal, *sp);
}

static int lowest(uint64_t set)
{
    return __builtin_ctzl(set);
}

static void run_handler(int signal, ucontext_t *context)
{
    const struct sigaction action = signals.actions[signal];
    siginfo_t info = {.si_signo = signal, .si_code = SI_USER};
    int saved = errno;

    if (signals.fault.si_signo == signal) {
        info = signals.fault;
        signals.fault.si_signo = 0;
    } else if (table_self) {
        info.si_pid = (pid_t)table_self->sender;
    }
    if (signal == SIGALRM)
        info = (siginfo_t){.si_signo = signal, .si_code = SI_TIMER};
    context->uc_sigmask = signals.mask;
    signals.mask |= action.sa_mask | (action.sa_flags & SA_NODEFER ? 0 : SIGNAL_BIT(signal));
    signals.mask &= ~SIGNAL_SURE;
    if (action.sa_flags & SA_RESETHAND)
        signals.actions[signal].sa_handler = SIG_DFL;
    exos_wait_hooks.handled++;
    if (table_self) /* a wait that was about to begin looks again */
        __atomic_fetch_add(&table_self->doorbell, 1, __ATOMIC_RELAXED);
    signals.interrupted |= !(action.sa_flags & SA_RESTART);
    if (action.sa_flags & SA_SIGINFO)
        action.sa_sigaction(signal, &info, context);
    else
        action.sa_handler(signal);
    signals.mask = context->uc_sigmask & ~SIGNAL_SURE;
    errno = saved;
}

/*
 * Called by deliver.S: the signal of the exception that led here, if fault isn't 0, and all that is
 * due, one after the other. The former is never pending: where a slice begins meanwhile it would be
 * handled with the context of this function.
 */
void signal_dispatch(ucontext_t *context, uint64_t fault)
{
    uint64_t due;

    context->uc_flags = 0;
    context->uc_link = NULL;
    context->uc_stack = signals.stack;
    if (fault)
        run_handler((int)fault, context);
    while ((due = signal_due())) {
        int signal = due & SIGNAL_BIT(SIGKILL) ? SIGKILL : lowest(due);
        uint64_t bit = SIGNAL_BIT(signal);
        if (!(__atomic_fetch_and(&signals.pending, ~bit, __ATOMIC_RELAXED) & bit))
            continue; /* a slice began meanwhile, and it was handled there */
        enum signal_action action = signal_action_of(signal);
        if (action == SIGNAL_HANDLE)
            run_handler(signal, context);
        else if (action == SIGNAL_STOP)
            signal_stop(signal);
        else if (action == SIGNAL_END)
            signal_end(signal);
    }
}

void signal_check(void)
{
    if (signal_due() && !exos_held_back(EXOS_HELD_SIGNALS))
        signal_here();
}

/* What a slice's beginning finds due is handled by the program itself, at the place where it was.
 */
static void slice_begins(struct aegis_context *context)
{
    uint64_t due = signal_due();

    if (!due || signal_from.busy || exos_held_back(EXOS_HELD_SIGNALS))
        return;
    if (due & SIGNAL_BIT(SIGKILL))
        signal_end(SIGKILL);
    if (signals.stopped) /* all else waits */
        return;
    redirect(lowest(due), false, &context->pc, &context->x[1]);
}

/* exos_wait asks before it sleeps, and when the doorbell has rung. */
static bool rung(void)
{
    signal_check();
    bool ends = signals.interrupted;
    EXOS_SET(signals.interrupted, false);
    return ends;
}

struct cause {
    uint8_t signal, code;
};

static struct cause cause_of(const struct upcall_context *context)
{
    static const struct cause causes[UPCALL_CAUSES] = {
        [UPCALL_MISALIGNED_FETCH] = {SIGBUS, BUS_ADRALN},
        [UPCALL_FETCH_FAULT] = {SIGBUS, BUS_ADRERR},
        [UPCALL_ILLEGAL] = {SIGILL, ILL_ILLOPC},
        [UPCALL_BREAKPOINT] = {SIGTRAP, TRAP_BRKPT},
        [UPCALL_MISALIGNED_LOAD] = {SIGBUS, BUS_ADRALN},
        [UPCALL_LOAD_FAULT] = {SIGBUS, BUS_ADRERR},
        [UPCALL_MISALIGNED_STORE] = {SIGBUS, BUS_ADRALN},
        [UPCALL_STORE_FAULT] = {SIGBUS, BUS_ADRERR},
        [UPCALL_FOREIGN] = {SIGSYS, SYS_SECCOMP},
        [UPCALL_FETCH_PAGE] = {SIGSEGV, SEGV_MAPERR},
        [UPCALL_LOAD_PAGE] = {SIGSEGV, SEGV_MAPERR},
        [UPCALL_STORE_PAGE] = {SIGSEGV, SEGV_MAPERR},
    };
    struct cause cause = causes[context->cause % UPCALL_CAUSES];
    int64_t error;

    if (cause.signal != SIGSEGV)
        return cause;
    switch (vm_why(context->value, &error)) {
    case VM_FORBIDDEN:
        return (struct cause){SIGSEGV, SEGV_ACCERR};
    case VM_LOST:
    case VM_NO_MEMORY:
        return (struct cause){SIGBUS, BUS_ADRERR};
    default:
        return cause;
    }
}

/* Whether the exception came from a handler of another one. */
static bool is_nested(const struct upcall_context *context)
{
    uint64_t offset = (uint64_t)context->frame % AEGIS_PAGE_SIZE;

    return offset != offsetof(struct aegis_upcall_page, frames);
}

static bool by_exception(struct upcall_context *context)
{
    struct cause cause = cause_of(context);
    bool about_pc = cause.signal == SIGILL || cause.signal == SIGTRAP || cause.signal == SIGSYS;

    if (signal_action_of(cause.signal) != SIGNAL_HANDLE || is_nested(context) || signal_from.busy ||
        signals.mask & SIGNAL_BIT(cause.signal)) {
        signal_report(cause.signal, context);
        return false; /* it happens again, for the kernel's record */
    }
    signals.fault = (siginfo_t){.si_signo = cause.signal,
                                .si_code = cause.code,
                                .si_addr = (void *)(about_pc ? context->pc : context->value)};
    redirect(cause.signal, true, &context->pc, &context->x[2]);
    return true;
}

void signal_listen(void)
{
    static const enum upcall_cause causes[] = {
        UPCALL_MISALIGNED_FETCH, UPCALL_FETCH_FAULT,      UPCALL_ILLEGAL,     UPCALL_BREAKPOINT,
        UPCALL_MISALIGNED_LOAD,  UPCALL_LOAD_FAULT,       UPCALL_STORE_FAULT, UPCALL_FETCH_PAGE,
        UPCALL_LOAD_PAGE,        UPCALL_MISALIGNED_STORE, UPCALL_STORE_PAGE,  UPCALL_FOREIGN};
    static struct slice_listener listener = {.begins = slice_begins};
    static bool listens;

    if (listens)
        return;
    listens = true;
    exos_wait_hooks.rung = rung;
    exos_held_hooks[EXOS_HELD_SIGNALS] = signal_check;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        upcall_handler before = upcall_set(causes[i], by_exception);
        if (before) /* the program's own, or another part's: it stays */
            upcall_set(causes[i], before);
    }
    slice_listen(&listener);
}
