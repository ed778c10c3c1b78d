/*
 * Many values on one field. Few are compared one after the other; those of one byte index a table
 * of distances; others are found by cuckoo hashing ("Cuckoo Hashing", Pagh and Rodler, 2004): each
 * value lies in one of two slots, which two pieces of its product with a secret multiplier name, so
 * two probes decide. All values go into the hash as they stand in memory: nothing is swapped.
 *
 * A table lies behind the code: of a hash the multiplier, then slots of 8 or 16 bytes: value, and
 * where it leads. That is the distance of the child's code from what TABLE holds; or if children do
 * nothing but accept, the member's id. What is free holds a copy of some entry, which is right
 * wherever it is found.
 */
#include "dpf/compile_state.h"

#include <string.h>

#define COMPARED_MAX 4  /* values that are compared one after the other */
#define KICKS_MAX    64 /* entries that move for one that comes in */
#define PERFECT_MAX  32 /* values for which one probe is to be enough */
#define ATTEMPTS_MAX 48 /* multipliers tried before the table is made larger */
#define SLACK_MAX    4
#define A_STEP       32 /* entries that are cleared or finished in one step */
#define A_FILL       8  /* that are put in */

static uint32_t value_count(const struct compile *c, uint32_t number)
{
    return c->records[number].count - trie_node(c->trie, number)->many.ranges;
}

static bool is_jump(const struct trie_node *node)
{
    return node->width > 0 && span_of(field_of_trie(node)).bytes == 1 && node->many.ranges == 0;
}

static unsigned jump_entries(const struct trie_node *node)
{
    return (unsigned)(node->mask >> span_of(field_of_trie(node)).dropped) + 1;
}

static bool is_wide(const struct trie_node *node)
{
    return node->width == 0 || span_of(field_of_trie(node)).bytes > 4;
}

/* Whether a multiplier is sought that puts no two values into one slot. */
static bool is_perfect(const struct compile *c, uint32_t number)
{
    return value_count(c, number) <= PERFECT_MAX;
}

/* Bits of a slot's number, so that at most 2 of 5 are taken; if no two may collide, more. */
static unsigned slot_bits(const struct compile *c, uint32_t number)
{
    uint64_t values = value_count(c, number), wanted = 5 * values / 2;
    unsigned bits = 1;
    if (is_perfect(c, number) && wanted < values * values / 4)
        wanted = values * values / 4;
    while (UINT64_C(1) << bits < wanted)
        bits++;
    return bits + c->records[number].slack;
}

static uint64_t multiplier(const struct compile *c, uint32_t number)
{
    return trie_mix(trie_mix(c->trie->seed + number) + c->records[number].attempt) | 1;
}

/* VALUE is a few values' key: compares, the value of the first slot last, whose child comes next.
 */
static void compare_each(struct compile *c, uint32_t number, uint32_t fail)
{
    struct vcode *v = &c->v;
    const struct trie_node *node = trie_node(c->trie, number);
    const struct trie_slot *slots = slots_of(c->trie, node);
    uint32_t first = 0;
    while (!slots[first].child)
        first++;
    for (uint32_t i = slot_count(node); i-- > first;) {
        if (!slots[i].child)
            continue;
        uint32_t label = compile_label_of(c, landing(c, number, slots[i].child));
        uint64_t key = key_of_value(field_of_trie(node), slots[i].value);
        if (key)
            vcode_constant(v, CONST, key);
        bool last = i == first && node->many.ranges == 0;
        vcode_branch(v, last ? RV_bne : RV_beq, VALUE, key ? CONST : RV_ZERO, last ? fail : label);
        if (last)
            compile_go(c, label);
    }
}

/* rd = base + (index << shift) */
static void scaled(struct compile *c, enum rv64_reg rd, enum rv64_reg index, unsigned shift,
                   enum rv64_reg base)
{
    if (c->v.isa & RV64_ZBA && shift <= 3) {
        vcode_r(&c->v, shift == 2 ? RV_sh2add : RV_sh3add, rd, index, base);
    } else {
        rv_slli(&c->v, rd, index, shift);
        rv_add(&c->v, rd, rd, base);
    }
}

/* to = the part of the table at SLOT + addend; TABLE holds the high part of the table's address. */
static void load_entry(struct compile *c, const struct record *record, enum rv64_op op,
                       enum rv64_reg to, enum rv64_reg from, int64_t addend)
{
    vcode_with_low_part(&c->v, op, to, from, record->table, record->anchor, addend);
}

/* The entry at SLOT + addend says where to go. */
static void follow(struct compile *c, const struct record *record, int64_t addend)
{
    load_entry(c, record, RV_lw, record->direct ? RV_A0 : ENTRY, SLOT, addend);
    if (record->direct) {
        vcode_li(&c->v, RV_A1, 0);
        compile_return(c);
    } else {
        rv_add(&c->v, ENTRY, ENTRY, TABLE);
        rv_jalr(&c->v, RV_ZERO, ENTRY, 0);
    }
}

static void jump(struct compile *c, struct record *record)
{
    record->anchor = vcode_high_part(&c->v, TABLE, record->table);
    scaled(c, SLOT, VALUE, 2, TABLE);
    follow(c, record, 0);
}

/* One probe: the slot's number is in the top bits of the product. */
static void probe(struct compile *c, const struct record *record, unsigned bits, bool wide,
                  uint32_t miss)
{
    rv_srli(&c->v, SLOT, CONST, 64 - bits);
    scaled(c, SLOT, SLOT, wide ? 4 : 3, TABLE);
    load_entry(c, record, wide ? RV_ld : RV_lw, ENTRY, SLOT, 8);
    vcode_branch(&c->v, RV_bne, ENTRY, VALUE, miss);
    follow(c, record, wide ? 16 : 12);
}

static void look_up(struct compile *c, uint32_t number, uint32_t miss)
{
    struct vcode *v = &c->v;
    struct record *record = record_of(c, number);
    unsigned bits = slot_bits(c, number);
    bool wide = is_wide(trie_node(c->trie, number)), once = is_perfect(c, number);
    uint32_t second = once ? miss : vcode_label(v);
    record->anchor = vcode_high_part(v, TABLE, record->table);
    load_entry(c, record, RV_ld, CONST, TABLE, 0);
    rv_mul(v, CONST, CONST, VALUE);
    probe(c, record, bits, wide, second);
    if (once)
        return;
    vcode_bind(v, second);
    rv_slli(v, CONST, CONST, bits);
    probe(c, record, bits, wide, miss);
}

/* Whether entries can be members' ids: nothing has to be compared or kept, and nothing comes
 * behind. */
static bool can_be_direct(struct compile *c, uint32_t number, uint64_t hi, uint32_t fail)
{
    const struct trie_node *node = trie_node(c->trie, number);
    const struct record *record = record_of(c, number);
    uint64_t key = record->least;
    if (!record->plain || node->many.ranges || c->trie->taps || compile_interesting(c, node, key))
        return false;
    if (c->learned.continues && (hi > key || (hi == key && !c->options.equals_disjoint)))
        return false;
    return !is_jump(node) || (fail == NONE_LABEL && !c->learned.continues);
}

static void add_table(struct compile *c, uint32_t number)
{
    struct record *record = record_of(c, number);
    record->table = vcode_label(&c->v);
    record->next = 0;
    if (c->table.first)
        record_of(c, c->table.last)->next = number;
    else
        c->table.first = number;
    c->table.last = number;
}

void compile_many(struct compile *c, uint32_t number, uint64_t hi)
{
    const struct trie_node *node = trie_node(c->trie, number);
    struct field field = field_of_trie(node);
    uint32_t fail = compile_fail_of(c, node), values = value_count(c, number);
    uint32_t miss = node->many.ranges ? vcode_label(&c->v) : fail;
    if (values > 0)
        compile_key(c, field);
    if (values > COMPARED_MAX) {
        add_table(c, number);
        record_of(c, number)->direct = can_be_direct(c, number, hi, fail);
        if (is_jump(node))
            jump(c, record_of(c, number));
        else
            look_up(c, number, miss);
    } else if (values > 0) {
        compare_each(c, number, fail);
    }
    if (node->many.ranges) {
        vcode_bind(&c->v, miss);
        compile_value(c, field);
        compile_ranges_of_table(c, number, fail);
    }
}

struct entry {
    uint64_t key;
    uint32_t child;
};

/* Slots, as they follow the multiplier. */
struct narrow {
    int32_t key;
    uint32_t child;
};

struct wide {
    uint64_t key;
    uint32_t child;
    uint32_t unused;
};

static struct entry get_slot(const struct compile *c, bool wide, uint32_t slot)
{
    const struct narrow *narrows = (const void *)((const uint64_t *)c->table.memory + 1);
    const struct wide *wides = (const void *)((const uint64_t *)c->table.memory + 1);
    if (wide)
        return (struct entry){wides[slot].key, wides[slot].child};
    return (struct entry){(uint64_t)(int64_t)narrows[slot].key, narrows[slot].child};
}

static void put_slot(const struct compile *c, bool wide, uint32_t slot, struct entry entry)
{
    struct narrow *narrows = (void *)((uint64_t *)c->table.memory + 1);
    struct wide *wides = (void *)((uint64_t *)c->table.memory + 1);
    if (wide)
        wides[slot] = (struct wide){entry.key, entry.child, 0};
    else
        narrows[slot] = (struct narrow){(int32_t)entry.key, entry.child};
}

/* Puts an entry into one of its slots; false if too many others would have to move. */
static bool insert(struct compile *c, uint32_t number, struct entry entry)
{
    bool wide = is_wide(trie_node(c->trie, number));
    unsigned bits = slot_bits(c, number);
    uint64_t by = multiplier(c, number), product = entry.key * by;
    uint32_t at = (uint32_t)(product >> (64 - bits));
    c->table.key = entry.key;
    c->table.child = entry.child;
    for (unsigned kicks = 0; kicks < KICKS_MAX; kicks++) {
        struct entry there = get_slot(c, wide, at);
        c->effort += kicks % 4 == 0;
        put_slot(c, wide, at, entry);
        if (!there.child)
            return true;
        if (is_perfect(c, number))
            return false;
        entry = there;
        product = entry.key * by;
        uint32_t one = (uint32_t)(product >> (64 - bits));
        at = at == one ? (uint32_t)(product << bits >> (64 - bits)) : one;
    }
    return false;
}

/* What stands in the table for a child. */
static uint32_t target(struct compile *c, uint32_t number, uint32_t child)
{
    const struct record *record = record_of(c, number);
    uint32_t to = child ? landing(c, number, child) : 0;
    c->effort++;
    uint32_t table = vcode_offset(&c->v, record->table);
    if (record->direct)
        return child ? trie_node(c->trie, to)->id : DPF_NONE;
    uint32_t label =
        child ? compile_label_of(c, to) : compile_fail_of(c, trie_node(c->trie, number));
    return vcode_offset(&c->v, label) - (table - (uint32_t)vcode_low(table, record->anchor));
}

static size_t table_bytes(const struct compile *c, uint32_t number)
{
    const struct trie_node *node = trie_node(c->trie, number);
    if (is_jump(node))
        return 4 * (size_t)jump_entries(node);
    return 8 + ((size_t)(is_wide(node) ? 16 : 8) << slot_bits(c, number));
}

enum step { RESERVE, CLEAR, FILL, FINISH };

/* Another multiplier, or if too many have failed, another pass with larger tables. */
static void retry(struct compile *c, uint32_t number)
{
    struct record *record = record_of(c, number);
    c->inner = 0;
    c->table.step = CLEAR;
    if (++record->attempt < ATTEMPTS_MAX)
        return;
    record->attempt = 0;
    c->enlarged = true;
    if (++record->slack > SLACK_MAX)
        c->error = DPF_E_SPACE;
}

static void fill(struct compile *c, uint32_t number)
{
    const struct trie_node *node = trie_node(c->trie, number);
    const struct trie_slot *slots = slots_of(c->trie, node);
    struct field field = field_of_trie(node);
    unsigned dropped = is_jump(node) ? span_of(field).dropped : 0;
    for (unsigned i = 0; i < A_FILL && c->inner < slot_count(node); i++) {
        const struct trie_slot *slot = &slots[c->inner++];
        if (!slot->child)
            continue;
        if (is_jump(node))
            ((uint32_t *)c->table.memory)[slot->value >> dropped] = slot->child;
        else if (!insert(c, number,
                         (struct entry){key_of_value(field, slot->value), slot->child})) {
            retry(c, number);
            return;
        }
    }
    if (c->inner == slot_count(node)) {
        c->inner = 0;
        c->table.step = FINISH;
    }
}

/* Children's numbers become what the code follows. True after the last. */
static bool finish_jump(struct compile *c, uint32_t number)
{
    uint32_t count = jump_entries(trie_node(c->trie, number)), *entries = c->table.memory;
    for (unsigned i = 0; i < A_STEP && c->inner < count; i++, c->inner++)
        entries[c->inner] = target(c, number, entries[c->inner]);
    return c->inner == count;
}

static bool finish_hash(struct compile *c, uint32_t number)
{
    bool wide = is_wide(trie_node(c->trie, number));
    uint32_t count = UINT32_C(1) << slot_bits(c, number);
    struct entry spare = {c->table.key, target(c, number, c->table.child)};
    for (unsigned i = 0; i < A_STEP && c->inner < count; i++, c->inner++) {
        struct entry entry = get_slot(c, wide, c->inner);
        if (entry.child)
            entry.child = target(c, number, entry.child);
        else
            entry = spare;
        put_slot(c, wide, c->inner, entry);
    }
    if (c->inner == count)
        *(uint64_t *)c->table.memory = multiplier(c, number);
    return c->inner == count;
}

bool compile_tables(struct compile *c)
{
    uint32_t number = c->table.first;
    if (!number || c->enlarged)
        return true;
    size_t bytes = table_bytes(c, number);
    switch (c->table.step) {
    case RESERVE:
        vcode_align(&c->v, 8);
        while (vcode_low(c->v.used, record_of(c, number)->anchor) > 2047 - 16)
            vcode_double(&c->v, 0); /* so that low part and addend fit together */
        vcode_bind(&c->v, record_of(c, number)->table);
        c->table.memory = vcode_space(&c->v, bytes);
        c->inner = 0;
        c->table.step = CLEAR;
        return c->table.memory == 0;
    case CLEAR: {
        size_t from = 8 * (size_t)A_STEP * c->inner++;
        size_t left = bytes - from;
        memset((uint8_t *)c->table.memory + from, 0, left < 8 * A_STEP ? left : 8 * A_STEP);
        if (left <= 8 * A_STEP) {
            c->inner = 0;
            c->table.step = FILL;
        }
        return false;
    }
    case FILL:
        fill(c, number);
        return false;
    default:
        if (is_jump(trie_node(c->trie, number)) ? finish_jump(c, number) : finish_hash(c, number)) {
            c->table.first = record_of(c, number)->next;
            c->table.step = RESERVE;
        }
        return c->table.first == 0;
    }
}
