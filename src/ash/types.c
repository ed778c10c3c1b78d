/*
 * The last phase of the verifier: types and ranges, so that accesses can be proved in bounds.
 *
 * It walks over each function from its start to its end, callers before those that they call. What
 * is known where a jump leads forward is kept in a pool until the walk comes there; if the pool is
 * full, nothing is known there. A function without loops takes one walk, another a few (types.h);
 * never more than nine. So time and memory are bounded, and a failing proof only leaves a guard.
 */
#include "ash/types.h"

#include <string.h>

struct ash_value ash_register(const struct ash_verifier *v, unsigned reg)
{
    return reg == 10 ? ash_pointer(ASH_STACK, 0, 0) : v->current->registers[reg];
}

struct ash_value ash_operand(const struct ash_verifier *v, const struct ash_insn *insn)
{
    if (ash_is_x(insn))
        return ash_register(v, ash_src(insn));
    return ash_constant(ash_is_64(insn) ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm);
}

/* Facts in the pool by their instruction, with a bit of ASH_LOOP or none; null if there are none.
 */
static struct ash_facts *find(const struct ash_verifier *v, uint32_t at)
{
    for (unsigned i = 0; i < v->pool_size; i++)
        if (v->pool[i].at == at)
            return &v->pool[i];
    return NULL;
}

/* Keeps facts for an instruction, joined with those that are there. */
static void keep(struct ash_verifier *v, uint32_t at, const struct ash_facts *facts)
{
    struct ash_facts *there = find(v, at), *free = find(v, ASH_NO_INSN);
    if (there) {
        ash_facts_join(there, facts, at & ~ASH_LOOP);
    } else if (free) {
        *free = *facts;
        free->at = at;
    } else if (at & ASH_LOOP) {
        v->lost_loop = true;
    } else {
        v->lost[at] = v->walks;
        v->last_lost = at > v->last_lost ? at : v->last_lost;
    }
}

/* Joins what is known at another place into what is known here. */
static void add(struct ash_verifier *v, const struct ash_facts *facts, uint32_t at)
{
    if (v->alive)
        ash_facts_join(v->current, facts, at);
    else
        *v->current = *facts;
    v->alive = true;
}

static void know_nothing(struct ash_verifier *v)
{
    ash_facts_clear(v->current);
    v->alive = true;
}

/* The same from the pool, where they are needed no more. */
static void add_from_pool(struct ash_verifier *v, uint32_t at)
{
    struct ash_facts *facts = find(v, at);
    if (facts) {
        add(v, facts, at & ~ASH_LOOP);
        facts->at = ASH_NO_INSN;
    }
}

/* The paths that lead to a jump's target are complete: all but those that go back. */
static void arrive(struct ash_verifier *v, uint32_t at)
{
    add_from_pool(v, at);
    if (v->lost[at] == v->walks)
        know_nothing(v);
}

#define ENTRIES_MAX 3 /* ways into a loop beside its head that are looked at */

/*
 * A loop's head, in a FORGET walk. Between two visits only instructions from here to the loop's end
 * run, since it was last entered: here, or by a jump from before it into its middle. So what was
 * known at all these entries, less what the loop writes, holds.
 */
static void forget_at_head(struct ash_verifier *v, uint32_t at)
{
    uint32_t end = v->loop_end[at];
    unsigned entries = 0;
    for (unsigned i = 0; i < v->pool_size; i++)
        if (v->pool[i].at <= end && ++entries <= ENTRIES_MAX)
            add(v, &v->pool[i], at);
    if (entries > ENTRIES_MAX || v->last_lost > at)
        know_nothing(v);
    if (!v->alive)
        return;
    struct ash_writes w = ash_writes_of(v, at, end);
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++) {
        struct ash_value *r = &v->current->registers[i];
        if (w.beyond & ASH_SET(i) || (w.any & ASH_SET(i) && r->kind == ASH_SCALAR))
            *r = ash_unknown();
        else if (w.any & ASH_SET(i))
            *r = ash_adrift(*r);
    }
    if (w.memory)
        ash_facts_forget_spills(v->current);
    if (w.frame)
        ash_facts_frame_moved(v->current);
}

/* In a GROW walk: what comes in, and what the walk before found at the ends. If that is nothing
   new, what was taken to hold is taken again. */
static void grow_at_head(struct ash_verifier *v, uint32_t at)
{
    struct ash_facts *head = find(v, at | ASH_LOOP_HEAD);
    add_from_pool(v, at | ASH_LOOP_END);
    if (!v->alive)
        return;
    if (!head) {
        v->changed = true;
        keep(v, at | ASH_LOOP_HEAD, v->current);
        return;
    }
    *v->taken = *head;
    ash_facts_join(v->taken, v->current, at);
    if (!ash_facts_same(v->taken, head)) {
        v->changed = true;
        ash_facts_widen(head, v->taken);
        *head = *v->taken;
        head->at = at | ASH_LOOP_HEAD;
    }
    *v->current = *head;
}

static void enter_loop(struct ash_verifier *v, uint32_t at)
{
    if (v->walk == ASH_WALK_GROW)
        grow_at_head(v, at);
    else if (v->walk == ASH_WALK_FORGET || v->lost_loop)
        forget_at_head(v, at);
    else
        add_from_pool(v, at | ASH_LOOP_END);
}

/*
 * What is known where a jump leads. A head that nothing but jumps back reach is not seen in the
 * walk that finds the first of them: then that walk has found something new.
 */
static void keep_target(struct ash_verifier *v, uint32_t at, uint32_t target,
                        const struct ash_facts *facts)
{
    if (target > at) {
        keep(v, target, facts);
    } else if (v->walk != ASH_WALK_LAST) {
        if (!find(v, target | ASH_LOOP_HEAD))
            v->changed = true;
        keep(v, target | ASH_LOOP_END, facts);
    }
}

static void type_alu(struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    struct ash_note *note = &v->program->notes[at];
    unsigned dst = ash_dst(insn);
    bool narrow;
    uint16_t name = ash_name(at, dst);
    if (note->op == ASH_OP_MOV && ash_is_x(insn) && ash_src(insn) != 10) {
        /* From now on both are one number: what is learnt of one is learnt of the other. */
        struct ash_value *src = &v->current->registers[ash_src(insn)];
        if (src->kind == ASH_SCALAR && !src->id && src->min != src->max) {
            ash_facts_rename(v->current, name, ASH_NO_REG);
            src->id = name;
        }
    }
    struct ash_value x = ash_register(v, dst), y = ash_operand(v, insn);
    struct ash_value result = ash_compute(note->op, ash_is_64(insn), &x, &y, name, &narrow);
    if (result.kind == ASH_FRAME && result.id == name)
        ash_facts_rename(v->current, name, dst);
    v->current->registers[dst] = result;
    if (narrow)
        note->flags |= ASH_NOTE_NARROW;
}

static struct ash_value type_end(unsigned op)
{
    switch (op) {
    case ASH_OP_LE16:
    case ASH_OP_BE16:
    case ASH_OP_BSWAP16:
        return ash_between(0, UINT16_MAX);
    case ASH_OP_LE32:
    case ASH_OP_BE32:
    case ASH_OP_BSWAP32:
        return ash_between(0, UINT32_MAX);
    default:
        return ash_unknown();
    }
}

static void type_wide(struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    struct ash_value *dst = &v->current->registers[ash_dst(insn)];
    uint32_t low = (uint32_t)insn->imm, next = (uint32_t)insn[1].imm;
    switch (v->program->notes[at].op) {
    case ASH_OP_LDMAP:
        *dst = ash_pointer(ASH_HANDLE, low, 0);
        break;
    case ASH_OP_LDVALUE:
        *dst = ash_pointer(ASH_MAP_MEMORY, low, next);
        break;
    default:
        *dst = ash_constant((uint64_t)next << 32 | low);
    }
}

static void set_value(struct ash_value *value, const void *what)
{
    *value = *(const struct ash_value *)what;
}

/* Replaces what is known of a register, and of all values that are the same. */
static void learn(struct ash_facts *facts, unsigned reg, const struct ash_value *old,
                  const struct ash_value *new)
{
    if (reg == 10)
        return;
    facts->registers[reg] = *new;
    if (old->id)
        ash_facts_each(facts, old->kind, old->id, set_value, new);
}

/* p compared with data_end, if what holds is p < end, or p <= end. */
static void learn_reach(struct ash_facts *facts, unsigned op, bool wide, bool holds,
                        const struct ash_value *a, const struct ash_value *b)
{
    bool turned = b->kind == ASH_FRAME;
    const struct ash_value *p = turned ? b : a, *end = turned ? a : b;
    if (p->kind != ASH_FRAME || end->kind != ASH_FRAME_END || ash_is_adrift(p) ||
        !(wide || ash_fits_32(p)))
        return;
    bool less = op == ASH_OP_JLT || op == ASH_OP_JLE, more = op == ASH_OP_JGT || op == ASH_OP_JGE;
    bool strict = (op == ASH_OP_JLT || op == ASH_OP_JGT) == holds;
    if (!less && !more)
        return;
    int64_t bytes = p->offset + strict;
    if ((less == holds) != turned && bytes > 0)
        ash_facts_reach(facts, p->id, (uint32_t)bytes);
}

static void learn_null(struct ash_facts *facts, unsigned op, bool holds, unsigned reg,
                       const struct ash_value *a, const struct ash_value *b)
{
    if (a->kind != ASH_ENTRY_OR_NULL || !ash_is_constant(b) || b->min != 0 ||
        (op != ASH_OP_JEQ && op != ASH_OP_JNE))
        return;
    bool null = (op == ASH_OP_JEQ) == holds;
    struct ash_value new = null ? ash_constant(0) : ash_pointer(ASH_ENTRY, a->map, 0);
    learn(facts, reg, a, &new);
}

/* What is known behind a conditional jump that was taken, or not. False if that can't be. */
static bool learn_branch(struct ash_facts *facts, const struct ash_insn *insn, unsigned op,
                         bool holds, const struct ash_value *x, const struct ash_value *y)
{
    struct ash_value a = *x, b = *y;
    if (!ash_suppose(op, ash_is_64(insn), holds, &a, &b))
        return false;
    if (a.kind == ASH_SCALAR)
        learn(facts, ash_dst(insn), x, &a);
    if (b.kind == ASH_SCALAR && ash_is_x(insn))
        learn(facts, ash_src(insn), y, &b);
    learn_reach(facts, op, ash_is_64(insn), holds, x, y);
    learn_null(facts, op, holds, ash_dst(insn), x, y);
    return true;
}

/* Comparisons of 32 bits can be done with 64 if no operand has more, and, for signed ones, not the
 * 32nd either. */
static bool is_narrow(unsigned op, const struct ash_value *x, const struct ash_value *y)
{
    uint64_t top = op == ASH_OP_JSGT || op == ASH_OP_JSGE || op == ASH_OP_JSLT || op == ASH_OP_JSLE
                       ? INT32_MAX
                       : UINT32_MAX;
    return (x->kind == ASH_SCALAR ? x->max <= top : top == UINT32_MAX && ash_fits_32(x)) &&
           (y->kind == ASH_SCALAR ? y->max <= top : top == UINT32_MAX && ash_fits_32(y));
}

static void type_branch(struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    struct ash_note *note = &v->program->notes[at];
    uint32_t target = (uint32_t)ash_target(insn, at, note->op);
    struct ash_value x = ash_register(v, ash_dst(insn)), y = ash_operand(v, insn);
    if (!ash_is_64(insn) && is_narrow(note->op, &x, &y))
        note->flags |= ASH_NOTE_NARROW;
    *v->taken = *v->current;
    if (learn_branch(v->taken, insn, note->op, true, &x, &y))
        keep_target(v, at, target, v->taken);
    v->alive = learn_branch(v->current, insn, note->op, false, &x, &y);
}

static void type_flow(struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    unsigned op = v->program->notes[at].op;
    if (op == ASH_OP_CALL || op == ASH_OP_CALL_LOCAL) {
        ash_type_call(v, at);
        return;
    }
    if (op != ASH_OP_EXIT)
        keep_target(v, at, (uint32_t)ash_target(insn, at, op), v->current);
    v->alive = false;
}

static void type_insn(struct ash_verifier *v, uint32_t at)
{
    const struct ash_insn *insn = &v->image.insns[at];
    unsigned op = v->program->notes[at].op;
    switch (ash_op_kinds[op]) {
    case ASH_KIND_ALU:
        type_alu(v, at);
        break;
    case ASH_KIND_END:
        v->current->registers[ash_dst(insn)] = type_end(op);
        break;
    case ASH_KIND_WIDE:
        type_wide(v, at);
        break;
    case ASH_KIND_JUMP:
        type_branch(v, at);
        break;
    case ASH_KIND_FLOW:
        type_flow(v, at);
        break;
    case ASH_KIND_LOAD:
    case ASH_KIND_STORE:
    case ASH_KIND_STOREX:
    case ASH_KIND_ATOMIC:
        ash_type_access(v, at);
        break;
    }
}

static bool has_loops(const struct ash_verifier *v, const struct ash_function *f)
{
    return v->program->notes[f->start].flags & ASH_NOTE_HEAD || v->loop_end[f->start] < f->end;
}

static void begin_walk(struct ash_verifier *v, unsigned f, enum ash_walk walk)
{
    /* Of the facts in the pool, those stay that the walk is about. */
    uint32_t stay = walk == ASH_WALK_GROW ? ASH_LOOP : walk == ASH_WALK_LAST ? ASH_LOOP_END : 0;
    for (unsigned i = 0; i < v->pool_size; i++)
        if (!(v->pool[i].at & stay))
            v->pool[i].at = ASH_NO_INSN;
    v->round = walk == v->walk ? v->round + 1 : 0;
    v->walk = walk;
    v->changed = false;
    v->last_lost = 0;
    v->walks++;
    v->tally = (struct ash_tally){0};
    know_nothing(v);
    if (f == 0 && v->event == ASH_EVENT_FRAME)
        v->current->registers[1] = ash_pointer(ASH_CONTEXT, 0, 0);
    for (unsigned i = 0; f != 0 && i < 5; i++)
        v->current->registers[i + 1] = v->arguments[f].values[i];
    v->at = v->program->functions[f].start;
}

static void begin_function(struct ash_verifier *v, unsigned f)
{
    for (unsigned i = 0; i < v->pool_size; i++)
        v->pool[i].at = ASH_NO_INSN;
    v->walk = ASH_WALK_LAST;
    v->lost_loop = false;
    begin_walk(v, f, has_loops(v, &v->program->functions[f]) ? ASH_WALK_GROW : ASH_WALK_LAST);
}

/* A walk is done: begins the next one, or returns true if it was the last. */
static bool end_walk(struct ash_verifier *v, unsigned f)
{
    struct ash_program *p = v->program;
    if (v->walk == ASH_WALK_GROW && (v->lost_loop || v->round == ASH_ROUNDS)) {
        for (unsigned i = 0; i < v->pool_size; i++)
            v->pool[i].at = ASH_NO_INSN;
        v->lost_loop = false;
        begin_walk(v, f, ASH_WALK_FORGET);
        return false;
    }
    if (v->walk != ASH_WALK_LAST) {
        begin_walk(v, f, v->walk == ASH_WALK_GROW && v->changed ? ASH_WALK_GROW : ASH_WALK_LAST);
        return false;
    }
    p->accesses += v->tally.accesses;
    p->guards += v->tally.guards;
    p->clear_stack |= v->tally.clear_stack;
    p->can_abort |= v->tally.can_abort;
    p->writes_frame |= v->tally.writes_frame;
    return true;
}

static void visit(struct ash_verifier *v, uint32_t at)
{
    struct ash_note *note = &v->program->notes[at];
    if (note->flags & ASH_NOTE_TARGET)
        arrive(v, at);
    if (note->flags & ASH_NOTE_HEAD)
        enter_loop(v, at);
    if (!v->alive)
        return;
    note->flags &=
        (uint8_t) ~(ASH_NOTE_PROVED | ASH_NOTE_FIXED | ASH_NOTE_NARROW | ASH_NOTE_IN_PLACE);
    note->place = ASH_AT_ANY;
    type_insn(v, at);
}

int ash_find_types(struct ash_verifier *v, size_t *work)
{
    struct ash_program *p = v->program;
    for (; v->function < p->function_count; v->function++, v->started = false) {
        unsigned f = v->order[p->function_count - 1 - v->function];
        if (f != 0 && !v->arguments[f].seen)
            continue; /* only called from where no path leads */
        if (!v->started)
            begin_function(v, f);
        v->started = true;
        do {
            for (; v->at < p->functions[f].end; v->at++, --*work) {
                if (*work == 0)
                    return ASH_MORE;
                if (p->notes[v->at].flags & ASH_NOTE_REACHED)
                    visit(v, v->at);
            }
        } while (!end_walk(v, f));
    }
    return ASH_DONE;
}
