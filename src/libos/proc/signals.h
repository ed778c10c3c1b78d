/* Signals inside a process: what signal.c (state, POSIX's calls), deliver.c (the ways to handlers),
 * end.c (the default action of most) and crash.c (that of exceptions) share. Not for programs. */
#ifndef EXOS_PROC_SIGNALS_H
#define EXOS_PROC_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "libos/upcall/upcall.h"

#define SIGNAL_BIT(signal) (1UL << (signal))
#define SIGNAL_ALL         0xfffffffeUL
#define SIGNAL_STOPS                                                                               \
    (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SIGNAL_SURE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP)) /* not to be caught or blocked */

/* What is done about a signal that is due. */
enum signal_action { SIGNAL_IGNORE, SIGNAL_END, SIGNAL_STOP, SIGNAL_HANDLE };

struct signal_state {
    struct sigaction actions[NSIG];
    uint64_t mask;    /* blocked */
    uint64_t ignored; /* by their action */
    uint64_t pending; /* raised here, or taken from the session's table */
    bool stopped;     /* until SIGCONT */
    bool interrupted; /* a handler without SA_RESTART has run since the last wait asked */
    stack_t stack;    /* sigaltstack's */
    siginfo_t fault;  /* of the exception that is about to be handled; si_signo 0: none */
};
extern struct signal_state signals;

/* Take what others have sent, and the alarm if it is due; returns the set that is due now: pending
 * and not blocked. Fit for upcalls. */
uint64_t signal_due(void);

enum signal_action signal_action_of(int signal);

/* Run handlers and default actions of all that is due, on this stack. */
void signal_check(void);

/* Have handlers run by themselves from now on: where slices begin, in waits, at exceptions. */
void signal_listen(void);

/* deliver.S */
void signal_here(void);
void signal_trampoline(void);
void signal_dispatch(ucontext_t *context, uint64_t fault);

/* Say on stderr that an exception ends the program, and where it was. */
void signal_report(int signal, const struct upcall_context *context);

/* What a stop signal does by default: stop until SIGCONT is sent, or the end; the parent is told.
 */
void signal_stop(int signal);

/* end.c: end this process as the signal's default action does; peers of its sockets are told,
 * unless something is half changed or the signal says that it may be. */
_Noreturn void signal_end(int signal);

/* The name of a signal, "SIGSEGV"; "?" for what is none. */
const char *signal_name(int signal);

#endif
