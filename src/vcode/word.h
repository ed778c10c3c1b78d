/* Encoding of instruction words (The RISC-V Instruction Set Manual, volume I, section 2.3).
 * Internal. */
#ifndef VCODE_WORD_H
#define VCODE_WORD_H

#include "vcode/vcode.h"

/* Notes an error, unless there was one before. */
static inline void vcode_fail(struct vcode *v, enum vcode_error error)
{
    if (!v->error)
        v->error = error;
}

static inline bool fits(int64_t value, unsigned bits)
{
    return value >= -(INT64_C(1) << (bits - 1)) && value < INT64_C(1) << (bits - 1);
}

/* What lui or auipc adds, in units of 4 KiB, so that a signed 12-bit rest is left. */
static inline int64_t upper(int64_t value)
{
    return (value + 0x800) >> 12;
}

static inline int64_t lower(int64_t value)
{
    return (value & 0xfff) - ((value & 0x800) << 1);
}

static inline uint32_t word_i(uint32_t imm)
{
    return imm << 20;
}

static inline uint32_t word_s(uint32_t imm)
{
    return (imm >> 5 & 0x7f) << 25 | (imm & 0x1f) << 7;
}

static inline uint32_t word_b(uint32_t imm)
{
    return (imm >> 12 & 1) << 31 | (imm >> 5 & 0x3f) << 25 | (imm >> 1 & 0xf) << 8 |
           (imm >> 11 & 1) << 7;
}

static inline uint32_t word_u(int64_t units)
{
    return (uint32_t)units << 12;
}

static inline uint32_t word_j(uint32_t imm)
{
    return (imm >> 20 & 1) << 31 | (imm >> 1 & 0x3ff) << 21 | (imm >> 11 & 1) << 20 |
           (imm >> 12 & 0xff) << 12;
}

static inline uint32_t word_of(enum rv64_op op, unsigned rd, unsigned rs1, unsigned rs2)
{
    const struct rv64_row *row = &rv64_table[op];
    return row->opcode | rd << 7 | (uint32_t)row->funct3 << 12 | rs1 << 15 | rs2 << 20;
}

/* Appends a word of code or data. */
void vcode_put(struct vcode *v, uint32_t word);

/* The word at offset at, which lies in the buffer; and how to replace it. */
uint32_t vcode_get(const struct vcode *v, size_t at);
void vcode_set(struct vcode *v, size_t at, uint32_t word);

/* rd = the pool's constant of that number. */
void vcode_load_constant(struct vcode *v, enum rv64_reg rd, uint32_t constant);

#endif
