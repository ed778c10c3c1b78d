/*
 * DPF compiled: from the merged trie, or from one filter, to RV64 machine code, after "DPF: Fast,
 * Flexible Message Demultiplexing using Dynamic Code Generation" (Engler and Kaashoek, SIGCOMM
 * 1996).
 *
 * The code is a function by the C calling convention, a leaf that calls nothing. It reads the
 * frame, within [frame, frame + available) and nothing beside it, and its own constants and tables,
 * which lie behind its instructions; it writes only registers, and at most 48 bytes of stack. It
 * contains no address, so may be executed elsewhere than it was written, at any address aligned to
 * 8 bytes. All its branches lead forward or to a return: it ends, after at most size / 4
 * instructions.
 */
#ifndef DPF_COMPILE_H
#define DPF_COMPILE_H

#include "dpf/dpf.h"
#include "vcode/vcode.h"

/* What a compiled trie returns, in a0 and a1. */
struct dpf_found {
    uint32_t id; /* of the winner, or DPF_NONE */
    uint32_t unused;
    uint64_t taps; /* as dpf_result.taps */
};

/*
 * As dpf_classify and dpf_match: available <= length bytes at frame are readable. frame has the
 * alignment that the options said, and lies more than 1 MiB below the end of the address space.
 */
typedef struct dpf_found dpf_classifier(const uint8_t *frame, uint64_t available, uint64_t length);
typedef uint64_t dpf_matcher(const uint8_t *frame, uint64_t available,
                             uint64_t length); /* 1 or 0 */

struct dpf_compile_options {
    unsigned isa;         /* enum rv64_isa: what the hart has */
    uint8_t align;        /* 1, 2, 4 or 8: the address of each frame is residue modulo align */
    uint8_t residue;      /* less than align */
    bool equals_disjoint; /* the caller knows that no frame matches two members of equal rank: then
                             whichever is found first wins, and the rest isn't asked */
};

/* Where the function lies in the code. */
struct dpf_code {
    uint32_t size;  /* bytes in use, a multiple of 8 */
    uint32_t text;  /* of them instructions; tables and constants follow */
    uint32_t entry; /* offset of the function */
};

/* An upper bound for the size of the code, several times what is usual; and the working memory that
   compiling into code_size bytes takes. */
size_t dpf_compile_bound(const struct dpf_trie *trie);
size_t dpf_compile_memory(const struct dpf_trie *trie, size_t code_size);
size_t dpf_compile_filter_bound(const struct dpf_filter *filter);
size_t dpf_compile_filter_memory(const struct dpf_filter *filter, size_t code_size);

/* dpf_compile_bound in steps, of a bound that is all zero at first: looks at work nodes a call,
   some 30 instructions each. Returns 1 if more is left, 0 with bound->bytes found. */
struct dpf_bound {
    size_t bytes;
    uint32_t node; /* the next to be looked at; 0: not begun */
};
int dpf_compile_bound_step(const struct dpf_trie *trie, struct dpf_bound *bound, size_t work);

/*
 * Compiles in steps, for a kernel that must not be away for long. memory is the working memory, of
 * size bytes, and code where the code goes, of code_size bytes; both 8-byte aligned. The trie
 * (finished) or the filter, code and memory must stay unchanged until the last step. Returns 0,
 * DPF_E_ALIGNMENT or DPF_E_SPACE.
 */
int dpf_compile_begin(void *memory, size_t size, const struct dpf_trie *trie, void *code,
                      size_t code_size, const struct dpf_compile_options *options);
int dpf_compile_filter_begin(void *memory, size_t size, const struct dpf_filter *filter, void *code,
                             size_t code_size, const struct dpf_compile_options *options);

/*
 * Goes on, for about work units of some 300 instructions: one for a node or a piece of a table, and
 * one for each two instructions emitted; a long straight run can take 120 at once. Returns 1 if
 * more is left, 0 if the code is complete (with result filled in), or DPF_E_SPACE if the code or
 * the working memory was too small.
 */
int dpf_compile_step(void *memory, size_t work, struct dpf_code *result);

/* The same at once. */
int dpf_compile(void *memory, size_t size, const struct dpf_trie *trie, void *code,
                size_t code_size, const struct dpf_compile_options *options,
                struct dpf_code *result);
int dpf_compile_filter(void *memory, size_t size, const struct dpf_filter *filter, void *code,
                       size_t code_size, const struct dpf_compile_options *options,
                       struct dpf_code *result);

#endif
