/*
 * One question about a frame, weighed against what is known (facts.h), in steps.
 *
 * The one hard question is whether several sets, under different masks and from fields that
 * overlap, leave a common value. They are all read as sets of one number, the bytes that they
 * cover, and that number is raised from 0: each set in turn names the least value not below it that
 * it allows, until all agree or one has none left (a leapfrog join).
 */
#include "dpf/facts.h"

/* Raises of a join under different masks, which may take long; then the answer is a guess. */
#define MOVES_MAX 64
#define SEARCH    4 /* operations that a search of a set takes */
#define COMPARED  8 /* ranges compared in one operation */

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
static bool raise(struct facts *facts, const struct about *a, uint64_t domain, uint64_t v,
                  uint64_t *result)
{
    uint64_t mask = a->mask << a->up, least;
    *result = v;
    if (least_allowed(a, (v & mask) >> a->up, &least) && least == (v & mask) >> a->up)
        return true;
    for (uint64_t zeros = domain & ~v; zeros; zeros &= zeros - 1) {
        uint64_t bit = zeros & -zeros, free = bit - 1;
        uint64_t next = (v | bit) & ~free;
        facts_pay(facts, SEARCH);
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

/* Whether the next fact's turn has come: not if there is none, or if the work is spent. */
static bool next_fact(struct facts *facts)
{
    return facts->question.fact_at < facts->count && facts_pay(facts, 1);
}

/* How a stage ended. NEXT: on to the next one. */
enum step { NO = FACTS_NO, YES = FACTS_YES, MORE = FACTS_MORE, NEXT };

/* What a loop over all facts returns behind its last, or when the work is spent. */
static enum step looked_at_all(struct facts *facts)
{
    struct question *q = &facts->question;
    if (q->fact_at < facts->count)
        return MORE;
    q->fact_at = 0;
    return NEXT;
}

static bool equals(const struct dpf_range *a, const struct dpf_range *b)
{
    return a->low == b->low && a->high == b->high;
}

/* Whether a fact has the question's set. MORE: go on with it. */
static enum step same_set(struct facts *facts, const struct fact *f)
{
    struct question *q = &facts->question;
    if (f->count != q->fact.count)
        return NO;
    while (f->set != q->fact.set && q->range_at < f->count) {
        if (!equals(&f->set[q->range_at], &q->fact.set[q->range_at])) {
            q->range_at = 0;
            return NO;
        }
        if (++q->range_at % COMPARED == 0 && !facts_pay(facts, 1))
            return MORE;
    }
    q->range_at = 0;
    return YES;
}

static bool overlaps(struct place p, unsigned width, struct place q, unsigned other)
{
    return p.base == q.base && p.offset < q.offset + other && q.offset < p.offset + width;
}

/* Whether nothing is known yet about the field, or the very question was answered before. Most
   questions of a walk are of these kinds. */
static enum step look_for_same(struct facts *facts)
{
    struct question *q = &facts->question;
    const struct fact *fact = &q->fact;
    for (; q->range_at > 0 || next_fact(facts); q->fact_at++) {
        const struct fact *f = &facts->fact[q->fact_at];
        if (f->kind != FACT_FIELD)
            continue;
        struct place p = facts_resolve(facts, f->place);
        if (!overlaps(p, f->width, q->place, fact->width))
            continue;
        q->easy = false;
        if (p.offset != q->place.offset || f->width != fact->width || f->mask != fact->mask)
            continue;
        enum step same = same_set(facts, f);
        if (same == MORE)
            return MORE;
        if (same == YES)
            return f->holds == fact->holds ? YES : NO;
    }
    enum step end = looked_at_all(facts);
    if (end == MORE || !q->easy)
        return end;
    bool whole = fact->set[0].low == 0 && fact->set[0].high == fact->mask;
    return fact->holds || !whole ? YES : NO;
}

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
static enum step find_window(struct facts *facts)
{
    struct question *q = &facts->question;
    for (; next_fact(facts); q->fact_at++) {
        const struct fact *f = &facts->fact[q->fact_at];
        struct place p = facts_resolve(facts, f->place);
        if (f->kind == FACT_FIELD && p.base == q->place.base)
            widen(&q->window, p.offset, p.offset + f->width);
    }
    return looked_at_all(facts);
}

static struct about about(const struct fact *f, unsigned up)
{
    return (struct about){f->set, f->mask, f->count, (uint8_t)up, f->holds};
}

/* Puts into facts->about the facts on the question's very field and mask, or the others that lie
   in its window. */
static enum step gather(struct facts *facts, bool exact)
{
    struct question *q = &facts->question;
    for (; q->count < ABOUT_MAX && next_fact(facts); q->fact_at++) {
        const struct fact *f = &facts->fact[q->fact_at];
        struct place p = facts_resolve(facts, f->place);
        bool equal =
            p.offset == q->place.offset && f->width == q->fact.width && f->mask == q->fact.mask;
        if (f->kind != q->fact.kind || p.base != q->place.base || equal != exact)
            continue;
        if (p.offset >= q->window.low && p.offset + f->width <= q->window.high)
            facts->about[q->count++] = about(f, 8 * (q->window.high - p.offset - f->width));
    }
    if (q->count == ABOUT_MAX)
        q->fact_at = facts->count;
    return looked_at_all(facts);
}

static enum step gather_same(struct facts *facts)
{
    struct question *q = &facts->question;
    if (q->count == 0)
        facts->about[q->count++] =
            about(&q->fact, 8 * (q->window.high - q->place.offset - q->fact.width));
    enum step end = gather(facts, true);
    q->same = q->count;
    return end;
}

static enum step gather_others(struct facts *facts)
{
    return gather(facts, false);
}

/* Begins to look for a number that the first count of facts->about allow. After moves raises the
   answer is a guess. */
static void join(struct facts *facts, unsigned count, size_t moves)
{
    struct join *join = &facts->question.join;
    *join = (struct join){.count = count, .moves = moves};
    for (unsigned i = 0; i < count; i++)
        join->domain |= facts->about[i].mask << facts->about[i].up;
    spend(facts, count / 8);
    facts_pay(facts, count / 4);
}

/* The length reaches at least as far as what is readable. Then all is gathered. */
static enum step find_reach(struct facts *facts)
{
    struct question *q = &facts->question;
    bool matters = q->fact.kind == FACT_LENGTH && q->count < ABOUT_MAX;
    for (; matters && next_fact(facts); q->fact_at++) {
        const struct fact *f = &facts->fact[q->fact_at];
        uint32_t end = facts_resolve(facts, f->place).offset;
        if (f->kind == FACT_READABLE && f->holds && end > q->least)
            q->least = end;
    }
    if (matters && looked_at_all(facts) == MORE)
        return MORE;
    if (matters) {
        facts->reach = (struct dpf_range){q->least, UINT32_MAX};
        facts->about[q->count++] = (struct about){&facts->reach, UINT32_MAX, 1, 0, true};
    }
    facts->guessed |= q->count == ABOUT_MAX;
    join(facts, q->same, SIZE_MAX);
    return NEXT;
}

/* NO, or NEXT with a number that all allow in join->value, or with a guess. */
static enum step raise_all(struct facts *facts)
{
    struct join *join = &facts->question.join;
    while (join->agreed < join->count) {
        uint64_t raised;
        if (!facts_pay(facts, SEARCH))
            return MORE;
        if (!raise(facts, &facts->about[join->next], join->domain, join->value, &raised))
            return NO;
        join->agreed++;
        if (raised != join->value) {
            join->agreed = 1;
            spend(facts, 1);
            if (join->moves-- == 0 || facts->budget == 0) {
                facts->guessed = true;
                return NEXT;
            }
        }
        join->value = raised;
        join->next = join->next + 1 == join->count ? 0 : join->next + 1;
    }
    return NEXT;
}

/* Those under one mask first: among them alone the join ends soon, whatever the others are. */
static enum step join_same(struct facts *facts)
{
    struct question *q = &facts->question;
    enum step end = raise_all(facts);
    if (end == NEXT && q->same < q->count)
        join(facts, q->count, MOVES_MAX);
    return end == NEXT && q->same == q->count ? YES : end;
}

static enum step join_all(struct facts *facts)
{
    enum step end = raise_all(facts);
    return end == NEXT ? YES : end;
}

enum stage {
    LOOK_FOR_SAME,
    FIND_WINDOW,
    GATHER_SAME,
    GATHER_OTHERS,
    FIND_REACH,
    JOIN_SAME,
    JOIN_ALL
};

static enum step (*const stages[])(struct facts *facts) = {
    [LOOK_FOR_SAME] = look_for_same, [FIND_WINDOW] = find_window, [GATHER_SAME] = gather_same,
    [GATHER_OTHERS] = gather_others, [FIND_REACH] = find_reach,   [JOIN_SAME] = join_same,
    [JOIN_ALL] = join_all,
};

static void begin(struct facts *facts, const struct fact *fact, enum stage stage)
{
    struct question *q = &facts->question;
    q->fact = *fact;
    q->place = facts_resolve(facts, fact->place);
    q->window = (struct window){q->place.offset, q->place.offset + fact->width};
    q->same = q->count = 0;
    q->least = 0;
    q->fact_at = q->range_at = 0;
    q->stage = (uint8_t)stage;
    q->easy = true;
}

void facts_ask(struct facts *facts, const struct fact *fact)
{
    begin(facts, fact, fact->kind == FACT_FIELD ? LOOK_FOR_SAME : GATHER_SAME);
}

void facts_ask_thoroughly(struct facts *facts, const struct fact *fact)
{
    begin(facts, fact, FIND_WINDOW);
}

void facts_ask_again(struct facts *facts, const struct fact *fact)
{
    struct window window = facts->question.window;
    begin(facts, fact, GATHER_SAME);
    facts->question.window = window;
}

enum facts_answer facts_answer(struct facts *facts)
{
    enum step end;
    while ((end = stages[facts->question.stage](facts)) == NEXT)
        facts->question.stage++;
    return (enum facts_answer)end;
}
