/*
 * Small blocks that were freed last, kept apart by their size, so that most calls of malloc and
 * free don't look into the heap behind (the "quick lists" of Knuth's and Standish's allocators).
 *
 * To the heap, blocks in here are allocated. Not thread-safe, as heap.h.
 */
#ifndef EXOS_VM_QUICK_H
#define EXOS_VM_QUICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/vm/heap.h"

#define QUICK_CLASSES 32 /* blocks of 16, 32, ... bytes: up to 512 */
#define QUICK_MOST    8  /* blocks of a class: at most 66 KiB in all */

struct quick_block {
    struct quick_block *next;
};

/* All zeros is empty and ready. */
struct quick {
    struct quick_block *first[QUICK_CLASSES];
    uint32_t count[QUICK_CLASSES];
};

/* A block of at least size bytes, HEAP_ALIGNMENT aligned, or NULL. */
static inline void *quick_take(struct quick *quick, size_t size)
{
    size_t class = (size - (size != 0)) / HEAP_ALIGNMENT;
    if (class >= QUICK_CLASSES)
        return NULL;
    struct quick_block *block = quick->first[class];
    if (block) {
        quick->first[class] = block->next;
        quick->count[class]--;
    }
    return block;
}

/* Takes in a block of the heap that nobody uses any more. Returns whether it did; otherwise it is
 * for heap_free. */
static inline bool quick_put(struct quick *quick, void *memory)
{
    size_t class = heap_size(memory) / HEAP_ALIGNMENT - 1;
    if (class >= QUICK_CLASSES || quick->count[class] == QUICK_MOST)
        return false;
    struct quick_block *block = memory;
    block->next = quick->first[class];
    quick->first[class] = block;
    quick->count[class]++;
    return true;
}

/* Gives all back to the heap. Returns whether there was any. */
bool quick_empty(struct quick *quick, struct heap *heap);

#endif
