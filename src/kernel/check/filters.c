/*
 * Bindings: owners, parents, containment, ranks, and the classifier against the naive evaluator.
 * What takes long is looked at only for bindings that are new or have moved since the last walk.
 */
#include "kernel/check/internal.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/classify.h"
#include "kernel/netif.h"

#define BUDGET  20000 /* steps of one question, as net_bind has */
#define PROBES  8     /* frames of late bindings that are remembered */
#define LENGTH  128   /* bytes of a probe */
#define RESIDUE 6     /* frames lie at 6 mod 8 */

/* What was known of a binding at the last walk. */
struct known {
    const void *images;
    uint64_t generation;
    uint32_t parent;
    uint32_t rank;
    bool bound;
};

static void *scratch;
static struct known *known; /* info->binding_count of them */
static uint8_t probes[PROBES][LENGTH + 8] __attribute__((aligned(8)));
static uint32_t next_probe;

void check_filters_init(void)
{
    scratch = boot_alloc((DPF_SCRATCH_SIZE + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    known = boot_alloc((info->binding_count * sizeof(*known) + PAGE_SIZE - 1) / PAGE_SIZE, 1);
}

/* A tap, or one that shares another's frames. */
static bool has_copies(uint32_t index)
{
    return netif_binding(index)->flags & BIND_COPIES;
}

static bool env_lives(uint32_t env)
{
    return env < ENV_COUNT && env_table[env];
}

static void check_authority(uint32_t index)
{
    const struct aegis_binding_info *b = netif_binding(index);
    uint32_t at = index, steps = 0;

    HOLDS(binding_owner, env_lives(b->owner) && (b->binder == 0 || env_lives(b->binder)),
          "%u is %u's, bound by %u", index, b->owner, b->binder);
    while (netif_binding(at)->parent != at) {
        uint32_t parent = netif_binding(at)->parent;
        const struct aegis_binding_info *p = netif_binding(parent);
        HOLDS(binding_parent, p && p->netif == b->netif && !has_copies(parent),
              "%u lies in %u, which can't be", index, parent);
        HOLDS(binding_parent, ++steps <= info->binding_count, "%u lies in itself", index);
        at = parent;
    }
    HOLDS(binding_parent, netifs[b->netif].info->root == at, "%u's root is %u", index, at);
}

static bool is_inside(uint32_t index, uint32_t ancestor)
{
    for (;; index = netif_binding(index)->parent) {
        if (index == ancestor)
            return true;
        if (netif_binding(index)->parent == index)
            return false;
    }
}

static enum dpf_decision contains(uint32_t outer, uint32_t inner)
{
    return dpf_contains(&netif_binding_state(outer)->ingress, &netif_binding_state(inner)->ingress,
                        BUDGET, scratch);
}

static void check_contained(uint32_t index)
{
    uint32_t parent = netif_binding(index)->parent;

    if (parent == index)
        return;
    HOLDS(binding_contained, contains(parent, index) != DPF_NO, "%u takes more than its parent %u",
          index, parent);
    if (!has_copies(index))
        HOLDS(binding_contained,
              dpf_contains(&netif_binding_state(parent)->egress,
                           &netif_binding_state(index)->egress, BUDGET, scratch) != DPF_NO,
              "%u sends more than its parent %u", index, parent);
}

/* Two bindings whose frames aren't copies, of one interface. */
static void check_pair(uint32_t a, uint32_t b)
{
    const struct binding *one = netif_binding_state(a), *other = netif_binding_state(b);

    if (dpf_overlaps(&one->ingress, &other->ingress, BUDGET, scratch) != DPF_YES)
        return;
    bool in_b = is_inside(a, b), in_a = is_inside(b, a);
    if (!in_a && !in_b) {
        bool mine = netif_binding(a)->owner == netif_binding(b)->owner;
        in_b = mine && contains(b, a) == DPF_YES;
        in_a = mine && contains(a, b) == DPF_YES;
        HOLDS(binding_disjoint, in_a != in_b, "%u and %u overlap", a, b);
    }
    HOLDS(binding_rank, in_b ? one->rank > other->rank : other->rank > one->rank,
          "%u has rank %u, %u has %u", a, one->rank, b, other->rank);
}

static void check_moved(uint32_t index)
{
    check_contained(index);
    if (has_copies(index))
        return;
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (i != index && netif_binding(i) && !has_copies(i) &&
            netif_binding(i)->netif == netif_binding(index)->netif)
            check_pair(index, i);
}

/* Writes a frame that goes the way of yes through a filter, as far as its atoms let it. */
static void make_probe(const struct dpf_filter *f, uint8_t *frame)
{
    size_t base = 0;

    memset(frame, 0, LENGTH);
    for (uint16_t at = f->entry; at < f->node_count; at = f->nodes[at].yes) {
        const struct dpf_node *n = &f->nodes[at];
        size_t offset = n->offset + (n->relative ? base : 0);
        if (n->kind == DPF_LENGTH || offset + n->width > LENGTH)
            continue;
        if (n->kind == DPF_SHIFT) {
            base = n->relative ? base : 0;
            continue;
        }
        uint64_t value = f->ranges[n->set].low;
        for (uint32_t i = n->width; i-- > 0; value >>= 8)
            frame[offset + i] |= (uint8_t)value;
    }
}

/* The binding of the highest rank that takes a frame, by the naive evaluator alone. */
static uint32_t find_naively(uint32_t netif, const uint8_t *frame)
{
    uint32_t best = DPF_NONE;

    for (uint32_t i = 0; i < info->binding_count; i++) {
        const struct aegis_binding_info *b = netif_binding(i);
        if (!b || b->netif != netif || has_copies(i))
            continue;
        if ((best == DPF_NONE || netif_binding_state(i)->rank > netif_binding_state(best)->rank) &&
            dpf_match(&netif_binding_state(i)->ingress, frame, LENGTH, LENGTH))
            best = i;
    }
    return best;
}

static void check_probe(uint32_t number, const uint8_t *frame)
{
    const struct netif *netif = &netifs[number];
    uint32_t wanted = find_naively(number, frame);
    uint32_t trie = dpf_classify(netif_trie(netif), frame, LENGTH, LENGTH).id;
    uint32_t code = classify_frame(netif, frame, LENGTH, LENGTH).id;
    bool stale = trie != DPF_NONE && netif_is_zombie(trie);

    HOLDS(classifier, trie == code, "the trie finds %u, its code %u", trie, code);
    HOLDS(classifier, trie == wanted || stale, "it finds %u, and %u it should be", trie, wanted);
}

static void remember(uint32_t index)
{
    uint8_t *frame = probes[next_probe++ % PROBES] + RESIDUE;

    make_probe(&netif_binding_state(index)->ingress, frame);
}

/* Whether a binding is another than at the last walk; knows it from now on. */
static bool has_moved(uint32_t index)
{
    const struct aegis_binding_info *b = netif_binding(index);
    const struct binding *state = netif_binding_state(index);
    struct known *k = &known[index];
    struct known now = {.bound = b != NULL};
    struct aegis_binding_info *row = netif_row(index);

    HOLDS(binding_generation, row->generation >= k->generation, "that of %u fell to %lu", index,
          row->generation);
    now.generation = row->generation;
    if (b) {
        now.images = state->images;
        now.parent = b->parent;
        now.rank = state->rank;
    }
    bool moved = now.bound != k->bound || now.images != k->images || now.parent != k->parent ||
                 now.rank != k->rank || now.generation != k->generation;
    *k = now;
    return moved;
}

static void check_taps(void)
{
    uint32_t taps[AEGIS_NETIFS] = {0};

    for (uint32_t i = 0; i < info->binding_count; i++)
        if (netif_binding(i) && has_copies(i))
            taps[netif_binding(i)->netif]++;
    for (uint32_t i = 0; i < netif_total(); i++)
        HOLDS(binding_taps, taps[i] == netifs[i].tap_count, "%u says %u, and %u are there", i,
              netifs[i].tap_count, taps[i]);
}

void check_filters(void)
{
    bool moved = false;

    for (uint32_t i = 0; i < info->binding_count; i++)
        if (netif_binding(i))
            check_authority(i);
    check_taps();
    for (uint32_t i = 0; i < info->binding_count; i++) {
        if (!has_moved(i))
            continue;
        moved = true;
        if (netif_binding(i)) {
            remember(i);
            check_moved(i);
        }
    }
    for (uint32_t n = 0; moved && n < netif_total(); n++)
        for (uint32_t i = 0; i < PROBES; i++)
            check_probe(n, probes[i] + RESIDUE);
}
