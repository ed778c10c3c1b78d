/*
 * What the parts of the compiler share. Internal.
 *
 *   compile.c         the phases, the frame of the function
 *   compile_memory.c  working memory, bounds, beginning
 *   compile_need.c    what each node needs: bytes that must be readable for anything below it to
 * match compile_walk.c    the trie, depth first: a node's code is followed by its child's
 *   compile_run.c     straight runs of equality tests, covered by few loads
 *   compile_field.c   bounds checks, loads, intervals, shifts
 *   compile_table.c   many values on one field: compares, jump table, hash
 *   compile_ranges.c  many ranges: a binary tree of compares
 *   compile_dag.c     a filter's DAG as it is
 *
 * Registers of the code:
 *
 *   a0 frame            a3 id of the winner so far      t0 value of the field
 *   a1 available        a4 its key, where compared      t1 constant
 *   a2 length           a5 taps so far                  t2, t3, t4 addresses, table entries
 *   a6 frame + available, once a path has set a base
 *   bases of level 1 to 8: a7 t5 t6 s0 s1 s2 s3 s4 (s registers are saved if they are used at all)
 *
 * t0 to t4 live within one node's code only. Jumps of more than 1 MiB go through t3.
 */
#ifndef DPF_COMPILE_STATE_H
#define DPF_COMPILE_STATE_H

#include "dpf/compile.h"
#include "dpf/trie.h"

#define FRAME     RV_A0
#define AVAILABLE RV_A1
#define LENGTH    RV_A2
#define WINNER    RV_A3
#define BEST      RV_A4
#define TAPS      RV_A5
#define END       RV_A6
#define VALUE     RV_T0
#define CONST     RV_T1
#define TABLE     RV_T2
#define SLOT      RV_T3
#define ENTRY     RV_T4
#define FAR       RV_T3

#define BASES       (TRIE_LEVELS + 1) /* a filter's running base comes behind the levels of its path */
#define SAVED_BASES 4                 /* bases from this one on are in s registers */
#define DEPTH_MAX   288               /* a list and a table for each atom of a conjunction */
#define RUN_MAX     24                /* bytes of one run of equality tests */

#define NONE_LABEL 0          /* the first label of each pass: nothing (more) matches */
#define NO_LABEL   UINT32_MAX /* no jump is pending */

/* What is known on the path to the code being emitted. */
struct path {
    uint32_t known[BASES]; /* bytes that are readable from each base */
    uint8_t align[BASES];  /* each base lies a multiple of this, at most 8, behind the frame */
    uint8_t top;           /* the highest level whose base is set */
    bool end;              /* END is set */
};

/* Bytes that a frame must have so that anything below a node, or in a list, can match. */
struct need {
    uint16_t frame; /* from its start */
    uint16_t based; /* from the base of level; 0: none */
    uint8_t level;
};

/* What is kept of each trie node. */
struct record {
    struct need need, list; /* of the node; of the list that it begins */
    uint32_t label;         /* 0: none yet */
    bool copy;              /* not a node, but part of a copied filter */
    bool listed;            /* list is known */
    /* MANY */
    bool plain;      /* behind what they have in common, all children do nothing but accept */
    bool direct;     /* so what they accept stands in the table */
    uint8_t common;  /* tests that all children begin with */
    uint8_t attempt; /* multipliers that failed */
    uint8_t slack;   /* bits by which the table is larger, because too many failed */
    uint32_t lead;   /* one of the children */
    uint32_t count;  /* entries that are not free */
    uint64_t least;  /* if plain, the lowest key of a child */
    uint32_t table;  /* label of the table; 0: none yet */
    uint32_t anchor; /* from where the code looks for it */
    uint32_t next;   /* the next node with a table */
};

/* What is kept of each node of a filter that is compiled as a DAG. */
struct dag_node {
    uint32_t label; /* 0: none yet */
    uint32_t known, known_based;
    struct need need;
    uint8_t align;
    uint8_t parents; /* 2: two or more */
    bool reached;
};

enum visit_kind { VISIT_LIST, VISIT_TABLE };

/* One level of the walk. */
struct visit {
    struct path path; /* where the list or the table begins */
    uint64_t hi;      /* highest key that may have been accepted before */
    uint32_t node;    /* LIST: the alternative in work; TABLE: the node */
    uint32_t end;     /* LIST: where its last alternative fails to */
    uint32_t cursor;  /* TABLE: next slot, then range */
    uint8_t kind;
};

/* Emission of many ranges: what is left, as the right sides of inner nodes. */
struct ranges {
    const uint8_t *low; /* the first range: of struct trie_range or dpf_range */
    size_t stride;
    uint32_t node; /* MANY, each leads to its child; or 0: all lead to hit */
    uint32_t hit, miss;
    uint32_t from, to; /* in work, if from < to */
    unsigned depth;
    struct {
        uint32_t label, from, to;
    } right[32];
};

/* What one pass finds out and the next one relies on. */
struct learned {
    bool continues; /* the walk goes on after an accepted member: WINNER is in use */
    bool compares;  /* BEST is in use */
    uint8_t bases;  /* highest base in use */
};

enum compile_phase {
    PHASE_MARK,
    PHASE_NEED,
    PHASE_START,
    PHASE_WALK,
    PHASE_TABLES,
    PHASE_END,
    PHASE_DONE,
};

struct compile {
    struct vcode v;
    struct dpf_compile_options options;
    const struct dpf_trie *trie; /* or null: a filter alone */
    struct learned learned, found;
    bool enlarged; /* a table was: another pass is needed */
    uint8_t phase;
    int error;
    size_t effort;  /* of the piece in work, beside what it emits */
    uint32_t entry; /* offset of the function */
    uint32_t text;  /* bytes of instructions */

    uint32_t cursor;      /* MARK, NEED: the next node */
    uint32_t inner;       /* NEED: the next entry of its table; TABLES: likewise */
    uint32_t alternative; /* NEED: the next one of a list that is looked through; 0: none is */
    uint32_t pending;     /* label of a jump that comes unless that label does; or NO_LABEL */
    struct path now;

    struct record *records; /* by number of the node */
    unsigned depth;
    struct visit *visits; /* DEPTH_MAX */
    struct ranges ranges;

    /* tables (compile_table.c): the one being filled */
    struct {
        uint32_t first, last; /* nodes that have one, linked by next; the first is in work */
        void *memory;
        uint64_t key; /* some entry's */
        uint32_t child;
        uint8_t step;
    } table;

    /* a filter (compile_dag.c) */
    struct {
        const struct dpf_node *nodes;
        const struct dpf_range *ranges;
        struct dag_node *state; /* DPF_NODES_MAX, or as many as the filter has */
        uint32_t count, cursor;
        uint32_t accept, reject; /* labels */
        uint32_t trie_node;      /* REST, or 0 */
        uint16_t from;
        uint8_t base; /* number of the running base's register */
        uint8_t step; /* 0: none in work */
    } dag;
};

static inline struct record *record_of(struct compile *c, uint32_t node)
{
    return &c->records[node];
}

/* What decides between members: greater wins. 0: no member but taps. */
static inline uint64_t key_of(const struct compile *c, const struct trie_node *node)
{
    if (!node->order || !c->options.equals_disjoint)
        return node->order;
    return (node->order >> 32) + 1;
}

/* The table of a MANY node: slots, then ranges, as entries numbered through. */
static inline const struct trie_slot *slots_of(const struct dpf_trie *trie,
                                               const struct trie_node *node)
{
    return (const void *)((const uint64_t *)(const void *)trie + node->many.table);
}

static inline uint32_t slot_count(const struct trie_node *node)
{
    return node->bits ? UINT32_C(1) << node->bits : 0;
}

static inline const struct trie_range *ranges_of(const struct dpf_trie *trie,
                                                 const struct trie_node *node)
{
    return (const void *)(slots_of(trie, node) + slot_count(node));
}

static inline uint32_t entry_count(const struct trie_node *node)
{
    return slot_count(node) + node->many.ranges;
}

/* Where a child's own code begins: behind the tests that all children of the node have in common.
 */
static inline uint32_t landing(const struct compile *c, uint32_t node, uint32_t child)
{
    for (unsigned i = 0; i < c->records[node].common; i++)
        child = trie_node(c->trie, child)->child;
    return child;
}

/* The child that an entry leads to, or 0 if it is free. */
static inline uint32_t entry_child(const struct dpf_trie *trie, const struct trie_node *node,
                                   uint32_t entry)
{
    uint32_t slots = slot_count(node);
    return entry < slots ? slots_of(trie, node)[entry].child
                         : ranges_of(trie, node)[entry - slots].child;
}

static inline bool misaligned_works(const struct compile *c)
{
    return c->v.isa & RV64_MISALIGNED;
}

/* Numbers of bits, by hand: on a hart without Zbb the compiler's own would call a library. The
 * value is not 0. */
static inline unsigned highest_bit(uint64_t value)
{
    unsigned bit = 0;
    for (unsigned half = 32; half > 0; half /= 2)
        if (value >> half) {
            value >>= half;
            bit += half;
        }
    return bit;
}

static inline unsigned lowest_bit(uint64_t value)
{
    return highest_bit(value & -value);
}

static inline uint8_t byte_of(uint64_t value, unsigned index)
{
    return (uint8_t)(value >> 8 * index);
}

static inline enum rv64_reg base_register(unsigned base)
{
    static const uint8_t registers[BASES] = {FRAME, RV_A7, RV_T5, RV_T6, RV_S0,
                                             RV_S1, RV_S2, RV_S3, RV_S4};
    return registers[base];
}

/* compile.c: the first pass begins with phase. */
void compile_begin(struct compile *c, enum compile_phase phase);
/* The emitted function's frame, labels, pending jumps. */
void compile_uses_base(struct compile *c, unsigned base);
void compile_go(struct compile *c, uint32_t label); /* goto label, at once or by falling through */
void compile_place(struct compile *c,
                   uint32_t label);     /* code comes here; label 0 is bound to nothing */
void compile_return(struct compile *c); /* results are in a0 and a1 */
uint32_t compile_label_of(struct compile *c, uint32_t node); /* of a trie node; of 0: NONE_LABEL */
uint32_t compile_fail_of(struct compile *c, const struct trie_node *node);

/* compile_need.c: one node of the passes before the walk; true after the last. */
bool compile_mark(struct compile *c);
bool compile_need(struct compile *c);
struct need need_of_field(unsigned level, uint32_t offset, unsigned width);
struct need need_more(struct need a, struct need b); /* both are needed */
struct need need_less(struct need a, struct need b); /* one of them is */

/* compile_field.c: a masked field in the frame. */
struct field {
    uint64_t mask;
    uint32_t offset;
    uint8_t width; /* 0: the frame's length */
    uint8_t base;
};
struct field field_of_trie(const struct trie_node *node);
struct field field_of_dag(const struct compile *c, const struct dpf_node *node);
/* Refuses frames that don't have end bytes from base, unless they are known to be there. */
void compile_check(struct compile *c, unsigned base, uint32_t end, uint32_t refuse);
void compile_check_need(struct compile *c, struct need need, uint32_t refuse);
/* One load of 1, 2, 4 or 8 bytes. */
void compile_load(struct compile *c, unsigned base, uint32_t offset, unsigned bytes, bool sign,
                  enum rv64_reg to);
/* Whether that load is aligned and within what is known. */
bool compile_can_load(const struct compile *c, unsigned base, int64_t offset, unsigned bytes);
/* Where a load of bytes would have to lie to have offset in it, as low as possible. */
int64_t compile_load_place(const struct compile *c, unsigned base, uint32_t offset, unsigned bytes);
/* VALUE = the field's value, as the trie and the filter know it. */
void compile_value(struct compile *c, struct field field);
/* The bytes of a field that its mask leaves something of; dropped: bits behind them. */
struct span {
    uint32_t offset;
    unsigned bytes;
    unsigned dropped;
};
struct span span_of(struct field field);
/* VALUE = those bytes as they stand in memory, the first lowest, sign-extended if they are 4, under
   the mask; of the length: its value. */
void compile_key(struct compile *c, struct field field);
uint64_t key_of_value(struct field field, uint64_t value);
/* VALUE &= mask, when only bits of have can be set. */
void compile_mask(struct compile *c, uint64_t mask, uint64_t have);
/* if VALUE isn't in the interval goto no; VALUE is changed. mask: bits that it can have. */
void compile_interval(struct compile *c, uint64_t low, uint64_t high, uint64_t mask, uint32_t no);
/* The register of base to = that of field.base + (field's value << shift). */
void compile_shift(struct compile *c, struct field field, int shift, unsigned to);
/* Instructions that make a constant. */
unsigned compile_constant_cost(uint64_t value);

/* compile_run.c: bytes that have to be equal to constants. */
struct run {
    uint32_t offset[RUN_MAX]; /* rising */
    uint8_t mask[RUN_MAX], value[RUN_MAX];
    unsigned count;
    uint8_t base;
};
/* Whether (field in [low, high]) is an equality of some of its bits; then mask and value of it. */
bool run_equality(uint64_t field_mask, uint64_t low, uint64_t high, uint64_t *mask,
                  uint64_t *value);
/* Adds one; false, with the run unchanged, if there is no room or it contradicts. */
bool run_add(struct run *run, struct field field, uint64_t value);
void run_emit(struct compile *c, const struct run *run, uint32_t no);

/* compile_table.c: the code that finds the child of a value; and the tables, behind all code. */
void compile_many(struct compile *c, uint32_t number, uint64_t hi);
bool compile_tables(struct compile *c); /* a step; true after the last */

/* compile_ranges.c */
void compile_ranges_of_table(struct compile *c, uint32_t node, uint32_t miss);
void compile_ranges_of_set(struct compile *c, const struct dpf_range *set, uint32_t count,
                           uint32_t hit, uint32_t miss);
bool compile_ranges(struct compile *c); /* a step; true after the last */

/* compile_dag.c */
void compile_dag_start(struct compile *c, const struct dpf_node *nodes,
                       const struct dpf_range *ranges, uint32_t count, uint16_t from);
bool compile_dag(struct compile *c); /* a step; true after the last */

/* compile_walk.c */
void compile_walk_start(struct compile *c);
bool compile_walk(struct compile *c); /* a step; true after the last */
/* The first alternative behind node in which more than key can be found; 0: none. */
uint32_t compile_interesting(const struct compile *c, const struct trie_node *node, uint64_t key);

#endif
