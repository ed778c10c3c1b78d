/*
 * Exceptions go to the application (SOSP '95, section 5.3): the kernel leaves a frame in a page
 * that the application named, and enters its handler. It returns without the kernel.
 *
 * Invariant: env.upcall != NULL => its page is memory of env, pinned; DATA, or a ring's or
 * a map's as well.
 */
#ifndef AEGIS_KERNEL_UPCALL_H
#define AEGIS_KERNEL_UPCALL_H

#include <stdbool.h>
#include <stdint.h>

struct env;

/*
 * Delivers an exception of env, whose registers are saved, and goes on with env; or ends env when
 * it has no handler or no free frame.
 */
_Noreturn void upcall_exception(struct env *env, uint64_t cause, uint64_t value);

/*
 * Lets env, which does not run, go on in its handler, with cause and value, before anything else;
 * what it was doing goes on after resume. A call to wait that it is in is made again then. Returns
 * whether it could be delivered: it has a handler and a free frame, and no such upcall under way.
 */
bool upcall_deliver(struct env *env, uint64_t cause, uint64_t value);

/* The same at another address than the handler's. */
bool upcall_enter(struct env *env, uint64_t pc, uint64_t cause, uint64_t value);

/* The specification's name of an exception's scause. */
const char *upcall_cause_name(uint64_t cause);

#endif
