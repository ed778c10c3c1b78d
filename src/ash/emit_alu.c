/*
 * Arithmetic and byte order. A result of 32 bits is zero-extended; RV64's own 32-bit instructions
 * extend the sign, so that it takes one or two instructions more, unless the verifier has seen that
 * the 64-bit form gives the same (NARROW).
 */
#include "ash/compile.h"

static bool fits_12(int64_t value)
{
    return value >= -2048 && value < 2048;
}

/* Instructions between registers, of 64 and of 32 bits. */
struct pair {
    enum rv64_op wide, narrow;
};

static struct pair register_form(unsigned op)
{
    switch (op) {
    case ASH_OP_ADD:
        return (struct pair){RV_add, RV_addw};
    case ASH_OP_SUB:
    case ASH_OP_NEG:
        return (struct pair){RV_sub, RV_subw};
    case ASH_OP_MUL:
        return (struct pair){RV_mul, RV_mulw};
    case ASH_OP_DIV:
        return (struct pair){RV_divu, RV_divuw};
    case ASH_OP_SDIV:
        return (struct pair){RV_div, RV_divw};
    case ASH_OP_MOD:
        return (struct pair){RV_remu, RV_remuw};
    case ASH_OP_SMOD:
        return (struct pair){RV_rem, RV_remw};
    case ASH_OP_OR:
        return (struct pair){RV_or, RV_or};
    case ASH_OP_AND:
        return (struct pair){RV_and, RV_and};
    case ASH_OP_XOR:
        return (struct pair){RV_xor, RV_xor};
    case ASH_OP_LSH:
        return (struct pair){RV_sll, RV_sllw};
    case ASH_OP_RSH:
        return (struct pair){RV_srl, RV_srlw};
    default: /* ARSH */
        return (struct pair){RV_sra, RV_sraw};
    }
}

/* The form with an immediate and the immediate for it, if there is one: false if not. */
static bool immediate_form(unsigned op, bool wide, int64_t *imm, enum rv64_op *form)
{
    switch (op) {
    case ASH_OP_SUB:
        *imm = (int64_t) - (uint64_t)*imm;
        *form = wide ? RV_addi : RV_addiw;
        return fits_12(*imm);
    case ASH_OP_ADD:
        *form = wide ? RV_addi : RV_addiw;
        return fits_12(*imm);
    case ASH_OP_OR:
        *form = RV_ori;
        return fits_12(*imm);
    case ASH_OP_AND:
        *form = RV_andi;
        return fits_12(*imm);
    case ASH_OP_XOR:
        *form = RV_xori;
        return fits_12(*imm);
    case ASH_OP_LSH:
        *form = wide ? RV_slli : RV_slliw;
        *imm &= wide ? 63 : 31;
        return true;
    case ASH_OP_RSH:
        *form = wide ? RV_srli : RV_srliw;
        *imm &= wide ? 63 : 31;
        return true;
    case ASH_OP_ARSH:
        *form = wide ? RV_srai : RV_sraiw;
        *imm &= wide ? 63 : 31;
        return true;
    default:
        return false;
    }
}

static bool divides(unsigned op)
{
    return op == ASH_OP_DIV || op == ASH_OP_SDIV;
}

/* d = x / y, or 0 where y is 0: RISC-V gives all ones there. */
static void emit_division(struct ash_compiler *c, enum rv64_op form, bool wide, enum rv64_reg d,
                          enum rv64_reg x, enum rv64_reg y)
{
    struct vcode *v = &c->v;
    if (wide) {
        rv_sltu(v, ASH_TEMP2, RV_ZERO, y);
    } else {
        rv_addiw(v, ASH_TEMP2, y, 0);
        rv_sltu(v, ASH_TEMP2, RV_ZERO, ASH_TEMP2);
    }
    rv_sub(v, ASH_TEMP2, RV_ZERO, ASH_TEMP2);
    vcode_r(v, form, d, x, y);
    rv_and(v, d, d, ASH_TEMP2);
}

static void emit_register(struct ash_compiler *c, unsigned op, bool wide, enum rv64_reg d,
                          enum rv64_reg x, enum rv64_reg y)
{
    struct pair pair = register_form(op);
    enum rv64_op form = wide ? pair.wide : pair.narrow;
    if (op == ASH_OP_NEG)
        vcode_r(&c->v, form, d, RV_ZERO, x);
    else if (divides(op))
        emit_division(c, form, wide, d, x, y);
    else
        vcode_r(&c->v, form, d, x, y);
}

/* Whether a 32-bit operation with this immediate leaves the upper half zero by itself. */
static bool leaves_zero(unsigned op, int64_t imm)
{
    return (op == ASH_OP_AND && imm >= 0) || (op == ASH_OP_RSH && (imm & 31) != 0);
}

/* dst = dst op constant. */
static void emit_constant(struct ash_compiler *c, unsigned op, bool wide, unsigned dst, int64_t imm)
{
    int64_t operand = imm;
    enum rv64_op form;
    enum rv64_reg x = ash_fetch(c, dst, ASH_TEMP);
    unsigned bits = imm > 0 && (imm & (imm + 1)) == 0 ? ash_highest((uint64_t)imm) + 1 : 0;
    if (op == ASH_OP_AND && bits > 11) {
        vcode_zext(&c->v, ash_write(c, dst), x, bits);
    } else if (immediate_form(op, wide, &operand, &form)) {
        vcode_i(&c->v, form, ash_write(c, dst), x, operand);
    } else if (divides(op) && imm == 0) {
        ash_write_constant(c, dst, 0);
    } else if (divides(op)) {
        enum rv64_reg y = ash_constant_in(c, (uint64_t)imm, ASH_TEMP2);
        struct pair pair = register_form(op);
        vcode_r(&c->v, wide ? pair.wide : pair.narrow, ash_write(c, dst), x, y);
    } else {
        enum rv64_reg y = ash_constant_in(c, (uint64_t)imm, ASH_TEMP2);
        emit_register(c, op, wide, ash_write(c, dst), x, y);
    }
}

static void emit_sign(struct ash_compiler *c, enum rv64_reg d, enum rv64_reg s, unsigned bits)
{
    struct vcode *v = &c->v;
    if (bits == 32) {
        rv_addiw(v, d, s, 0);
    } else if (v->isa & RV64_ZBB) {
        vcode_unary(v, bits == 8 ? RV_sext_b : RV_sext_h, d, s);
    } else {
        rv_slli(v, d, s, 64 - bits);
        rv_srai(v, d, d, 64 - bits);
    }
}

/* dst = src, in one of the ways to move; 64: as it is, or extended from its low bits. */
static void emit_move(struct ash_compiler *c, unsigned op, bool wide, bool narrow, unsigned dst,
                      unsigned src)
{
    enum rv64_reg s = ash_fetch(c, src, ASH_TEMP);
    enum rv64_reg d = ash_write(c, dst);
    if (op == ASH_OP_MOVSX8)
        emit_sign(c, d, s, 8);
    else if (op == ASH_OP_MOVSX16)
        emit_sign(c, d, s, 16);
    else if (op == ASH_OP_MOVSX32)
        emit_sign(c, d, s, 32);
    else if (wide || narrow)
        vcode_mv(&c->v, d, s);
    else
        vcode_zext(&c->v, d, s, 32);
    if (!wide && op != ASH_OP_MOV)
        vcode_zext(&c->v, d, d, 32);
}

static bool is_move(unsigned op)
{
    return op == ASH_OP_MOV || op == ASH_OP_MOVSX8 || op == ASH_OP_MOVSX16 || op == ASH_OP_MOVSX32;
}

/* "r3 = r1; r3 += 34" is one instruction. */
static bool emit_sum(struct ash_compiler *c, const struct ash_insn *insn, uint32_t at)
{
    const struct ash_insn *add = insn + 1;
    if (at + 1 == c->insns)
        return false;
    const struct ash_note *next = &c->program->notes[at + 1];
    if (next->op != ASH_OP_ADD || next->flags & ASH_NOTE_TARGET || add->opcode != ASH_CLASS_ALU64 ||
        ash_dst(add) != ash_dst(insn) || !fits_12(add->imm))
        return false;
    enum rv64_reg s = ash_fetch(c, ash_src(insn), ASH_TEMP);
    rv_addi(&c->v, ash_write(c, ash_dst(insn)), s, add->imm);
    c->skip = true;
    return true;
}

/* Whether the result is known, because the operands are. */
static bool fold(struct ash_compiler *c, const struct ash_insn *insn, unsigned op)
{
    uint64_t x = 0, y = (uint64_t)insn->imm;
    if (!is_move(op) && !ash_known(c, ash_dst(insn), &x))
        return false;
    if (ash_is_x(insn) && !ash_known(c, ash_src(insn), &y))
        return false;
    ash_write_constant(c, ash_dst(insn), ash_alu(op, ash_is_64(insn), x, y));
    return true;
}

void ash_emit_alu(struct ash_compiler *c, uint32_t at)
{
    const struct ash_insn *insn = &c->program->image.insns[at];
    const struct ash_note *note = &c->program->notes[at];
    unsigned op = note->op, dst = ash_dst(insn);
    bool is_64 = ash_is_64(insn), narrow = note->flags & ASH_NOTE_NARROW, wide = is_64 || narrow;
    uint64_t known = (uint64_t)insn->imm;
    if (fold(c, insn, op))
        return;
    if (is_move(op)) {
        if (op == ASH_OP_MOV && is_64 && emit_sum(c, insn, at))
            return;
        emit_move(c, op, is_64, narrow, dst, ash_src(insn));
        return;
    }
    bool constant = op != ASH_OP_NEG && (!ash_is_x(insn) || ash_known(c, ash_src(insn), &known));
    if (constant) {
        int64_t imm = is_64 ? (int64_t)known : (int32_t)known;
        /* "and" with operands below 2^32 is the same with the sign extended */
        if (narrow && op != ASH_OP_AND)
            imm = (uint32_t)known;
        emit_constant(c, op, wide, dst, imm);
        if (!wide && !c->pending[dst].waits && !leaves_zero(op, imm))
            vcode_zext(&c->v, ash_machine(c, dst), ash_machine(c, dst), 32);
        return;
    }
    enum rv64_reg x = ash_fetch(c, dst, ASH_TEMP);
    enum rv64_reg y = op == ASH_OP_NEG ? RV_ZERO : ash_fetch(c, ash_src(insn), ASH_TEMP);
    enum rv64_reg d = ash_write(c, dst);
    emit_register(c, op, wide, d, x, y);
    if (!wide)
        vcode_zext(&c->v, d, d, 32);
}

void ash_emit_end(struct ash_compiler *c, uint32_t at)
{
    const struct ash_insn *insn = &c->program->image.insns[at];
    unsigned op = c->program->notes[at].op, dst = ash_dst(insn), bits = (unsigned)insn->imm;
    uint64_t known;
    if (ash_known(c, dst, &known)) {
        ash_write_constant(c, dst, ash_alu(op, true, known, 0));
        return;
    }
    enum rv64_reg s = ash_fetch(c, dst, ASH_TEMP);
    enum rv64_reg d = ash_write(c, dst);
    bool is_little = op == ASH_OP_LE16 || op == ASH_OP_LE32 || op == ASH_OP_LE64;
    if (!is_little)
        vcode_swap(&c->v, d, s, bits / 8, ASH_TEMP, ASH_TEMP2);
    else if (bits < 64)
        vcode_zext(&c->v, d, s, bits);
}
