/* Symbolic values (value.h). */
#include "tools/dpfc/value.h"
#include "tools/dpfc/dpflift.h"

#include <pcap/pcap.h>
#include <string.h>

#define INTERVALS_MAX (VALUE_OPS + 2)

void values_start(struct values *values, struct graph *graph)
{
    *values = (struct values){.trouble = graph->trouble, .graph = graph};
    pool_start(&values->pool, graph->trouble, sizeof(struct value), 100000);
    value_number(values, 0);
}

void values_end(struct values *values)
{
    pool_end(&values->pool);
}

uint32_t value_number(struct values *values, uint32_t k)
{
    return pool_put(&values->pool, &(struct value){.kind = VALUE_NUMBER, .k = k, .most = k}, 0);
}

uint32_t value_load(struct values *values, uint32_t base, uint32_t offset, uint32_t width)
{
    struct value value = {.kind = VALUE_FIELD, .base = base, .offset = offset, .width = width};
    value.mask = value.most = dpf_full(width);
    return pool_put(&values->pool, &value, 0);
}

uint32_t value_length(struct values *values)
{
    struct value value = {.kind = VALUE_FIELD, .mask = UINT32_MAX, .most = UINT32_MAX};
    return pool_put(&values->pool, &value, 0);
}

static _Noreturn void refuse(struct values *values, const char *what)
{
    fail(values->trouble, DPFLIFT_REFUSED, "%s can't be expressed in atoms", what);
}

static uint32_t put(struct values *values, struct value *value)
{
    if (value->kind == VALUE_FIELD && value->mask == 0 && value->op_count == 0)
        return value_number(values, 0);
    return pool_put(&values->pool, value, 0);
}

static uint32_t add_op(struct values *values, struct value value, uint32_t op, uint32_t k,
                       uint64_t most)
{
    if (value.op_count == VALUE_OPS)
        refuse(values, "so much arithmetic on one field");
    value.ops[value.op_count++] = (struct value_op){op, k};
    value.most = most;
    return put(values, &value);
}

/* The one shift that stands behind the mask: bits to the left; false if there is other arithmetic.
 */
static bool only_shift(const struct value *value, int *left)
{
    *left = 0;
    if (value->op_count == 0)
        return true;
    const struct value_op *op = &value->ops[0];
    *left = op->op == BPF_LSH ? (int)op->k : -(int)op->k;
    return value->op_count == 1 && (op->op == BPF_LSH || op->op == BPF_RSH);
}

static uint32_t field_and(struct values *values, struct value value, uint32_t k)
{
    int left;
    if (!only_shift(&value, &left))
        refuse(values, "a mask over the result of arithmetic");
    value.mask &= left >= 0 ? k >> left : (uint64_t)k << -left;
    value.most = left >= 0 ? value.mask << left : value.mask >> -left;
    if (value.mask == 0)
        return value_number(values, 0);
    return put(values, &value);
}

/* Shifts in a row are one shift: what goes out to the right is masked away, what goes out to the
 * left too. */
static uint32_t field_shift(struct values *values, struct value value, uint32_t k, bool to_left)
{
    int left;
    if (k > 31)
        return value_number(values, 0);
    if (only_shift(&value, &left)) {
        if (to_left && left < 0)
            value.mask &= UINT64_MAX << -left;
        left += to_left ? (int)k : -(int)k;
        if (left < -31 || left > 31)
            return value_number(values, 0);
        if (left > 0)
            value.mask &= UINT32_MAX >> left;
        value.op_count = left != 0;
        value.ops[0] = (struct value_op){0};
        if (left)
            value.ops[0] = (struct value_op){left > 0 ? BPF_LSH : BPF_RSH,
                                             (uint32_t)(left > 0 ? left : -left)};
        value.most = dpf_shifted(value.mask, left);
        return value.mask ? put(values, &value) : value_number(values, 0);
    }
    if (to_left && value.most << k > UINT32_MAX)
        refuse(values, "a shift that overflows");
    if (to_left)
        return add_op(values, value, BPF_LSH, k, value.most << k);
    return add_op(values, value, BPF_RSH, k, value.most >> k);
}

static uint32_t field_add(struct values *values, struct value value, uint32_t k)
{
    uint64_t most = value.most + k;
    if (k == 0)
        return put(values, &value);
    if (value.op_count && value.ops[value.op_count - 1].op == BPF_ADD) {
        k += value.ops[--value.op_count].k; /* add_op overwrites it */
        return add_op(values, value, BPF_ADD, k, UINT32_MAX);
    }
    return add_op(values, value, BPF_ADD, k, most > UINT32_MAX ? UINT32_MAX : most);
}

/* The exponent if k is a power of two, else -1. */
static int exponent(uint32_t k)
{
    int e = 0;
    if (k == 0 || k & (k - 1))
        return -1;
    while (k >>= 1)
        e++;
    return e;
}

static uint32_t field_alu(struct values *values, uint32_t op, const struct value *value, uint32_t k)
{
    int e = exponent(k);
    switch (op) {
    case BPF_AND:
        return field_and(values, *value, k);
    case BPF_OR: /* the bits not in k, plus k */
        return value_alu(values, BPF_ADD, field_and(values, *value, ~k), value_number(values, k));
    case BPF_LSH:
        return field_shift(values, *value, k, true);
    case BPF_RSH:
        return field_shift(values, *value, k, false);
    case BPF_ADD:
        return field_add(values, *value, k);
    case BPF_SUB:
        return field_add(values, *value, -k);
    case BPF_MOD:
        if (e < 0)
            refuse(values, "a remainder by a number that is not a power of two");
        return field_and(values, *value, k - 1);
    case BPF_MUL:
        if (e >= 0)
            return field_shift(values, *value, (uint32_t)e, true);
        if (k == 0)
            return value_number(values, 0);
        if (value->most * k > UINT32_MAX)
            refuse(values, "a product that overflows");
        return add_op(values, *value, BPF_MUL, k, value->most * k);
    case BPF_DIV:
        if (e >= 0)
            return field_shift(values, *value, (uint32_t)e, false);
        return add_op(values, *value, BPF_DIV, k, value->most / k);
    }
    refuse(values, op == BPF_XOR ? "exclusive or" : "negation");
}

/* Arithmetic on numbers, as the BPF machine does it. Shifts beyond 31 give 0, as in libpcap. */
static uint32_t number_alu(struct values *values, uint32_t op, uint32_t a, uint32_t x)
{
    switch (op) {
    case BPF_ADD:
        return a + x;
    case BPF_SUB:
        return a - x;
    case BPF_MUL:
        return a * x;
    case BPF_AND:
        return a & x;
    case BPF_OR:
        return a | x;
    case BPF_XOR:
        return a ^ x;
    case BPF_LSH:
        return x < 32 ? a << x : 0;
    case BPF_RSH:
        return x < 32 ? a >> x : 0;
    case BPF_NEG:
        return -a;
    }
    if (x == 0)
        refuse(values, "a division by zero");
    return op == BPF_DIV ? a / x : a % x;
}

/* Whether the value can be a place that lies in a field's own header: load from there + shift +
 * number. */
static bool as_base(struct values *values, const struct value *value, struct graph_base *base,
                    uint32_t *add)
{
    struct value plain = *value;
    int left;
    *add = 0;
    if (plain.op_count && plain.ops[plain.op_count - 1].op == BPF_ADD)
        *add = plain.ops[--plain.op_count].k;
    if (plain.kind != VALUE_FIELD || plain.width == 0 || !only_shift(&plain, &left))
        return false;
    *base = (struct graph_base){plain.mask, plain.base, plain.offset, left, plain.width};
    if (dpf_shifted(plain.mask, left) > DPF_STEP_MAX || *add > DPF_STEP_MAX)
        refuse(values, "an offset that may exceed 65,535");
    return true;
}

void value_place(struct values *values, uint32_t number, uint32_t *base, uint32_t *add)
{
    const struct value *value = value_at(values, number);
    struct graph_base made;
    if (value->kind == VALUE_NUMBER) {
        *base = BASE_FRAME;
        *add = value->k;
    } else if (value->kind == VALUE_OFFSET) {
        *base = value->base;
        *add = value->k;
    } else if (as_base(values, value, &made, add)) {
        /* A field's own base is its parent: only a header's length counted from its start is of
         * use. */
        if (made.parent != BASE_FRAME)
            refuse(values, "an offset that doesn't count from the header it was read in");
        *base = graph_put_base(values->graph, &made);
    } else {
        refuse(values, "an offset computed so");
    }
}

/* A place plus a field that was loaded relative to it: the next header's base. */
static uint32_t add_step(struct values *values, uint32_t place, const struct value *field)
{
    struct value sum = {.kind = VALUE_OFFSET};
    struct graph_base made;
    uint32_t base, add, more;
    value_place(values, place, &base, &add);
    if (!as_base(values, field, &made, &more))
        refuse(values, "an offset computed so");
    if (made.parent != base)
        refuse(values, "a sum of fields of two headers");
    sum.base = graph_put_base(values->graph, &made);
    sum.k = add + more;
    if (sum.k > DPF_STEP_MAX)
        refuse(values, "an offset that may exceed 65,535");
    return pool_put(&values->pool, &sum, 0);
}

static uint32_t offset_alu(struct values *values, uint32_t op, struct value value, uint32_t k)
{
    if (op != BPF_ADD || k > DPF_STEP_MAX || value.k + k > DPF_STEP_MAX)
        refuse(values, "arithmetic on an offset other than adding a small number");
    value.k += k;
    return pool_put(&values->pool, &value, 0);
}

uint32_t value_alu(struct values *values, uint32_t op, uint32_t a, uint32_t x)
{
    const struct value va = *value_at(values, a), vx = *value_at(values, x);
    bool commutes = op == BPF_ADD || op == BPF_MUL || op == BPF_AND || op == BPF_OR;
    if (va.kind == VALUE_NUMBER && (vx.kind == VALUE_NUMBER || op == BPF_NEG))
        return value_number(values, number_alu(values, op, va.k, vx.k));
    if (va.kind == VALUE_NUMBER && commutes)
        return value_alu(values, op, x, a);
    if (vx.kind == VALUE_NUMBER && (op == BPF_DIV || op == BPF_MOD) && vx.k == 0)
        refuse(values, "a division by zero");
    if (vx.kind == VALUE_NUMBER || op == BPF_NEG)
        return va.kind == VALUE_FIELD ? field_alu(values, op, &va, vx.k)
                                      : offset_alu(values, op, va, vx.k);
    if (op != BPF_ADD || va.kind == VALUE_NUMBER)
        refuse(values, "arithmetic between fields");
    if (va.kind == VALUE_FIELD && va.base != BASE_FRAME)
        return add_step(values, x, &va);
    if (vx.kind == VALUE_FIELD && vx.base != BASE_FRAME)
        return add_step(values, a, &vx);
    refuse(values, "arithmetic between fields");
}

/* Intervals of a value's results, few and in no order. */
struct intervals {
    uint32_t count;
    struct dpf_range range[2 * INTERVALS_MAX];
};

static void put_interval(struct intervals *intervals, uint64_t low, uint64_t high)
{
    if (low <= high)
        intervals->range[intervals->count++] = (struct dpf_range){low, high};
}

/* From intervals of results to the intervals of operands that give them. */
static struct intervals undo(struct value_op op, const struct intervals *results)
{
    struct intervals operands = {0};
    for (uint32_t i = 0; i < results->count; i++) {
        uint64_t low = results->range[i].low, high = results->range[i].high, k = op.k;
        uint64_t factor = op.op == BPF_LSH || op.op == BPF_RSH ? UINT64_C(1) << k : k;
        if (op.op == BPF_LSH || op.op == BPF_MUL) {
            put_interval(&operands, (low + factor - 1) / factor, high / factor);
        } else if (op.op == BPF_RSH || op.op == BPF_DIV) {
            uint64_t last = high * factor + factor - 1;
            put_interval(&operands, low * factor, last < UINT32_MAX ? last : UINT32_MAX);
        } else { /* ADD, modulo 2^32 */
            uint32_t from = (uint32_t)(low - k), to = (uint32_t)(high - k);
            put_interval(&operands, from, from <= to ? to : UINT32_MAX);
            if (from > to)
                put_interval(&operands, 0, to);
        }
    }
    return operands;
}

/* The atom that says whether the value lies in the intervals. A mask of leading bits is made full,
   so that a network and its hosts are tested by one key. */
static enum value_answer atom(struct values *values, const struct value *value,
                              struct intervals intervals, uint32_t *key, uint32_t *set)
{
    struct graph *graph = values->graph;
    for (uint32_t i = value->op_count; i-- > 0;)
        intervals = undo(value->ops[i], &intervals);
    uint64_t full = value->width ? dpf_full(value->width) : UINT32_MAX;
    uint64_t below = full & ~value->mask, mask = value->mask;
    *set = set_of(&graph->sets, intervals.range, intervals.count, mask);
    if (set_count(&graph->sets, *set) == 0)
        return ANSWER_NO;
    if (*set == set_all(&graph->sets, mask))
        return ANSWER_YES;
    if (below && (below & (below + 1)) == 0) {
        struct intervals wide = {0};
        mask = full;
        for (uint32_t i = 0; i < set_count(&graph->sets, *set); i++) {
            struct dpf_range range = set_ranges(&graph->sets, *set)[i];
            put_interval(&wide, range.low, range.high | below);
        }
        *set = set_of(&graph->sets, wide.range, wide.count, mask);
    }
    struct graph_key k = {
        .mask = mask, .base = value->base, .offset = value->offset, .width = value->width};
    *key = graph_put_key(graph, &k);
    return ANSWER_DEPENDS;
}

static bool holds(uint32_t op, uint32_t a, uint32_t x)
{
    return op == BPF_JEQ ? a == x : op == BPF_JGT ? a > x : op == BPF_JGE ? a >= x : (a & x) != 0;
}

enum value_answer value_compare(struct values *values, uint32_t op, uint32_t a, uint32_t x,
                                uint32_t *key, uint32_t *set)
{
    struct value va = *value_at(values, a), vx = *value_at(values, x);
    if (a == x && op != BPF_JSET)
        return op == BPF_JGT ? ANSWER_NO : ANSWER_YES;
    if (va.kind == VALUE_NUMBER && vx.kind == VALUE_NUMBER)
        return holds(op, va.k, vx.k) ? ANSWER_YES : ANSWER_NO;
    if (va.kind == VALUE_NUMBER && (op == BPF_JEQ || op == BPF_JSET))
        return value_compare(values, op, x, a, key, set);
    if (va.kind != VALUE_FIELD || vx.kind != VALUE_NUMBER)
        refuse(values, "a comparison of two fields");
    struct intervals intervals = {0};
    uint32_t k = vx.k;
    if (op == BPF_JSET) {
        uint32_t masked = field_and(values, va, k);
        va = *value_at(values, masked);
        if (va.kind == VALUE_NUMBER)
            return ANSWER_NO;
        put_interval(&intervals, 1, UINT32_MAX);
    } else if (op == BPF_JEQ) {
        put_interval(&intervals, k, k);
    } else {
        put_interval(&intervals, op == BPF_JGT ? (uint64_t)k + 1 : k, UINT32_MAX);
    }
    return atom(values, &va, intervals, key, set);
}
