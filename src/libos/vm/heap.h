/*
 * A heap in given memory: Two-Level Segregated Fit (Masmano, Ripoll, Crespo and Real, "TLSF: A New
 * Dynamic Memory Allocator for Real-Time Systems", ECRTS 2004). Allocating and freeing take
 * constant time; a free block is never beside another free one.
 *
 * It knows no system call, and runs on the host in its unit test. Not thread-safe: malloc.c takes
 * the lock.
 */
#ifndef EXOS_VM_HEAP_H
#define EXOS_VM_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_ALIGNMENT 16
#define HEAP_FIRST     32                /* classes by the power of two */
#define HEAP_SECOND    16                /* each cut into this many */
#define HEAP_MAX       ((size_t)1 << 36) /* bytes of one block at most */

struct heap_block;
struct heap {
    uint32_t first;              /* bit f: some list of class f isn't empty */
    uint32_t second[HEAP_FIRST]; /* bit s: list [f][s] isn't empty */
    struct heap_block *free[HEAP_FIRST][HEAP_SECOND];
    struct heap_block *last; /* the sentinel behind the newest memory, or NULL */
    size_t used;             /* bytes in allocated blocks, their heads included */
};

/* A heap of all zeros is empty and ready. */

/*
 * Give it memory, 16-byte aligned, size a multiple of 16 and at least 64; its own for ever. Memory
 * that follows right behind what was given last is joined with it.
 */
void heap_grow(struct heap *heap, void *memory, size_t size);

/* size bytes, aligned to alignment (a power of two); NULL if no free block holds them. */
void *heap_alloc(struct heap *heap, size_t size, size_t alignment);

/* What heap_alloc or heap_resize returned; not NULL. */
void heap_free(struct heap *heap, void *memory);

/* Change a block's size where it is. Returns whether that was possible. */
int heap_resize(struct heap *heap, void *memory, size_t size);

/* Bytes that a block holds: at least what was asked for. The block's head ends with its size, whose
 * lowest bit tells the free ones. */
static inline size_t heap_size(const void *memory)
{
    return ((const size_t *)memory)[-1] & ~(size_t)1;
}

/*
 * Walk the memory from first (as given to heap_grow, with everything joined to it) and the lists;
 * returns 0, or the number of the rule that is broken: 1 sizes, 2 links to the block before, 3 free
 * neighbours, 4 lists and bits, 5 used.
 */
int heap_check(const struct heap *heap, const void *first);

#endif
