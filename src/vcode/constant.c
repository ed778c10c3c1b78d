/*
 * Constants, and the little sequences that a hart without Zba or Zbb needs.
 */
#include "vcode/word.h"

/* By hand: on a hart without Zbb the compiler's own would call a library. The value is not 0. */
static unsigned leading_zeros(uint64_t value)
{
    unsigned zeros = 0;
    for (unsigned half = 32; half > 0; half /= 2)
        if (!(value >> (64 - half))) {
            value <<= half;
            zeros += half;
        }
    return zeros;
}

static unsigned trailing_zeros(uint64_t value)
{
    return 63 - leading_zeros(value & -value);
}

#define SEQUENCE_MAX 9
#define RECENT       16 /* constants that are looked through for an equal one */

/* rd = op(rd, imm), one after the other; the first from zero. */
struct sequence {
    unsigned count;
    struct {
        enum rv64_op op;
        int64_t imm;
    } step[SEQUENCE_MAX];
};

static void prepend(struct sequence *s, enum rv64_op op, int64_t imm)
{
    for (unsigned i = s->count++; i > 0; i--)
        s->step[i] = s->step[i - 1];
    s->step[0].op = op;
    s->step[0].imm = imm;
}

static void append(struct sequence *s, enum rv64_op op, int64_t imm)
{
    s->step[s->count].op = op;
    s->step[s->count++].imm = imm;
}

/* From the low end up: 12 bits are added, and what is left is shifted into place. At most 8 steps.
 */
static struct sequence plain(uint64_t value)
{
    struct sequence s;
    s.count = 0;
    int64_t rest = (int64_t)value;
    while (!fits(rest, 32)) {
        int64_t low = lower(rest);
        if (low)
            prepend(&s, RV_addi, low);
        rest = (int64_t)((uint64_t)rest - (uint64_t)low);
        unsigned zeros = trailing_zeros((uint64_t)rest);
        prepend(&s, RV_slli, zeros);
        rest >>= zeros;
    }
    if (fits(rest, 12)) {
        prepend(&s, RV_addi, rest);
        return s;
    }
    if (lower(rest))
        prepend(&s, RV_addiw, lower(rest));
    prepend(&s, RV_lui, (int32_t)((uint32_t)upper(rest) << 12) >> 12);
    return s;
}

/* Replaces best by another way to the same value, if that with one more step is shorter. */
static void consider(struct sequence *best, uint64_t value, enum rv64_op op, unsigned imm)
{
    struct sequence s = plain(value);
    if (s.count + 1 >= best->count)
        return;
    append(&s, op, imm);
    *best = s;
}

static struct sequence shortest(unsigned isa, uint64_t value)
{
    struct sequence s = plain(value);
    if (s.count <= 2)
        return s;
    unsigned above = leading_zeros(value); /* value is not 0 */
    if (above) {
        consider(&s, value << above, RV_srli, above);
        consider(&s, value << above | ((UINT64_C(1) << above) - 1), RV_srli, above);
    }
    if (isa & RV64_ZBA && above >= 32)
        consider(&s, (uint64_t)(int64_t)(int32_t)value, RV_slli_uw, 0);
    return s;
}

void vcode_li(struct vcode *v, enum rv64_reg rd, uint64_t value)
{
    struct sequence s = shortest(v->isa, value);
    for (unsigned i = 0; i < s.count; i++) {
        if (s.step[i].op == RV_lui)
            rv_lui(v, rd, s.step[i].imm);
        else
            vcode_i(v, s.step[i].op, rd, i == 0 ? RV_ZERO : rd, s.step[i].imm);
    }
}

unsigned vcode_li_count(unsigned isa, uint64_t value)
{
    return shortest(isa, value).count;
}

/* The number of a constant in the pool; constants that stand close together share one. */
static uint32_t pooled(struct vcode *v, uint64_t value)
{
    uint64_t *constants = v->memory.constants;
    for (uint32_t i = v->constants, n = 0; i > 0 && n < RECENT; n++)
        if (constants[--i] == value)
            return i;
    if (v->constants >= v->memory.constant_count) {
        vcode_fail(v, VCODE_E_CONSTANTS);
        return 0;
    }
    constants[v->constants] = value;
    return v->constants++;
}

/* Whether one instruction makes it: addi or lui. */
static bool is_single(uint64_t value)
{
    int64_t rest = (int64_t)value;
    return fits(rest, 12) || (fits(rest, 32) && lower(rest) == 0);
}

/* Whether plain takes at most two. */
static bool is_plain_pair(uint64_t value)
{
    int64_t rest = (int64_t)value;
    if (fits(rest, 32))
        return true;
    if (lower(rest)) /* shift, addi, and what is shifted */
        return false;
    return is_single((uint64_t)(rest >> trailing_zeros(value)));
}

/* vcode_li_count(isa, value) <= 2, in a tenth of its time: filters have thousands of constants. */
static bool is_pair(unsigned isa, uint64_t value)
{
    if (is_plain_pair(value))
        return true;
    unsigned above = leading_zeros(value);
    if (!above)
        return false;
    if (isa & RV64_ZBA && above >= 32 && is_single((uint64_t)(int64_t)(int32_t)value))
        return true;
    return is_single(value << above) || is_single(value << above | ((UINT64_C(1) << above) - 1));
}

void vcode_constant(struct vcode *v, enum rv64_reg rd, uint64_t value)
{
    if (!v->memory.constants || rd == RV_ZERO || is_pair(v->isa, value))
        vcode_li(v, rd, value);
    else
        vcode_load_constant(v, rd, pooled(v, value));
}

void vcode_zext(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs, unsigned bits)
{
    if (bits == 0 || bits > 64) {
        vcode_fail(v, VCODE_E_OPERAND);
    } else if (bits == 64) {
        vcode_mv(v, rd, rs);
    } else if (bits < 12) {
        rv_andi(v, rd, rs, (1 << bits) - 1);
    } else if (bits == 16 && v->isa & RV64_ZBB) {
        rv_zext_h(v, rd, rs);
    } else if (bits == 32 && v->isa & RV64_ZBA) {
        rv_slli_uw(v, rd, rs, 0);
    } else {
        rv_slli(v, rd, rs, 64 - bits);
        rv_srli(v, rd, rd, 64 - bits);
    }
}

/* rd = rs with neighbouring groups of bits exchanged; mask has the lower group of each pair. */
static void exchange(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs, uint64_t mask,
                     unsigned bits, enum rv64_reg t, enum rv64_reg t2)
{
    vcode_constant(v, t2, mask);
    rv_and(v, t, rs, t2);
    rv_srli(v, rd, rs, bits);
    rv_and(v, rd, rd, t2);
    rv_slli(v, t, t, bits);
    rv_or(v, rd, rd, t);
}

void vcode_swap(struct vcode *v, enum rv64_reg rd, enum rv64_reg rs, unsigned bytes,
                enum rv64_reg t, enum rv64_reg t2)
{
    if (bytes != 2 && bytes != 4 && bytes != 8) {
        vcode_fail(v, VCODE_E_OPERAND);
    } else if (v->isa & RV64_ZBB) {
        rv_rev8(v, rd, rs);
        if (bytes < 8)
            rv_srli(v, rd, rd, 64 - 8 * bytes);
    } else if (bytes == 2) {
        rv_slli(v, t, rs, 56);
        rv_srli(v, t, t, 48);
        rv_slli(v, rd, rs, 48);
        rv_srli(v, rd, rd, 56);
        rv_or(v, rd, rd, t);
    } else if (bytes == 4) {
        exchange(v, rd, rs, 0x00ff00ff, 8, t, t2);
        rv_slli(v, t, rd, 48);
        rv_srli(v, t, t, 32);
        rv_srli(v, rd, rd, 16);
        rv_or(v, rd, rd, t);
    } else {
        exchange(v, rd, rs, 0x00ff00ff00ff00ff, 8, t, t2);
        exchange(v, rd, rd, 0x0000ffff0000ffff, 16, t, t2);
        rv_slli(v, t, rd, 32);
        rv_srli(v, rd, rd, 32);
        rv_or(v, rd, rd, t);
    }
}
