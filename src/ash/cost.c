/*
 * Two phases of the verifier: what the longest paths cost, and which instructions a loop takes in.
 */
#include "ash/verify.h"

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a + b < ASH_COST_MAX ? a + b : ASH_COST_MAX;
}

/* Fuel of one instruction by itself, with the call that it may make. */
static uint32_t own_cost(const struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    const struct ash_program *p = v->program;
    unsigned op = p->notes[at].op;
    if (op == ASH_OP_SECOND)
        return 0;
    if (op == ASH_OP_CALL)
        return 1 + ash_helpers[ash_helper_index(insn->imm)].cost;
    if (op == ASH_OP_CALL_LOCAL)
        return sum(1, p->functions[ash_function_at(p, (uint32_t)ash_target(insn, at, op))].cost);
    return 1;
}

/*
 * The longest path from each instruction on, v->path, to the end of its function. A jump that goes
 * back counts as if it fell through to what stands behind it, which is where its loop usually ends:
 * so path falls by at least one for each instruction executed, and rises only where a jump goes
 * back, which pays for that (note.cost).
 */
static void count_path(struct ash_verifier *v, const struct ash_function *f, uint32_t at)
{
    const struct ash_note *note = &v->program->notes[at];
    unsigned op = note->op;
    uint32_t behind = at + 1 < f->end ? v->path[at + 1] : 0, longest = behind;
    bool is_jump = op == ASH_OP_JA || op == ASH_OP_JA32;
    if (op == ASH_OP_EXIT)
        longest = 0;
    if ((is_jump || ash_op_kinds[op] == ASH_KIND_JUMP) && !(note->flags & ASH_NOTE_BACK)) {
        uint32_t there = v->path[ash_target(&v->image.insns[at], at, op)];
        longest = is_jump || there > behind ? there : behind;
    }
    v->path[at] = sum(own_cost(v, at), longest);
}

int ash_count_costs(struct ash_verifier *v, size_t *work)
{
    struct ash_program *p = v->program;
    for (; v->function < p->function_count; v->function++) {
        struct ash_function *f = &p->functions[v->order[v->function]];
        if (v->at == 0)
            v->at = f->end;
        for (; v->at > f->start; --*work) {
            if (*work == 0)
                return ASH_MORE;
            count_path(v, f, --v->at);
        }
        f->cost = v->path[f->start];
        if (f->cost == ASH_COST_MAX)
            return ash_refuse(v, ASH_E_COST, f->start, ASH_COST_MAX);
        v->at = 0;
    }
    p->entry_cost = p->functions[0].cost;
    return ASH_DONE;
}

static void write_register(struct ash_writes *w, const struct ash_insn *insn, unsigned op)
{
    int r = ash_written(insn, op);
    if (r < 0)
        return;
    w->any |= (uint16_t)ASH_SET(r);
    if (!((op == ASH_OP_ADD || op == ASH_OP_SUB) && ash_is_64(insn)))
        w->beyond |= (uint16_t)ASH_SET(r);
}

static void add_writes(struct ash_writes *w, const struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    unsigned op = v->program->notes[at].op;
    write_register(w, insn, op);
    switch (ash_op_kinds[op]) {
    case ASH_KIND_STORE:
    case ASH_KIND_STOREX:
    case ASH_KIND_ATOMIC:
        w->memory = true;
        break;
    case ASH_KIND_FLOW:
        if (op != ASH_OP_CALL && op != ASH_OP_CALL_LOCAL)
            break;
        w->any |= ASH_SCRATCH_REGS;
        w->beyond |= ASH_SCRATCH_REGS;
        w->memory |= op == ASH_OP_CALL_LOCAL;
        w->frame |= op == ASH_OP_CALL_LOCAL || insn->imm == ASH_HELPER_ADJUST_HEAD ||
                    insn->imm == ASH_HELPER_ADJUST_TAIL;
        break;
    }
}

static void merge(struct ash_writes *into, const struct ash_writes *from)
{
    into->any |= from->any;
    into->beyond |= from->beyond;
    into->memory |= from->memory;
    into->frame |= from->frame;
}

struct ash_writes ash_writes_of(const struct ash_verifier *v, uint32_t from, uint32_t to)
{
    struct ash_writes w = {0};
    while (from <= to) {
        if (from % ASH_BLOCK == 0 && to - from >= ASH_BLOCK - 1) {
            merge(&w, &v->blocks[from / ASH_BLOCK]);
            from += ASH_BLOCK;
        } else {
            add_writes(&w, v, from++);
        }
    }
    return w;
}

static bool is_head(const struct ash_verifier *v, uint32_t at)
{
    return v->program->notes[at].flags & ASH_NOTE_HEAD;
}

/* The first head at or behind an instruction; v->insns if there is none. */
static uint32_t next_head(const struct ash_verifier *v, uint32_t at)
{
    return at >= v->insns ? v->insns : is_head(v, at) ? at : v->loop_end[at];
}

/*
 * v->loop_end: of a head, the last instruction from which a jump leads back to it, or to a head
 * between (whose loops may come back to this one). So what runs between two visits to a head,
 * entered from before it, lies from the head to there. Of other instructions it is the next head.
 * Goes from the end to the start.
 */
static void find_loop(struct ash_verifier *v, uint32_t at)
{
    struct ash_note *note = &v->program->notes[at];
    if (note->flags & ASH_NOTE_BACK) {
        uint32_t target = (uint32_t)ash_target(&v->image.insns[at], at, note->op);
        if (v->loop_end[target] < at)
            v->loop_end[target] = (uint16_t)at;
        int64_t cost = (int64_t)v->path[target] - v->path[at] + 1;
        note->cost = cost > 0 ? (uint32_t)cost : 1;
    }
    if (!is_head(v, at)) {
        v->loop_end[at] = (uint16_t)next_head(v, at + 1);
        return;
    }
    uint32_t end = v->loop_end[at];
    for (uint32_t h = next_head(v, at + 1); h <= end; h = next_head(v, v->loop_end[h] + 1u))
        if (v->loop_end[h] > end)
            end = v->loop_end[h];
    v->loop_end[at] = (uint16_t)end;
}

int ash_find_loops(struct ash_verifier *v, size_t *work)
{
    for (; v->at < v->insns; v->at++, --*work) {
        if (*work == 0)
            return ASH_MORE;
        uint32_t at = v->insns - 1 - v->at;
        find_loop(v, at);
        v->lost[at] = 0;
        add_writes(&v->blocks[at / ASH_BLOCK], v, at);
    }
    return ASH_DONE;
}
