/*
 * The comparison of a binding under way with others. Bindings are compared from the outside in:
 * what is disjoint from one is so from all inside it, and those need no search.
 */
#include "kernel/net_compare.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/check/hard.h"
#include "kernel/expose.h"
#include "kernel/netif.h"

#define DECIDE_BUDGET 20000           /* steps of one containment or overlap */
#define STEP          HARD(500, 4000) /* operations of some 50 instructions in a step (dpf.h) */
#define LOOK          1               /* that looking at a binding takes */
#define ASK           8               /* and beginning with a question */

/* What is known of the bindings, compared with the one under way. */
enum {
    KNOWN = 1,       /* and so are those around it */
    IN_DISJOINT = 2, /* no frame is let in by both, and so by none inside the other */
    OUT_DISJOINT = 4,
    INNER = 8,   /* it is contained in the new one, which is the same owner's */
    AROUND = 16, /* the new one lies in it: that they overlap is as it should be */
};

/* Asked of the new binding's filters and another's, in this order. */
enum question { WHICH, OVERLAPS_OUT, OVERLAPS_IN, IS_INSIDE, IS_OUTSIDE };

static uint8_t *marks; /* info->binding_count of them */
static void *scratch;  /* of the question under way */

static struct {
    uint32_t index; /* of the new binding */
    uint32_t parent, owner;
    uint16_t netif;
    uint32_t around;        /* marked as such are those inside it; itself, when all are */
    uint32_t next;          /* all bindings before it are known */
    uint32_t other;         /* the one compared with, which may be one around next */
    enum question question; /* about it */
    bool is_asked;
    bool inside;
    uint32_t inner; /* bindings marked so */
    size_t work;    /* operations left in this step */
} compare;

void net_compare_init(void)
{
    size_t pages_of_marks = (info->binding_count * sizeof(*marks) + PAGE_SIZE - 1) / PAGE_SIZE;

    marks = boot_alloc(pages_of_marks, 1);
    scratch = boot_alloc((DPF_SCRATCH_SIZE + PAGE_SIZE - 1) / PAGE_SIZE, 1);
}

void net_compare_begin(uint32_t index, uint32_t parent, uint32_t owner, uint16_t netif)
{
    memset(&compare, 0, sizeof(compare));
    memset(marks, 0, info->binding_count * sizeof(*marks));
    compare.index = index;
    compare.parent = compare.around = parent;
    compare.owner = owner;
    compare.netif = netif;
}

static struct binding *made(void)
{
    return netif_binding_state(compare.index);
}

/* A part of whether a contains b, or overlaps it; the first one asks. */
static enum dpf_decision decide(bool is_containment, const struct dpf_filter *a,
                                const struct dpf_filter *b)
{
    if (!compare.is_asked && is_containment)
        dpf_contains_begin(a, b, DECIDE_BUDGET, scratch);
    else if (!compare.is_asked)
        dpf_overlaps_begin(a, b, DECIDE_BUDGET, scratch);
    if (!compare.is_asked)
        compare.work -= compare.work < ASK ? compare.work : ASK;
    enum dpf_decision decision = dpf_decide(scratch, &compare.work);
    compare.is_asked = decision == DPF_MORE;
    return decision;
}

long net_compare_parent(bool is_egress)
{
    const struct binding *parent = netif_binding_state(compare.parent);

    compare.work = STEP;
    enum dpf_decision decision = decide(true, is_egress ? &parent->egress : &parent->ingress,
                                        is_egress ? &made()->egress : &made()->ingress);
    if (decision == DPF_MORE || decision == DPF_YES)
        return decision == DPF_MORE;
    return decision == DPF_UNDECIDED ? -AEGIS_E_BUDGET : -AEGIS_E_NOT_CONTAINED;
}

static void note_known(uint32_t index, bool is_inside, bool is_outside)
{
    const struct binding *other = netif_binding_state(index);

    if (is_inside && other->rank >= made()->rank)
        made()->rank = other->rank + 1;
    marks[index] |= (uint8_t)(KNOWN | (is_outside ? INNER : 0));
    compare.inner += is_outside;
}

static bool pay(size_t work)
{
    bool some = compare.work > 0;

    compare.work -= work < compare.work ? work : compare.work;
    return some;
}

/* Marks the parent and all around it. One that ends meanwhile leaves its place to the one around
 * it. */
static bool mark_around(void)
{
    while (!(marks[compare.around] & AROUND)) {
        if (!pay(LOOK))
            return false;
        marks[compare.around] |= AROUND;
        if (netif_row(compare.around)->owner)
            note_known(compare.around, true, false);
        compare.around = netif_row(compare.around)->parent;
    }
    return true;
}

/*
 * What to compare with before the binding index can be: the outermost around it that isn't known
 * yet; itself, if all those are. What is around a known one is known, too.
 */
static uint32_t outermost_unknown(uint32_t index)
{
    uint32_t found = index;

    for (uint32_t i = index; !(marks[i] & KNOWN); i = netif_row(i)->parent) {
        found = i;
        pay(LOOK);
    }
    return found;
}

/* Goes on to the next binding to compare with; false at the end, or when the work is spent. */
static bool find_other(void)
{
    for (; compare.next < info->binding_count && pay(LOOK); compare.next++) {
        const struct aegis_binding_info *i = netif_row(compare.next);
        bool is_foreign = !i->owner || i->netif != compare.netif || (i->flags & BIND_COPIES);
        if (is_foreign || (marks[compare.next] & KNOWN))
            continue;
        compare.other = outermost_unknown(compare.next);
        marks[compare.other] |=
            marks[netif_row(compare.other)->parent] & (IN_DISJOINT | OUT_DISJOINT);
        compare.question = OVERLAPS_OUT;
        return true;
    }
    return false;
}

static void next_question(enum question question)
{
    compare.question = question;
    if (question == WHICH)
        marks[compare.other] |= KNOWN;
}

/* What bars the new binding when both can have the same frame: nothing, if that isn't so. */
static long bars(enum dpf_decision decision)
{
    return decision == DPF_NO ? 0 : decision == DPF_YES ? -AEGIS_E_OVERLAP : -AEGIS_E_BUDGET;
}

static long overlaps_out(const struct binding *other)
{
    enum dpf_decision decision = DPF_NO;

    if (netif_row(compare.other)->owner != compare.owner &&
        !(marks[compare.other] & OUT_DISJOINT)) {
        decision = decide(false, &made()->egress, &other->egress);
        if (decision == DPF_MORE)
            return 0;
        if (decision == DPF_NO)
            marks[compare.other] |= OUT_DISJOINT;
    }
    next_question(OVERLAPS_IN);
    return bars(decision);
}

static long overlaps_in(const struct binding *other)
{
    enum dpf_decision decision = DPF_NO;

    if (!(marks[compare.other] & IN_DISJOINT))
        decision = decide(false, &made()->ingress, &other->ingress);
    if (decision == DPF_MORE)
        return 0;
    if (decision == DPF_NO)
        marks[compare.other] |= IN_DISJOINT;
    bool may_nest = decision == DPF_YES && netif_row(compare.other)->owner == compare.owner;
    next_question(may_nest ? IS_INSIDE : WHICH);
    return may_nest ? 0 : bars(decision);
}

/* One owner's may overlap if one of them is contained in the other, and not the other way too. */
static long nests(const struct binding *other)
{
    bool is_inside = compare.question == IS_INSIDE;
    enum dpf_decision decision = decide(true, is_inside ? &other->ingress : &made()->ingress,
                                        is_inside ? &made()->ingress : &other->ingress);

    if (decision == DPF_MORE)
        return 0;
    if (is_inside) {
        compare.inside = decision == DPF_YES;
        next_question(IS_OUTSIDE);
        return 0;
    }
    bool outside = decision == DPF_YES;
    if (compare.inside == outside)
        return -AEGIS_E_OVERLAP;
    note_known(compare.other, compare.inside, outside);
    next_question(WHICH);
    return 0;
}

/* Goes on with the question under way: 0, or what bars the new binding. */
static long go_on(void)
{
    const struct binding *other = netif_binding_state(compare.other);

    if (compare.question == OVERLAPS_OUT)
        return overlaps_out(other);
    return compare.question == OVERLAPS_IN ? overlaps_in(other) : nests(other);
}

long net_compare_step(void)
{
    compare.work = STEP;
    if (!mark_around())
        return 1;
    /* One that has ended is asked no more; nobody else gets its number before this one is made. */
    if (compare.question != WHICH && !netif_row(compare.other)->owner) {
        compare.is_asked = false;
        compare.question = WHICH;
    }
    while (compare.work > 0 && (compare.question != WHICH || find_other())) {
        long error = go_on();
        if (error)
            return error;
    }
    return compare.question != WHICH || compare.next < info->binding_count;
}

bool net_compare_is_inner(uint32_t index)
{
    return marks[index] & INNER;
}

void net_compare_rank_inner(void)
{
    for (uint32_t i = 0; i < info->binding_count && compare.inner > 0; i++) {
        bool is_inner = marks[i] & INNER;
        netif_binding_state(i)->rank += is_inner;
        compare.inner -= is_inner;
    }
}
