/*
 * Exceptions that rv64/entry.S takes to the application's handler by itself: without saving more
 * registers than three, and without C.
 *
 * Invariant: this_hart->direct.causes == 0, or it names exceptions of this_hart->env for which
 * upcall_exception would write a frame to direct.upcall, env.upcall, and enter direct.handler,
 * env.handler, and the rest of direct is env's. So whoever changes one of these, the environment
 * under way, or who owns the floating-point registers, calls direct_forget; upcall_exception fills
 * it again when it delivers the next one.
 */
#ifndef AEGIS_KERNEL_DIRECT_H
#define AEGIS_KERNEL_DIRECT_H

#include "kernel/hart.h"
#include "kernel/rv64/csr.h"

/* The bit that entry.S finds at the top after a shift by cause - CAUSE_USER_ECALL, modulo 64. */
#define DIRECT(cause) (1UL << (63 - (((cause)-CAUSE_USER_ECALL) & 63)))

/*
 * Not among them: page faults, about which entry.S asks the page table as long as there are others
 * here; an illegal instruction while the floating-point registers are another's; and what has the
 * code of an interrupt that is enabled (5, 9), since entry.S doesn't tell those apart.
 */
#define DIRECT_ALWAYS                                                                              \
    (DIRECT(CAUSE_MISALIGNED_FETCH) | DIRECT(CAUSE_BREAKPOINT) | DIRECT(CAUSE_MISALIGNED_LOAD) |   \
     DIRECT(CAUSE_MISALIGNED_STORE) | DIRECT(CAUSE_STORE_ACCESS))

static inline void direct_forget(void)
{
    this_hart->direct.causes = 0;
}

#endif
