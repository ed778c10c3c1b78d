#include "libos/vm/heap.h"

#include <stdbool.h>

/*
 * Memory is a row of blocks, each with a head, closed by a sentinel of size 0 that counts as used.
 * `before` is the block in front of it if that one is free (boundary tag), else NULL. A free block
 * keeps its list's links in its own bytes.
 */
struct heap_block {
    struct heap_block *before;
    size_t size; /* bytes behind the head, a multiple of 16; bit 0: free */
    struct heap_block *next_free, *previous_free; /* of a free block only */
};

#define HEAD         ((size_t)offsetof(struct heap_block, next_free))
#define LEAST        ((size_t)16) /* bytes of the smallest block: its list's links */
#define FREE_BIT     ((size_t)1)
#define SECOND_SHIFT 4
#define FIRST_SHIFT  8 /* class 0 holds all sizes below 256, in steps of 16 */
_Static_assert(sizeof(struct heap_block) == 32 && HEAP_SECOND == 1 << SECOND_SHIFT, "layout");
_Static_assert(offsetof(struct heap_block, size) + sizeof(size_t) == HEAD && FREE_BIT == 1,
               "heap_size");

static size_t size_of(const struct heap_block *b)
{
    return b->size & ~FREE_BIT;
}

static bool is_free(const struct heap_block *b)
{
    return b->size & FREE_BIT;
}

static struct heap_block *behind(const struct heap_block *b)
{
    return (struct heap_block *)((uintptr_t)b + HEAD + size_of(b));
}

static struct heap_block *block_of(const void *memory)
{
    return (struct heap_block *)((uintptr_t)memory - HEAD);
}

/* The number of the highest bit that is set, and of the lowest: libgcc's functions for it take
 * three times as long. */
static inline unsigned highest_bit(uint64_t word)
{
    unsigned number = 0;

    for (unsigned half = 32; half; half /= 2)
        if (word >> half) {
            word >>= half;
            number += half;
        }
    return number;
}

static inline unsigned lowest_bit(uint64_t word)
{
    return highest_bit(word & -word);
}

struct class
{
    unsigned first, second;
};

/* The list whose blocks have at least this size's class; size < HEAP_MAX. */
static struct class class_of(size_t size)
{
    if (size < 1u << FIRST_SHIFT)
        return (struct class){0, (unsigned)(size >> SECOND_SHIFT)};
    unsigned bit = highest_bit(size);
    return (struct class){bit - FIRST_SHIFT + 1,
                          (unsigned)(size >> (bit - SECOND_SHIFT)) & (HEAP_SECOND - 1)};
}

/* Rounds up to the least size of a class, so that each block of that class's list is large enough.
 */
static size_t round_to_class(size_t size)
{
    if (size < 1u << FIRST_SHIFT)
        return size;
    size_t step = (size_t)1 << (highest_bit(size) - SECOND_SHIFT);
    return (size + step - 1) & ~(step - 1);
}

static void list_insert(struct heap *heap, struct heap_block *b)
{
    struct class c = class_of(size_of(b));
    struct heap_block **list = &heap->free[c.first][c.second];

    b->size |= FREE_BIT;
    b->previous_free = NULL;
    b->next_free = *list;
    if (*list)
        (*list)->previous_free = b;
    *list = b;
    heap->second[c.first] |= 1u << c.second;
    heap->first |= 1u << c.first;
    behind(b)->before = b;
}

static void list_remove(struct heap *heap, struct heap_block *b)
{
    struct class c = class_of(size_of(b));

    if (b->next_free)
        b->next_free->previous_free = b->previous_free;
    if (b->previous_free)
        b->previous_free->next_free = b->next_free;
    else if (!(heap->free[c.first][c.second] = b->next_free) &&
             !(heap->second[c.first] &= ~(1u << c.second)))
        heap->first &= ~(1u << c.first);
    b->size &= ~FREE_BIT;
    behind(b)->before = NULL;
}

/* A free block of at least size, still in its list, or NULL. */
static struct heap_block *find(const struct heap *heap, size_t size)
{
    struct class c = class_of(round_to_class(size));
    uint32_t second = c.first < HEAP_FIRST ? heap->second[c.first] & (~0u << c.second) : 0;

    if (!second) {
        uint32_t first = c.first + 1 < HEAP_FIRST ? heap->first & (~0u << (c.first + 1)) : 0;
        if (!first)
            return NULL;
        c.first = lowest_bit(first);
        second = heap->second[c.first];
    }
    return heap->free[c.first][lowest_bit(second)];
}

/* Puts a block that is in no list into one, joined with its free neighbours. */
static void put_free(struct heap *heap, struct heap_block *b)
{
    struct heap_block *other = behind(b);
    if (is_free(other)) {
        list_remove(heap, other);
        b->size += HEAD + size_of(other);
    }
    other = b->before;
    if (other) {
        list_remove(heap, other);
        other->size += HEAD + size_of(b);
        b = other;
    }
    list_insert(heap, b);
}

/* Cuts a block in no list to size bytes, if what is left makes a block, and frees the rest. */
static void trim(struct heap *heap, struct heap_block *b, size_t size)
{
    if (size_of(b) < size + HEAD + LEAST)
        return;
    struct heap_block *rest = (struct heap_block *)((uintptr_t)b + HEAD + size);
    rest->before = NULL;
    rest->size = size_of(b) - size - HEAD;
    b->size = size;
    put_free(heap, rest);
}

static size_t round_size(size_t size)
{
    return size <= LEAST ? LEAST : (size + HEAP_ALIGNMENT - 1) & ~(size_t)(HEAP_ALIGNMENT - 1);
}

void heap_grow(struct heap *heap, void *memory, size_t size)
{
    struct heap_block *b = memory;

    if (heap->last && (void *)((uintptr_t)heap->last + HEAD) == memory) {
        b = heap->last; /* the sentinel becomes the new block's head */
        size += HEAD;
    } else {
        b->before = NULL;
    }
    b->size = size - 2 * HEAD;
    heap->last = behind(b);
    heap->last->size = 0;
    heap->last->before = NULL;
    put_free(heap, b);
}

void *heap_alloc(struct heap *heap, size_t size, size_t alignment)
{
    size_t slack = alignment > HEAP_ALIGNMENT ? alignment + HEAD + LEAST : 0;
    if (size >= HEAP_MAX || alignment >= HEAP_MAX)
        return NULL;
    size = round_size(size);
    struct heap_block *b = find(heap, size + slack);
    if (!b)
        return NULL;
    list_remove(heap, b);
    uintptr_t address = (uintptr_t)b + HEAD;
    if (slack && address & (alignment - 1)) {
        /* Aligned, and far enough in for the bytes before it to make a block. */
        address = (address + HEAD + LEAST + alignment - 1) & ~(uintptr_t)(alignment - 1);
        struct heap_block *front = b;
        b = block_of((void *)address);
        b->size = (uintptr_t)behind(front) - address;
        b->before = NULL;
        front->size = (uintptr_t)b - (uintptr_t)front - HEAD;
        put_free(heap, front);
    }
    trim(heap, b, size);
    heap->used += HEAD + size_of(b);
    return (void *)address;
}

void heap_free(struct heap *heap, void *memory)
{
    struct heap_block *b = block_of(memory);
    heap->used -= HEAD + size_of(b);
    put_free(heap, b);
}

int heap_resize(struct heap *heap, void *memory, size_t size)
{
    struct heap_block *b = block_of(memory), *other = behind(b);
    if (size >= HEAP_MAX)
        return 0;
    size = round_size(size);
    size_t joined = is_free(other) ? size_of(b) + HEAD + size_of(other) : size_of(b);
    if (joined < size)
        return 0;
    heap->used -= size_of(b);
    if (size > size_of(b)) {
        list_remove(heap, other);
        b->size = joined;
    }
    trim(heap, b, size);
    heap->used += size_of(b);
    return 1;
}

/* Free blocks that the lists hold; SIZE_MAX if a list or a bit is wrong. */
static size_t count_lists(const struct heap *heap)
{
    size_t count = 0;
    for (unsigned f = 0; f < HEAP_FIRST; f++) {
        if (!(heap->first >> f & 1) != !heap->second[f])
            return SIZE_MAX;
        for (unsigned s = 0; s < HEAP_SECOND; s++) {
            const struct heap_block *b = heap->free[f][s], *previous = NULL;
            if (!(heap->second[f] >> s & 1) != !b)
                return SIZE_MAX;
            for (; b; previous = b, b = b->next_free, count++) {
                struct class c = class_of(size_of(b));
                if (!is_free(b) || b->previous_free != previous || c.first != f || c.second != s)
                    return SIZE_MAX;
            }
        }
    }
    return count;
}

int heap_check(const struct heap *heap, const void *first)
{
    const struct heap_block *b = first, *before = NULL;
    size_t used = 0, count = 0;

    for (; b != heap->last; before = b, b = behind(b)) {
        if (b > heap->last || size_of(b) < LEAST || size_of(b) % HEAP_ALIGNMENT)
            return 1;
        if (b->before != (before && is_free(before) ? before : NULL))
            return 2;
        if (is_free(b) && before && is_free(before))
            return 3;
        if (is_free(b))
            count++;
        else
            used += HEAD + size_of(b);
    }
    if (b->before != (before && is_free(before) ? before : NULL))
        return 2;
    if (count_lists(heap) != count)
        return 4;
    return used == heap->used ? 0 : 5;
}
