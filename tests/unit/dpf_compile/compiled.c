#include "compiled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_AT  0x400000
#define FRAME_AT 0x800000
#define STACK_AT 0xc00000

static void *allocate(size_t size)
{
    void *memory = aligned_alloc(8, (size + 7) / 8 * 8);
    if (!memory) {
        fprintf(stderr, "no memory for %zu bytes\n", size);
        exit(1);
    }
    return memory;
}

static void check(int error, const void *memory)
{
    if (!error)
        return;
    fprintf(stderr, "compiling: %s\n", dpf_strerror(error));
    (void)memory;
    exit(1);
}

struct compiled compiled_trie(const struct dpf_trie *trie,
                              const struct dpf_compile_options *options)
{
    size_t code_size = dpf_compile_bound(trie), size = dpf_compile_memory(trie, code_size);
    struct compiled compiled = {.memory = allocate(code_size), .options = *options};
    void *memory = allocate(size);
    check(dpf_compile(memory, size, trie, compiled.memory, code_size, options, &compiled.code),
          memory);
    free(memory);
    return compiled;
}

struct compiled compiled_filter(const struct dpf_filter *filter,
                                const struct dpf_compile_options *options)
{
    size_t code_size = dpf_compile_filter_bound(filter);
    size_t size = dpf_compile_filter_memory(filter, code_size);
    struct compiled compiled = {.memory = allocate(code_size), .options = *options};
    void *memory = allocate(size);
    check(dpf_compile_filter(memory, size, filter, compiled.memory, code_size, options,
                             &compiled.code),
          memory);
    free(memory);
    return compiled;
}

void compiled_free(struct compiled *compiled)
{
    free(compiled->memory);
    compiled->memory = 0;
}

struct outcome compiled_run(const struct compiled *compiled, const uint8_t *frame, size_t available,
                            size_t length, uint32_t *trace, size_t trace_size)
{
    static uint64_t stack[8];
    uint64_t at = FRAME_AT + compiled->options.residue;
    struct sim_region regions[] = {
        {CODE_AT, compiled->memory, compiled->code.size, false},
        {at, (void *)(uintptr_t)frame, available, false},
        {STACK_AT, stack, sizeof stack, true},
    };
    struct sim sim = {
        .regions = regions,
        .region_count = 3,
        .isa = compiled->options.isa,
        .trace = trace,
        .trace_size = trace_size,
    };
    for (unsigned r = 1; r < 32; r++)
        sim.x[r] = 0xdead000000000000u + r; /* nothing may rely on what it finds */
    sim.x[RV_SP] = STACK_AT + sizeof stack;
    sim.x[RV_A0] = at;
    sim.x[RV_A1] = available;
    sim.x[RV_A2] = length;
    sim_call(&sim, CODE_AT + compiled->code.entry, compiled->code.size / 4);
    return (struct outcome){sim.x[RV_A0], sim.x[RV_A1], sim.count, sim.fault, sim.fault_at};
}
