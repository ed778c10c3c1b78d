/*
 * Symbolic execution of classic BPF (lift.h).
 *
 * Jumps go only forward, so execution ends; what comes after an instruction depends only on the
 * registers that are still used there, and for equal registers it is made once.
 */
#include "tools/dpfc/lift.h"

#include <pcap/pcap.h>
#include <stdlib.h>

#define STATES_MAX 200000

/* Where execution stands: an instruction, and the numbers of the values of live registers. */
struct state {
    uint32_t at;
    uint32_t reg[REGISTERS];
};

/* Registers that an instruction uses; *sets: the one that it sets, or REGISTERS. */
static uint32_t uses(struct classic_insn insn, uint32_t *sets)
{
    const uint32_t a = 1u << REG_A, x = 1u << REG_X;
    uint32_t source = BPF_SRC(insn.code) == BPF_X ? x : 0;
    *sets = REGISTERS;
    switch (BPF_CLASS(insn.code)) {
    case BPF_LD:
    case BPF_LDX:
        *sets = BPF_CLASS(insn.code) == BPF_LD ? REG_A : REG_X;
        if (BPF_MODE(insn.code) == BPF_MEM)
            return 1u << insn.k;
        return BPF_MODE(insn.code) == BPF_IND ? x : 0;
    case BPF_ST:
    case BPF_STX:
        *sets = insn.k;
        return BPF_CLASS(insn.code) == BPF_ST ? a : x;
    case BPF_ALU:
        *sets = REG_A;
        return BPF_OP(insn.code) == BPF_NEG ? a : a | source;
    case BPF_JMP:
        return BPF_OP(insn.code) == BPF_JA ? 0 : a | source;
    case BPF_RET:
        return BPF_RVAL(insn.code) == BPF_A ? a : 0;
    default:
        *sets = BPF_MISCOP(insn.code) == BPF_TAX ? REG_X : REG_A;
        return BPF_MISCOP(insn.code) == BPF_TAX ? a : x;
    }
}

static void find_live(struct lift *lift)
{
    lift->live[lift->program->count] = 0;
    for (uint32_t i = lift->program->count; i-- > 0;) {
        struct classic_insn insn = lift->program->insn[i];
        uint32_t sets, used = uses(insn, &sets), after = lift->live[i + 1];
        if (BPF_CLASS(insn.code) == BPF_RET)
            after = 0;
        else if (BPF_CLASS(insn.code) == BPF_JMP && BPF_OP(insn.code) == BPF_JA)
            after = lift->live[i + 1 + insn.k];
        else if (BPF_CLASS(insn.code) == BPF_JMP)
            after = lift->live[i + 1 + insn.jt] | lift->live[i + 1 + insn.jf];
        lift->live[i] = used | (after & ~(sets < REGISTERS ? 1u << sets : 0));
    }
}

static uint32_t run(struct lift *lift, struct state state);

/* A load from the frame: to reg goes the value of width bytes at k behind the place, but the bytes
 * must be there. */
static uint32_t run_load(struct lift *lift, struct state state, struct classic_insn insn)
{
    static const uint32_t widths[] = {[BPF_W] = 4, [BPF_H] = 2, [BPF_B] = 1};
    uint32_t base = BASE_FRAME, add = 0, width = widths[BPF_SIZE(insn.code)];
    uint32_t reg = BPF_CLASS(insn.code) == BPF_LD ? REG_A : REG_X;
    if (BPF_MODE(insn.code) == BPF_IND)
        value_place(&lift->values, state.reg[REG_X], &base, &add);
    uint64_t offset = (uint64_t)add + insn.k;
    if (offset > UINT16_MAX)
        return NODE_REJECT; /* no Ethernet frame is as long */
    state.reg[reg] = value_load(&lift->values, base, (uint32_t)offset, width);
    if (BPF_MODE(insn.code) == BPF_MSH) { /* X = 4 * (byte & 15) */
        uint32_t low =
            value_alu(&lift->values, BPF_AND, state.reg[reg], value_number(&lift->values, 15));
        state.reg[reg] = value_alu(&lift->values, BPF_LSH, low, value_number(&lift->values, 2));
    }
    state.at++;
    return graph_read(lift->graph, base, (uint32_t)offset + width, run(lift, state));
}

/* A jump on a comparison of a register pair; k stands for X in the form with a constant. */
static uint32_t run_jump(struct lift *lift, struct state state, struct classic_insn insn)
{
    uint32_t key, set, at = state.at + 1;
    uint32_t x =
        BPF_SRC(insn.code) == BPF_X ? state.reg[REG_X] : value_number(&lift->values, insn.k);
    state.at = at + insn.jt;
    if (insn.jt == insn.jf)
        return run(lift, state);
    enum value_answer answer =
        value_compare(&lift->values, BPF_OP(insn.code), state.reg[REG_A], x, &key, &set);
    if (answer == ANSWER_YES)
        return run(lift, state);
    uint32_t yes = answer == ANSWER_DEPENDS ? run(lift, state) : NODE_REJECT;
    state.at = at + insn.jf;
    uint32_t no = run(lift, state);
    return answer == ANSWER_NO ? no : graph_test(lift->graph, key, set, yes, no);
}

/* The end: a frame is accepted if the value returned, the bytes to keep, isn't 0. */
static uint32_t run_return(struct lift *lift, const struct state *state, struct classic_insn insn)
{
    uint32_t key, set;
    if (BPF_RVAL(insn.code) == BPF_K)
        return insn.k ? NODE_ACCEPT : NODE_REJECT;
    switch (value_compare(&lift->values, BPF_JEQ, state->reg[REG_A], value_number(&lift->values, 0),
                          &key, &set)) {
    case ANSWER_YES:
        return NODE_REJECT;
    case ANSWER_NO:
        return NODE_ACCEPT;
    default:
        return graph_test(lift->graph, key, set, NODE_REJECT, NODE_ACCEPT);
    }
}

/* An instruction that only moves values between registers or computes with them. */
static void run_simple(struct lift *lift, struct state *state, struct classic_insn insn)
{
    struct values *values = &lift->values;
    uint32_t sets, value = 0;
    uses(insn, &sets);
    switch (BPF_CLASS(insn.code)) {
    case BPF_LD:
    case BPF_LDX:
        value = BPF_MODE(insn.code) == BPF_IMM   ? value_number(values, insn.k)
                : BPF_MODE(insn.code) == BPF_MEM ? state->reg[insn.k]
                                                 : value_length(values);
        break;
    case BPF_ST:
    case BPF_STX:
        value = state->reg[BPF_CLASS(insn.code) == BPF_ST ? REG_A : REG_X];
        break;
    case BPF_ALU:
        value = BPF_SRC(insn.code) == BPF_X ? state->reg[REG_X] : value_number(values, insn.k);
        value = value_alu(values, BPF_OP(insn.code), state->reg[REG_A], value);
        break;
    case BPF_MISC:
        value = state->reg[BPF_MISCOP(insn.code) == BPF_TAX ? REG_A : REG_X];
        break;
    }
    state->reg[sets] = value;
}

static bool is_load(struct classic_insn insn)
{
    uint32_t mode = BPF_MODE(insn.code);
    return (BPF_CLASS(insn.code) == BPF_LD || BPF_CLASS(insn.code) == BPF_LDX) &&
           (mode == BPF_ABS || mode == BPF_IND || mode == BPF_MSH);
}

static uint32_t run_from(struct lift *lift, struct state state)
{
    for (;; state.at++) {
        struct classic_insn insn = lift->program->insn[state.at];
        if (BPF_CLASS(insn.code) == BPF_RET)
            return run_return(lift, &state, insn);
        if (is_load(insn))
            return run_load(lift, state, insn);
        if (BPF_CLASS(insn.code) == BPF_JMP && BPF_OP(insn.code) != BPF_JA)
            return run_jump(lift, state, insn);
        if (BPF_CLASS(insn.code) == BPF_JMP)
            state.at += insn.k;
        else
            run_simple(lift, &state, insn);
    }
}

/* The node that a state leads to. */
static uint32_t run(struct lift *lift, struct state state)
{
    bool fresh;
    for (uint32_t r = 0; r < REGISTERS; r++)
        if (!(lift->live[state.at] >> r & 1))
            state.reg[r] = 0;
    uint32_t number = pool_put(&lift->states, &state, &fresh);
    if (!fresh)
        return lift->nodes[number];
    uint32_t node = run_from(lift, state);
    if (number >= lift->node_room) {
        lift->node_room = 2 * number + 64;
        lift->nodes =
            must_grow(lift->graph->trouble, lift->nodes, lift->node_room * sizeof *lift->nodes);
    }
    return lift->nodes[number] = node;
}

void lift_start(struct lift *lift, struct graph *graph, const struct classic *program)
{
    *lift = (struct lift){.program = program, .graph = graph};
    pool_start(&lift->states, graph->trouble, sizeof(struct state), STATES_MAX);
    values_start(&lift->values, graph);
}

void lift_end(struct lift *lift)
{
    values_end(&lift->values);
    pool_end(&lift->states);
    free(lift->nodes);
}

uint32_t lift_run(struct lift *lift)
{
    find_live(lift);
    return run(lift, (struct state){0});
}
