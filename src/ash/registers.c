/*
 * A phase of the verifier: registers are written before they are read, on every path.
 *
 * A data-flow analysis whose sets only grow, so that it ends: v->unset holds, one bit a register,
 * those that some path to the instruction leaves without a value, and in its upper bits those of r1
 * to r5 that some path leaves as the caller gave them. It goes through a function from its start to
 * its end until nothing behind the cursor changes; functions come after those that they call.
 */
#include "ash/verify.h"

#define ORIGINAL_SHIFT 10 /* r1 is bit 11 */
#define LOOKS_MAX      64

uint16_t ash_reads(const struct ash_insn *insn, unsigned op)
{
    unsigned dst = ASH_SET(ash_dst(insn)), src = ASH_SET(ash_src(insn));
    switch (ash_op_kinds[op]) {
    case ASH_KIND_ALU: {
        bool moves =
            op == ASH_OP_MOV || op == ASH_OP_MOVSX8 || op == ASH_OP_MOVSX16 || op == ASH_OP_MOVSX32;
        return (uint16_t)((moves ? 0 : dst) | (ash_is_x(insn) ? src : 0));
    }
    case ASH_KIND_JUMP:
        return (uint16_t)(dst | (ash_is_x(insn) ? src : 0));
    case ASH_KIND_END:
    case ASH_KIND_STORE:
        return (uint16_t)dst;
    case ASH_KIND_LOAD:
        return (uint16_t)src;
    case ASH_KIND_STOREX:
        return (uint16_t)(dst | src);
    case ASH_KIND_ATOMIC:
        return (uint16_t)(dst | src | (op == ASH_OP_CMPXCHG ? ASH_SET(0) : 0));
    case ASH_KIND_FLOW:
        if (op == ASH_OP_CALL) {
            unsigned count = ash_helpers[ash_helper_index(insn->imm)].arguments;
            return (uint16_t)((ASH_SET(count + 1) - 1) & ASH_ARGUMENTS);
        }
        return 0;
    default:
        return 0;
    }
}

int ash_written(const struct ash_insn *insn, unsigned op)
{
    switch (ash_op_kinds[op]) {
    case ASH_KIND_ALU:
    case ASH_KIND_END:
    case ASH_KIND_LOAD:
    case ASH_KIND_WIDE:
        return (int)ash_dst(insn);
    case ASH_KIND_ATOMIC:
        return op == ASH_OP_CMPXCHG ? 0 : op >= ASH_OP_FETCH_ADD ? (int)ash_src(insn) : -1;
    default:
        return op == ASH_OP_CALL || op == ASH_OP_CALL_LOCAL ? 0 : -1;
    }
}

struct ash_successors ash_successors(const struct ash_verifier *v, uint32_t at)
{
    struct ash_successors s = {0};
    unsigned op = v->program->notes[at].op;
    bool jumps = ash_op_kinds[op] == ASH_KIND_JUMP, always = op == ASH_OP_JA || op == ASH_OP_JA32;
    if (!always && op != ASH_OP_EXIT)
        s.at[s.count++] = at + (ash_op_kinds[op] == ASH_KIND_WIDE ? 2 : 1);
    if (jumps || always)
        s.at[s.count++] = (uint32_t)ash_target(&v->image.insns[at], at, op);
    return s;
}

static uint16_t original(uint16_t unset)
{
    return unset >> ORIGINAL_SHIFT & ASH_ARGUMENTS;
}

/* The set after a call: r1 to r5 are lost, r0 has a value or not. */
static uint16_t after_call(uint16_t unset, bool returns)
{
    unsigned set = (unsigned)unset & ~(ASH_ARGUMENTS << ORIGINAL_SHIFT);
    set |= ASH_ARGUMENTS;
    return (uint16_t)(returns ? set & ~ASH_SET(0) : set | ASH_SET(0));
}

static uint16_t after_write(uint16_t unset, int r)
{
    unsigned clear = ASH_SET(r);
    if (ASH_SET(r) & ASH_ARGUMENTS)
        clear |= ASH_SET(r + ORIGINAL_SHIFT);
    return (uint16_t)(unset & ~clear);
}

/* One instruction: checks what it reads, and returns the set behind it in unset. */
static int step(struct ash_verifier *v, struct ash_function *f, uint32_t at, uint16_t *unset)
{
    struct ash_program *p = v->program;
    const struct ash_insn *insn = &v->image.insns[at];
    unsigned op = p->notes[at].op, reads = ash_reads(insn, op);
    const struct ash_function *callee = NULL;
    if (op == ASH_OP_CALL_LOCAL) {
        callee = &p->functions[ash_function_at(p, (uint32_t)ash_target(insn, at, op))];
        reads = callee->needs;
    } else if (op == ASH_OP_EXIT && f == p->functions) {
        reads = ASH_SET(0);
    } else if (op == ASH_OP_EXIT && *unset & ASH_SET(0)) {
        f->returns = false;
    }
    if (reads & *unset)
        return ash_refuse(v, ASH_E_UNINITIALISED, at, ash_lowest(reads & *unset));
    f->needs |= (uint16_t)(reads & original(*unset));

    if (op == ASH_OP_CALL && insn->imm == ASH_HELPER_TRACE)
        p->notes[at].map = (uint8_t)((*unset | original(*unset)) >> 3 & 7);
    if (op == ASH_OP_CALL || op == ASH_OP_CALL_LOCAL)
        *unset = after_call(*unset, !callee || callee->returns);
    else if (ash_written(insn, op) >= 0)
        *unset = after_write(*unset, ash_written(insn, op));
    return 0;
}

static void propagate(struct ash_verifier *v, uint32_t at, uint16_t unset)
{
    struct ash_successors s = ash_successors(v, at);
    for (unsigned i = 0; i < s.count; i++) {
        struct ash_note *note = &v->program->notes[s.at[i]];
        uint16_t *there = &v->unset[s.at[i]];
        if (note->flags & ASH_NOTE_REACHED && (*there | unset) == *there)
            continue;
        *there = (uint16_t)(note->flags & ASH_NOTE_REACHED ? *there | unset : unset);
        note->flags |= ASH_NOTE_REACHED;
        if (s.at[i] <= at)
            v->again = true;
    }
}

static void enter(struct ash_verifier *v, const struct ash_function *f)
{
    unsigned all = ASH_SET(ASH_REGISTERS - 1) - 1; /* r10 has a value */
    if (f != v->program->functions)
        all = (all & ~ASH_ARGUMENTS) | ASH_ARGUMENTS << ORIGINAL_SHIFT;
    else if (v->event == ASH_EVENT_MEMORY)
        all &= ~(ASH_SET(1) | ASH_SET(2));
    else
        all &= ~ASH_SET(1);
    v->unset[f->start] |= (uint16_t)all;
    v->program->notes[f->start].flags |= ASH_NOTE_REACHED;
    v->at = f->start;
    v->again = false;
}

int ash_check_registers(struct ash_verifier *v, size_t *work)
{
    struct ash_program *p = v->program;
    while (v->function < p->function_count) {
        struct ash_function *f = &p->functions[v->order[v->function]];
        if (v->at == 0)
            enter(v, f);
        for (; v->at < f->end; v->at++, --*work) {
            if (*work == 0)
                return ASH_MORE;
            if (!(p->notes[v->at].flags & ASH_NOTE_REACHED))
                continue;
            if (++v->looks > (uint64_t)LOOKS_MAX * v->insns)
                return ash_refuse(v, ASH_E_BUDGET, v->at, LOOKS_MAX);
            uint16_t unset = v->unset[v->at];
            int error = step(v, f, v->at, &unset);
            if (error)
                return error;
            propagate(v, v->at, unset);
        }
        if (v->again) {
            enter(v, f);
        } else {
            v->function++;
            v->at = 0;
        }
    }
    return ASH_DONE;
}
