/*
 * The verifier: its phases one after the other, in steps. Each phase has a file; the last, types.c,
 * is the largest.
 */
#include "ash/verify.h"

#include <string.h>

static ash_phase *const phases[] = {
    ash_check_lines, ash_check_text,      ash_decode_all, ash_check_jumps, ash_order_functions,
    ash_count_costs, ash_check_registers, ash_find_loops, ash_find_types,
};
#define PHASES (sizeof phases / sizeof *phases)

#define POOL_MAX 40

static unsigned pool_size(uint32_t insns)
{
    uint32_t targets = insns / 2 + 1;
    return targets < POOL_MAX ? targets : POOL_MAX;
}

static uint32_t functions_max(uint32_t insns)
{
    return insns < ASH_FUNCTIONS_MAX ? insns : ASH_FUNCTIONS_MAX;
}

static size_t align(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static size_t verifier_size(uint32_t n)
{
    return align(sizeof(struct ash_verifier)) + align(n * sizeof(uint32_t)) +
           2 * align(n * sizeof(uint16_t)) +
           align((n / ASH_BLOCK + 1) * sizeof(struct ash_writes)) +
           functions_max(n) * sizeof(struct ash_arguments) +
           (2 + pool_size(n)) * sizeof(struct ash_facts);
}

size_t ash_scratch_size(uint32_t insns)
{
    size_t verifier = verifier_size(insns), compiler = ash_compiler_size(insns);
    return verifier > compiler ? verifier : compiler;
}

size_t ash_program_size(uint32_t insns)
{
    return align(sizeof(struct ash_program)) + insns * sizeof(struct ash_note) +
           functions_max(insns) * sizeof(struct ash_function);
}

/* The next part of memory, cleared. */
static void *take(uint8_t **memory, size_t size)
{
    uint8_t *part = *memory;
    memset(part, 0, size);
    *memory += align(size);
    return part;
}

static void divide_scratch(struct ash_verifier *v, uint8_t *memory)
{
    uint32_t n = v->insns;
    v->path = take(&memory, n * sizeof *v->path);
    v->unset = take(&memory, n * sizeof *v->unset);
    v->lost = v->unset;
    v->loop_end = take(&memory, n * sizeof *v->loop_end);
    v->blocks = take(&memory, (n / ASH_BLOCK + 1) * sizeof *v->blocks);
    v->arguments = take(&memory, functions_max(n) * sizeof *v->arguments);
    v->current = take(&memory, sizeof *v->current);
    v->taken = take(&memory, sizeof *v->taken);
    v->pool = (struct ash_facts *)(void *)memory; /* cleared when a function is begun */
    v->pool_size = pool_size(n);
}

int ash_verify_begin(void *scratch, size_t scratch_size, const struct ash_image *image,
                     enum ash_event event, uint32_t helpers, void *memory, size_t memory_size)
{
    struct ash_verifier *v = scratch;
    uint32_t n = image->header->insns;
    if (((uintptr_t)scratch | (uintptr_t)memory) % 8)
        return ASH_E_ALIGNMENT;
    if (scratch_size < ash_scratch_size(n) || memory_size < ash_program_size(n))
        return ASH_E_SPACE;
    memset(v, 0, sizeof *v);
    v->image = *image;
    v->event = event;
    v->helpers = helpers;
    v->insns = n;
    v->refusal.insn = ASH_NO_INSN;
    divide_scratch(v, (uint8_t *)scratch + align(sizeof *v));

    uint8_t *rest = memory;
    v->program = take(&rest, sizeof *v->program);
    v->program->image = *image;
    v->program->notes = take(&rest, n * sizeof(struct ash_note));
    v->program->functions = take(&rest, functions_max(n) * sizeof(struct ash_function));
    return image->header->event == event ? 0 : ash_refuse(v, ASH_E_EVENT, ASH_NO_INSN, event);
}

int ash_verify_step(void *scratch, size_t work)
{
    struct ash_verifier *v = scratch;
    if (v->refusal.error)
        return v->refusal.error;
    while (v->phase < PHASES) {
        int state = phases[v->phase](v, &work);
        if (state != ASH_DONE)
            return state;
        v->phase++;
        v->at = 0;
        v->function = 0;
    }
    return ASH_DONE;
}

struct ash_refusal ash_refused(const void *scratch)
{
    return *(const struct ash_refusal *)scratch;
}

#define STEP 1000

int ash_verify(void *scratch, size_t scratch_size, const struct ash_image *image,
               enum ash_event event, uint32_t helpers, void *memory, size_t memory_size)
{
    int state = ash_verify_begin(scratch, scratch_size, image, event, helpers, memory, memory_size);
    if (state)
        return state;
    do {
        state = ash_verify_step(scratch, STEP);
    } while (state == ASH_MORE);
    return state;
}

unsigned ash_function_at(const struct ash_program *program, uint32_t at)
{
    unsigned low = 0, high = program->function_count;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (program->functions[middle].start <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}
