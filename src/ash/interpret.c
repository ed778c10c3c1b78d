/*
 * The interpreter: the oracle of compiled code. It checks each access, whatever was proved, and
 * says PROOF where a proof was wrong. Atomic operations are atomic towards this hart only.
 */
#include <string.h>

#include "ash/program.h"

struct call {
    uint32_t back;
    uint64_t saved[4]; /* r6 to r9 */
};

struct machine {
    const struct ash_program *program;
    struct ash_run *run;
    uint32_t at;
    unsigned depth;
    bool done;
    uint64_t r[11];
    struct call calls[ASH_DEPTH_MAX];
};

static void abort_run(struct machine *m, uint32_t reason, uint64_t address)
{
    m->run->abort = (struct ash_abort){reason, m->at, address};
    m->done = true;
}

/* Opens a block in which an effect of bpf.def can stand: S, U, BITS, x and y for a width. */
#define COMPUTE(width, effect)                                                                     \
    {                                                                                              \
        typedef uint##width##_t U __attribute__((unused));                                         \
        typedef int##width##_t S __attribute__((unused));                                          \
        enum { BITS __attribute__((unused)) = (width) };                                           \
        const U x __attribute__((unused)) = (U)a, y __attribute__((unused)) = (U)b;                \
        return (effect);                                                                           \
    }

static uint64_t alu_64(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
#define ASH_ALU(id, code, offset, forms, effect)                                                   \
    case ASH_OP_##id:                                                                              \
        COMPUTE(64, effect)
#define ASH_END(id, opcode, imm, effect)                                                           \
    case ASH_OP_##id:                                                                              \
        COMPUTE(64, effect)
#include "ash/bpf.def"
    }
    return 0;
}

static uint32_t alu_32(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
#define ASH_ALU(id, code, offset, forms, effect)                                                   \
    case ASH_OP_##id:                                                                              \
        COMPUTE(32, effect)
#include "ash/bpf.def"
    }
    return 0;
}

uint64_t ash_alu(unsigned op, bool wide, uint64_t a, uint64_t b)
{
    return wide ? alu_64(op, a, b) : alu_32(op, a, b);
}

static bool holds(unsigned op, bool wide, uint64_t a, uint64_t b)
{
    if (wide) {
        switch (op) {
#define ASH_JUMP(id, code, effect)                                                                 \
    case ASH_OP_##id:                                                                              \
        COMPUTE(64, effect)
#include "ash/bpf.def"
        }
    } else {
        switch (op) {
#define ASH_JUMP(id, code, effect)                                                                 \
    case ASH_OP_##id:                                                                              \
        COMPUTE(32, effect)
#include "ash/bpf.def"
        }
    }
    return false;
}

static uint64_t load(unsigned op, const uint8_t *p)
{
    switch (op) {
#define ASH_LOAD(id, opcode, type)                                                                 \
    case ASH_OP_##id: {                                                                            \
        type value;                                                                                \
        memcpy(&value, p, sizeof value);                                                           \
        return (uint64_t)(int64_t)value;                                                           \
    }
#include "ash/bpf.def"
    }
    return 0;
}

static uint64_t replaced(unsigned op, bool wide, uint64_t old, uint64_t src, uint64_t r0)
{
    if (!wide)
        r0 = (uint32_t)r0;
    switch (op) {
#define ASH_ATOMIC(id, imm, fetches, effect)                                                       \
    case ASH_OP_##id:                                                                              \
        return effect;
#include "ash/bpf.def"
    }
    return old;
}

/* Where an access goes in memory, or null and the run is aborted. */
static uint8_t *reach(struct machine *m, uint64_t address, unsigned size, bool store, bool atomic)
{
    uint32_t reason;
    uint8_t *p = ash_reach(m->run, address, size, store, &reason);
    if (p && atomic && address % size) {
        p = NULL;
        reason = ASH_ABORT_ALIGN;
    }
    if (!p) {
        bool proved = m->program->notes[m->at].flags & ASH_NOTE_PROVED;
        abort_run(m, proved ? ASH_ABORT_PROOF : reason, address);
    } else if (store && address >> ASH_REGION_SHIFT == ASH_REGION_FRAME) {
        m->run->modified = 1;
    }
    return p;
}

static void step_atomic(struct machine *m, const struct ash_insn *insn, unsigned op)
{
    unsigned size = ash_access_size(insn);
    uint64_t old = 0, src = m->r[ash_src(insn)];
    uint8_t *p = reach(m, m->r[ash_dst(insn)] + (uint64_t)insn->offset, size, true, true);
    if (!p)
        return;
    memcpy(&old, p, size);
    uint64_t new = replaced(op, size == 8, old, src, m->r[0]);
    memcpy(p, &new, size);
    if (op == ASH_OP_CMPXCHG)
        m->r[0] = old;
    else if (op >= ASH_OP_FETCH_ADD)
        m->r[ash_src(insn)] = old;
}

static void step_access(struct machine *m, const struct ash_insn *insn, unsigned op)
{
    unsigned size = ash_access_size(insn);
    bool is_load = ash_op_kinds[op] == ASH_KIND_LOAD;
    uint64_t address = m->r[is_load ? ash_src(insn) : ash_dst(insn)] + (uint64_t)insn->offset;
    uint8_t *p = reach(m, address, size, !is_load, false);
    if (!p)
        return;
    uint64_t value = ash_op_kinds[op] == ASH_KIND_STORE ? (uint64_t)insn->imm : m->r[ash_src(insn)];
    if (is_load)
        m->r[ash_dst(insn)] = load(op, p);
    else
        memcpy(p, &value, size);
}

static void step_helper(struct machine *m, const struct ash_insn *insn)
{
    unsigned zero = m->program->notes[m->at].map; /* of trace */
    for (unsigned i = 0; insn->imm == ASH_HELPER_TRACE && i < 3; i++)
        if (zero >> i & 1)
            m->r[3 + i] = 0;
    ash_helper_function *helper = m->run->helpers[ash_helper_index(insn->imm)];
    m->r[0] = helper(m->run, m->r[1], m->r[2], m->r[3], m->r[4], m->r[5]);
    if (m->run->abort.reason != ASH_ABORT_NONE) {
        m->run->abort.insn = m->at;
        m->done = true;
    }
}

static void step_call(struct machine *m, uint32_t target)
{
    struct call *call = &m->calls[m->depth++];
    call->back = m->at + 1;
    memcpy(call->saved, &m->r[6], sizeof call->saved);
    m->r[10] -= ASH_STACK_FRAME;
    m->at = target;
}

static void step_exit(struct machine *m)
{
    if (m->depth == 0) {
        m->done = true;
        return;
    }
    const struct call *call = &m->calls[--m->depth];
    memcpy(&m->r[6], call->saved, sizeof call->saved);
    m->r[10] += ASH_STACK_FRAME;
    m->at = call->back;
}

/* Goes on at a jump's target; going back takes fuel. */
static void jump(struct machine *m, const struct ash_insn *insn, const struct ash_note *note)
{
    if (note->flags & ASH_NOTE_BACK) {
        m->run->fuel -= (int32_t)note->cost;
        if (m->run->fuel < 0) {
            abort_run(m, ASH_ABORT_FUEL, 0);
            return;
        }
    }
    m->at = (uint32_t)ash_target(insn, m->at, note->op);
}

static void step_flow(struct machine *m, const struct ash_insn *insn, const struct ash_note *note)
{
    switch (note->op) {
    case ASH_OP_CALL:
        step_helper(m, insn);
        m->at++;
        break;
    case ASH_OP_CALL_LOCAL:
        step_call(m, (uint32_t)ash_target(insn, m->at, note->op));
        break;
    case ASH_OP_EXIT:
        step_exit(m);
        break;
    default:
        jump(m, insn, note);
    }
}

uint64_t ash_wide_constant(const struct ash_insn *insn, unsigned op)
{
    int32_t imm = insn->imm, next = insn[1].imm;
    switch (op) {
#define ASH_WIDE(id, source, effect)                                                               \
    case ASH_OP_##id:                                                                              \
        return effect;
#include "ash/bpf.def"
    }
    return 0;
}

static void step(struct machine *m)
{
    const struct ash_insn *insn = &m->program->image.insns[m->at];
    const struct ash_note *note = &m->program->notes[m->at];
    bool wide = ash_is_64(insn);
    uint64_t *dst = &m->r[ash_dst(insn)];
    uint64_t operand = ash_is_x(insn) ? m->r[ash_src(insn)] : (uint64_t)insn->imm;
    switch (ash_op_kinds[note->op]) {
    case ASH_KIND_ALU:
        *dst = ash_alu(note->op, wide, *dst, operand);
        m->at++;
        break;
    case ASH_KIND_END:
        *dst = ash_alu(note->op, true, *dst, 0);
        m->at++;
        break;
    case ASH_KIND_WIDE:
        *dst = ash_wide_constant(insn, note->op);
        m->at += 2;
        break;
    case ASH_KIND_JUMP:
        if (holds(note->op, wide, *dst, operand))
            jump(m, insn, note);
        else
            m->at++;
        break;
    case ASH_KIND_FLOW:
        step_flow(m, insn, note);
        break;
    case ASH_KIND_ATOMIC:
        step_atomic(m, insn, note->op);
        m->at++;
        break;
    default:
        step_access(m, insn, note->op);
        m->at++;
    }
}

uint64_t ash_interpret(const struct ash_program *program, struct ash_run *run)
{
    const struct ash_region *stack = &run->regions[ASH_REGION_STACK];
    struct machine m = {.program = program, .run = run};
    memset((void *)(uintptr_t)(stack->low + stack->delta), 0, program->stack);
    m.r[1] = ASH_BASE(ASH_REGION_CONTEXT);
    if (program->image.header->event == ASH_EVENT_MEMORY) {
        const struct ash_region *window = &run->regions[ASH_REGION_WINDOW];
        m.r[1] = window->low;
        m.r[2] = window->end - window->low;
    }
    m.r[10] = ASH_STACK_TOP;
    while (!m.done)
        step(&m);
    return run->abort.reason ? ASH_ABORTED : m.r[0];
}
