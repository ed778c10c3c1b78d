/*
 * What the verifier knows at one point of a program. Internal to the library.
 */
#ifndef ASH_FACTS_H
#define ASH_FACTS_H

#include "ash/value.h"

#define ASH_NAMED_REGISTERS 10 /* r0 to r9; r10 is always the same */
#define ASH_SPILLS          12 /* stack slots whose contents are followed */

/* In the pool: what is known where jumps go back to an instruction, and what was taken to hold
 * there. */
#define ASH_LOOP_END  0x80000000u
#define ASH_LOOP_HEAD 0x40000000u
#define ASH_LOOP      (ASH_LOOP_END | ASH_LOOP_HEAD)

struct ash_spill {
    int32_t slot; /* offset from r10 of its 8 bytes; 0: unused */
    struct ash_value value;
};

struct ash_facts {
    uint32_t
        at; /* in the pool: whose facts they are; with a bit of ASH_LOOP; ASH_NO_INSN if free */
    uint32_t reach; /* bytes behind data that are known to be in the frame */
    struct ash_value registers[ASH_NAMED_REGISTERS];
    uint64_t written[ASH_STACK_FRAME /
                     64]; /* stack bytes that were written on every path; bit 0 is r10 - 512 */
    struct ash_spill spills[ASH_SPILLS];
};

/* What is known of the arguments of a function, from all calls that were seen. */
struct ash_arguments {
    bool seen;
    struct ash_value values[5];
};

/* Knows nothing, but that nothing on the stack was written. */
void ash_facts_clear(struct ash_facts *facts);

/* Keeps in into what both know. at: where they meet, for the names of variable parts. */
void ash_facts_join(struct ash_facts *into, const struct ash_facts *from, uint32_t at);

/* Whether both know the same. */
bool ash_facts_same(const struct ash_facts *a, const struct ash_facts *b);

/* Changes what is known at a loop's head, by ash_widen: old was taken to hold, new is what one more
 * round makes of it. */
void ash_facts_widen(const struct ash_facts *old, struct ash_facts *new);

/* The name for what an instruction (or a meeting of paths there) makes in a register. */
static inline uint16_t ash_name(uint32_t at, unsigned reg)
{
    return (uint16_t)(1 + at * 11 + reg);
}

/* A name is given anew: whatever else has it loses it, but for one register (ASH_NO_REG: none). */
#define ASH_NO_REG 10
void ash_facts_rename(struct ash_facts *facts, uint16_t name, unsigned but);

/* Calls visit for each value of them that is of this kind and has this name. */
void ash_facts_each(struct ash_facts *facts, uint8_t kind, uint16_t id,
                    void (*visit)(struct ash_value *value, const void *what), const void *what);

/* The frame has at least this many bytes behind data + the variable part called id. */
void ash_facts_reach(struct ash_facts *facts, uint16_t id, uint32_t bytes);

/* The frame's ends may have moved: no pointer into it is worth anything. */
void ash_facts_frame_moved(struct ash_facts *facts);

/* Bytes [low, high) from r10 on are written, with value if that is one 8-byte slot, else (null)
 * with something. */
void ash_facts_store(struct ash_facts *facts, int64_t low, int64_t high,
                     const struct ash_value *value);

/* A store went to some place on the stack, or may have. */
void ash_facts_forget_spills(struct ash_facts *facts);

/* Whether bytes [low, high) from r10 on were surely written. */
bool ash_facts_is_written(const struct ash_facts *facts, int64_t low, int64_t high);

/* What was spilled to a slot, or null. */
const struct ash_value *ash_facts_spilled(const struct ash_facts *facts, int64_t slot);

#endif
