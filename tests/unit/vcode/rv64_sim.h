/*
 * A simulator of the instructions in rv64.def, made of the effects that stand there. It counts
 * instructions and checks each access, so that tests can say what emitted code costs and that it
 * reads nothing else; that the effects are those of a real hart is what rows_guest.c tests.
 */
#ifndef RV64_SIM_H
#define RV64_SIM_H

#include "vcode/vcode.h"

/* Memory of the simulated hart: size bytes at address, kept at bytes. */
struct sim_region {
    uint64_t address;
    void *bytes;
    size_t size;
    bool writable;
};

struct sim {
    uint64_t x[32];
    uint64_t pc;
    const struct sim_region *regions;
    unsigned region_count;
    unsigned isa;   /* an instruction that needs more is a fault; without RV64_MISALIGNED so is such
                       an access */
    uint64_t count; /* instructions done */
    uint64_t reserved; /* address of lr, or 0 */
    const char *fault; /* why it stopped, or null */
    uint64_t fault_at; /* address of the access, or the instruction word */
    uint32_t *trace;   /* words of the instructions done, in order, if not null */
    size_t trace_size; /* words */
};

/* Where a function that sim_call calls returns to. */
#define SIM_RETURN 0xfffffffffffff000u

/*
 * Calls the function at address entry with up to 8 arguments in a0.. of x, which the caller has
 * set; runs at most limit instructions. True if it returned, with sp, gp, tp and s0-s11 as they
 * were.
 */
bool sim_call(struct sim *sim, uint64_t entry, uint64_t limit);

/* One instruction: false on a fault. */
bool sim_step(struct sim *sim);

#endif
