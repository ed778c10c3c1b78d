/* What attacks on gates share (gates.c). */
#ifndef ATTACK_GATES_H
#define ATTACK_GATES_H

#include "attack.h"

BLOB(yielder);
BLOB(obeyer);

uint64_t gates_now(void);

/* A capability to call env, the caller's child or itself. */
struct aegis_cap gates_cap(uint32_t env);

/* A child with a gate to it, which was called once and accepts; and its end. */
void gates_open(struct raw *raw, uint32_t index, const char *blob, const char *blob_end);
void gates_close(struct raw *raw);

/* A child that calls another, which serves it and doesn't return. */
void gates_start_pair(struct raw *caller, struct raw *callee, const char *blob,
                      const char *blob_end);

/* A child makes this call, with this argument twice, while it serves the caller: what the child
 * got, if it lives, or the caller. */
int64_t gates_serving_child(uint64_t number, uint64_t argument);

#endif
