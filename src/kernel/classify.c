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

#define LOOK_STEP                                                                                  \
    HARD(256, 64)      /* numbers of bindings looked at in a step, for some to be added            \
                        */
#define ADD_STEP    32 /* nodes and ranges of filters: some 1,000 instructions each */
#define FINISH_STEP 64 /* table entries finished in a step */

static void *scratch;
static bool *has; /* which bindings the trie has that is being built */
static uint64_t hash_seed;

/* What is being built. */
static struct {
    struct netif *netif; /* NULL: nothing */
    enum { ADDING, FINISHING, COMPILING } phase;
    uint32_t next; /* the binding to be looked at */
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

/* Adds the next bindings that are the interface's; DPF_E_*, or 0. */
static int add_next(void)
{
    struct dpf_member member;
    uint32_t work = 0;
    int error = 0;

    if (build.next == 0)
        error = dpf_trie_begin(next_trie(), classify_trie_size(), hash_seed);
    for (uint32_t i = 0;
         i < LOOK_STEP && work < ADD_STEP && !error && build.next < info->binding_count; i++) {
        uint32_t index = build.next++;
        has[index] = net_bind_member(build.netif, index, &member);
        if (!has[index])
            continue;
        error = dpf_trie_add(next_trie(), &member, scratch);
        work += 4U + member.filter->node_count + member.filter->range_count;
    }
    if (build.next == info->binding_count)
        build.phase = FINISHING;
    return error;
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
    int state = 1;

    switch (build.phase) {
    case ADDING:
        state = add_next() ? -1 : 1;
        break;
    case FINISHING:
        state = dpf_trie_finish(next_trie(), FINISH_STEP);
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
