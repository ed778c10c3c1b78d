/*
 * A straight run of equality tests is a set of bytes that have to be equal to constants under
 * masks. It is covered by the loads that take the fewest instructions in all, found from the last
 * byte to the first: neighbouring fields end up in one load, if alignment and what is known to be
 * readable allow it.
 */
#include "dpf/compile_state.h"

bool run_equality(uint64_t field_mask, uint64_t low, uint64_t high, uint64_t *mask, uint64_t *value)
{
    uint64_t differ = low ^ high, below = differ;
    for (unsigned shift = 1; shift < 64; shift *= 2)
        below |= below >> shift;
    *mask = field_mask & ~differ;
    *value = low;
    return (field_mask & below) == differ && (low & differ) == 0;
}

/* Where the byte at offset stands in the run, or belongs. */
static unsigned place_of(const struct run *run, uint32_t offset)
{
    unsigned at = run->count;
    while (at > 0 && run->offset[at - 1] >= offset)
        at--;
    return at;
}

static bool has(const struct run *run, unsigned at, uint32_t offset)
{
    return at < run->count && run->offset[at] == offset;
}

static void insert_byte(struct run *run, unsigned at, uint32_t offset)
{
    for (unsigned k = run->count++; k > at; k--) {
        run->offset[k] = run->offset[k - 1];
        run->mask[k] = run->mask[k - 1];
        run->value[k] = run->value[k - 1];
    }
    run->offset[at] = offset;
    run->mask[at] = run->value[at] = 0;
}

/* Whether a field fits in beside what the run asks already. */
static bool fits_in(const struct run *run, struct field field, uint64_t value)
{
    if (run->count + field.width > RUN_MAX)
        return false;
    for (unsigned i = 0; i < field.width; i++) {
        unsigned at = place_of(run, field.offset + i), byte = field.width - 1u - i;
        if (has(run, at, field.offset + i) &&
            (run->value[at] ^ byte_of(value, byte)) & run->mask[at] & byte_of(field.mask, byte))
            return false;
    }
    return true;
}

bool run_add(struct run *run, struct field field, uint64_t value)
{
    if (!fits_in(run, field, value))
        return false;
    run->base = field.base;
    for (unsigned i = 0; i < field.width; i++) {
        unsigned at = place_of(run, field.offset + i), byte = field.width - 1u - i;
        uint8_t mask = byte_of(field.mask, byte);
        if (!mask)
            continue;
        if (!has(run, at, field.offset + i))
            insert_byte(run, at, field.offset + i);
        run->mask[at] |= mask;
        run->value[at] |= byte_of(value, byte) & mask;
    }
    return true;
}

/* How a loaded word is reduced to the bits that matter. */
enum reduction { ALL, AND, DOWN, UP, UP_DOWN };

/* One load and its comparison. */
struct test {
    uint32_t offset;
    uint8_t bytes;
    bool sign;
    bool any; /* the mask has one bit, and it has to be set */
    uint8_t reduction;
    uint8_t up, down; /* bits */
    uint64_t mask, value;
    unsigned cost; /* instructions */
    unsigned next; /* the first byte of the run that it leaves */
};

static uint64_t extended(uint64_t value, unsigned bytes, bool sign)
{
    unsigned spare = 64 - 8 * bytes;
    return sign ? (uint64_t)((int64_t)(value << spare) >> spare) : value;
}

/* Takes a reduction for the test if it is cheaper: instructions beside the load, and the constant
   that is compared with. */
static void consider(struct test *test, enum reduction reduction, unsigned instructions,
                     uint64_t value)
{
    bool any = reduction == AND && value == test->mask && (value & (value - 1)) == 0;
    unsigned cost = 2 + instructions + (value && !any ? compile_constant_cost(value) : 0);
    if (cost < test->cost) {
        test->cost = cost;
        test->any = any;
        test->reduction = (uint8_t)reduction;
        test->value = value;
    }
}

/* Reductions of a word of which not all bits matter. */
static void choose_reduction(struct test *t, uint64_t mask, uint64_t value)
{
    unsigned width = 8 * t->bytes, trailing = lowest_bit(mask),
             leading = width - 1 - highest_bit(mask);
    bool run_of_ones = ((mask + (mask & -mask)) & mask) == 0;
    bool small = (int64_t)t->mask >= -2048 && (int64_t)t->mask < 2048;
    t->down = (uint8_t)trailing;
    t->up = (uint8_t)(leading + 64 - width);
    consider(t, AND, small ? 1 : 1 + compile_constant_cost(t->mask),
             extended(value, t->bytes, t->sign));
    if (run_of_ones && leading == 0 && !t->sign)
        consider(t, DOWN, 1, value >> trailing);
    if (run_of_ones && trailing == 0)
        consider(t, UP, 1, value << t->up);
    if (run_of_ones && trailing > 0)
        consider(t, UP_DOWN, 2, value >> trailing);
}

/* Chooses how to test a loaded word, if that is cheaper: mask and value as it is loaded,
 * zero-extended. */
static void choose(struct test *test, uint64_t mask, uint64_t value, bool sign)
{
    struct test t = *test;
    t.sign = sign;
    t.mask = extended(mask, t.bytes, sign);
    t.cost = UINT32_MAX;
    if (mask == dpf_full(t.bytes))
        consider(&t, ALL, 0, extended(value, t.bytes, sign));
    else
        choose_reduction(&t, mask, value);
    if (t.cost < test->cost)
        *test = t;
}

/* The test that a load of bytes from at on makes of the run's bytes in it, from the byte first on.
 */
static struct test make_test(const struct run *run, unsigned first, uint32_t at, unsigned bytes)
{
    struct test test; /* choose sets the rest */
    uint64_t mask = 0, value = 0;
    test.offset = at;
    test.bytes = (uint8_t)bytes;
    test.next = first;
    test.cost = UINT32_MAX;
    for (; test.next < run->count && run->offset[test.next] < at + bytes; test.next++) {
        unsigned up = 8 * (run->offset[test.next] - at);
        mask |= (uint64_t)run->mask[test.next] << up;
        value |= (uint64_t)run->value[test.next] << up;
    }
    /* Signed, a word's constant is what lui and addiw make; and so is a small negative halfword's.
     */
    bool full = mask == dpf_full(bytes), negative = bytes == 2 && value >= 0xf800;
    if (bytes == 4 || (bytes == 2 && (!full || negative)))
        choose(&test, mask, value, true);
    if (!full || (bytes != 4 && !negative))
        choose(&test, mask, value, false);
    return test;
}

/* How a byte of a run, and those behind it, are covered: the first load, and instructions in all.
 */
struct cover {
    uint32_t at;
    uint16_t cost;
    uint8_t bytes;
};

static struct cover best_cover(const struct compile *c, const struct run *run, unsigned first,
                               const struct cover *covers)
{
    struct cover best = {.cost = UINT16_MAX};
    unsigned covered = first;
    for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
        int64_t at = compile_load_place(c, run->base, run->offset[first], bytes);
        if (covered < run->count && run->offset[covered] >= at + bytes)
            continue; /* it covers no more than a smaller one */
        if (covered == run->count || !compile_can_load(c, run->base, at, bytes))
            continue;
        struct test test = make_test(run, first, (uint32_t)at, bytes);
        unsigned cost = test.cost + covers[test.next].cost;
        covered = test.next;
        if (cost <= best.cost)
            best = (struct cover){(uint32_t)at, (uint16_t)cost, (uint8_t)bytes};
    }
    return best;
}

static void emit_test(struct compile *c, unsigned base, const struct test *test, uint32_t no)
{
    struct vcode *v = &c->v;
    compile_load(c, base, test->offset, test->bytes, test->sign, VALUE);
    if (test->reduction == AND && (int64_t)test->mask >= -2048 && (int64_t)test->mask < 2048) {
        rv_andi(v, VALUE, VALUE, (int64_t)test->mask);
    } else if (test->reduction == AND) {
        vcode_constant(v, CONST, test->mask);
        rv_and(v, VALUE, VALUE, CONST);
    }
    if (test->reduction == UP || test->reduction == UP_DOWN)
        rv_slli(v, VALUE, VALUE, test->up);
    if (test->reduction == UP_DOWN)
        rv_srli(v, VALUE, VALUE, test->up + test->down);
    if (test->reduction == DOWN)
        rv_srli(v, VALUE, VALUE, test->down);
    bool constant = test->value && !test->any;
    if (constant)
        vcode_constant(v, CONST, test->value);
    vcode_branch(v, test->any ? RV_beq : RV_bne, VALUE, constant ? CONST : RV_ZERO, no);
}

void run_emit(struct compile *c, const struct run *run, uint32_t no)
{
    struct cover covers[RUN_MAX + 1];
    covers[run->count].cost = 0;
    c->effort += 5 * (size_t)run->count;
    for (unsigned i = run->count; i-- > 0;)
        covers[i] = best_cover(c, run, i, covers);
    for (unsigned i = 0; i < run->count;) {
        struct test test = make_test(run, i, covers[i].at, covers[i].bytes);
        emit_test(c, run->base, &test, no);
        i = test.next;
    }
}
