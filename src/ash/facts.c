/*
 * Facts at a point of a program: joining them, frame and stack in them.
 */
#include "ash/facts.h"

#include <string.h>

void ash_facts_clear(struct ash_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++)
        facts->registers[i] = ash_unknown();
}

void ash_facts_rename(struct ash_facts *facts, uint16_t name, unsigned but)
{
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++)
        if (i != but && facts->registers[i].id == name)
            ash_lose_name(&facts->registers[i]);
    for (unsigned i = 0; i < ASH_SPILLS; i++)
        if (facts->spills[i].slot && facts->spills[i].value.id == name)
            ash_lose_name(&facts->spills[i].value);
}

void ash_facts_join(struct ash_facts *into, const struct ash_facts *from, uint32_t at)
{
    if (from->reach < into->reach)
        into->reach = from->reach;
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++)
        into->registers[i] = ash_join(&into->registers[i], &from->registers[i], ash_name(at, i));
    for (unsigned i = 0; i < ASH_STACK_FRAME / 64; i++)
        into->written[i] &= from->written[i];
    for (unsigned i = 0; i < ASH_SPILLS; i++) {
        struct ash_spill *spill = &into->spills[i];
        const struct ash_value *other = spill->slot ? ash_facts_spilled(from, spill->slot) : NULL;
        if (other)
            spill->value = ash_join(&spill->value, other, 0);
        else
            spill->slot = 0;
    }
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++)
        if (into->registers[i].id == ash_name(at, i))
            ash_facts_rename(into, ash_name(at, i), i);
}

static bool same_spills(const struct ash_facts *a, const struct ash_facts *b)
{
    for (unsigned i = 0; i < ASH_SPILLS; i++) {
        int32_t slot = a->spills[i].slot;
        const struct ash_value *other = slot ? ash_facts_spilled(b, slot) : NULL;
        if (slot && !(other && ash_same(&a->spills[i].value, other)))
            return false;
    }
    return true;
}

bool ash_facts_same(const struct ash_facts *a, const struct ash_facts *b)
{
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++)
        if (!ash_same(&a->registers[i], &b->registers[i]))
            return false;
    return a->reach == b->reach && memcmp(a->written, b->written, sizeof a->written) == 0 &&
           same_spills(a, b) && same_spills(b, a);
}

void ash_facts_widen(const struct ash_facts *old, struct ash_facts *new)
{
    if (new->reach < old->reach)
        new->reach = 0;
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++)
        new->registers[i] = ash_widen(&old->registers[i], &new->registers[i]);
    for (unsigned i = 0; i < ASH_SPILLS; i++) {
        struct ash_spill *spill = &new->spills[i];
        const struct ash_value *before = spill->slot ? ash_facts_spilled(old, spill->slot) : NULL;
        if (before)
            spill->value = ash_widen(before, &spill->value);
    }
}

void ash_facts_each(struct ash_facts *facts, uint8_t kind, uint16_t id,
                    void (*visit)(struct ash_value *value, const void *what), const void *what)
{
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++) {
        struct ash_value *v = &facts->registers[i];
        if (v->kind == kind && v->id == id)
            visit(v, what);
    }
    for (unsigned i = 0; i < ASH_SPILLS; i++) {
        struct ash_value *v = &facts->spills[i].value;
        if (facts->spills[i].slot && v->kind == kind && v->id == id)
            visit(v, what);
    }
}

static void reach_farther(struct ash_value *value, const void *what)
{
    const uint32_t *bytes = what;
    if (*bytes > value->reach && !ash_is_adrift(value))
        value->reach = *bytes;
}

void ash_facts_reach(struct ash_facts *facts, uint16_t id, uint32_t bytes)
{
    if (id == 0 && bytes > facts->reach)
        facts->reach = bytes;
    ash_facts_each(facts, ASH_FRAME, id, reach_farther, &bytes);
}

static void lose(struct ash_value *value)
{
    if (value->kind == ASH_FRAME || value->kind == ASH_FRAME_END)
        *value = ash_unknown();
}

void ash_facts_frame_moved(struct ash_facts *facts)
{
    facts->reach = 0;
    for (unsigned i = 0; i < ASH_NAMED_REGISTERS; i++)
        lose(&facts->registers[i]);
    for (unsigned i = 0; i < ASH_SPILLS; i++)
        lose(&facts->spills[i].value);
}

void ash_facts_forget_spills(struct ash_facts *facts)
{
    for (unsigned i = 0; i < ASH_SPILLS; i++)
        facts->spills[i].slot = 0;
}

static void spill(struct ash_facts *facts, int64_t slot, const struct ash_value *value)
{
    for (unsigned i = 0; i < ASH_SPILLS; i++) {
        if (facts->spills[i].slot == 0) {
            facts->spills[i] = (struct ash_spill){(int32_t)slot, *value};
            return;
        }
    }
}

void ash_facts_store(struct ash_facts *facts, int64_t low, int64_t high,
                     const struct ash_value *value)
{
    for (int64_t i = low; i < high; i++)
        facts->written[(i + ASH_STACK_FRAME) / 64] |= UINT64_C(1) << ((i + ASH_STACK_FRAME) % 64);
    for (unsigned i = 0; i < ASH_SPILLS; i++) {
        struct ash_spill *s = &facts->spills[i];
        if (s->slot && s->slot < high && low < s->slot + 8)
            s->slot = 0;
    }
    if (value && high - low == 8)
        spill(facts, low, value);
}

bool ash_facts_is_written(const struct ash_facts *facts, int64_t low, int64_t high)
{
    for (int64_t i = low; i < high; i++)
        if (!(facts->written[(i + ASH_STACK_FRAME) / 64] >> ((i + ASH_STACK_FRAME) % 64) & 1))
            return false;
    return true;
}

const struct ash_value *ash_facts_spilled(const struct ash_facts *facts, int64_t slot)
{
    for (unsigned i = 0; i < ASH_SPILLS; i++)
        if (facts->spills[i].slot && facts->spills[i].slot == slot)
            return &facts->spills[i].value;
    return NULL;
}
