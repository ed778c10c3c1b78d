/*
 * Abstract arithmetic: what is known about the result of an ALU instruction.
 */
#include "ash/program.h"
#include "ash/value.h"

/* Sets min and max of a sum, difference or product if it can't wrap. */
static void add(struct ash_value *v, const struct ash_value *x, const struct ash_value *y)
{
    uint64_t sum = x->bits + y->bits, most = x->mask + y->mask + sum;
    v->mask = x->mask | y->mask | (most ^ sum);
    v->bits = sum & ~v->mask;
    if (x->max <= UINT64_MAX - y->max) {
        v->min = x->min + y->min;
        v->max = x->max + y->max;
    }
}

static void subtract(struct ash_value *v, const struct ash_value *x, const struct ash_value *y)
{
    uint64_t difference = x->bits - y->bits;
    v->mask = x->mask | y->mask | ((difference + x->mask) ^ (difference - y->mask));
    v->bits = difference & ~v->mask;
    if (x->min >= y->max) {
        v->min = x->min - y->max;
        v->max = x->max - y->min;
    }
}

static void multiply(struct ash_value *v, const struct ash_value *x, const struct ash_value *y)
{
    if (x->max <= UINT32_MAX && y->max <= UINT32_MAX) {
        v->min = x->min * y->min;
        v->max = x->max * y->max;
    }
    uint64_t a = x->bits | x->mask, b = y->bits | y->mask;
    unsigned zeros = a && b ? (unsigned)(ash_lowest(a) + ash_lowest(b)) : 64;
    v->mask = zeros < 64 ? UINT64_MAX << zeros : 0;
}

static void divide(struct ash_value *v, const struct ash_value *x, const struct ash_value *y)
{
    v->max = y->min ? x->max / y->min : x->max;
    v->min = y->min ? x->min / y->max : 0;
}

static void modulo(struct ash_value *v, const struct ash_value *x, const struct ash_value *y)
{
    if (y->min > x->max) {
        *v = *x;
    } else {
        v->min = 0;
        v->max = y->min && y->max - 1 < x->max ? y->max - 1 : x->max;
    }
}

static void shift_left(struct ash_value *v, const struct ash_value *x, unsigned count)
{
    v->bits = x->bits << count;
    v->mask = x->mask << count;
    if (x->max <= UINT64_MAX >> count) {
        v->min = x->min << count;
        v->max = x->max << count;
    }
}

static void shift_right(struct ash_value *v, const struct ash_value *x, unsigned count)
{
    v->bits = x->bits >> count;
    v->mask = x->mask >> count;
    v->min = x->min >> count;
    v->max = x->max >> count;
}

static void combine(struct ash_value *v, unsigned op, const struct ash_value *x,
                    const struct ash_value *y)
{
    uint64_t can_x = x->bits | x->mask, can_y = y->bits | y->mask;
    uint64_t can, must; /* bits that can be set, and that are */
    if (op == ASH_OP_AND) {
        can = can_x & can_y;
        must = x->bits & y->bits;
    } else if (op == ASH_OP_OR) {
        can = can_x | can_y;
        must = x->bits | y->bits;
    } else {
        uint64_t open = x->mask | y->mask;
        must = (x->bits ^ y->bits) & ~open;
        can = must | open;
    }
    v->bits = must;
    v->mask = can & ~must;
    if (op == ASH_OP_AND)
        v->max = x->max < y->max ? x->max : y->max;
    if (op == ASH_OP_OR)
        v->min = x->min > y->min ? x->min : y->min;
}

/* The number extended from its low bits, if it is known to be positive. */
static void extend(struct ash_value *v, const struct ash_value *y, unsigned bits)
{
    if (y->max < UINT64_C(1) << (bits - 1))
        *v = *y;
}

/* Shifts by a constant; sign: the highest bit is copied downwards, known to be 0 only if x is below
 * it. */
static void shift(struct ash_value *v, unsigned op, bool wide, const struct ash_value *x,
                  const struct ash_value *y)
{
    uint64_t top = wide ? INT64_MAX : INT32_MAX;
    if (op == ASH_OP_ARSH && x->max > top)
        return;
    if (!ash_is_constant(y)) {
        if (op != ASH_OP_LSH)
            v->max = x->max;
        return;
    }
    unsigned count = (unsigned)y->min & (wide ? 63 : 31);
    if (op == ASH_OP_LSH)
        shift_left(v, x, count);
    else
        shift_right(v, x, count);
}

/* On numbers that lie in the operation's width. What wraps stays unknown in min and max, its low
 * bits known. */
static struct ash_value compute_scalar(unsigned op, bool wide, const struct ash_value *x,
                                       const struct ash_value *y)
{
    struct ash_value v = ash_unknown(), zero = ash_constant(0);
    switch (op) {
    case ASH_OP_ADD:
        add(&v, x, y);
        break;
    case ASH_OP_SUB:
        subtract(&v, x, y);
        break;
    case ASH_OP_NEG:
        subtract(&v, &zero, x);
        break;
    case ASH_OP_MUL:
        multiply(&v, x, y);
        break;
    case ASH_OP_DIV:
        divide(&v, x, y);
        break;
    case ASH_OP_MOD:
        modulo(&v, x, y);
        break;
    case ASH_OP_AND:
    case ASH_OP_OR:
    case ASH_OP_XOR:
        combine(&v, op, x, y);
        break;
    case ASH_OP_LSH:
    case ASH_OP_RSH:
    case ASH_OP_ARSH:
        shift(&v, op, wide, x, y);
        break;
    case ASH_OP_MOV:
        v = *y;
        break;
    case ASH_OP_MOVSX8:
        extend(&v, y, 8);
        break;
    case ASH_OP_MOVSX16:
        extend(&v, y, 16);
        break;
    case ASH_OP_MOVSX32:
        extend(&v, y, 32);
        break;
    }
    ash_agree(&v);
    v.id = 0;
    return v;
}

static struct ash_value low_half(const struct ash_value *v)
{
    if (v->kind != ASH_SCALAR)
        return ash_between(0, UINT32_MAX);
    if (v->max <= UINT32_MAX)
        return *v;
    struct ash_value half = {.kind = ASH_SCALAR, .max = UINT32_MAX};
    half.bits = (uint32_t)v->bits;
    half.mask = (uint32_t)v->mask;
    ash_agree(&half);
    return half;
}

/* Rows whose 64-bit form gives the same on numbers below 2^32 if its result is below 2^32. */
static bool has_narrow_form(unsigned op, const struct ash_value *x, const struct ash_value *y)
{
    switch (op) {
    case ASH_OP_ADD:
    case ASH_OP_SUB:
    case ASH_OP_MUL:
    case ASH_OP_DIV:
    case ASH_OP_MOD:
    case ASH_OP_OR:
    case ASH_OP_AND:
    case ASH_OP_XOR:
    case ASH_OP_MOV:
        return true;
    case ASH_OP_LSH:
    case ASH_OP_RSH:
        return y->max <= 31;
    case ASH_OP_ARSH:
        return y->max <= 31 && x->max <= INT32_MAX;
    default:
        return false;
    }
}

static struct ash_value compute_32(unsigned op, const struct ash_value *x,
                                   const struct ash_value *y, bool *narrow)
{
    bool unary = op == ASH_OP_MOV;
    if (unary && y->kind != ASH_SCALAR && ash_fits_32(y)) {
        *narrow = true; /* addresses of the sandbox have 32 bits */
        return *y;
    }
    struct ash_value a = low_half(x), b = low_half(y);
    struct ash_value v = compute_scalar(op, false, &a, &b);
    *narrow = (unary || ash_fits_32(x)) && ash_fits_32(y) && v.max <= UINT32_MAX &&
              has_narrow_form(op, &a, &b);
    if (*narrow && unary)
        v.id = y->id;
    return v.max <= UINT32_MAX ? v : low_half(&v);
}

/* data + variable part + [low, high]: the difference joins the variable part. */
static struct ash_value move_frame(struct ash_value v, int64_t low, int64_t high, uint16_t name)
{
    uint64_t more = (uint64_t)(high - low);
    v.offset += low;
    if (v.offset < -ASH_FAR || v.offset > ASH_FAR)
        return ash_adrift(v);
    if (more == 0)
        return v;
    v.id = name;
    v.reach = 0;
    if (v.variable + more <= ASH_FAR) {
        v.variable += more;
        return v;
    }
    bool rises = v.variable <= ASH_FAR || more <= ASH_FAR;
    v.variable = ASH_RISEN;
    return rises ? v : ash_adrift(v);
}

/* pointer + scalar, or - scalar. */
static struct ash_value move_pointer(const struct ash_value *pointer,
                                     const struct ash_value *scalar, bool minus, uint16_t name)
{
    struct ash_value v = *pointer;
    if (pointer->kind == ASH_FRAME_END || pointer->kind == ASH_HANDLE ||
        pointer->kind == ASH_ENTRY_OR_NULL)
        return ash_unknown();
    /* The scalar as an interval of signed numbers, if it is one. */
    int64_t low = (int64_t)scalar->min, high = (int64_t)scalar->max;
    if (scalar->kind != ASH_SCALAR || low > high || low < -ASH_FAR || low > ASH_FAR ||
        ash_is_adrift(pointer))
        return ash_adrift(v);
    if (minus && high > ASH_FAR)
        return ash_adrift(v);
    if (minus) {
        int64_t swap = -low;
        low = -high;
        high = swap;
    }
    if (pointer->kind == ASH_FRAME)
        return move_frame(v, low, high, name);
    if (high > ASH_FAR)
        return ash_adrift(v);
    v.low += low;
    v.high += high;
    return v.low < -ASH_FAR || v.high > ASH_FAR ? ash_adrift(v) : v;
}

struct ash_value ash_compute(unsigned op, bool wide, const struct ash_value *x,
                             const struct ash_value *y, uint16_t name, bool *narrow)
{
    *narrow = false;
    if (!wide)
        return compute_32(op, x, y, narrow);
    if (op == ASH_OP_MOV)
        return *y;
    if (x->kind == ASH_SCALAR && y->kind == ASH_SCALAR)
        return compute_scalar(op, true, x, y);
    if (x->kind != ASH_SCALAR && y->kind == ASH_SCALAR && (op == ASH_OP_ADD || op == ASH_OP_SUB))
        return move_pointer(x, y, op == ASH_OP_SUB, name);
    if (x->kind == ASH_SCALAR && y->kind != ASH_SCALAR && op == ASH_OP_ADD)
        return move_pointer(y, x, false, name);
    return ash_unknown();
}
