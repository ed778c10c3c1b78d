/*
 * The layout of the merged trie, which whoever interprets, prints or compiles it reads. Internal.
 *
 *   struct dpf_trie | nodes, 64 bytes each, and copies of filters between them | tables
 *
 * Node 0 is none. A node is visited when the atoms on the way from the root to it have held. Where
 * its own test leads on, child is visited, else fail: the next alternative, or that of the nearest
 * node above which has one. So going back needs no stack; and bases are kept by level, so that a
 * failed subtree leaves those of its alternatives as they were.
 */
#ifndef DPF_TRIE_H
#define DPF_TRIE_H

#include "dpf/atom.h"

#define TRIE_LEVELS 8

/*
 * The effect of each kind, with value = load(base[level] + offset, width) & mask, or for the length
 * of the frame & mask if width is 0; a load that is not readable goes to fail.
 *
 *   TRIE_ONE     low <= value <= high ? child : fail
 *   TRIE_MANY    the child that the slots or ranges of the table name for value, else fail
 *   TRIE_SHIFT   base[to] = base[level] + (value << shift); child
 *   TRIE_ACCEPT  the member matches; fail
 *   TRIE_REST    the member matches if its filter, copied to the nodes behind this one, does when
 * evaluated from node rest.from with the running base base[level]; fail
 *
 * TRIE_BUILD is a table still in its treap.
 */
enum trie_kind { TRIE_ONE = 1, TRIE_MANY, TRIE_SHIFT, TRIE_ACCEPT, TRIE_REST, TRIE_BUILD };

struct trie_node {
    uint64_t mask;
    union {
        struct {
            uint64_t low, high;
        } one;
        struct {
            uint64_t multiplier; /* slot of a value: value * multiplier >> (64 - bits), and those
                                    behind */
            uint32_t table; /* units of 8 bytes from the start of the trie: slots, then ranges */
            uint32_t ranges;
        } many;
        struct {
            uint64_t entries; /* root of the treap */
        } build;
        struct {
            uint16_t from, nodes; /* nodes of the copy; its ranges follow them */
            uint32_t slots;       /* trie nodes that the copy takes */
        } rest;
    };
    uint64_t taps;   /* bits of the tap members that are accepted here or below */
    uint64_t order;  /* greatest of the other members that are: trie_order; 0: none */
    uint32_t id;     /* ACCEPT, REST: of the member */
    uint32_t offset; /* bytes */
    uint32_t child;  /* ONE, SHIFT */
    uint32_t fail;   /* while the trie is built: the next alternative only */
    uint8_t kind;
    uint8_t width;
    uint8_t level;
    int8_t shift;
    uint8_t to;
    bool linked;    /* finish has seen it */
    uint8_t bits;   /* MANY: 2^bits slots; 0: no slots */
    uint8_t probes; /* MANY: most slots by which a value lies behind its own */
};
_Static_assert(sizeof(struct trie_node) == 64, "layout");

struct trie_slot {
    uint64_t value;
    uint32_t child; /* 0: free */
    uint32_t reserved;
};

struct trie_range {
    uint64_t low, high;
    uint32_t child;
    uint32_t reserved;
};

/* While the trie is built: one interval of a table, in a treap; they fill the memory from its end
 * down. */
struct trie_entry {
    uint64_t low, high;
    uint32_t left, right; /* numbers of entries, from 1 on; 0: none */
    uint32_t child;
    uint32_t set; /* intervals of the set that leads to child */
};

enum trie_state { TRIE_EMPTY, TRIE_ADDING, TRIE_INSERTING, TRIE_FINISHING, TRIE_FINISHED };

/* How far a table has come that is being finished (table.c). */
struct trie_finish {
    uint64_t multiplier;
    uint32_t first, at; /* entries: of the sorted list, and in work */
    uint32_t before;    /* whose right leads to the one in work; 0: first does */
    uint32_t list, end; /* alternatives to be linked; where the last one fails to */
    uint32_t intervals; /* of the table */
    uint32_t values;    /* of intervals of one or two values */
    uint32_t wide;      /* intervals of more */
    uint32_t slot;      /* to be cleared; ranges that are in place */
    uint8_t stage;      /* enum stage there */
    uint8_t attempt;    /* multipliers that failed */
};

struct dpf_trie {
    uint64_t seed;
    size_t size;      /* bytes of memory */
    size_t used;      /* from the start on */
    uint32_t state;   /* enum trie_state */
    uint32_t nodes;   /* the next free one */
    uint32_t entries; /* in use */
    uint32_t cursor;  /* finish: the next node */
    uint32_t root;    /* first alternative */
    uint32_t members; /* added so far, taps apart */
    uint32_t taps;
    uint32_t tap[DPF_TAPS_MAX]; /* their ids */
    struct trie_finish finish;
};

/* Of two members that match, the one with the greater order wins: by rank, then whoever was added
 * first. */
static inline uint64_t trie_order(uint32_t rank, uint32_t number)
{
    return (uint64_t)rank << 32 | (UINT32_MAX - number);
}

static inline struct trie_node *trie_node(const struct dpf_trie *trie, uint32_t n)
{
    return (struct trie_node *)(trie + 1) + (n - 1);
}

static inline struct trie_entry *trie_entry(const struct dpf_trie *trie, uint32_t e)
{
    return (struct trie_entry *)((uintptr_t)trie + trie->size) - e;
}

/* One step of a good mixing function (splitmix64). */
static inline uint64_t trie_mix(uint64_t v)
{
    v += 0x9e3779b97f4a7c15u;
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

#endif
