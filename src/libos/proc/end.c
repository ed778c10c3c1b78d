/* How signals end a process. */
#include <signal.h>
#include <stdlib.h>

#include "libos/proc/internal.h"
#include "libos/proc/signals.h"
#include "libos/start/internal.h"
#include "libos/start/start.h"

/* What these say is that the process's memory may be spoiled; and SIGKILL waits for nothing. */
#define AT_ONCE                                                                                    \
    (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) |        \
     SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

/*
 * What goes on is the library alone: none of the program's handlers runs any more. A second signal
 * that ends the process does so at once.
 */
static void say_goodbye(void)
{
    for (int signal = 1; signal < NSIG; signal++)
        if (signal_action_of(signal) != SIGNAL_END)
            signals.mask |= SIGNAL_BIT(signal) & ~SIGNAL_SURE;
    proc_say_goodbye();
}

_Noreturn void signal_end(int signal)
{
    if (proc_says_goodbye && !(SIGNAL_BIT(signal) & AT_ONCE))
        say_goodbye();
    exos_end((uint64_t)signal << 8);
}

/* Even from a handler of SIGABRT that returns, or with the signal ignored or blocked. */
void abort(void)
{
    signals.mask &= ~SIGNAL_BIT(SIGABRT);
    if (signal_action_of(SIGABRT) == SIGNAL_HANDLE)
        raise(SIGABRT);
    signal_end(SIGABRT);
}
