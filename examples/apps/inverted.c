/*
 * Entries lie in an array, as many as there are pages to be had; a bucket is a list of entries by
 * index, since an index is half a pointer's size. walk goes by address, which a hash can't: it
 * looks at all entries, and is for leaving, not for faults.
 */
#include "examples/apps/inverted.h"

#include <errno.h>

#define NONE UINT32_MAX

struct entry {
    uint64_t va; /* 0: free */
    uint64_t ppn;
    uint32_t next; /* in its bucket, or of the free ones */
};

struct inverted {
    struct vm_table table;
    unsigned shift; /* 64 less the bits of a bucket's number */
    uint32_t free;
    size_t size; /* entries */
    struct entry *entries;
    uint32_t buckets[];
};

/* Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4). */
static uint32_t *bucket_of(struct inverted *t, uint64_t va)
{
    return &t->buckets[va / AEGIS_PAGE_SIZE * 0x9e3779b97f4a7c15u >> t->shift];
}

/* Where the index of va's entry is, or NONE at the end of its bucket's list. */
static uint32_t *find(struct inverted *t, uint64_t va)
{
    uint32_t *at = bucket_of(t, va);
    while (*at != NONE && t->entries[*at].va != va)
        at = &t->entries[*at].next;
    return at;
}

static bool lookup(void *state, uint64_t va, uint64_t *ppn)
{
    struct inverted *t = state;
    uint32_t index = *find(t, va);
    if (index == NONE)
        return false;
    *ppn = t->entries[index].ppn;
    return true;
}

static int64_t insert(void *state, uint64_t va, uint64_t ppn)
{
    struct inverted *t = state;
    uint32_t *at = find(t, va), index = *at;
    if (index == NONE) {
        index = t->free;
        if (index == NONE)
            return -AEGIS_E_NO_PAGE;
        t->free = t->entries[index].next;
        t->entries[index] = (struct entry){.va = va, .ppn = ppn, .next = NONE};
        *at = index;
    }
    t->entries[index].ppn = ppn;
    return 0;
}

static void drop(void *state, uint64_t va)
{
    struct inverted *t = state;
    uint32_t *at = find(t, va), index = *at;
    if (index == NONE)
        return;
    *at = t->entries[index].next;
    t->entries[index] = (struct entry){.next = t->free};
    t->free = index;
}

static bool walk(void *state, uint64_t *va, uint64_t *ppn)
{
    struct inverted *t = state;
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < t->size; i++)
        if (t->entries[i].va >= *va && t->entries[i].va && t->entries[i].va < lowest) {
            lowest = t->entries[i].va;
            *ppn = t->entries[i].ppn;
        }
    *va = lowest;
    return lowest != UINT64_MAX;
}

const struct vm_table *inverted_make(size_t pages)
{
    if (pages == 0 || pages > 1UL << 30) {
        errno = EINVAL;
        return NULL;
    }
    unsigned bits = pages > 1 ? 64 - (unsigned)__builtin_clzl(pages - 1) : 1;
    size_t head = sizeof(struct inverted) + (sizeof(uint32_t) << bits);
    size_t start = (head + sizeof(struct entry) - 1) & ~(sizeof(uint64_t) - 1);
    struct inverted *t = vm_alloc(vm_pages(start + pages * sizeof(struct entry)), VM_READ_WRITE);
    if (!t)
        return NULL;
    t->table = (struct vm_table){lookup, insert, drop, walk, t};
    t->shift = 64 - bits;
    t->size = pages;
    t->entries = (struct entry *)((char *)t + start);
    for (size_t i = 0; i < (size_t)1 << bits; i++)
        t->buckets[i] = NONE;
    for (size_t i = 0; i < pages; i++)
        t->entries[i].next = i + 1 < pages ? (uint32_t)i + 1 : NONE;
    t->free = 0;
    return &t->table;
}

void inverted_free(const struct vm_table *table)
{
    vm_free(table->state);
}
