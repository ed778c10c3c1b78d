/*
 * The abort protocol (SOSP '95, section 3.5): takes resources by force from an environment that
 * does not give them up, and names each in its repossession vector.
 */
#ifndef AEGIS_KERNEL_ABORT_H
#define AEGIS_KERNEL_ABORT_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/env.h"

/* Whether resources of a kind can be asked for and taken. */
bool abort_knows(uint32_t kind);

/* How many of a kind, known, the environment has that it could give up. */
uint64_t abort_held(enum aegis_kind kind, const struct env *env);

/*
 * Takes resources of a kind until env holds no more than goal, or a bounded step is over. Returns
 * whether that was all: the goal is reached, or nothing more can be taken now.
 */
bool abort_step(enum aegis_kind kind, struct env *env, uint64_t goal);

/* Unpins env's repossession page; it ends. */
void abort_forget(struct env *env);

#endif
