/*
 * The compiler's phases, its memory, and the frame of the emitted function. The register map is in
 * compile_state.h.
 *
 * A pass over the trie emits everything; what only the whole trie tells (whether a winner has to be
 * kept in a register, say) a pass finds out, and the next one relies on. Most tries take two passes
 * or less.
 */
#include "dpf/compile_state.h"

#include <string.h>

#define ENTRIES_A_STEP 64
#define STACK_BYTES    48

_Static_assert((BASES - SAVED_BASES) * 8 <= STACK_BYTES, "the saved registers fit");

void compile_uses_base(struct compile *c, unsigned base)
{
    if (c->found.bases < base)
        c->found.bases = (uint8_t)base;
}

void compile_go(struct compile *c, uint32_t label)
{
    c->pending = label;
}

uint32_t compile_label_of(struct compile *c, uint32_t node)
{
    if (!node)
        return NONE_LABEL;
    struct record *record = record_of(c, node);
    if (!record->label)
        record->label = vcode_label(&c->v);
    return record->label;
}

uint32_t compile_fail_of(struct compile *c, const struct trie_node *node)
{
    return compile_label_of(c, node->fail);
}

/* Saves or restores the s registers that bases live in, if there are any. */
static void move_saved(struct compile *c, bool save)
{
    if (c->learned.bases < SAVED_BASES)
        return;
    if (save)
        rv_addi(&c->v, RV_SP, RV_SP, -STACK_BYTES);
    for (unsigned base = SAVED_BASES; base <= c->learned.bases; base++) {
        int64_t at = 8 * (int64_t)(base - SAVED_BASES);
        if (save)
            rv_sd(&c->v, base_register(base), RV_SP, at);
        else
            rv_ld(&c->v, base_register(base), RV_SP, at);
    }
    if (!save)
        rv_addi(&c->v, RV_SP, RV_SP, STACK_BYTES);
}

void compile_return(struct compile *c)
{
    move_saved(c, false);
    vcode_ret(&c->v);
}

/* A filter's answer, instead of a jump to it. */
static void answer(struct compile *c, unsigned yes)
{
    vcode_li(&c->v, RV_A0, yes);
    compile_return(c);
}

void compile_place(struct compile *c, uint32_t label)
{
    bool jumps = c->pending != NO_LABEL && (c->pending != label || label == 0);
    if (jumps && !c->trie && c->pending == c->dag.accept)
        answer(c, 1);
    else if (jumps)
        vcode_jump(&c->v, c->pending);
    c->pending = NO_LABEL;
    if (label)
        vcode_bind(&c->v, label);
}

/* The block behind NONE_LABEL. It stands before the function, so that all branches to it know their
 * distance. */
static void emit_none(struct compile *c)
{
    struct vcode *v = &c->v;
    if (c->learned.continues)
        vcode_mv(v, RV_A0, WINNER);
    else
        vcode_li(v, RV_A0, (uint64_t)-1);
    if (c->trie->taps)
        vcode_mv(v, RV_A1, TAPS);
    else
        vcode_li(v, RV_A1, 0);
    compile_return(c);
}

static void start_filter(struct compile *c)
{
    uint16_t entry = c->dag.from;
    c->dag.reject = NONE_LABEL;
    c->dag.accept = vcode_label(&c->v);
    c->dag.base = 1;
    vcode_bind(&c->v, NONE_LABEL);
    answer(c, 0);
    vcode_bind(&c->v, c->dag.accept);
    answer(c, 1);
    c->entry = (uint32_t)c->v.used;
    move_saved(c, true);
    c->now = (struct path){.top = 0};
    c->now.align[0] = c->now.align[1] = c->options.align;
    if (entry == DPF_ACCEPT || entry == DPF_REJECT)
        compile_go(c, entry == DPF_ACCEPT ? c->dag.accept : NONE_LABEL);
    else
        compile_dag_start(c, c->dag.nodes, c->dag.ranges, c->dag.count, entry);
}

static void start_trie(struct compile *c)
{
    vcode_bind(&c->v, NONE_LABEL);
    emit_none(c);
    c->entry = (uint32_t)c->v.used;
    move_saved(c, true);
    if (c->learned.continues)
        vcode_li(&c->v, WINNER, (uint64_t)-1);
    if (c->learned.compares)
        vcode_li(&c->v, BEST, 0);
    if (c->trie->taps)
        vcode_li(&c->v, TAPS, 0);
    compile_walk_start(c);
}

/* Begins a pass; forgets the last one's labels first, some at a time. */
static void start_pass(struct compile *c)
{
    uint32_t nodes = c->trie ? c->trie->nodes : 0;
    for (unsigned i = 0; i < ENTRIES_A_STEP && c->cursor < nodes; i++)
        record_of(c, c->cursor++)->label = 0;
    if (c->cursor < nodes)
        return;
    vcode_start(&c->v);
    c->found = (struct learned){.bases = 0};
    c->enlarged = false;
    c->pending = NO_LABEL;
    c->depth = 0;
    c->dag.step = 0;
    c->ranges.from = c->ranges.to = 0;
    c->table.first = 0;
    c->table.step = 0;
    vcode_label(&c->v);
    if (c->trie)
        start_trie(c);
    else
        start_filter(c);
    c->phase = PHASE_WALK;
}

/* Whether another pass would rely on more than this one did. */
static bool learns(struct compile *c)
{
    struct learned before = c->learned;
    c->learned.continues |= c->found.continues;
    c->learned.compares |= c->found.compares;
    if (c->found.bases >= SAVED_BASES && c->learned.bases < c->found.bases)
        c->learned.bases = c->found.bases;
    return memcmp(&before, &c->learned, sizeof before) != 0;
}

static void next_phase(struct compile *c, enum compile_phase phase)
{
    c->phase = (uint8_t)phase;
    c->inner = 0;
    c->cursor = phase == PHASE_NEED ? c->trie->nodes - 1 : 1;
}

void compile_begin(struct compile *c, enum compile_phase phase)
{
    next_phase(c, phase);
}

/* One step of any phase but the last. */
static void step(struct compile *c)
{
    switch (c->phase) {
    case PHASE_MARK:
        if (compile_mark(c))
            next_phase(c, PHASE_NEED);
        break;
    case PHASE_NEED:
        if (compile_need(c))
            next_phase(c, PHASE_START);
        break;
    case PHASE_START:
        start_pass(c);
        break;
    case PHASE_WALK:
        if (compile_walk(c)) {
            compile_place(c, 0);
            c->text = (uint32_t)c->v.used;
            next_phase(c, learns(c) ? PHASE_START : PHASE_TABLES);
        }
        break;
    case PHASE_TABLES:
        if (compile_tables(c))
            next_phase(c, c->enlarged ? PHASE_START : PHASE_END);
        break;
    }
}

/* A step, and what it took. */
static size_t pieces(struct compile *c)
{
    size_t before = c->v.used;
    c->effort = 1;
    step(c);
    return c->effort + (c->v.used > before ? (c->v.used - before) / 8 : 0);
}

/* What has gone wrong, if anything. */
static int error_of(const struct compile *c)
{
    switch (c->v.error) {
    case 0:
        return c->error;
    case VCODE_E_SPACE:
    case VCODE_E_LABELS:
    case VCODE_E_REFERENCES:
    case VCODE_E_CONSTANTS:
        return DPF_E_SPACE;
    default:
        return DPF_E_INTERNAL;
    }
}

int dpf_compile_step(void *memory, size_t work, struct dpf_code *result)
{
    struct compile *c = memory;
    while (c->phase != PHASE_END && c->phase != PHASE_DONE && !error_of(c)) {
        size_t spent = pieces(c);
        if (work <= spent)
            return 1;
        work -= spent;
    }
    if (c->phase == PHASE_END && !error_of(c)) {
        int state = vcode_end(&c->v, work);
        if (state == VCODE_MORE)
            return 1;
        if (state == VCODE_AGAIN) {
            next_phase(c, PHASE_START);
            return 1;
        }
        c->phase = PHASE_DONE;
    }
    if (error_of(c))
        return error_of(c);
    result->size = (uint32_t)c->v.used;
    result->text = c->text;
    result->entry = c->entry;
    return 0;
}
