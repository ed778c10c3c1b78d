/*
 * The last phase of the verifier, from inside: how instructions change what is known. Internal to
 * the library.
 */
#ifndef ASH_TYPES_H
#define ASH_TYPES_H

#include "ash/verify.h"

/*
 * Walks over a function with loops. GROW walks take for granted at each head what the walk before
 * found to hold where jumps go back to it, made wider, until a walk finds nothing new. If that
 * doesn't come about soon, a FORGET walk begins anew: at a head everything is forgotten that the
 * loop may change. The LAST one, or the only one if there are no loops, knows at each head what
 * holds on the way in and where jumps go back to it.
 */
enum ash_walk { ASH_WALK_GROW, ASH_WALK_FORGET, ASH_WALK_LAST };
#define ASH_ROUNDS 6 /* of GROW */

/* What a register holds before the current instruction. */
struct ash_value ash_register(const struct ash_verifier *v, unsigned reg);

/* The second operand of an ALU instruction or jump. */
struct ash_value ash_operand(const struct ash_verifier *v, const struct ash_insn *insn);

/* Loads, stores, atomic operations: fills in the note, and changes v->current. */
void ash_type_access(struct ash_verifier *v, uint32_t at);

/* Calls of helpers and of functions, likewise. */
void ash_type_call(struct ash_verifier *v, uint32_t at);

/* Notes whether a helper that reads size bytes there may read stack that wasn't written. */
void ash_type_read(struct ash_verifier *v, const struct ash_value *pointer,
                   const struct ash_value *size);

#endif
