#include "kernel/classify.h"

#include "kernel/boot_memory.h"
#include "kernel/expose.h"
#include "kernel/netif.h"
#include "kernel/phys.h"

void *classify_scratch;
static struct dpf_member *members; /* info->binding_count of them */
static uint64_t hash_seed;

/* A trie gets a 64th of memory, within bounds. */
#define TRIE_SHARE 64
#define TRIE_LEAST (256UL << 10)
#define TRIE_MOST  (8UL << 20)

static size_t pages_of(size_t bytes)
{
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

void classify_init(uint64_t seed)
{
    hash_seed = seed;
    classify_scratch = boot_alloc(pages_of(DPF_SCRATCH_SIZE), 1);
    members = boot_alloc(pages_of(info->binding_count * sizeof(*members)), 1);
}

size_t classify_trie_size(void)
{
    size_t size = info->page_count * PAGE_SIZE / TRIE_SHARE;

    return size < TRIE_LEAST ? TRIE_LEAST : size > TRIE_MOST ? TRIE_MOST : size;
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
    /* One hart, interrupts off: no classification is under way in the old one (it has no code to
     * fence). */
    netif->active = next;
    return true;
}
