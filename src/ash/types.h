/*
 * The last phase of the verifier, from inside: how instructions change what is known. Internal to
 * the library.
 */
#ifndef ASH_TYPES_H
#define ASH_TYPES_H

#include "ash/verify.h"

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
