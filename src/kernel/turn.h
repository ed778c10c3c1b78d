/*
 * Turns at what one environment has at a time: a binding that is being made, a handler's download,
 * a server that is called through gates. Who finds it taken is told BUSY and asks again; from then
 * on those who ask later are behind it. So nobody who is at it whenever a slice ends, and begins
 * anew in the next one, keeps the others away.
 *
 * A turn isn't kept for who doesn't want it any more: who waits has to be able to run, and to ask
 * again in its next slice.
 *
 * Invariant: of the environments whose turn.at isn't NULL there are turn_count.
 */
#ifndef AEGIS_KERNEL_TURN_H
#define AEGIS_KERNEL_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/env.h"

extern uint32_t turn_count;

/* The caller finds `at`, a thing by its address, taken: it waits from its first such question on.
 */
void turn_wait(const void *at);

/* `at` is free, and the caller is about to have it: false if somebody has waited longer. Then it
 * waits as well; else it waits for nothing any more. */
bool turn_begin(const void *at);

/* Whether somebody waits for `at`. Some thousand instructions if anybody waits for anything. */
bool turn_is_awaited(const void *at);

/* env waits for nothing any more; also because it ends. */
void turn_leave(struct env *env);

/* `at` is gone: nobody waits for it. */
void turn_end(const void *at);

#endif
