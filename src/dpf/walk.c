/*
 * Containment and overlap of two filters: a walk down both DAGs at once.
 *
 * A state is a node of each filter and what the tests so far have told about the frame. The filter
 * whose atom comes first in the frame takes the next step; where both answers are possible, one is
 * put by and the walk comes back to it. A path ends where the pair of ends settles the question,
 * and is dropped where it can't matter any more. What is put by lies in the caller's scratch
 * memory, so the walk needs no recursion. Nor does a step of it need to be done at once: each is a
 * few stages, which go on where they were left when the work that a call may do is spent.
 */
#include "dpf/facts.h"

#define CHOICES_MAX 512
#define OPERATIONS  4 /* that a step between stages takes */

enum side { A, B }; /* for containment A is the outer filter, B the inner one */

/* A branch put by: where the walk stood, and which side then takes which way. */
struct choice {
    uint16_t at[2];
    uint8_t running[2];
    uint8_t side;
    uint8_t bases;
    uint16_t facts;
    bool load; /* the way: the load succeeds; else: the test's answer is no */
};

struct walk {
    const struct dpf_filter *filter[2];
    bool containment;
    uint8_t decided;    /* enum dpf_decision */
    uint8_t stage;      /* enum stage */
    uint8_t side;       /* whose node it is about */
    bool can_yes;       /* TEST_NO: what TEST_YES found */
    uint16_t at[2];     /* successor that each filter has come to */
    uint8_t running[2]; /* each filter's running base, a number of facts.base */
    uint16_t choices;
    struct facts facts;
    struct choice choice[CHOICES_MAX];
};
_Static_assert(sizeof(struct walk) <= DPF_SCRATCH_SIZE, "the walk lives in the scratch memory");

static bool ended(uint16_t at)
{
    return at == DPF_ACCEPT || at == DPF_REJECT;
}

static const struct dpf_node *node_of(const struct walk *walk, enum side side)
{
    return &walk->filter[side]->nodes[walk->at[side]];
}

/* Puts the present state by, to be resumed at this side's node. */
static void put_by(struct walk *walk, enum side side, bool load)
{
    if (walk->choices == CHOICES_MAX) {
        walk->facts.full = true;
        return;
    }
    walk->choice[walk->choices++] = (struct choice){
        .at = {walk->at[A], walk->at[B]},
        .running = {walk->running[A], walk->running[B]},
        .side = (uint8_t)side,
        .bases = walk->facts.bases,
        .facts = walk->facts.count,
        .load = load,
    };
}

static struct fact test_fact(const struct walk *walk, enum side side, bool holds)
{
    const struct dpf_node *node = node_of(walk, side);
    struct place place = {node->offset, node->relative ? walk->running[side] : 0};
    return (struct fact){
        .set = walk->filter[side]->ranges + node->set,
        .mask = node->mask,
        .place = facts_resolve(&walk->facts, place),
        .count = node->count,
        .width = node->width,
        .kind = node->kind == DPF_LENGTH ? FACT_LENGTH : FACT_FIELD,
        .holds = holds,
    };
}

static struct fact load_fact(const struct walk *walk, enum side side, bool holds)
{
    const struct dpf_node *node = node_of(walk, side);
    struct place end = {(uint32_t)node->offset + node->width,
                        node->relative ? walk->running[side] : 0};
    return (struct fact){
        .place = facts_resolve(&walk->facts, end), .kind = FACT_READABLE, .holds = holds};
}

/* What comes next. A stage returns false when the work is spent before its end. */
enum stage { LOOK_ALIKE, MOVE, LOAD, TEST, TEST_YES, TEST_NO, SETTLE };

static bool next(struct walk *walk, enum stage stage)
{
    walk->stage = (uint8_t)stage;
    return true;
}

static void go(struct walk *walk, uint16_t to)
{
    walk->at[walk->side] = to;
    walk->stage = MOVE;
}

/* Goes on to the test of the side's node, or begins with the load before it. */
static void begin_step(struct walk *walk, enum side side)
{
    walk->side = (uint8_t)side;
    walk->stage = TEST;
    if (node_of(walk, side)->kind == DPF_LENGTH)
        return;
    facts_read(&walk->facts, load_fact(walk, side, true).place);
    walk->stage = LOAD;
}

/*
 * Whether the side's load succeeds. A failure rejects, which matters only for the outer filter of a
 * containment: then that way is taken at once and success is put by.
 */
static bool load(struct walk *walk)
{
    enum side side = walk->side;
    struct fact succeeds = load_fact(walk, side, true), fails = succeeds;
    enum readable readable = facts_readable(&walk->facts);
    if (readable == READABLE_MORE)
        return false;
    if (readable == READABLE_UNKNOWN && walk->containment && side == A) {
        put_by(walk, side, true);
        fails.holds = false;
        facts_learn(&walk->facts, &fails);
        readable = READABLE_NO;
    } else if (readable == READABLE_UNKNOWN) {
        facts_learn(&walk->facts, &succeeds);
    }
    if (readable != READABLE_NO)
        return next(walk, TEST);
    go(walk, DPF_REJECT);
    return true;
}

/* The side's test is asked, or its shift taken. */
static bool test(struct walk *walk)
{
    enum side side = walk->side;
    const struct dpf_node *node = node_of(walk, side);
    if (node->kind == DPF_SHIFT) {
        walk->running[side] = facts_shift(&walk->facts, node, walk->running[side]);
        go(walk, node->yes);
        return next(walk, SETTLE);
    }
    struct fact yes = test_fact(walk, side, true);
    facts_ask(&walk->facts, &yes);
    return next(walk, TEST_YES);
}

static bool test_yes(struct walk *walk)
{
    enum side side = walk->side;
    enum facts_answer answer = facts_answer(&walk->facts);
    if (answer == FACTS_MORE)
        return false;
    if (answer == FACTS_NO) {
        go(walk, node_of(walk, side)->no);
        return true;
    }
    struct fact no = test_fact(walk, side, false);
    facts_ask(&walk->facts, &no);
    return next(walk, TEST_NO);
}

/* Both answers are possible: yes is taken, no put by. */
static bool test_no(struct walk *walk)
{
    enum side side = walk->side;
    enum facts_answer answer = facts_answer(&walk->facts);
    if (answer == FACTS_MORE)
        return false;
    struct fact yes = test_fact(walk, side, true);
    if (answer == FACTS_YES)
        put_by(walk, side, false);
    go(walk, node_of(walk, side)->yes);
    if (answer == FACTS_NO)
        return true;
    facts_learn(&walk->facts, &yes);
    return next(walk, SETTLE);
}

static bool settle(struct walk *walk)
{
    return facts_settle(&walk->facts) && next(walk, MOVE);
}

/* Takes up what was put by last; false if nothing is left. */
static bool resume(struct walk *walk)
{
    if (!walk->choices)
        return false;
    const struct choice *c = &walk->choice[--walk->choices];
    enum side side = c->side;
    walk->side = c->side;
    for (enum side s = A; s <= B; s++) {
        walk->at[s] = c->at[s];
        walk->running[s] = c->running[s];
    }
    facts_return(&walk->facts, c->facts, c->bases);
    if (c->load) {
        struct fact succeeds = load_fact(walk, side, true);
        facts_learn(&walk->facts, &succeeds);
        return next(walk, TEST);
    }
    struct fact no = test_fact(walk, side, false);
    facts_learn(&walk->facts, &no);
    go(walk, node_of(walk, side)->no);
    return next(walk, SETTLE);
}

/* The side to step: the only one not ended, or the one whose atom comes first; B if both are alike.
 */
static enum side next_side(const struct walk *walk)
{
    if (ended(walk->at[A]))
        return B;
    if (ended(walk->at[B]))
        return A;
    const struct dpf_node *a = node_of(walk, A), *b = node_of(walk, B);
    if (a->relative != b->relative)
        return a->relative ? B : A;
    return a->offset < b->offset ? A : B;
}

enum path { PATH_GOES_ON, PATH_DROPPED, PATH_FOUND };

/* What is looked for: both accept; or, for containment, the inner filter accepts and the outer
 * rejects. */
static enum path judge(const struct walk *walk)
{
    uint16_t wanted = walk->containment ? DPF_REJECT : DPF_ACCEPT;
    if (walk->at[B] == DPF_REJECT || (ended(walk->at[A]) && walk->at[A] != wanted))
        return PATH_DROPPED;
    return walk->at[B] == DPF_ACCEPT && walk->at[A] == wanted ? PATH_FOUND : PATH_GOES_ON;
}

/* Goes a step further, or back to what was put by. */
static bool move(struct walk *walk)
{
    if (!facts_pay(&walk->facts, OPERATIONS))
        return false;
    enum path path = judge(walk);
    if (path == PATH_FOUND)
        walk->decided = walk->facts.guessed || walk->facts.full ? DPF_UNDECIDED : DPF_YES;
    else if (path == PATH_DROPPED && !resume(walk))
        walk->decided = DPF_NO;
    else if (path == PATH_GOES_ON && (!walk->facts.budget || walk->facts.full))
        walk->decided = DPF_UNDECIDED;
    else if (path == PATH_GOES_ON) {
        walk->facts.budget--;
        begin_step(walk, next_side(walk));
    }
    return true;
}

/* Whether two nodes ask for the same bytes, given that the running bases are the same. */
static bool ask_alike(const struct dpf_node *x, const struct dpf_node *y)
{
    return x->kind == y->kind && x->width == y->width && x->relative == y->relative &&
           x->shift == y->shift && x->offset == y->offset && x->mask == y->mask;
}

static void start(struct walk *walk, enum stage stage)
{
    walk->at[A] = walk->filter[A]->entry;
    walk->at[B] = walk->filter[B]->entry;
    walk->stage = (uint8_t)stage;
}

/*
 * Whether both filters begin with the same demands, until one of them asks for other values of the
 * same field: then no frame suits both. That is how filters of one shape differ, of which a kernel
 * has thousands, and seeing it takes a hundredth of the search. Shifts on the way are alike too, so
 * bases are.
 */
static bool look_alike(struct walk *walk)
{
    while (!ended(walk->at[A]) && !ended(walk->at[B])) {
        const struct dpf_node *x = node_of(walk, A), *y = node_of(walk, B);
        if (!facts_pay(&walk->facts, OPERATIONS))
            return false;
        if (x->no != DPF_REJECT || y->no != DPF_REJECT || !ask_alike(x, y))
            break;
        const struct dpf_range *p = &walk->filter[A]->ranges[x->set],
                               *q = &walk->filter[B]->ranges[y->set];
        if (x->count == 1 && y->count == 1 && (p->high < q->low || q->high < p->low)) {
            walk->decided = DPF_NO;
            return true;
        }
        walk->at[A] = x->yes;
        walk->at[B] = y->yes;
    }
    start(walk, MOVE);
    return true;
}

static void begin(struct walk *walk, const struct dpf_filter *a, const struct dpf_filter *b,
                  bool containment, size_t budget)
{
    walk->filter[A] = a;
    walk->filter[B] = b;
    walk->containment = containment;
    walk->decided = DPF_MORE;
    walk->running[A] = walk->running[B] = 0;
    walk->choices = 0;
    facts_start(&walk->facts, budget);
    start(walk, containment ? MOVE : LOOK_ALIKE);
}

void dpf_overlaps_begin(const struct dpf_filter *a, const struct dpf_filter *b, size_t budget,
                        void *scratch)
{
    begin(scratch, a, b, false, budget);
}

void dpf_contains_begin(const struct dpf_filter *outer, const struct dpf_filter *inner,
                        size_t budget, void *scratch)
{
    begin(scratch, outer, inner, true, budget);
}

static bool (*const stages[])(struct walk *walk) = {
    [LOOK_ALIKE] = look_alike, [MOVE] = move,       [LOAD] = load,     [TEST] = test,
    [TEST_YES] = test_yes,     [TEST_NO] = test_no, [SETTLE] = settle,
};

enum dpf_decision dpf_decide(void *scratch, size_t *work)
{
    struct walk *walk = scratch;
    walk->facts.work = *work;
    while (walk->decided == DPF_MORE && stages[walk->stage](walk))
        ;
    *work = walk->facts.work;
    enum dpf_decision found = walk->decided;
    if (!walk->containment || found == DPF_UNDECIDED || found == DPF_MORE)
        return found;
    return found == DPF_YES ? DPF_NO : DPF_YES; /* what was looked for is a frame that refutes it */
}

/* Without steps. */
static enum dpf_decision decide(void *scratch)
{
    enum dpf_decision decision = DPF_MORE;
    while (decision == DPF_MORE) {
        size_t work = SIZE_MAX;
        decision = dpf_decide(scratch, &work);
    }
    return decision;
}

enum dpf_decision dpf_overlaps(const struct dpf_filter *a, const struct dpf_filter *b,
                               size_t budget, void *scratch)
{
    dpf_overlaps_begin(a, b, budget, scratch);
    return decide(scratch);
}

enum dpf_decision dpf_contains(const struct dpf_filter *outer, const struct dpf_filter *inner,
                               size_t budget, void *scratch)
{
    dpf_contains_begin(outer, inner, budget, scratch);
    return decide(scratch);
}
