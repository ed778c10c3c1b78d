#include "kernel/user.h"

#include <string.h>

#include "kernel/env.h"
#include "kernel/map.h"

void *user_at(const struct env *env, uaddr_t va, uint64_t bits)
{
    uint64_t need = PTE_V | PTE_U | bits, seen = bits & PTE_W ? PTE_A | PTE_D : PTE_A;

    /* What the window on PTEs shows may change its owner while a call still looks at it. */
    if (va >= AEGIS_WINDOW_BASE)
        return NULL;
    pte_t *entry = map_look(env, va);
    uint64_t offset = va % PAGE_SIZE;
    if (__builtin_expect(!entry,
                         0)) { /* in a megapage, or nowhere: then V or the leaf's bits miss */
        entry = map_entry(env, va, 1, NULL);
        offset = va % MEGAPAGE_SIZE;
    }
    if (!entry || (*entry & need) != need)
        return NULL;
    if ((*entry & seen) != seen)
        *entry |= seen;
    return (uint8_t *)ppn_to_virt(pte_ppn(*entry)) + offset;
}

/* Bytes from va to the end of its page, at most length. */
static size_t chunk_at(uaddr_t va, size_t length)
{
    size_t left = PAGE_SIZE - va % PAGE_SIZE;

    return length < left ? length : left;
}

static bool range_valid(uaddr_t va, size_t length)
{
    return va < AEGIS_USER_END && length <= AEGIS_USER_END - va;
}

bool user_read(void *to, uaddr_t from, size_t length)
{
    uint8_t *out = to;

    if (__builtin_expect(length - 1 < PAGE_SIZE - from % PAGE_SIZE, 1)) { /* in one page */
        const void *at = user_look(this_hart->env, from, PTE_R);
        if (at)
            memcpy(to, at, length);
        return at;
    }
    if (!range_valid(from, length))
        return false;
    while (length) {
        size_t n = chunk_at(from, length);
        const void *at = user_at(this_hart->env, from, PTE_R);
        if (!at)
            return false;
        memcpy(out, at, n);
        out += n, from += n, length -= n;
    }
    return true;
}

bool user_writable(uaddr_t to, size_t length)
{
    if (!range_valid(to, length))
        return false;
    for (size_t n; length; to += n, length -= n) {
        n = chunk_at(to, length);
        if (!user_at(this_hart->env, to, PTE_W))
            return false;
    }
    return true;
}

bool user_write(uaddr_t to, const void *from, size_t length)
{
    const uint8_t *in = from;

    if (!user_writable(to, length))
        return false;
    while (length) {
        size_t n = chunk_at(to, length);
        memcpy(user_at(this_hart->env, to, PTE_W), in, n);
        in += n, to += n, length -= n;
    }
    return true;
}
