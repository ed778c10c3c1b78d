/*
 * Symbolic values of classic BPF's registers: what can be tested, or used as an offset, when the
 * frame is not known.
 */
#ifndef DPFC_VALUE_H
#define DPFC_VALUE_H

#include "tools/dpfc/graph.h"

enum value_kind {
    VALUE_NUMBER, /* k */
    VALUE_FIELD,  /* (load & mask), or the length, put through ops */
    VALUE_OFFSET, /* value(base) + k, where base is a running base */
};

#define VALUE_OPS 6

/* One step of arithmetic on 32 bits; none but ADD overflows, so that each can be undone on
 * intervals. */
struct value_op {
    uint32_t op; /* BPF_ADD, BPF_MUL, BPF_DIV, BPF_LSH, BPF_RSH */
    uint32_t k;
};

struct value {
    uint32_t kind;
    uint32_t k;
    uint32_t base;
    uint32_t offset;
    uint32_t width; /* 0: the frame's length */
    uint32_t op_count;
    uint64_t mask;
    uint64_t most; /* no value is greater */
    struct value_op ops[VALUE_OPS];
};

struct values {
    struct trouble *trouble;
    struct graph *graph;
    struct pool pool; /* of struct value */
};

/* Value 0 is the number 0. */
void values_start(struct values *values, struct graph *graph);
void values_end(struct values *values);

static inline const struct value *value_at(const struct values *values, uint32_t value)
{
    return pool_item(&values->pool, value);
}

uint32_t value_number(struct values *values, uint32_t k);
uint32_t value_load(struct values *values, uint32_t base, uint32_t offset, uint32_t width);
uint32_t value_length(struct values *values);

/* The result of an arithmetic operation (BPF_ADD ... of pcap/bpf.h; BPF_NEG ignores x). Fails with
   DPFLIFT_REFUSED where it has no such form. */
uint32_t value_alu(struct values *values, uint32_t op, uint32_t a, uint32_t x);

/* A value as a place: a running base and what is added to it. Fails if it has no such form. */
void value_place(struct values *values, uint32_t value, uint32_t *base, uint32_t *add);

enum value_answer { ANSWER_NO, ANSWER_YES, ANSWER_DEPENDS };

/*
 * Compares a with x by BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET. If the answer depends on the frame,
 * key and set become the atom that gives it.
 */
enum value_answer value_compare(struct values *values, uint32_t op, uint32_t a, uint32_t x,
                                uint32_t *key, uint32_t *set);

#endif
