/*
 * Abstract values: making them, joining them, and what comparisons tell.
 */
#include "ash/value.h"

#include "ash/program.h"

struct ash_value ash_between(uint64_t min, uint64_t max)
{
    struct ash_value v = {.kind = ASH_SCALAR, .min = min, .max = max, .mask = UINT64_MAX};
    ash_agree(&v);
    return v;
}

struct ash_value ash_unknown(void)
{
    return (struct ash_value){.kind = ASH_SCALAR, .max = UINT64_MAX, .mask = UINT64_MAX};
}

struct ash_value ash_constant(uint64_t value)
{
    return (struct ash_value){.kind = ASH_SCALAR, .min = value, .max = value, .bits = value};
}

struct ash_value ash_pointer(enum ash_value_kind kind, unsigned map, int64_t offset)
{
    struct ash_value v = {.kind = (uint8_t)kind, .map = (uint8_t)map};
    v.low = offset;
    if (kind != ASH_FRAME)
        v.high = offset;
    return v;
}

struct ash_value ash_adrift(struct ash_value pointer)
{
    pointer.id = 0;
    pointer.reach = 0;
    if (pointer.kind == ASH_FRAME) {
        pointer.offset = 0;
        pointer.variable = UINT64_MAX;
    } else if (pointer.kind == ASH_STACK || pointer.kind == ASH_CONTEXT ||
               pointer.kind == ASH_ENTRY || pointer.kind == ASH_MAP_MEMORY) {
        pointer.low = INT64_MIN;
        pointer.high = INT64_MAX;
    } else {
        return ash_unknown();
    }
    return pointer;
}

bool ash_is_adrift(const struct ash_value *pointer)
{
    return pointer->kind == ASH_FRAME ? pointer->variable == UINT64_MAX : pointer->low == INT64_MIN;
}

bool ash_fits_32(const struct ash_value *v)
{
    if (v->kind == ASH_SCALAR)
        return v->max <= UINT32_MAX;
    return v->kind == ASH_FRAME ? v->variable <= ASH_FAR : !ash_is_adrift(v);
}

bool ash_same(const struct ash_value *a, const struct ash_value *b)
{
    if (a->kind != b->kind || a->map != b->map || a->id != b->id || a->reach != b->reach)
        return false;
    if (a->kind == ASH_SCALAR && (a->bits != b->bits || a->mask != b->mask))
        return false;
    return a->min == b->min && a->max == b->max; /* or offset and variable, or low and high */
}

static struct ash_value widen_scalar(const struct ash_value *old, struct ash_value v)
{
    uint64_t changed = v.mask ^ old->mask;
    if (v.min < old->min)
        v.min = 0;
    if (v.max > old->max)
        v.max = v.max <= UINT32_MAX ? UINT32_MAX : UINT64_MAX;
    if (changed) { /* keep what is known below the lowest bit that is new: alignment */
        v.mask |= UINT64_MAX << ash_lowest(changed);
        v.bits &= ~v.mask;
    }
    ash_agree(&v);
    return v;
}

struct ash_value ash_widen(const struct ash_value *old, const struct ash_value *new)
{
    struct ash_value v = *new;
    if (old->kind != new->kind || ash_same(old, new))
        return v;
    switch (v.kind) {
    case ASH_SCALAR:
        return widen_scalar(old, v);
    case ASH_FRAME:
        if (ash_is_adrift(&v) || v.offset < old->offset)
            return ash_adrift(v);
        if (v.id != old->id || v.variable > old->variable)
            v.variable = ASH_RISEN;
        if (v.reach < old->reach)
            v.reach = 0; /* what a check in the loop tells comes back in the last walk */
        return v;
    case ASH_CONTEXT:
    case ASH_STACK:
    case ASH_ENTRY:
    case ASH_MAP_MEMORY:
        return ash_adrift(v);
    default:
        return v;
    }
}

void ash_lose_name(struct ash_value *v)
{
    if (v->kind == ASH_FRAME)
        *v = ash_adrift(*v);
    else
        v->id = 0;
}

/* All bits from the highest that differs on. */
static uint64_t below(uint64_t different)
{
    return different ? UINT64_MAX >> (63 - ash_highest(different)) : 0;
}

bool ash_agree(struct ash_value *v)
{
    /* Bits above the highest in which the ends differ are those of both ends. */
    uint64_t open = below(v->min ^ v->max);
    if ((v->bits ^ v->min) & ~open & ~v->mask)
        return false;
    v->bits = (v->bits | (v->min & v->mask & ~open)) & ~(v->mask & open);
    v->mask &= open;
    if (v->bits > v->min)
        v->min = v->bits;
    if ((v->bits | v->mask) < v->max)
        v->max = v->bits | v->mask;
    return v->min <= v->max;
}

static bool overlap(struct ash_value *a, struct ash_value *b)
{
    uint64_t known = ~a->mask & ~b->mask;
    if ((a->bits ^ b->bits) & known)
        return false;
    a->bits = b->bits = a->bits | b->bits;
    a->mask = b->mask = a->mask & b->mask;
    a->min = b->min = a->min > b->min ? a->min : b->min;
    a->max = b->max = a->max < b->max ? a->max : b->max;
    return a->min <= a->max && ash_agree(a) && ash_agree(b);
}

/* a < b, or a <= b if it may be equal. */
static bool below_or_equal(struct ash_value *a, struct ash_value *b, bool equal)
{
    if (!equal && (b->max == 0 || a->min == UINT64_MAX))
        return false;
    uint64_t top = equal ? b->max : b->max - 1, bottom = equal ? a->min : a->min + 1;
    if (a->max > top)
        a->max = top;
    if (b->min < bottom)
        b->min = bottom;
    return a->min <= a->max && b->min <= b->max && ash_agree(a) && ash_agree(b);
}

static bool differ(struct ash_value *a, const struct ash_value *b)
{
    if (b->min != b->max)
        return true;
    if (a->min == b->min && a->max == b->min)
        return false;
    if (a->min == b->min)
        a->min++;
    else if (a->max == b->min)
        a->max--;
    return ash_agree(a);
}

/* The comparison that holds if op doesn't. JSET has none. */
static unsigned opposite(unsigned op)
{
    static const uint8_t table[][2] = {{ASH_OP_JEQ, ASH_OP_JNE},
                                       {ASH_OP_JGT, ASH_OP_JLE},
                                       {ASH_OP_JGE, ASH_OP_JLT},
                                       {ASH_OP_JSGT, ASH_OP_JSLE},
                                       {ASH_OP_JSGE, ASH_OP_JSLT}};
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        for (unsigned j = 0; j < 2; j++)
            if (table[i][j] == op)
                return table[i][!j];
    return op;
}

/* The unsigned comparison that means the same for numbers that are not negative; else ASH_OP_NONE.
 */
static unsigned without_sign(unsigned op)
{
    switch (op) {
    case ASH_OP_JSGT:
        return ASH_OP_JGT;
    case ASH_OP_JSGE:
        return ASH_OP_JGE;
    case ASH_OP_JSLT:
        return ASH_OP_JLT;
    case ASH_OP_JSLE:
        return ASH_OP_JLE;
    default:
        return ASH_OP_NONE;
    }
}

static bool suppose_set(bool holds, struct ash_value *a, struct ash_value *b)
{
    if (!ash_is_constant(b))
        return true;
    if (holds)
        return ((a->bits | a->mask) & b->bits) != 0;
    if (a->bits & b->bits)
        return false;
    a->mask &= ~b->bits;
    return ash_agree(a);
}

bool ash_suppose(unsigned op, bool wide, bool holds, struct ash_value *a, struct ash_value *b)
{
    const uint64_t top = wide ? INT64_MAX : INT32_MAX;
    if (a->kind != ASH_SCALAR || b->kind != ASH_SCALAR)
        return true;
    if (!wide && (a->max > UINT32_MAX || b->max > UINT32_MAX))
        return true;
    if (op == ASH_OP_JSET)
        return suppose_set(holds, a, b);
    if (!holds)
        op = opposite(op);

    unsigned plain = without_sign(op);
    if (plain != ASH_OP_NONE) {
        /* What is above a number that isn't negative isn't negative either. */
        struct ash_value *great = plain == ASH_OP_JGT || plain == ASH_OP_JGE ? a : b;
        const struct ash_value *small = great == a ? b : a;
        if (small->max > top)
            return true;
        if (great->max > top)
            great->max = top;
        if (great->min > great->max)
            return false;
        op = plain;
    }
    switch (op) {
    case ASH_OP_JEQ:
        return overlap(a, b);
    case ASH_OP_JNE:
        return differ(a, b) && differ(b, a);
    case ASH_OP_JGT:
        return below_or_equal(b, a, false);
    case ASH_OP_JGE:
        return below_or_equal(b, a, true);
    case ASH_OP_JLT:
        return below_or_equal(a, b, false);
    default:
        return below_or_equal(a, b, true);
    }
}

static struct ash_value join_scalars(const struct ash_value *a, const struct ash_value *b)
{
    struct ash_value v = {.kind = ASH_SCALAR, .id = a->id == b->id ? a->id : 0};
    v.mask = a->mask | b->mask | (a->bits ^ b->bits);
    v.bits = a->bits & ~v.mask;
    v.min = a->min < b->min ? a->min : b->min;
    v.max = a->max > b->max ? a->max : b->max;
    ash_agree(&v);
    return v;
}

/* data + a's variable part + a's offset, or b's: the lower offset stays, the rest joins the
 * variable part. */
static struct ash_value join_frames(const struct ash_value *a, const struct ash_value *b,
                                    uint16_t name)
{
    struct ash_value v = *a;
    if (a->id == b->id && a->offset == b->offset) {
        v.reach = a->reach < b->reach ? a->reach : b->reach;
        v.variable = a->variable > b->variable ? a->variable : b->variable;
        return v;
    }
    if (!name || ash_is_adrift(a) || ash_is_adrift(b))
        return ash_adrift(v);
    v.offset = a->offset < b->offset ? a->offset : b->offset;
    uint64_t more_a = (uint64_t)(a->offset - v.offset), more_b = (uint64_t)(b->offset - v.offset);
    uint64_t reach_a = a->reach > more_a ? a->reach - more_a : 0;
    uint64_t reach_b = b->reach > more_b ? b->reach - more_b : 0;
    more_a += a->variable;
    more_b += b->variable;
    v.variable = more_a > more_b ? more_a : more_b;
    v.reach = (uint32_t)(reach_a < reach_b ? reach_a : reach_b);
    v.id = name;
    if (a->variable == ASH_RISEN || b->variable == ASH_RISEN)
        v.variable = ASH_RISEN;
    return v.variable <= ASH_FAR || v.variable == ASH_RISEN ? v : ash_adrift(v);
}

/* An entry and null are an entry or null. */
static bool is_entry_or_null(const struct ash_value *v, const struct ash_value *other)
{
    if (v->kind == ASH_SCALAR)
        return ash_is_constant(v) && v->min == 0;
    return v->map == other->map &&
           (v->kind == ASH_ENTRY_OR_NULL || (v->kind == ASH_ENTRY && v->low == 0 && v->high == 0));
}

static struct ash_value join_unlike(const struct ash_value *a, const struct ash_value *b,
                                    uint16_t name)
{
    const struct ash_value *pointer = a->kind == ASH_SCALAR ? b : a;
    if (name && pointer->kind != ASH_SCALAR && is_entry_or_null(a, pointer) &&
        is_entry_or_null(b, pointer)) {
        struct ash_value v = ash_pointer(ASH_ENTRY_OR_NULL, pointer->map, 0);
        v.id = name;
        return v;
    }
    if (ash_fits_32(a) && ash_fits_32(b))
        return ash_between(0, UINT32_MAX);
    return ash_unknown();
}

struct ash_value ash_join(const struct ash_value *a, const struct ash_value *b, uint16_t name)
{
    if (a->kind != b->kind || a->map != b->map)
        return join_unlike(a, b, name);
    struct ash_value v = *a;
    switch (a->kind) {
    case ASH_SCALAR:
        return join_scalars(a, b);
    case ASH_FRAME:
        return join_frames(a, b, name);
    case ASH_ENTRY_OR_NULL:
        v.id = a->id == b->id ? a->id : name;
        return v;
    case ASH_FRAME_END:
    case ASH_HANDLE:
        return v;
    default:
        v.low = a->low < b->low ? a->low : b->low;
        v.high = a->high > b->high ? a->high : b->high;
        return v;
    }
}
