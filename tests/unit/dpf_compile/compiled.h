/*
 * Compiled tries and filters for the tests: compiled within the bounds that the library gives, in
 * exactly sized memory, and run in the simulator, where each access outside of the frame and the
 * code is a fault.
 */
#ifndef TESTS_COMPILED_H
#define TESTS_COMPILED_H

#include "dpf/compile.h"

#include "../vcode/rv64_sim.h"

struct compiled {
    void *memory; /* the code */
    struct dpf_code code;
    struct dpf_compile_options options;
};

/* Compile; end the test program with a message if that fails. */
struct compiled compiled_trie(const struct dpf_trie *trie,
                              const struct dpf_compile_options *options);
struct compiled compiled_filter(const struct dpf_filter *filter,
                                const struct dpf_compile_options *options);
void compiled_free(struct compiled *compiled);

/* What running it in the simulator gave. */
struct outcome {
    uint64_t a0, a1;
    uint64_t count;    /* instructions, the return among them */
    const char *fault; /* or null */
    uint64_t fault_at;
};

/* The frame lies as the options say; trace (or null) takes the words of the first trace_size
 * instructions. */
struct outcome compiled_run(const struct compiled *compiled, const uint8_t *frame, size_t available,
                            size_t length, uint32_t *trace, size_t trace_size);

#endif
