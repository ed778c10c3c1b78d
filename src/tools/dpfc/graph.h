/*
 * The DAG of atoms while it is made: nodes are numbered and shared, bases are formulas, and no path
 * asks about a field what it knows already.
 */
#ifndef DPFC_GRAPH_H
#define DPFC_GRAPH_H

#include "tools/dpfc/sets.h"

#define BASE_FRAME 0 /* the start of the frame */
#define KEY_NONE   UINT32_MAX

/* A running base: value(parent) + ((load at offset from the parent & mask) << shift). */
struct graph_base {
    uint64_t mask;
    uint32_t parent;
    uint32_t offset;
    int32_t shift;
    uint32_t width;
};

/* What a test looks at: a field under a mask, or the frame's length (width 0, base and offset 0).
 */
struct graph_key {
    uint64_t mask;
    uint32_t base;
    uint32_t offset;
    uint32_t width;
    uint32_t zero;
};

/*
 * A node: with a key, "key in set ? yes : no"; with KEY_NONE, "are the bytes up to end from base
 * readable? yes : reject", where base stands in set and end in no.
 */
struct graph_node {
    uint32_t key;
    uint32_t set;
    uint32_t yes;
    uint32_t no;
};

enum { NODE_REJECT, NODE_ACCEPT, NODE_FIRST };

/* How hard paths are simplified; each is tried when the one before makes the graph too large. */
enum graph_effort {
    GRAPH_ONCE, /* a field is tested once on each path: tests further down are drawn into the first
                 */
    GRAPH_PRUNED,  /* tests whose answer is known are left out */
    GRAPH_EFFORTS, /* how many there are */
};

/* What is remembered of a node beside its definition. */
struct graph_about {
    uint64_t support; /* what it asks for, here or below; a bit may stand for several things */
    uint32_t height;
    uint32_t seen; /* number of the last walk that came here */
};

struct graph {
    struct trouble *trouble;
    enum graph_effort effort;
    struct sets sets;
    struct pool bases, keys, nodes;
    struct pool restrictions;  /* see graph.c */
    struct graph_about *about; /* of each node */
    uint32_t *restricted;      /* result of each restriction */
    uint32_t about_room, restricted_room, walks;
    struct classes *classes;
};

void graph_start(struct graph *graph, struct trouble *trouble, enum graph_effort effort);
void graph_end(struct graph *graph);

static inline const struct graph_node *graph_node(const struct graph *graph, uint32_t node)
{
    return pool_item(&graph->nodes, node);
}

static inline const struct graph_key *graph_key(const struct graph *graph, uint32_t key)
{
    return pool_item(&graph->keys, key);
}

static inline const struct graph_base *graph_base(const struct graph *graph, uint32_t base)
{
    return pool_item(&graph->bases, base);
}

uint32_t graph_put_base(struct graph *graph, const struct graph_base *base);
uint32_t graph_put_key(struct graph *graph, const struct graph_key *key);

/* The node that tests a key, simplified. */
uint32_t graph_test(struct graph *graph, uint32_t key, uint32_t set, uint32_t yes, uint32_t no);

/* The node that goes on to next if the bytes up to end from base are readable. */
uint32_t graph_read(struct graph *graph, uint32_t base, uint32_t end, uint32_t next);

#endif
