/*
 * Deduction over facts about a frame (facts.h).
 *
 * The one hard question is whether several sets, under different masks and from fields that
 * overlap, leave a common value. They are all read as sets of one number, the bytes that they
 * cover, and that number is raised from 0: each set in turn names the least value not below it that
 * it allows, until all agree or one has none left (a leapfrog join).
 */
#include "dpf/facts.h"

/* Raises of a join under different masks, which may take long; then the answer is a guess. */
#define MOVES_MAX 64

void facts_start(struct facts *facts, size_t budget)
{
    facts->budget = budget;
    facts->guessed = facts->full = false;
    facts->count = 0;
    facts->bases = 1;
    facts->base[0] = (struct base){0};
}

void facts_return(struct facts *facts, unsigned count, unsigned bases)
{
    facts->count = (uint16_t)count;
    facts->bases = (uint8_t)bases;
    for (unsigned i = 1; i < bases; i++)
        if (facts->base[i].known_at > count)
            facts->base[i].known_at = 0;
}

struct place facts_resolve(const struct facts *facts, struct place place)
{
    while (facts->base[place.base].known_at) {
        place.offset += facts->base[place.base].by;
        place.base = facts->base[place.base].place.base;
    }
    return place;
}

/* Whether base low is base high or one that it was made from, so that value(low) <= value(high). */
static bool below(const struct facts *facts, uint8_t low, uint8_t high)
{
    while (high && high != low)
        high = facts->base[high].place.base;
    return high == low;
}

/* The least value >= from, both under the mask, that the set allows; false if there is none. */
static bool least_allowed(const struct about *a, uint64_t from, uint64_t *value)
{
    unsigned i = dpf_range_from(a->set, a->count, from);
    bool inside = i < a->count && a->set[i].low <= from;
    *value = from;
    if (inside == a->holds)
        return true;
    if (a->holds) {
        *value = i < a->count ? a->set[i].low : 0;
        return i < a->count;
    }
    *value = dpf_next_under(a->set[i].high, a->mask);
    return a->set[i].high != a->mask; /* ranges don't adjoin, so the next value is outside */
}

/*
 * The least number >= v, of bits under domain only, that the fact allows. Such a number equals v,
 * or it has a 1 where v has a 0, the same bits above that place, and any bits below it; the lowest
 * such place that works gives the least one.
 */
static bool raise(const struct about *a, uint64_t domain, uint64_t v, uint64_t *result)
{
    uint64_t mask = a->mask << a->up, least;
    *result = v;
    if (least_allowed(a, (v & mask) >> a->up, &least) && least == (v & mask) >> a->up)
        return true;
    for (uint64_t zeros = domain & ~v; zeros; zeros &= zeros - 1) {
        uint64_t bit = zeros & -zeros, free = bit - 1;
        uint64_t next = (v | bit) & ~free;
        if (least_allowed(a, (next & mask) >> a->up, &least) &&
            ((least << a->up) & ~free) == (next & mask)) {
            *result = next | ((least << a->up) & free);
            return true;
        }
    }
    return false;
}

static void spend(struct facts *facts, size_t steps)
{
    facts->budget -= steps < facts->budget ? steps : facts->budget;
}

/* Whether one number satisfies the first count of facts->about; it is left in value. After moves
   raises the answer is a guess. */
static bool common_value(struct facts *facts, unsigned count, size_t moves, uint64_t *value)
{
    uint64_t domain = 0, v = 0, raised;
    for (unsigned i = 0; i < count; i++)
        domain |= facts->about[i].mask << facts->about[i].up;
    spend(facts, count / 8);
    for (unsigned agreed = 0, i = 0; agreed < count; i = (i + 1) % count) {
        if (!raise(&facts->about[i], domain, v, &raised))
            return false;
        agreed = raised == v ? agreed + 1 : 1;
        if (raised != v) {
            spend(facts, 1);
            if (moves-- == 0 || facts->budget == 0) {
                facts->guessed = true;
                break;
            }
        }
        v = raised;
    }
    *value = v;
    return true;
}

/* Bytes that a question and the facts beside it cover, at most 8 of them. */
struct window {
    uint32_t low, high;
};

static bool widen(struct window *window, uint32_t low, uint32_t high)
{
    struct window w = *window;
    if (low >= w.high || high <= w.low)
        return false;
    w.low = low < w.low ? low : w.low;
    w.high = high > w.high ? high : w.high;
    if (w.high - w.low > 8)
        return false;
    *window = w;
    return true;
}

/* The window for a field: its own bytes, and those of the facts that overlap it while they fit. */
static struct window window_of(const struct facts *facts, struct place place, unsigned width)
{
    struct window window = {place.offset, place.offset + width};
    for (unsigned i = 0; i < facts->count; i++) {
        const struct fact *f = &facts->fact[i];
        struct place p = facts_resolve(facts, f->place);
        if (f->kind == FACT_FIELD && p.base == place.base)
            widen(&window, p.offset, p.offset + f->width);
    }
    return window;
}

static struct about about(const struct fact *f, unsigned up)
{
    return (struct about){f->set, f->mask, f->count, (uint8_t)up, f->holds};
}

/* Puts into facts->about the question, then the facts on its very field and mask: same is how many
   those are; then the others that lie in its window. Returns how many in all. */
static unsigned gather(struct facts *facts, const struct fact *question, struct window window,
                       unsigned *same)
{
    struct place place = facts_resolve(facts, question->place);
    unsigned n = 0;
    facts->about[n++] = about(question, 8 * (window.high - place.offset - question->width));
    for (int exact = 1; exact >= 0; exact--) {
        for (unsigned i = 0; i < facts->count && n < ABOUT_MAX; i++) {
            const struct fact *f = &facts->fact[i];
            struct place p = facts_resolve(facts, f->place);
            bool equal = p.offset == place.offset && f->width == question->width &&
                         f->mask == question->mask;
            if (f->kind != question->kind || p.base != place.base || equal != exact)
                continue;
            if (p.offset >= window.low && p.offset + f->width <= window.high)
                facts->about[n++] = about(f, 8 * (window.high - p.offset - f->width));
        }
        if (exact)
            *same = n;
    }
    return n;
}

/* The length reaches at least as far as what is readable. */
static uint32_t least_length(const struct facts *facts)
{
    uint32_t least = 0;
    for (unsigned i = 0; i < facts->count; i++) {
        const struct fact *f = &facts->fact[i];
        uint32_t end = facts_resolve(facts, f->place).offset;
        if (f->kind == FACT_READABLE && f->holds && end > least)
            least = end;
    }
    return least;
}

/* facts_possible, and a value of the window's bytes with which it holds. */
static bool possible(struct facts *facts, const struct fact *fact, struct window window,
                     uint64_t *value)
{
    struct dpf_range reach = {0, UINT32_MAX};
    unsigned same = 0, n = gather(facts, fact, window, &same);
    if (fact->kind == FACT_LENGTH && n < ABOUT_MAX) {
        reach.low = least_length(facts);
        facts->about[n++] = (struct about){&reach, UINT32_MAX, 1, 0, true};
    }
    facts->guessed |= n == ABOUT_MAX;
    /* Those under one mask first: among them alone the join ends soon, whatever the others are. */
    return common_value(facts, same, SIZE_MAX, value) &&
           (same == n || common_value(facts, n, MOVES_MAX, value));
}

static bool same_set(const struct fact *a, const struct fact *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count && a->set != b->set; i++)
        if (a->set[i].low != b->set[i].low || a->set[i].high != b->set[i].high)
            return false;
    return true;
}

/* Whether nothing is known yet about a field, or the very question was answered before: *answer is
   then whether the fact is possible. Most questions of a walk are of these kinds. */
static bool is_easy(const struct facts *facts, const struct fact *fact, struct place place,
                    bool *answer)
{
    bool whole = fact->set[0].low == 0 && fact->set[0].high == fact->mask;
    bool easy = true;
    for (unsigned i = 0; i < facts->count; i++) {
        const struct fact *f = &facts->fact[i];
        if (f->kind != FACT_FIELD)
            continue;
        struct place p = facts_resolve(facts, f->place);
        if (p.base != place.base || p.offset >= place.offset + fact->width ||
            place.offset >= p.offset + f->width)
            continue;
        easy = false;
        if (p.offset == place.offset && f->width == fact->width && f->mask == fact->mask &&
            same_set(f, fact)) {
            *answer = f->holds == fact->holds;
            return true;
        }
    }
    *answer = fact->holds || !whole;
    return easy;
}

bool facts_possible(struct facts *facts, const struct fact *fact)
{
    uint64_t value;
    bool answer;
    struct window window = {0, fact->width};
    if (fact->kind == FACT_FIELD) {
        struct place place = facts_resolve(facts, fact->place);
        if (is_easy(facts, fact, place, &answer))
            return answer;
        window = window_of(facts, place, fact->width);
    }
    return possible(facts, fact, window, &value);
}

/* Notes by how much a base is moved, if the facts leave only one possibility. */
static void settle(struct facts *facts, struct base *base)
{
    struct dpf_range all = {0, base->mask};
    struct fact field = {&all, base->mask, base->place, 1, base->width, FACT_FIELD, true};
    struct place place = facts_resolve(facts, base->place);
    struct window window = window_of(facts, place, base->width);
    uint64_t value;
    bool guessed = facts->guessed;
    if (!possible(facts, &field, window, &value))
        return;
    value = value >> 8 * (window.high - place.offset - base->width) & base->mask;
    struct dpf_range only = {value, value};
    uint64_t other;
    field.set = &only;
    field.holds = false;
    if (!possible(facts, &field, window, &other)) {
        base->by = (uint32_t)dpf_shifted(value, base->shift);
        base->known_at = facts->count ? facts->count : 1;
    }
    facts->guessed = guessed; /* a guess here only leaves the base unknown */
}

void facts_learn(struct facts *facts, const struct fact *fact)
{
    if (facts->count == FACTS_MAX) {
        facts->full = true;
        return;
    }
    facts->fact[facts->count++] = *fact;
    if (fact->kind != FACT_FIELD)
        return;
    struct place place = facts_resolve(facts, fact->place);
    for (unsigned i = 1; i < facts->bases; i++) {
        struct base *base = &facts->base[i];
        struct place p = facts_resolve(facts, base->place);
        if (!base->known_at && p.base == place.base && p.offset < place.offset + fact->width &&
            place.offset < p.offset + base->width)
            settle(facts, base);
    }
}

enum readable facts_readable(struct facts *facts, struct place end)
{
    end = facts_resolve(facts, end);
    bool lengths = false;
    for (unsigned i = 0; i < facts->count; i++) {
        const struct fact *f = &facts->fact[i];
        struct place known = facts_resolve(facts, f->place);
        lengths |= f->kind == FACT_LENGTH;
        if (f->kind != FACT_READABLE)
            continue;
        if (f->holds && known.offset >= end.offset && below(facts, end.base, known.base))
            return READABLE_YES;
        if (!f->holds && known.offset <= end.offset && below(facts, known.base, end.base))
            return READABLE_NO;
    }
    struct dpf_range reach = {end.offset, UINT32_MAX};
    struct fact length = {.kind = FACT_LENGTH,
                          .set = &reach,
                          .count = 1,
                          .holds = true,
                          .mask = UINT32_MAX,
                          .width = 4};
    if (lengths && !facts_possible(facts, &length))
        return READABLE_NO;
    return READABLE_UNKNOWN;
}

uint8_t facts_shift(struct facts *facts, const struct dpf_node *node, uint8_t running)
{
    struct place place = {node->offset, node->relative ? running : 0};
    place = facts_resolve(facts, place);
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
    struct base *base = &facts->base[facts->bases++];
    *base = (struct base){
        .mask = node->mask, .place = place, .width = node->width, .shift = node->shift};
    settle(facts, base);
    return (uint8_t)(facts->bases - 1);
}
