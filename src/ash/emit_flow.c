/*
 * Jumps, calls and exits.
 */
#include "ash/compile.h"

static bool fits_12(int64_t value)
{
    return value >= -2048 && value < 2048;
}

struct comparison {
    enum rv64_op op;
    bool turned; /* the second operand comes first */
};

static struct comparison comparison(unsigned op)
{
    switch (op) {
    case ASH_OP_JEQ:
        return (struct comparison){RV_beq, false};
    case ASH_OP_JGT:
        return (struct comparison){RV_bltu, true};
    case ASH_OP_JGE:
        return (struct comparison){RV_bgeu, false};
    case ASH_OP_JLT:
        return (struct comparison){RV_bltu, false};
    case ASH_OP_JLE:
        return (struct comparison){RV_bgeu, true};
    case ASH_OP_JSGT:
        return (struct comparison){RV_blt, true};
    case ASH_OP_JSGE:
        return (struct comparison){RV_bge, false};
    case ASH_OP_JSLT:
        return (struct comparison){RV_blt, false};
    case ASH_OP_JSLE:
        return (struct comparison){RV_bge, true};
    default: /* JNE, and JSET against zero */
        return (struct comparison){RV_bne, false};
    }
}

static enum rv64_op inverse(enum rv64_op branch)
{
    switch (branch) {
    case RV_beq:
        return RV_bne;
    case RV_bne:
        return RV_beq;
    case RV_blt:
        return RV_bge;
    case RV_bge:
        return RV_blt;
    case RV_bltu:
        return RV_bgeu;
    default:
        return RV_bltu;
    }
}

/* The operands of a jump in registers, of 32 bits with their signs extended: that keeps all orders.
 */
static void operands(struct ash_compiler *c, uint32_t at, enum rv64_reg *a, enum rv64_reg *b)
{
    const struct ash_insn *insn = &c->program->image.insns[at];
    const struct ash_note *note = &c->program->notes[at];
    struct vcode *v = &c->v;
    bool narrow = note->flags & ASH_NOTE_NARROW, wide = ash_is_64(insn) || narrow;
    *a = ash_fetch(c, ash_dst(insn), ASH_TEMP);
    if (ash_is_x(insn)) {
        *b = ash_fetch(c, ash_src(insn), ASH_TEMP2);
    } else if (note->op == ASH_OP_JSET && fits_12(insn->imm) && !(narrow && insn->imm < 0)) {
        rv_andi(v, ASH_TEMP, *a, insn->imm);
        if (!wide)
            rv_addiw(v, ASH_TEMP, ASH_TEMP, 0);
        *a = ASH_TEMP;
        *b = RV_ZERO;
        return;
    } else {
        *b = ash_constant_in(c, narrow ? (uint32_t)insn->imm : (uint64_t)insn->imm, ASH_TEMP2);
    }
    if (note->op == ASH_OP_JSET) {
        rv_and(v, ASH_TEMP, *a, *b);
        *a = ASH_TEMP;
        *b = RV_ZERO;
        if (!wide)
            rv_addiw(v, ASH_TEMP, ASH_TEMP, 0);
    } else if (!wide) {
        if (*a != RV_ZERO) {
            rv_addiw(v, ASH_TEMP, *a, 0);
            *a = ASH_TEMP;
        }
        if (ash_is_x(insn) && *b != RV_ZERO) {
            rv_addiw(v, ASH_TEMP2, *b, 0);
            *b = ASH_TEMP2;
        }
    }
}

/* Takes the fuel of a way back, and goes there if there was enough; else the stub aborts the run.
 */
static void go_back(struct ash_compiler *c, uint32_t at, uint32_t target)
{
    enum rv64_reg fuel = ash_role(c, ASH_ROLE_FUEL);
    uint32_t cost = c->program->notes[at].cost;
    if (cost <= 2048) {
        rv_addiw(&c->v, fuel, fuel, -(int64_t)cost);
    } else {
        vcode_li(&c->v, ASH_TEMP, cost);
        rv_subw(&c->v, fuel, fuel, ASH_TEMP);
    }
    vcode_branch(&c->v, RV_bge, fuel, RV_ZERO, target);
    vcode_jump(&c->v, ash_stub_label(c, at));
}

void ash_emit_jump(struct ash_compiler *c, uint32_t at)
{
    const struct ash_insn *insn = &c->program->image.insns[at];
    const struct ash_note *note = &c->program->notes[at];
    uint32_t target = ash_target_label(c, (uint32_t)ash_target(insn, at, note->op));
    struct comparison how = comparison(note->op);
    enum rv64_reg a, b;
    ash_settle(c);
    operands(c, at, &a, &b);
    if (how.turned) {
        enum rv64_reg swap = a;
        a = b;
        b = swap;
    }
    if (note->flags & ASH_NOTE_BACK) {
        uint32_t stay = ash_stub_label(c, at) + 1;
        vcode_branch(&c->v, inverse(how.op), a, b, stay);
        go_back(c, at, target);
        vcode_bind(&c->v, stay);
    } else {
        vcode_branch(&c->v, how.op, a, b, target);
    }
}

/* r0 = address of the entry, or 0, with nothing called: 6 instructions if the entries are 2, 4 or 8
 * bytes apart. */
static void look_up(struct ash_compiler *c, uint32_t at)
{
    static const enum rv64_op scaled[] = {RV_add, RV_sh1add, RV_sh2add, RV_sh3add};
    const struct ash_note *note = &c->program->notes[at];
    const struct ash_map_info *map = &c->program->image.maps[note->map];
    struct vcode *v = &c->v;
    uint32_t none = ash_stub_label(c, at), stride = ash_map_stride(map);
    bool power = (stride & (stride - 1)) == 0;
    unsigned shift = ash_lowest(stride);
    enum rv64_reg entry = ash_write(c, 0);

    rv_lwu(v, ASH_TEMP, ash_role(c, ASH_ROLE_STACK), note->fixed);
    vcode_constant(v, ASH_TEMP2, map->entries);
    vcode_li(v, entry, 0);
    vcode_branch(v, RV_bgeu, ASH_TEMP, ASH_TEMP2, none);
    vcode_li(v, entry, ASH_BASE(ASH_REGION_MAP + note->map));
    if (power && shift <= 3 && v->isa & RV64_ZBA) {
        vcode_r(v, scaled[shift], entry, ASH_TEMP, entry);
    } else {
        if (power) {
            rv_slli(v, ASH_TEMP, ASH_TEMP, shift);
        } else {
            vcode_constant(v, ASH_TEMP2, stride);
            rv_mul(v, ASH_TEMP, ASH_TEMP, ASH_TEMP2);
        }
        rv_add(v, entry, entry, ASH_TEMP);
    }
    vcode_bind(v, none);
}

static void call_helper(struct ash_compiler *c, uint32_t at)
{
    const struct ash_note *note = &c->program->notes[at];
    struct vcode *v = &c->v;
    enum rv64_reg run = ash_role(c, ASH_ROLE_RUN), fuel = ash_role(c, ASH_ROLE_FUEL);
    unsigned index = ash_helper_index(c->program->image.insns[at].imm);
    bool has_fuel = ash_has_role(c, ASH_ROLE_FUEL);
    if (index == ASH_HELPER_BIT_TRACE)
        for (unsigned i = 0; i < 3; i++)
            if (note->map >> i & 1)
                ash_write_constant(c, 3 + i, 0);
    for (unsigned i = 1; i <= 5; i++) {
        uint64_t value;
        if (ash_known(c, i, &value))
            vcode_constant(v, ash_machine(c, i), value);
    }
    if (has_fuel)
        rv_sw(v, fuel, run, ASH_RUN(fuel));
    rv_ld(v, ASH_TEMP, run, ASH_RUN(helpers));
    rv_ld(v, ASH_TEMP, ASH_TEMP, 8 * index);
    vcode_mv(v, RV_A0, run);
    rv_jalr(v, RV_RA, ASH_TEMP, 0);
    if (has_fuel)
        rv_lw(v, fuel, run, ASH_RUN(fuel));
    rv_lw(v, ASH_TEMP, run, ASH_RUN(abort.reason));
    vcode_branch(v, RV_bne, ASH_TEMP, RV_ZERO, ash_stub_label(c, at));
    if ((index == ASH_HELPER_BIT_ADJUST_HEAD || index == ASH_HELPER_BIT_ADJUST_TAIL) &&
        ash_has_role(c, ASH_ROLE_DATA))
        rv_ld(v, ash_role(c, ASH_ROLE_DATA), run, ASH_RUN(frame));
    ash_forget_cache(c);
    ash_write(c, 0);
}

static void emit_call(struct ash_compiler *c, uint32_t at)
{
    const struct ash_note *note = &c->program->notes[at];
    if (note->flags & ASH_NOTE_IN_PLACE)
        look_up(c, at);
    else if (c->program->image.insns[at].imm == ASH_HELPER_HART)
        rv_lwu(&c->v, ash_write(c, 0), ash_role(c, ASH_ROLE_RUN), ASH_RUN(hart));
    else
        call_helper(c, at);
    ash_forget_arguments(c);
}

static void call_local(struct ash_compiler *c, uint32_t at)
{
    struct vcode *v = &c->v;
    const struct ash_insn *insn = &c->program->image.insns[at];
    enum rv64_reg stack = ash_role(c, ASH_ROLE_STACK);
    ash_settle(c);
    if (ash_has_role(c, ASH_ROLE_STACK))
        rv_addi(v, stack, stack, -ASH_STACK_FRAME);
    vcode_call(v, ash_target_label(c, (uint32_t)ash_target(insn, at, ASH_OP_CALL_LOCAL)));
    if (ash_has_role(c, ASH_ROLE_STACK))
        rv_addi(v, stack, stack, ASH_STACK_FRAME);
    ash_forget_cache(c);
    ash_forget_arguments(c);
    ash_write(c, 0);
}

static void jump_always(struct ash_compiler *c, uint32_t at)
{
    const struct ash_note *note = &c->program->notes[at];
    uint32_t target = (uint32_t)ash_target(&c->program->image.insns[at], at, note->op);
    ash_settle(c);
    if (note->flags & ASH_NOTE_BACK)
        go_back(c, at, ash_target_label(c, target));
    else if (target != at + 1)
        vcode_jump(&c->v, ash_target_label(c, target));
}

void ash_emit_flow(struct ash_compiler *c, uint32_t at)
{
    switch (c->program->notes[at].op) {
    case ASH_OP_CALL:
        emit_call(c, at);
        break;
    case ASH_OP_CALL_LOCAL:
        call_local(c, at);
        break;
    case ASH_OP_EXIT:
        ash_emit_return(c, at);
        break;
    default:
        jump_always(c, at);
    }
}
