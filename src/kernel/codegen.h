/*
 * Compiling a trie, or one filter, into the code arena in bounded steps: the steps write through an
 * alias that each opens and closes, so that between them no PTE maps the arena writable.
 */
#ifndef AEGIS_KERNEL_CODEGEN_H
#define AEGIS_KERNEL_CODEGEN_H

#include <stdbool.h>
#include <stddef.h>

#include "dpf/compile.h"
#include "kernel/code.h"

/*
 * A compiled classifier or egress check; entry is NULL where there was no room for code, and then
 * the trie or the filter is interpreted, which decides the same.
 */
struct codegen_result {
    struct code code;
    void *entry;
};

/* A compilation under way; all zero if none is. */
struct codegen {
    const struct dpf_trie *trie; /* what is compiled: this, or else filter */
    const struct dpf_filter *filter;
    struct dpf_bound bound; /* of the trie's code */
    size_t bytes;           /* that the code takes at most; 0: not known yet */
    void *memory;           /* the compiler's, in the arena */
    struct code_search search;
    struct code code;
};

/* What harts have, enum rv64_isa. Only at boot. */
void codegen_init(unsigned int isa);

/* Begins with a trie or, if that is NULL, with a filter; neither may change until the last step. */
void codegen_begin(struct codegen *job, const struct dpf_trie *trie,
                   const struct dpf_filter *filter);

/*
 * Goes on for a bounded time; whether it has ended. Then result is filled in, with entry NULL if
 * there was no room, and the job all zero.
 */
bool codegen_step(struct codegen *job, struct codegen_result *result);

/* Gives up whatever is under way. */
void codegen_abandon(struct codegen *job);

/* Gives the code back. */
void codegen_forget(struct codegen_result *result);

#endif
