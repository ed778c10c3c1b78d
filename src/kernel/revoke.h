/*
 * Visible revocation (SOSP '95, section 3.4): an environment is asked, by an upcall, to give up
 * resources of its choice; past the deadline the abort protocol takes them (abort.h).
 *
 * Invariant: env.revocation.kind != 0 <=> info.revoking != 0, and then the environment is LIVE;
 * while env.forced it doesn't run.
 */
#ifndef AEGIS_KERNEL_REVOKE_H
#define AEGIS_KERNEL_REVOKE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/env.h"

/*
 * Looks after a revocation that is under way, when a slot of env comes up: it may be done, has to
 * be asked for, or its deadline is over and a step of it is taken by force. Returns whether such a
 * step was taken, so that env doesn't run yet.
 */
bool revoke_step(struct env *env, uint64_t now);

/* Forgets what env was asked for; it ends. */
void revoke_cancel(struct env *env);

#endif
