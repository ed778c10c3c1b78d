/*
 * Reading and writing an application's memory through the physical map, after a walk of its tables:
 * no access of the kernel can fault, and sstatus.SUM stays clear.
 */
#ifndef AEGIS_KERNEL_USER_H
#define AEGIS_KERNEL_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/hart.h"
#include "kernel/map.h"

/* An address in the caller's space; never dereferenced as it is. */
typedef uint64_t uaddr_t;

/*
 * The kernel's address of the byte at va, if env may access it (bits: PTE_R, PTE_W, PTE_X), else
 * NULL; it serves to the end of its page. Sets A, and D for PTE_W, as an access of the application
 * would.
 */
void *user_at(const struct env *env, uaddr_t va, uint64_t bits);

/* The same, in line and without a walk: NULL also if the table isn't remembered, or a bit is to be
 * set. bits is a constant. */
static inline __attribute__((always_inline)) void *user_peek(const struct env *env, uaddr_t va,
                                                             uint64_t bits)
{
    uint64_t need = PTE_V | PTE_U | PTE_A | bits | (bits & PTE_W ? PTE_D : 0);
    uint64_t region = va >> REGION_SHIFT;
    const struct leaf_cache *leaf = &env->leaf; /* of no window on PTEs (map_walk) */

    if (region != leaf->region)
        leaf = region == env->former[0].region ? &env->former[0] : &env->former[1];
    if (__builtin_expect(region == leaf->region, 1)) {
        pte_t entry = leaf->table[pte_index(va, 0)];
        if (__builtin_expect((entry & need) == need, 1)) {
            uint8_t *at = (uint8_t *)ppn_to_virt(pte_ppn(entry)) + va % PAGE_SIZE;
            if (!at)
                __builtin_unreachable(); /* which gcc doesn't know */
            return at;
        }
    }
    return NULL;
}
_Static_assert(LEAVES_FORMER == 2, "user_peek");

/* user_at for calls that are made often: mostly there is no need to walk. */
static inline __attribute__((always_inline)) void *user_look(const struct env *env, uaddr_t va,
                                                             uint64_t bits)
{
    void *at = user_peek(env, va, bits);

    return __builtin_expect(at != NULL, 1) ? at : user_at(env, va, bits);
}

/* The same without a walk and only in place: NULL also if the structure is elsewhere. */
static inline __attribute__((always_inline)) const volatile void *user_words_at_hand(uaddr_t from,
                                                                                     size_t length)
{
    if (__builtin_expect(from % sizeof(uint64_t) || from % PAGE_SIZE > PAGE_SIZE - length, 0))
        return NULL;
    return user_peek(this_hart->env, from, PTE_R);
}

/* Copy between the caller and the kernel; false, and for user_write nothing written, if not
 * allowed. */
bool user_read(void *to, uaddr_t from, size_t length);

/*
 * Where a structure of the caller's, of 64-bit words, can be read: in place if it lies in one page,
 * else as it is copied to copy; NULL if the caller may not read it. Each word is to be read once:
 * in place a device may write to it at any time.
 */
static inline __attribute__((always_inline)) const volatile void *
user_words(uaddr_t from, size_t length, void *copy)
{
    if (__builtin_expect(from % sizeof(uint64_t) || from % PAGE_SIZE > PAGE_SIZE - length, 0))
        return user_read(copy, from, length) ? copy : NULL;
    return user_look(this_hart->env, from, PTE_R);
}

bool user_write(uaddr_t to, const void *from, size_t length);

/* Whether the caller may write to the range. */
bool user_writable(uaddr_t to, size_t length);

#endif
