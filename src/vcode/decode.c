#include "vcode/decode.h"

#include <inttypes.h>
#include <stdio.h>

/* The bits of a word that tell the instruction. */
static uint32_t fixed_bits(enum rv64_format format)
{
    switch (format) {
    case RV64_R:
    case RV64_AMO:
    case RV64_SHIFTW:
        return 0xfe00707f;
    case RV64_SHIFT:
        return 0xfc00707f;
    case RV64_UNARY:
    case RV64_LR:
        return 0xfff0707f;
    case RV64_U:
    case RV64_J:
        return 0x7f;
    case RV64_FIXED:
        return 0xffffffff;
    default:
        return 0x707f;
    }
}

static uint32_t pattern(const struct rv64_row *row)
{
    uint32_t word = row->opcode | (uint32_t)row->funct3 << 12;
    switch (row->format) {
    case RV64_R:
    case RV64_AMO:
    case RV64_LR:
        return word | row->funct << 25;
    case RV64_SHIFT:
    case RV64_SHIFTW:
        return word | row->funct << 26;
    case RV64_UNARY:
        return word | row->funct << 20;
    case RV64_FIXED:
        return row->funct;
    default:
        return word;
    }
}

enum rv64_op rv64_decode(uint32_t word)
{
    /* Rows by opcode, as lists of row + 1, which 0 ends; made when first needed. */
    static uint8_t first[128], next[RV64_OPS];
    static bool made;
    for (unsigned op = RV64_OPS; !made && op-- > 0;) {
        next[op] = first[rv64_table[op].opcode];
        first[rv64_table[op].opcode] = (uint8_t)(op + 1);
    }
    made = true;
    for (unsigned op = first[word & 127]; op > 0; op = next[op - 1]) {
        const struct rv64_row *row = &rv64_table[op - 1];
        if ((word & fixed_bits(row->format)) == pattern(row))
            return op - 1;
    }
    return RV64_OPS;
}

static int64_t sign_extend(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

int64_t rv64_immediate(enum rv64_op op, uint32_t w)
{
    switch (rv64_table[op].format) {
    case RV64_I:
    case RV64_LOAD:
    case RV64_JALR:
        return sign_extend(w >> 20, 12);
    case RV64_SHIFT:
    case RV64_SHIFTW:
        return w >> 20 & 63;
    case RV64_STORE:
        return sign_extend(w >> 25 << 5 | (w >> 7 & 31), 12);
    case RV64_B:
        return sign_extend(
            w >> 31 << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 63) << 5 | (w >> 8 & 15) << 1, 13);
    case RV64_U:
        return sign_extend(w & 0xfffff000, 32);
    case RV64_J:
        return sign_extend(w >> 31 << 20 | (w >> 12 & 255) << 12 | (w >> 20 & 1) << 11 |
                               (w >> 21 & 1023) << 1,
                           21);
    default:
        return 0;
    }
}

const char *rv64_register(unsigned number)
{
    static const char *const names[] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                        "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                        "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                        "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
    return names[number & 31];
}

void rv64_print(char text[RV64_TEXT], uint32_t word, uint32_t at)
{
    enum rv64_op op = rv64_decode(word);
    if (op == RV64_OPS) {
        snprintf(text, RV64_TEXT, ".word 0x%08" PRIx32, word);
        return;
    }
    const char *name = rv64_table[op].mnemonic, *rd = rv64_register(word >> 7 & 31);
    const char *rs1 = rv64_register(word >> 15 & 31), *rs2 = rv64_register(word >> 20 & 31);
    int64_t imm = rv64_immediate(op, word);
    uint32_t target = at + (uint32_t)imm;
    switch (rv64_table[op].format) {
    case RV64_R:
        snprintf(text, RV64_TEXT, "%s %s,%s,%s", name, rd, rs1, rs2);
        break;
    case RV64_I:
    case RV64_SHIFT:
    case RV64_SHIFTW:
        snprintf(text, RV64_TEXT, "%s %s,%s,%" PRId64, name, rd, rs1, imm);
        break;
    case RV64_LOAD:
    case RV64_JALR:
        snprintf(text, RV64_TEXT, "%s %s,%" PRId64 "(%s)", name, rd, imm, rs1);
        break;
    case RV64_STORE:
        snprintf(text, RV64_TEXT, "%s %s,%" PRId64 "(%s)", name, rs2, imm, rs1);
        break;
    case RV64_UNARY:
        snprintf(text, RV64_TEXT, "%s %s,%s", name, rd, rs1);
        break;
    case RV64_LR:
        snprintf(text, RV64_TEXT, "%s %s,(%s)", name, rd, rs1);
        break;
    case RV64_AMO:
        snprintf(text, RV64_TEXT, "%s %s,%s,(%s)", name, rd, rs2, rs1);
        break;
    case RV64_U:
        snprintf(text, RV64_TEXT, "%s %s,0x%" PRIx32, name, rd, word >> 12);
        break;
    case RV64_B:
        snprintf(text, RV64_TEXT, "%s %s,%s,0x%" PRIx32, name, rs1, rs2, target);
        break;
    case RV64_J:
        snprintf(text, RV64_TEXT, "%s %s,0x%" PRIx32, name, rd, target);
        break;
    default:
        snprintf(text, RV64_TEXT, "%s", name);
        break;
    }
}
