/*
 * The decoder: from an instruction's fields to its row in bpf.def.
 */
#include "ash/program.h"

/* Beside the opcode, one field tells rows apart; the fields that a row doesn't use have to be zero.
 */
enum field { FIELD_OFFSET, FIELD_IMM, FIELD_SOURCE };

/* What the fields that don't tell rows apart may be, a bit each for what is used. */
#define USES_DST    1
#define USES_SRC    2
#define USES_OFFSET 4
#define USES_IMM    8

struct row {
    uint8_t opcode;
    uint8_t op;
    uint8_t uses;
    uint8_t field; /* enum field */
    int16_t value; /* what that field holds, unless it is one that is used */
};

#define ALU_FORM(id, code, offset, forms, form, class, source, uses)                               \
    {(code) << 4 | (source) | (class), (forms) & (form) ? ASH_OP_##id : ASH_OP_NONE, uses,         \
     FIELD_OFFSET, offset},
#define K_USES(id) (ASH_OP_##id == ASH_OP_NEG ? USES_DST : USES_DST | USES_IMM)
#define ASH_ALU(id, code, offset, forms, effect)                                                   \
    ALU_FORM(id, code, offset, forms, ASH_K32, ASH_CLASS_ALU, 0, K_USES(id))                       \
    ALU_FORM(id, code, offset, forms, ASH_X32, ASH_CLASS_ALU, ASH_SOURCE_X, USES_DST | USES_SRC)   \
    ALU_FORM(id, code, offset, forms, ASH_K64, ASH_CLASS_ALU64, 0, K_USES(id))                     \
    ALU_FORM(id, code, offset, forms, ASH_X64, ASH_CLASS_ALU64, ASH_SOURCE_X, USES_DST | USES_SRC)
#define ASH_END(id, opcode, imm, effect) {opcode, ASH_OP_##id, USES_DST, FIELD_IMM, imm},
#define JUMP_FORM(id, code, class, source, uses)                                                   \
    {(code) << 4 | (source) | (class), ASH_OP_##id, (uses) | USES_DST | USES_OFFSET, FIELD_OFFSET, \
     0},
#define ASH_JUMP(id, code, effect)                                                                 \
    JUMP_FORM(id, code, ASH_CLASS_JMP, 0, USES_IMM)                                                \
    JUMP_FORM(id, code, ASH_CLASS_JMP, ASH_SOURCE_X, USES_SRC)                                     \
    JUMP_FORM(id, code, ASH_CLASS_JMP32, 0, USES_IMM)                                              \
    JUMP_FORM(id, code, ASH_CLASS_JMP32, ASH_SOURCE_X, USES_SRC)
#define ASH_LOAD(id, opcode, type)                                                                 \
    {opcode, ASH_OP_##id, USES_DST | USES_SRC | USES_OFFSET, FIELD_IMM, 0},
#define ASH_STORE(id, opcode, type)                                                                \
    {opcode, ASH_OP_##id, USES_DST | USES_OFFSET | USES_IMM, FIELD_SOURCE, 0},
#define ASH_STOREX(id, opcode, type)                                                               \
    {opcode, ASH_OP_##id, USES_DST | USES_SRC | USES_OFFSET, FIELD_IMM, 0},
#define ASH_ATOMIC(id, imm, fetches, effect)                                                       \
    {0xc3, ASH_OP_##id, USES_DST | USES_SRC | USES_OFFSET, FIELD_IMM, imm},                        \
        {0xdb, ASH_OP_##id, USES_DST | USES_SRC | USES_OFFSET, FIELD_IMM, imm},
#define ASH_WIDE(id, source, effect)                                                               \
    {ASH_OPCODE_WIDE, ASH_OP_##id, USES_DST | USES_IMM, FIELD_SOURCE, source},
#define FLOW_USES(id)                                                                              \
    (ASH_OP_##id == ASH_OP_JA ? USES_OFFSET : ASH_OP_##id == ASH_OP_EXIT ? 0 : USES_IMM)
#define ASH_FLOW(id, opcode, source, effect)                                                       \
    {opcode, ASH_OP_##id, FLOW_USES(id), FIELD_SOURCE, source},

static const struct row rows[] = {
#include "ash/bpf.def"
};

#define ASH_ALU(id, ...)    [ASH_OP_##id] = ASH_KIND_ALU,
#define ASH_END(id, ...)    [ASH_OP_##id] = ASH_KIND_END,
#define ASH_JUMP(id, ...)   [ASH_OP_##id] = ASH_KIND_JUMP,
#define ASH_LOAD(id, ...)   [ASH_OP_##id] = ASH_KIND_LOAD,
#define ASH_STORE(id, ...)  [ASH_OP_##id] = ASH_KIND_STORE,
#define ASH_STOREX(id, ...) [ASH_OP_##id] = ASH_KIND_STOREX,
#define ASH_ATOMIC(id, ...) [ASH_OP_##id] = ASH_KIND_ATOMIC,
#define ASH_WIDE(id, ...)   [ASH_OP_##id] = ASH_KIND_WIDE,
#define ASH_FLOW(id, ...)   [ASH_OP_##id] = ASH_KIND_FLOW,
const uint8_t ash_op_kinds[ASH_OPS] = {
#include "ash/bpf.def"
};

static int32_t field(const struct ash_insn *insn, unsigned which)
{
    return which == FIELD_OFFSET ? insn->offset
           : which == FIELD_IMM  ? insn->imm
                                 : (int32_t)ash_src(insn);
}

/* Whether a field that tells rows apart is free in this row, because it is an operand. */
static bool is_operand(const struct row *row)
{
    return row->field == FIELD_OFFSET && row->uses & USES_OFFSET;
}

static bool unused_are_zero(const struct row *row, const struct ash_insn *insn)
{
    return (row->uses & USES_DST || ash_dst(insn) == 0) &&
           (row->uses & USES_SRC || row->field == FIELD_SOURCE || ash_src(insn) == 0) &&
           (row->uses & USES_OFFSET || row->field == FIELD_OFFSET || insn->offset == 0) &&
           (row->uses & USES_IMM || row->field == FIELD_IMM || insn->imm == 0);
}

enum ash_op ash_decode(const struct ash_insn *insn, int *error)
{
    bool known = false;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        if (row->opcode != insn->opcode || row->op == ASH_OP_NONE)
            continue;
        known = true;
        if (!is_operand(row) && field(insn, row->field) != row->value)
            continue;
        if (unused_are_zero(row, insn))
            return (enum ash_op)row->op;
    }
    *error = known ? ASH_E_FIELD : ASH_E_OPCODE;
    return ASH_OP_NONE;
}
