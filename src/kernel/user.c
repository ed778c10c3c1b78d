#include "kernel/user.h"

#include <string.h>

#include "kernel/env.h"
#include "kernel/map.h"

void *user_at(const struct env *env, uaddr_t va, uint64_t bits)
{
    uint64_t need = PTE_V | PTE_U | bits, seen = bits & PTE_W ? PTE_A | PTE_D : PTE_A;

    if (va >= AEGIS_USER_END)
        return NULL;
    pte_t *entry = map_leaf(env, va);
    /* What the exposed window shows may lie in larger pages: only its level-0 part can be named in
     * calls. */
    if (!entry || (*entry & need) != need)
        return NULL;
    if ((*entry & seen) != seen)
        *entry |= seen;
    return (uint8_t *)ppn_to_virt(pte_ppn(*entry)) + va % PAGE_SIZE;
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
