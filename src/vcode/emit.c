/*
 * Instructions and data: from rows of rv64.def to words in the buffer.
 */
#include "vcode/word.h"

#include <string.h>

const struct rv64_row rv64_table[RV64_OPS] = {
#define RV64(id, mnemonic, format, isa, opcode, funct3, funct, ...)                                \
    [RV_##id] = {mnemonic, funct, RV64_##format, RV64_##isa, opcode, funct3},
#include "vcode/rv64.def"
#undef RV64
};

const char *vcode_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define VCODE_ERROR(name, value, sentence)                                                         \
    case value:                                                                                    \
        return sentence;
#include "vcode/errors.def"
#undef VCODE_ERROR
    default:
        return "unknown error of the emitter";
    }
}

void vcode_begin(struct vcode *v, const struct vcode_memory *memory, unsigned isa,
                 enum rv64_reg scratch)
{
    memset(v, 0, sizeof *v);
    v->memory = *memory;
    v->code = memory->code;
    v->size = memory->size;
    v->isa = isa;
    v->scratch = scratch;
    if ((uintptr_t)memory->code % 8)
        vcode_fail(v, VCODE_E_ALIGNMENT);
}

void vcode_start(struct vcode *v)
{
    v->used = 0;
    v->labels = v->references = v->constants = 0;
    v->cursor = 0;
    v->phase = 0;
    v->grown = false;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are stored as the hart has them");

void vcode_put(struct vcode *v, uint32_t word)
{
    if (v->used + 4 <= v->size)
        *(uint32_t *)(void *)(v->code + v->used) = word;
    else
        vcode_fail(v, VCODE_E_SPACE);
    v->used += 4;
}

uint32_t vcode_get(const struct vcode *v, size_t at)
{
    return *(const uint32_t *)(const void *)(v->code + at);
}

void vcode_set(struct vcode *v, size_t at, uint32_t word)
{
    *(uint32_t *)(void *)(v->code + at) = word;
}

/* Whether the instruction is one of that format and the hart has it; else the error is noted. */
static bool check(struct vcode *v, enum rv64_op op, unsigned formats)
{
    if (op >= RV64_OPS || !(formats & 1u << rv64_table[op].format))
        vcode_fail(v, VCODE_E_OPERAND);
    else if (rv64_table[op].isa & ~v->isa)
        vcode_fail(v, VCODE_E_ISA);
    else
        return true;
    return false;
}

void vcode_r(struct vcode *v, enum rv64_op op, enum rv64_reg rd, enum rv64_reg rs1,
             enum rv64_reg rs2)
{
    if (check(v, op, 1u << RV64_R | 1u << RV64_AMO))
        vcode_put(v, word_of(op, rd, rs1, rs2) | rv64_table[op].funct << 25);
}

void vcode_i(struct vcode *v, enum rv64_op op, enum rv64_reg rd, enum rv64_reg rs1, int64_t imm)
{
    if (!check(v, op,
               1u << RV64_I | 1u << RV64_SHIFT | 1u << RV64_SHIFTW | 1u << RV64_LOAD |
                   1u << RV64_JALR))
        return;
    const struct rv64_row *row = &rv64_table[op];
    bool shift = row->format == RV64_SHIFT || row->format == RV64_SHIFTW;
    int64_t limit = row->format == RV64_SHIFT ? 64 : 32;
    if (shift ? imm < 0 || imm >= limit : !fits(imm, 12)) {
        vcode_fail(v, VCODE_E_OPERAND);
        return;
    }
    vcode_put(v, word_of(op, rd, rs1, 0) | word_i((uint32_t)imm) | row->funct << 26);
}

void vcode_store(struct vcode *v, enum rv64_op op, enum rv64_reg rs2, enum rv64_reg rs1,
                 int64_t imm)
{
    if (!check(v, op, 1u << RV64_STORE))
        return;
    if (fits(imm, 12))
        vcode_put(v, word_of(op, 0, rs1, rs2) | word_s((uint32_t)imm));
    else
        vcode_fail(v, VCODE_E_OPERAND);
}

void vcode_unary(struct vcode *v, enum rv64_op op, enum rv64_reg rd, enum rv64_reg rs1)
{
    if (!check(v, op, 1u << RV64_UNARY | 1u << RV64_LR))
        return;
    const struct rv64_row *row = &rv64_table[op];
    vcode_put(v, word_of(op, rd, rs1, 0) | row->funct << (row->format == RV64_LR ? 25 : 20));
}

void vcode_u(struct vcode *v, enum rv64_op op, enum rv64_reg rd, int64_t imm)
{
    if (!check(v, op, 1u << RV64_U))
        return;
    if (fits(imm, 20))
        vcode_put(v, rv64_table[op].opcode | (uint32_t)rd << 7 | word_u(imm));
    else
        vcode_fail(v, VCODE_E_OPERAND);
}

void vcode_fixed(struct vcode *v, enum rv64_op op)
{
    if (check(v, op, 1u << RV64_FIXED))
        vcode_put(v, rv64_table[op].funct);
}

void vcode_align(struct vcode *v, unsigned bytes)
{
    while (v->used % bytes)
        vcode_put(v, 0);
}

void vcode_word(struct vcode *v, uint32_t value)
{
    vcode_put(v, value);
}

void vcode_double(struct vcode *v, uint64_t value)
{
    vcode_put(v, (uint32_t)value);
    vcode_put(v, (uint32_t)(value >> 32));
}

void *vcode_space(struct vcode *v, size_t bytes)
{
    size_t at = v->used;
    v->used += bytes;
    if (v->used <= v->size)
        return v->code + at;
    vcode_fail(v, VCODE_E_SPACE);
    return 0;
}
