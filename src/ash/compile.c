/*
 * The compiler: phases one after the other, in steps.
 */
#include "ash/compile.h"

#include <string.h>

enum phase { SURVEY, ALLOCATE, START, LABELS, INSNS, STUBS, TAIL, END, DONE };

/* The pool of 64-bit constants, and how many of them one instruction can take. When it is full,
 * code makes them. */
#define CONSTANTS_MAX  64
#define CONSTANTS_EACH 4

static size_t align(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static uint32_t label_max(uint32_t n)
{
    return ASH_LABELS + n + ASH_STUB_LABELS * n;
}

/*
 * References forward, and to constants. The most that an instruction can have is 3: a way back has
 * two and its stub one; a byte swap without Zbb two constants, and one that waited for it. Behind
 * the code come less than 256.
 */
static uint32_t reference_max(uint32_t n)
{
    return 3 * n + 256;
}

size_t ash_compiler_size(uint32_t n)
{
    return align(sizeof(struct ash_compiler)) + 2 * align(n * sizeof(uint16_t)) +
           CONSTANTS_MAX * sizeof(uint64_t) + align(label_max(n) * sizeof(uint32_t)) +
           reference_max(n) * sizeof(struct vcode_reference);
}

int ash_compile_begin(void *scratch, size_t scratch_size, const struct ash_program *program,
                      void *code, size_t size, unsigned isa)
{
    struct ash_compiler *c = scratch;
    uint32_t n = program->image.header->insns;
    if (((uintptr_t)scratch | (uintptr_t)code) % 8)
        return ASH_E_ALIGNMENT;
    if (scratch_size < ash_scratch_size(n))
        return ASH_E_SPACE;
    memset(c, 0, sizeof *c);
    c->refusal.insn = ASH_NO_INSN;
    c->program = program;
    c->insns = n;

    uint8_t *rest = (uint8_t *)scratch + align(sizeof *c);
    c->target = (uint16_t *)(void *)rest;
    rest += align(n * sizeof(uint16_t));
    c->stub = (uint16_t *)(void *)rest;
    rest += align(n * sizeof(uint16_t));
    struct vcode_memory memory = {
        .code = code,
        .size = size,
        .constants = (uint64_t *)(void *)rest,
        .constant_count = CONSTANTS_MAX,
        .label_count = label_max(n),
        .reference_count = reference_max(n),
    };
    rest += CONSTANTS_MAX * sizeof(uint64_t);
    memory.labels = (uint32_t *)(void *)rest;
    rest += align(label_max(n) * sizeof(uint32_t));
    c->constants = memory.constants;
    memory.references = (struct vcode_reference *)(void *)rest;
    vcode_begin(&c->v, &memory, isa, RV_ZERO);
    return 0;
}

/* Paths meet at an instruction: nothing is known there but what all agree on, and that is kept in
 * registers. */
static void meet(struct ash_compiler *c, uint32_t at)
{
    if (c->flows)
        ash_settle(c);
    memset(c->pending, 0, sizeof c->pending);
    ash_forget_cache(c);
    c->marked = false;
    c->function = ash_function_at(c->program, at);
    vcode_bind(&c->v, ash_target_label(c, at));
    if (at == c->program->functions[c->function].start && at != 0)
        ash_emit_function(c);
}

/* Emits one instruction, with what a function begins with if it is the first of one. */
static void emit(struct ash_compiler *c, uint32_t at)
{
    const struct ash_note *note = &c->program->notes[at];
    if (!(note->flags & ASH_NOTE_REACHED))
        return;
    if (c->skip) {
        c->skip = false;
        return;
    }
    if (note->flags & (at == 0 ? ASH_NOTE_HEAD : ASH_NOTE_TARGET))
        meet(c, at);
    if (c->v.constants > CONSTANTS_MAX - CONSTANTS_EACH)
        c->v.memory.constants = NULL;
    c->flows = true;
    switch (ash_op_kinds[note->op]) {
    case ASH_KIND_ALU:
        ash_emit_alu(c, at);
        break;
    case ASH_KIND_END:
        ash_emit_end(c, at);
        break;
    case ASH_KIND_WIDE:
        ash_write_constant(c, ash_dst(&c->program->image.insns[at]),
                           ash_wide_constant(&c->program->image.insns[at], note->op));
        break;
    case ASH_KIND_JUMP:
        ash_emit_jump(c, at);
        break;
    case ASH_KIND_ATOMIC:
        ash_emit_atomic(c, at);
        break;
    case ASH_KIND_FLOW:
        ash_emit_flow(c, at);
        c->flows = note->op == ASH_OP_CALL || note->op == ASH_OP_CALL_LOCAL;
        break;
    default:
        ash_emit_access(c, at);
    }
}

/* Calls a function for each instruction, as far as work goes; true at the end. */
static bool for_each(struct ash_compiler *c, void (*visit)(struct ash_compiler *, uint32_t),
                     size_t *work)
{
    for (; c->at<c->insns && * work> 0; c->at++, --*work)
        visit(c, c->at);
    return c->at == c->insns;
}

static void make_stub(struct ash_compiler *c, uint32_t at)
{
    if (ash_has_stub(c->program, at))
        ash_emit_stub(c, at);
}

static bool make_labels(struct ash_compiler *c, size_t *work)
{
    uint32_t count = ASH_LABELS + c->target_count + ASH_STUB_LABELS * c->stub_count;
    for (; c->v.labels<count && * work> 0 && !c->v.error; --*work)
        vcode_label(&c->v);
    return c->v.labels == count || c->v.error;
}

/* The error of the emitter, as one of ours. */
static int emitter_error(struct ash_compiler *c, int error)
{
    c->refusal.error = error == VCODE_E_SPACE ? ASH_E_TOO_LARGE : ASH_E_EMIT;
    c->refusal.detail = (uint32_t)-error;
    return c->refusal.error;
}

static void start(struct ash_compiler *c)
{
    vcode_start(&c->v);
    c->v.memory.constants = c->constants;
    memset(c->pending, 0, sizeof c->pending);
    ash_forget_cache(c);
    c->marked = c->skip = false;
    c->flows = true;
    c->function = 0;
}

static bool end(struct ash_compiler *c, size_t *work, int *error)
{
    c->v.memory.constants = c->constants;
    int state = vcode_end(&c->v, *work);
    *work = 0;
    if (state == VCODE_AGAIN)
        c->phase = START;
    else if (state != VCODE_DONE && state != VCODE_MORE)
        *error = emitter_error(c, state);
    return state == VCODE_DONE;
}

/* Goes on with the phase; true if it is done. */
static bool go_on(struct ash_compiler *c, size_t *work, int *error)
{
    switch ((enum phase)c->phase) {
    case SURVEY:
        return for_each(c, ash_survey, work);
    case ALLOCATE:
        ash_allocate(c);
        return true;
    case START:
        start(c);
        return true;
    case LABELS:
        if (!make_labels(c, work))
            return false;
        ash_emit_prologue(c);
        return true;
    case INSNS:
        return for_each(c, emit, work);
    case STUBS:
        if (c->at == 0)
            ash_emit_exit(c);
        return for_each(c, make_stub, work);
    case TAIL:
        ash_emit_tail(c);
        return true;
    default:
        return end(c, work, error);
    }
}

int ash_compile_step(void *scratch, size_t work)
{
    struct ash_compiler *c = scratch;
    int error = c->refusal.error;
    while (!error && c->phase != DONE) {
        if (work == 0)
            return ASH_MORE;
        if (go_on(c, &work, &error)) {
            c->phase++;
            c->at = 0;
        }
        if (!error && c->v.error)
            error = emitter_error(c, c->v.error);
    }
    return error ? error : ASH_DONE;
}

#define STEP 1000

int ash_compile(void *scratch, size_t scratch_size, const struct ash_program *program, void *code,
                size_t size, unsigned isa)
{
    int state = ash_compile_begin(scratch, scratch_size, program, code, size, isa);
    while (state == ASH_DONE && (state = ash_compile_step(scratch, STEP)) == ASH_MORE)
        state = ASH_DONE;
    return state;
}

size_t ash_compiled(const void *scratch)
{
    return ((const struct ash_compiler *)scratch)->v.used;
}

size_t ash_code_bound(const struct ash_program *program)
{
    return 4096 + (size_t)96 * program->image.header->insns;
}
