#include "kernel/classify.h"

#include "kernel/arena.h"
#include "kernel/boot_memory.h"
#include "kernel/expose.h"
#include "kernel/netif.h"
#include "kernel/phys.h"
#include "kernel/post.h"
#include "kernel/rv64/csr.h"

void *classify_scratch;
static struct dpf_member *members; /* info->binding_count of them */
static uint64_t hash_seed;

/*
 * Frames lie alike everywhere (NIC_BUFFER_FRAME, NIC_TX_COPY), so loads at known offsets are known
 * to be aligned. Two bindings of one rank are disjoint (netif.h), so the first that is found wins.
 */
static struct dpf_compile_options options = {
    .align = 8, .residue = CLASSIFY_RESIDUE, .equals_disjoint = true};
_Static_assert(NIC_TX_COPY % 8 == CLASSIFY_RESIDUE && NIC_BUFFER_FRAME % 8 == CLASSIFY_RESIDUE,
               "copies lie as received frames do");

/* A trie gets a 64th of memory, within bounds. */
#define TRIE_SHARE 64
#define TRIE_LEAST (256UL << 10)
#define TRIE_MOST  (8UL << 20)

static size_t pages_of(size_t bytes)
{
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

void classify_init(uint64_t seed, unsigned int isa)
{
    hash_seed = seed;
    options.isa = isa;
    classify_scratch = boot_alloc(pages_of(DPF_SCRATCH_SIZE), 1);
    members = boot_alloc(pages_of(info->binding_count * sizeof(*members)), 1);
}

size_t classify_trie_size(void)
{
    size_t size = info->page_count * PAGE_SIZE / TRIE_SHARE;

    return size < TRIE_LEAST ? TRIE_LEAST : size > TRIE_MOST ? TRIE_MOST : size;
}

/* Compiles a trie, or else a filter, into the code arena. Leaves entry NULL if there is no room. */
static struct classify_code compile(const struct dpf_trie *trie, const struct dpf_filter *filter)
{
    size_t bound = trie ? dpf_compile_bound(trie) : dpf_compile_filter_bound(filter);
    size_t memory_size =
        trie ? dpf_compile_memory(trie, bound) : dpf_compile_filter_memory(filter, bound);
    struct classify_code made = {.entry = NULL};
    struct dpf_code result;
    void *memory = arena_alloc(memory_size);
    int error;

    if (!memory)
        return made;
    made.code = code_alloc(bound);
    if (made.code.units) {
        uint8_t *out = code_open(&made.code);
        error =
            trie ? dpf_compile(memory, memory_size, trie, out, bound, &options, &result)
                 : dpf_compile_filter(memory, memory_size, filter, out, bound, &options, &result);
        code_close(&made.code);
        if (error) {
            code_free(&made.code);
        } else {
            code_trim(&made.code, result.size);
            made.entry = (uint8_t *)code_entry(&made.code) + result.entry;
        }
    }
    arena_free(memory);
    return made;
}

static void forget(struct classify_code *code)
{
    if (code->entry)
        code_free(&code->code);
    code->entry = NULL;
}

bool classify_rebuild(struct netif *netif)
{
    uint32_t next = !netif->active;
    size_t count = 0;

    for (uint32_t i = 0; i < info->binding_count; i++) {
        const struct aegis_binding_info *b = netif_binding(i);
        if (b && &netifs[b->netif] == netif)
            members[count++] = (struct dpf_member){.filter = &netif_binding_state(i)->ingress,
                                                   .id = i,
                                                   .rank = netif_binding_state(i)->rank,
                                                   .tap = b->flags & AEGIS_BIND_TAP};
    }
    if (dpf_trie_build(netif->tries[next], classify_trie_size(), hash_seed, members, count,
                       classify_scratch) != 0)
        return false;
    struct classify_code old = netif->classifier;
    /* One hart, interrupts off: no classification is under way in the old one, so its code can go.
     */
    netif->classifier = compile(netif->tries[next], NULL);
    netif->active = next;
    forget(&old);
    uint32_t number = (uint32_t)(netif - netifs);
    post.tries[number] = (uintptr_t)netif->tries[next];
    post_code(AEGIS_CODE_CLASSIFIER, number, &netif->classifier.code, netif->classifier.entry, 0,
              NULL);
    return true;
}

struct dpf_found classify_frame(const struct netif *netif, const uint8_t *frame, size_t available,
                                size_t length)
{
    if (netif->classifier.entry && classify_lies_as_usual(frame))
        return ((dpf_classifier *)netif->classifier.entry)(frame, available, length);
    struct dpf_result result = dpf_classify(netif_trie(netif), frame, available, length);
    return (struct dpf_found){.id = result.id, .taps = result.taps};
}

void classify_compile_egress(struct binding *binding)
{
    binding->egress_code = compile(NULL, &binding->egress);
}

void classify_forget_egress(struct binding *binding)
{
    forget(&binding->egress_code);
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
