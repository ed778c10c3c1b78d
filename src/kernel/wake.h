/*
 * Wake-up predicates (SOSP '95's and Xok's way to wait without a kernel that knows for what): an
 * environment names words and what they must be; the kernel looks when its slot comes up.
 *
 * Invariant: each predicate's word lies in an exposed page or in a page that is pinned for it.
 */
#ifndef AEGIS_KERNEL_WAKE_H
#define AEGIS_KERNEL_WAKE_H

#include <stdbool.h>
#include <stdint.h>

struct env;

/*
 * Whether env can run: it waits for nothing, or a predicate holds, or its deadline has come. Then
 * it waits no more, and its a0 tells which.
 */
bool wake_ready(struct env *env, uint64_t now);

/* Forgets what env waits for, and unpins it. */
void wake_cancel(struct env *env);

#endif
