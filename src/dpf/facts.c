/*
 * What is known about a frame on one path of a walk: facts and bases (facts.h). ask.c weighs a
 * question against them.
 */
#include "dpf/facts.h"

void facts_start(struct facts *facts, size_t budget)
{
    facts->budget = budget;
    facts->guessed = facts->full = false;
    facts->count = 0;
    facts->bases = 1;
    facts->base[0] = (struct base){0};
}

/* Names all bases anew from the nearest whose distance isn't known: each is made from one of a
 * lower number. */
static void find_roots(struct facts *facts)
{
    for (unsigned i = 1; i < facts->bases; i++) {
        struct base *base = &facts->base[i];
        base->root = (struct place){0, (uint8_t)i};
        if (base->known_at) {
            base->root = facts->base[base->place.base].root;
            base->root.offset += base->by;
        }
    }
}

void facts_return(struct facts *facts, unsigned count, unsigned bases)
{
    facts->count = (uint16_t)count;
    facts->bases = (uint8_t)bases;
    for (unsigned i = 1; i < bases; i++)
        if (facts->base[i].known_at > count)
            facts->base[i].known_at = 0;
    find_roots(facts);
}

struct place facts_resolve(const struct facts *facts, struct place place)
{
    struct place root = facts->base[place.base].root;
    return (struct place){place.offset + root.offset, root.base};
}

/* Whether base low is base high or one that it was made from, so that value(low) <= value(high). */
static bool below(const struct facts *facts, uint8_t low, uint8_t high)
{
    while (high && high != low)
        high = facts->base[high].place.base;
    return high == low;
}

/* Begins to find out about the bases from next to end - 1 that the field at place belongs to. */
static void begin_settling(struct facts *facts, struct place place, unsigned width, unsigned next,
                           unsigned end)
{
    facts->settling = (struct settling){
        .place = place, .width = (uint8_t)width, .next = (uint8_t)next, .end = (uint8_t)end};
}

void facts_learn(struct facts *facts, const struct fact *fact)
{
    if (facts->count == FACTS_MAX) {
        facts->full = true;
        begin_settling(facts, fact->place, 0, 0, 0);
        return;
    }
    facts->fact[facts->count++] = *fact;
    begin_settling(facts, facts_resolve(facts, fact->place), fact->width, 1,
                   fact->kind == FACT_FIELD ? facts->bases : 1);
}

uint8_t facts_shift(struct facts *facts, const struct dpf_node *node, uint8_t running)
{
    struct place place = {node->offset, node->relative ? running : 0};
    place = facts_resolve(facts, place);
    begin_settling(facts, place, node->width, 0, 0);
    for (unsigned i = 1; i < facts->bases; i++) {
        const struct base *b = &facts->base[i];
        struct place p = facts_resolve(facts, b->place);
        if (p.base == place.base && p.offset == place.offset && b->width == node->width &&
            b->mask == node->mask && b->shift == node->shift)
            return (uint8_t)i;
    }
    if (facts->bases == BASES_MAX) {
        facts->full = true;
        return running;
    }
    uint8_t number = facts->bases++;
    facts->base[number] = (struct base){.mask = node->mask,
                                        .place = place,
                                        .root = {0, number},
                                        .width = node->width,
                                        .shift = node->shift};
    begin_settling(facts, place, node->width, number, number + 1u);
    return number;
}

enum settling_stage { NEXT_BASE, ANY_VALUE, ANOTHER_VALUE };

/* Asks for any value of the field that moves the next base, if the settled field belongs to it. */
static void ask_any_value(struct facts *facts)
{
    struct settling *s = &facts->settling;
    const struct base *base = &facts->base[s->next];
    struct place p = facts_resolve(facts, base->place);
    if (base->known_at || p.base != s->place.base || p.offset >= s->place.offset + s->width ||
        s->place.offset >= p.offset + base->width) {
        s->next++;
        return;
    }
    facts->wanted = (struct dpf_range){0, base->mask};
    facts_ask_thoroughly(facts, &(struct fact){.set = &facts->wanted,
                                               .mask = base->mask,
                                               .place = base->place,
                                               .count = 1,
                                               .width = base->width,
                                               .kind = FACT_FIELD,
                                               .holds = true});
    s->guessed = facts->guessed;
    s->stage = ANY_VALUE;
}

/* Asks for another value than the one that was found. */
static void ask_another_value(struct facts *facts)
{
    struct settling *s = &facts->settling;
    const struct base *base = &facts->base[s->next];
    const struct question *q = &facts->question;
    unsigned behind = q->window.high - q->place.offset - base->width;
    struct fact other = q->fact;
    s->value = q->join.value >> 8 * behind & base->mask;
    facts->wanted = (struct dpf_range){s->value, s->value};
    other.holds = false;
    facts_ask_again(facts, &other);
    s->stage = ANOTHER_VALUE;
}

/* Notes by how much the base is moved, if the facts left only one possibility. */
static void note_distance(struct facts *facts, bool is_only)
{
    struct settling *s = &facts->settling;
    struct base *base = &facts->base[s->next];
    if (is_only) {
        base->by = (uint32_t)dpf_shifted(s->value, base->shift);
        base->known_at = facts->count ? facts->count : 1;
        find_roots(facts);
    }
    facts->guessed = s->guessed; /* a guess here only leaves the base unknown */
}

bool facts_settle(struct facts *facts)
{
    struct settling *s = &facts->settling;
    while (s->next < s->end) {
        if (s->stage == NEXT_BASE) {
            ask_any_value(facts);
            continue;
        }
        enum facts_answer answer = facts_answer(facts);
        if (answer == FACTS_MORE)
            return false;
        if (s->stage == ANY_VALUE && answer == FACTS_YES) {
            ask_another_value(facts);
            continue;
        }
        if (s->stage == ANOTHER_VALUE)
            note_distance(facts, answer == FACTS_NO);
        s->stage = NEXT_BASE;
        s->next++;
    }
    return true;
}

void facts_read(struct facts *facts, struct place end)
{
    facts->reading = (struct reading){.end = facts_resolve(facts, end)};
}

/* Whether the length leaves that open: facts about it have been seen. */
static enum readable ask_length(struct facts *facts)
{
    struct reading *r = &facts->reading;
    if (!r->asked) {
        facts->wanted = (struct dpf_range){r->end.offset, UINT32_MAX};
        facts_ask(facts, &(struct fact){.set = &facts->wanted,
                                        .mask = UINT32_MAX,
                                        .count = 1,
                                        .width = 4,
                                        .kind = FACT_LENGTH,
                                        .holds = true});
        r->asked = true;
    }
    enum facts_answer answer = facts_answer(facts);
    if (answer == FACTS_MORE)
        return READABLE_MORE;
    return answer == FACTS_NO ? READABLE_NO : READABLE_UNKNOWN;
}

enum readable facts_readable(struct facts *facts)
{
    struct reading *r = &facts->reading;
    for (; r->fact_at < facts->count; r->fact_at++) {
        const struct fact *f = &facts->fact[r->fact_at];
        struct place known = facts_resolve(facts, f->place);
        if (!facts_pay(facts, 1 + facts->bases / 4))
            return READABLE_MORE;
        r->lengths |= f->kind == FACT_LENGTH;
        if (f->kind != FACT_READABLE)
            continue;
        if (f->holds && known.offset >= r->end.offset && below(facts, r->end.base, known.base))
            return READABLE_YES;
        if (!f->holds && known.offset <= r->end.offset && below(facts, known.base, r->end.base))
            return READABLE_NO;
    }
    return r->lengths ? ask_length(facts) : READABLE_UNKNOWN;
}
