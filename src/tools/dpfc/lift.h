/*
 * From a classic BPF program to the DAG of atoms, and from there to other DAGs and to an image.
 */
#ifndef DPFC_LIFT_H
#define DPFC_LIFT_H

#include "tools/dpfc/classic.h"
#include "tools/dpfc/dpflift.h"
#include "tools/dpfc/graph.h"
#include "tools/dpfc/value.h"

/* Registers: the scratch words, then A and X. */
enum { REG_A = CLASSIC_WORDS, REG_X, REGISTERS };

struct lift {
    const struct classic *program;
    struct graph *graph;
    struct values values;
    struct pool states;
    uint32_t *nodes; /* what each state leads to */
    uint32_t node_room;
    uint32_t live[CLASSIC_MAX + 1]; /* registers used at or behind each instruction, a bit each */
};

void lift_start(struct lift *lift, struct graph *graph, const struct classic *program);
void lift_end(struct lift *lift);

/* Executes the program, which was checked, symbolically; returns the node that its frames begin at.
 */
uint32_t lift_run(struct lift *lift);

/* The same filter with the roles of source and destination exchanged (exchange.c). Fails with
   DPFLIFT_REFUSED if a field spans both. */
struct exchange {
    struct graph *graph;
    struct pool visits;
    uint32_t *nodes; /* what each visit led to */
    uint32_t node_room;
};

void exchange_start(struct exchange *exchange, struct graph *graph);
void exchange_end(struct exchange *exchange);
uint32_t exchange_run(struct exchange *exchange, uint32_t node);

/* Writes the image of the filter that begins at a node (emit.c). Fails with DPFLIFT_REFUSED if it
 * is too large. */
struct emission {
    struct graph *graph;
    struct pool visits;
    uint32_t *numbers; /* of the image's node for each visit */
    uint32_t number_room;
    uint64_t *bases; /* of each graph node: bases used there or below, a bit for several */
    uint32_t count;
    struct dpf_node node[DPF_NODES_MAX]; /* the last node first */
    uint32_t set[DPF_NODES_MAX];
};

void emit_start(struct emission *emission, struct graph *graph);
void emit_end(struct emission *emission);
void emit_run(struct emission *emission, uint32_t node, struct dpflift_image *image);

#endif
