#include "kernel/arena.h"

/* Pieces lie back to back; a piece's size includes its header. The last one has size 0 and is used.
 */
struct piece {
    size_t size;
    size_t used;
};
#define UNIT sizeof(struct piece)
_Static_assert(UNIT == 16, "alignment of what arena_alloc returns");

static struct piece *first;
static uint64_t *free_bytes;

static struct piece *after(struct piece *piece)
{
    return (struct piece *)((uint8_t *)piece + piece->size);
}

void arena_init(void *memory, size_t bytes, uint64_t *unused)
{
    bytes &= ~(UNIT - 1);
    first = memory;
    *first = (struct piece){.size = bytes - UNIT};
    *after(first) = (struct piece){.used = true};
    free_bytes = unused;
    *free_bytes = first->size;
}

void *arena_alloc(size_t bytes)
{
    size_t size = (bytes + 2 * UNIT - 1) & ~(UNIT - 1);

    if (size < bytes)
        return NULL;
    for (struct piece *p = first; p->size; p = after(p)) {
        if (p->used)
            continue;
        while (after(p)->size && !after(p)->used)
            p->size += after(p)->size;
        if (p->size < size)
            continue;
        if (p->size >= size + 2 * UNIT) {
            size_t rest = p->size - size;
            p->size = size;
            *after(p) = (struct piece){.size = rest};
        }
        p->used = true;
        *free_bytes -= p->size;
        return p + 1;
    }
    return NULL;
}

void arena_free(void *memory)
{
    struct piece *p;

    if (!memory)
        return;
    p = (struct piece *)memory - 1;
    p->used = false;
    *free_bytes += p->size;
}

size_t arena_bytes(const void *memory)
{
    return ((const struct piece *)memory - 1)->size;
}

bool arena_is_used(const void *memory)
{
    for (struct piece *p = first; p->size; p = after(p))
        if (p + 1 == memory)
            return p->used;
    return false;
}

uint64_t arena_count_used(void)
{
    uint64_t count = 0;

    for (struct piece *p = first; p->size; p = after(p))
        count += p->used;
    return count;
}
