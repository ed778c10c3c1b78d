#include "kernel/classify.h"

#include "kernel/boot_memory.h"
#include "kernel/check/hard.h"
#include "kernel/expose.h"
#include "kernel/net_bind.h"
#include "kernel/netif.h"
#include "kernel/phys.h"
#include "kernel/post.h"
#include "kernel/rv64/csr.h"

/* A trie gets a 64th of memory, within bounds. */
#define TRIE_SHARE 64
#define TRIE_LEAST (256UL << 10)
#define TRIE_MOST  (8UL << 20)

/* What is done in a step of adding and finishing: operations of some 50 instructions (dpf.h). */
#define STEP HARD(500, 4000)
#define LOOK 1 /* that looking at a binding takes */

static void *scratch;
static bool *has; /* which bindings the trie has that is being built */
static uint64_t hash_seed;

/* What is being built. */
static struct {
    struct netif *netif; /* NULL: nothing */
    enum { ADDING, FINISHING, COMPILING } phase;
    uint32_t next;  /* the binding to be looked at */
    bool is_adding; /* the one before is on its way into the trie */
    struct codegen job;
} build;

static size_t pages_of(size_t bytes)
{
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

void classify_init(uint64_t seed)
{
    hash_seed = seed;
    scratch = boot_alloc(pages_of(DPF_SCRATCH_SIZE), 1);
    has = boot_alloc(pages_of(info->binding_count * sizeof(*has)), 1);
}

size_t classify_trie_size(void)
{
    size_t size = info->page_count * PAGE_SIZE / TRIE_SHARE;

    return size < TRIE_LEAST ? TRIE_LEAST : size > TRIE_MOST ? TRIE_MOST : size;
}

void classify_begin(struct netif *netif)
{
    build.netif = netif;
    build.phase = ADDING;
    build.next = 0;
    build.is_adding = false;
}

void classify_begin_again_without(uint32_t index)
{
    if (build.netif && build.is_adding && build.next == index + 1)
        classify_begin(build.netif);
}

struct netif *classify_building(void)
{
    return build.netif;
}

void classify_abandon(void)
{
    codegen_abandon(&build.job);
    build.netif = NULL;
}

bool classify_has(uint32_t index)
{
    return has[index];
}

const struct codegen *classify_compiling(void)
{
    return &build.job;
}

static void *next_trie(void)
{
    return build.netif->tries[!build.netif->active];
}

/* Begins to add the next binding that is the interface's; DPF_E_*, or 0. */
static int begin_next(size_t *work)
{
    struct dpf_member member;

    while (!build.is_adding && *work && build.next < info->binding_count) {
        uint32_t index = build.next++;
        *work -= LOOK;
        has[index] = net_bind_member(build.netif, index, &member);
        if (!has[index])
            continue;
        int error = dpf_trie_add_begin(next_trie(), &member, scratch);
        if (error)
            return error;
        build.is_adding = true;
    }
    return 0;
}

/* Adds some of the interface's bindings; DPF_E_*, or 0. */
static int add_some(void)
{
    size_t work = STEP;
    int state = 0;

    if (build.next == 0)
        state = dpf_trie_begin(next_trie(), classify_trie_size(), hash_seed);
    while (state == 0 && work) {
        state = begin_next(&work);
        if (!build.is_adding)
            break;
        if (state == 0)
            state = dpf_trie_add_step(scratch, &work);
        build.is_adding = state == 1;
    }
    if (!build.is_adding && build.next == info->binding_count)
        build.phase = FINISHING;
    return state < 0 ? state : 0;
}

static void publish(const struct codegen_result *made)
{
    struct netif *netif = build.netif;
    uint32_t number = (uint32_t)(netif - netifs);
    struct codegen_result old = netif->classifier;

    netif->classifier = *made;
    netif->active = !netif->active;
    /* One hart, interrupts off: no classification is under way in the old one, so its code can go.
     */
    codegen_forget(&old);
    post.tries[number] = (uintptr_t)netif->tries[netif->active];
    post_code(AEGIS_CODE_CLASSIFIER, number, &netif->classifier.code, netif->classifier.entry, 0,
              NULL);
    build.netif = NULL;
}

enum classify_state classify_step(void)
{
    struct codegen_result made;
    size_t work = STEP;
    int state = 1;

    switch (build.phase) {
    case ADDING:
        state = add_some() ? -1 : 1;
        break;
    case FINISHING:
        state = dpf_trie_finish(next_trie(), &work);
        if (state == 0) {
            build.phase = COMPILING;
            codegen_begin(&build.job, next_trie(), NULL);
            state = 1;
        }
        break;
    case COMPILING:
        if (!codegen_step(&build.job, &made))
            break;
        publish(&made);
        return CLASSIFY_DONE;
    }
    if (state == 1)
        return CLASSIFY_MORE;
    classify_abandon();
    return CLASSIFY_FULL;
}

struct dpf_found classify_frame(const struct netif *netif, const uint8_t *frame, size_t available,
                                size_t length)
{
    if (netif->classifier.entry && classify_lies_as_usual(frame))
        return ((dpf_classifier *)netif->classifier.entry)(frame, available, length);
    struct dpf_result result = dpf_classify(netif_trie(netif), frame, available, length);
    return (struct dpf_found){.id = result.id, .taps = result.taps};
}

bool classify_egress(const struct binding *binding, const uint8_t *frame, size_t available,
                     size_t length)
{
    if (!binding->egress_code.entry || !classify_lies_as_usual(frame))
        return dpf_match(&binding->egress, frame, available, length);
    bool allowed = ((dpf_matcher *)binding->egress_code.entry)(frame, available, length) != 0;
    clear_call_temporaries();
    return allowed;
}
