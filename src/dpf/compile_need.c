/*
 * What must be readable for a node to lead anywhere, from the leaves up. As a frame that is too
 * short for all that lies below a node fails there anyway, one check at the top of a straight run
 * does for all of it.
 */
#include "dpf/compile_state.h"

#include <string.h>

#define ENTRIES_A_STEP 32
#define COMMON_MAX     16 /* tests that are asked before a table instead of behind it */

static uint16_t saturated(uint64_t bytes)
{
    return bytes > UINT16_MAX ? UINT16_MAX : (uint16_t)bytes; /* a need may be understated */
}

struct need need_of_field(unsigned level, uint32_t offset, unsigned width)
{
    struct need need = {0};
    if (width == 0)
        return need;
    need.level = (uint8_t)level;
    *(level ? &need.based : &need.frame) = saturated((uint64_t)offset + width);
    return need;
}

struct need need_more(struct need a, struct need b)
{
    if (a.frame < b.frame)
        a.frame = b.frame;
    if (!a.based || (b.based > a.based && a.level == b.level)) {
        a.based = b.based;
        a.level = b.level;
    }
    return a;
}

struct need need_less(struct need a, struct need b)
{
    if (a.frame > b.frame)
        a.frame = b.frame;
    if (a.based > b.based)
        a.based = b.based;
    if (a.level != b.level)
        a.based = 0;
    return a;
}

/* What the alternatives from first on need, of which the last fails to end. All have been visited.
   false: there are more to be looked at, in another step. */
static bool list_need(struct compile *c, uint32_t first, uint32_t end, struct need *need)
{
    struct record *record = record_of(c, first);
    if (!record->listed && !c->alternative) {
        record->list = record->need;
        c->alternative = trie_node(c->trie, first)->fail;
    }
    for (unsigned i = 0; !record->listed && c->alternative != end; i++) {
        if (i == ENTRIES_A_STEP)
            return false;
        record->list = need_less(record->list, record_of(c, c->alternative)->need);
        c->alternative = trie_node(c->trie, c->alternative)->fail;
    }
    if (!record->listed)
        c->effort += 2;
    c->alternative = 0;
    record->listed = true;
    *need = record->list;
    return true;
}

bool compile_mark(struct compile *c)
{
    if (c->cursor >= c->trie->nodes)
        return true;
    const struct trie_node *node = trie_node(c->trie, c->cursor);
    memset(record_of(c, c->cursor++), 0, sizeof(struct record));
    for (uint32_t i = 0; node->kind == TRIE_REST && i < node->rest.slots; i++)
        record_of(c, c->cursor++)->copy = true;
    return false;
}

static bool same_test(const struct trie_node *a, const struct trie_node *b)
{
    return a->kind == TRIE_ONE && b->kind == TRIE_ONE && a->level == b->level &&
           a->offset == b->offset && a->width == b->width && a->mask == b->mask &&
           a->one.low == b->one.low && a->one.high == b->one.high && a->fail == b->fail;
}

/* How many tests a child begins with that the lead begins with, too, each without alternatives; up
   to most. What comes behind them is *at. */
static unsigned in_common(const struct compile *c, uint32_t lead, uint32_t child, uint32_t fail,
                          unsigned most, const struct trie_node **at)
{
    const struct trie_node *a = trie_node(c->trie, lead), *b = trie_node(c->trie, child);
    unsigned count = 0;
    while (count < most && a->fail == fail && same_test(a, b)) {
        a = trie_node(c->trie, a->child);
        b = trie_node(c->trie, b->child);
        count++;
    }
    *at = b;
    return count;
}

/* Takes one entry's child into account, which needs this. */
static void add_child(struct compile *c, const struct trie_node *node, struct record *record,
                      uint32_t child, struct need need)
{
    bool first = record->count++ == 0;
    const struct trie_node *at;
    if (first) {
        record->need = need;
        record->lead = child;
        record->common = COMMON_MAX;
        record->plain = true;
        record->least = UINT64_MAX;
    }
    record->need = need_less(record->need, need);
    unsigned common = in_common(c, record->lead, child, node->fail, record->common, &at);
    if (common < record->common && !first)
        record->plain = false;
    record->common = (uint8_t)common;
    c->effort += 1 + common / 8;
    if (at->kind != TRIE_ACCEPT || !at->order || at->fail != node->fail)
        record->plain = false;
    if (record->plain && key_of(c, at) < record->least)
        record->least = key_of(c, at);
}

/* Some entries of a table; true after the last. */
static bool table_need(struct compile *c, const struct trie_node *node, struct record *record)
{
    uint32_t entries = entry_count(node);
    for (unsigned i = 0; i < ENTRIES_A_STEP && c->inner < entries; i++) {
        uint32_t child = entry_child(c->trie, node, c->inner);
        struct need need;
        if (child && !list_need(c, child, node->fail, &need))
            return false;
        if (child)
            add_child(c, node, record, child, need);
        c->inner++;
    }
    return c->inner == entries;
}

bool compile_need(struct compile *c)
{
    if (c->cursor == 0)
        return true;
    struct record *record = record_of(c, c->cursor);
    const struct trie_node *node = trie_node(c->trie, c->cursor);
    bool leads_on = !record->copy && (node->kind == TRIE_ONE || node->kind == TRIE_SHIFT);
    if (!record->copy && node->kind == TRIE_MANY && !table_need(c, node, record))
        return false;
    if (leads_on && !list_need(c, node->child, node->fail, &record->need))
        return false;
    c->inner = 0;
    c->cursor--;
    if (record->copy || node->kind == TRIE_ACCEPT || node->kind == TRIE_REST)
        return false;
    if (node->kind == TRIE_SHIFT && record->need.level == node->to)
        record->need.based = 0; /* the base isn't there yet */
    record->need = need_more(need_of_field(node->level, node->offset, node->width), record->need);
    return false;
}
