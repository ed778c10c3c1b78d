#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../vcode/rv64_sim.h"
#include "ash/program.h"

#define STACK_SIZE 512 /* what compiled code promises to stay within; helpers are not simulated */
#define LIMIT      5000000
#define GARBAGE    UINT64_C(0xdeadbeefcafef00d)

struct host {
    void *block[40];
    unsigned count;
    char *message; /* ENGINE_ERROR_SIZE bytes: what the machine code did wrong */
    struct sim sim;
};

static void *allocate(void *owner, size_t size, bool executable)
{
    struct host *host = owner;
    (void)executable;
    if (host->count == sizeof host->block / sizeof *host->block)
        return NULL;
    void *p = calloc(1, size ? size : 1);
    if (p)
        host->block[host->count++] = p;
    return p;
}

/* What compiled code may touch: itself, its stack, the run, and what that lets it reach. */
static unsigned list_regions(struct sim_region *regions, const void *code, size_t size,
                             uint8_t *stack, struct ash_run *run)
{
    unsigned n = 0;
    regions[n++] =
        (struct sim_region){(uint64_t)(uintptr_t)code, (void *)(uintptr_t)code, size, false};
    regions[n++] = (struct sim_region){(uint64_t)(uintptr_t)stack, stack, STACK_SIZE, true};
    regions[n++] = (struct sim_region){(uint64_t)(uintptr_t)run, run, sizeof *run, true};
    regions[n++] =
        (struct sim_region){(uint64_t)(uintptr_t)run->helpers, (void *)(uintptr_t)run->helpers,
                            ASH_HELPER_COUNT * sizeof *run->helpers, false};
    return n;
}

/* The regions of the sandbox as they are now: helpers move the frame. */
static unsigned list_sandbox(struct sim_region *regions, unsigned n, const struct ash_run *run)
{
    for (unsigned i = ASH_REGION_STACK; i < ASH_REGIONS; i++) {
        const struct ash_region *r = &run->regions[i];
        if (r->end > r->low)
            regions[n++] =
                (struct sim_region){r->low + r->delta, (void *)(uintptr_t)(r->low + r->delta),
                                    r->end - r->low, !(run->read_only >> i & 1)};
    }
    return n;
}

/* If the hart is about to execute a helper, does it instead, and leaves garbage where a function
 * may. */
static bool did_helper(struct sim *sim, struct ash_run *run)
{
    for (unsigned i = 0; i < ASH_HELPER_COUNT; i++) {
        if (sim->pc != ((uint64_t)(uintptr_t)run->helpers[i] & ~UINT64_C(1))) /* as jalr jumps */
            continue;
        if (sim->x[RV_SP] % 16) {
            sim->fault = "the stack is not aligned at a call";
            return true;
        }
        uint64_t *x = sim->x;
        uint64_t result = run->helpers[i]((struct ash_run *)(uintptr_t)x[RV_A0], x[RV_A1], x[RV_A2],
                                          x[RV_A3], x[RV_A4], x[RV_A5]);
        sim->pc = x[RV_RA];
        for (unsigned r = RV_A1; r <= RV_A7; r++)
            x[r] = GARBAGE;
        x[RV_T0] = x[RV_T1] = GARBAGE;
        x[RV_A0] = result;
        return true;
    }
    return false;
}

static const uint8_t kept[] = {RV_GP, RV_TP, RV_T2, RV_T3,  RV_T4, RV_T5, RV_T6,
                               RV_S0, RV_S1, RV_S2, RV_S3,  RV_S4, RV_S5, RV_S6,
                               RV_S7, RV_S8, RV_S9, RV_S10, RV_S11};

static uint64_t simulate(void *owner, const void *code, size_t size, struct ash_run *run)
{
    struct host *host = owner;
    struct sim_region regions[ASH_REGIONS + 4];
    uint8_t *stack = malloc(STACK_SIZE);
    struct sim *sim = &host->sim;
    *sim = (struct sim){.regions = regions, .isa = sim->isa, .pc = (uint64_t)(uintptr_t)code};
    uint64_t top = (uint64_t)(uintptr_t)stack + STACK_SIZE;
    unsigned fixed = list_regions(regions, code, size, stack, run);
    sim->region_count = list_sandbox(regions, fixed, run);
    for (unsigned i = 1; i < 32; i++)
        sim->x[i] = GARBAGE + i;
    sim->x[RV_SP] = top;
    sim->x[RV_RA] = SIM_RETURN;
    sim->x[RV_A0] = (uint64_t)(uintptr_t)run;
    while (!sim->fault && sim->pc != SIM_RETURN && sim->count < LIMIT) {
        bool outside = sim->pc - (uint64_t)(uintptr_t)code >= size;
        if (outside && did_helper(sim, run))
            sim->region_count = list_sandbox(regions, fixed, run);
        else
            sim_step(sim);
    }
    if (sim->pc != SIM_RETURN && !sim->fault)
        sim->fault = "it does not end";
    for (unsigned i = 0; i < sizeof kept && !sim->fault; i++)
        if (sim->x[kept[i]] != GARBAGE + kept[i])
            sim->fault = "it has changed a register that is not its own";
    if (!sim->fault && sim->x[RV_SP] != top)
        sim->fault = "it has moved the stack";
    if (sim->fault)
        snprintf(host->message, ENGINE_ERROR_SIZE, "%s: %llx, at %llx of the code", sim->fault,
                 (unsigned long long)sim->fault_at,
                 (unsigned long long)(sim->pc - (uint64_t)(uintptr_t)code));
    free(stack);
    return sim->x[RV_A0];
}

bool engine_run(struct engines *engines, enum engine engine, const struct job_request *request,
                const void *image, void *memory, char *trace, struct job_reply *reply)
{
    struct host here = {.sim.isa = request->isa, .message = engines->error};
    const struct job_host host = {.allocate = allocate, .call = simulate, .owner = &here};
    struct job_request q = *request;
    engines->error[0] = 0;
    q.compiled = engine != ENGINE_INTERPRETER;
    if (engine == ENGINE_RUNNER) {
        bool done = remote_run(&engines->remote, &q, image, memory, trace, reply);
        snprintf(engines->error, sizeof engines->error, "%s", engines->remote.error);
        return done;
    }
    job_run(&q, image, memory, trace, &host, reply);
    engines->count = here.sim.count;
    while (here.count)
        free(here.block[--here.count]);
    return engines->error[0] == 0;
}

bool engine_same(const struct job_reply *a, const struct job_reply *b)
{
    struct job_reply x = *a, y = *b;
    x.code_size = y.code_size = x.code_hash = y.code_hash = 0;
    return memcmp(&x, &y, sizeof x) == 0;
}
