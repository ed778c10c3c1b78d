/* Numbered sets of items by open addressing (pool.h). */
#include "tools/dpfc/pool.h"
#include "tools/dpfc/dpflift.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void fail(struct trouble *trouble, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trouble->error, DPFLIFT_ERROR_SIZE, format, arguments);
    va_end(arguments);
    trouble->status = status;
    longjmp(trouble->back, 1);
}

void *must_grow(struct trouble *trouble, void *old, size_t bytes)
{
    void *grown = realloc(old, bytes);
    if (!grown)
        fail(trouble, DPFLIFT_SYSTEM, "out of memory");
    return grown;
}

uint32_t pool_hash(const void *bytes, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 16777619u;
    return hash;
}

void pool_start(struct pool *pool, struct trouble *trouble, size_t item_size, uint32_t most)
{
    *pool = (struct pool){.trouble = trouble, .item_size = item_size, .most = most};
}

void pool_end(struct pool *pool)
{
    free(pool->items);
    free(pool->index);
    pool->items = 0;
    pool->index = 0;
}

/* The slot of an equal item, or the free one where it belongs. */
static uint32_t *find(const struct pool *pool, const void *item)
{
    uint32_t slot = pool_hash(item, pool->item_size) & (pool->slots - 1);
    while (pool->index[slot] &&
           memcmp(pool_item(pool, pool->index[slot] - 1), item, pool->item_size))
        slot = (slot + 1) & (pool->slots - 1);
    return &pool->index[slot];
}

static void grow(struct pool *pool)
{
    uint32_t room = pool->room ? 2 * pool->room : 64;
    pool->items = must_grow(pool->trouble, pool->items, room * pool->item_size);
    pool->index = must_grow(pool->trouble, pool->index, 2 * room * sizeof *pool->index);
    pool->room = room;
    pool->slots = 2 * room;
    memset(pool->index, 0, pool->slots * sizeof *pool->index);
    for (uint32_t i = 0; i < pool->count; i++)
        *find(pool, pool_item(pool, i)) = i + 1;
}

uint32_t pool_put(struct pool *pool, const void *item, bool *fresh)
{
    if (pool->count == pool->room)
        grow(pool);
    uint32_t *slot = find(pool, item);
    if (fresh)
        *fresh = !*slot;
    if (*slot)
        return *slot - 1;
    if (pool->count == pool->most)
        fail(pool->trouble, DPFLIFT_REFUSED, "the filter is too complex: use fewer alternatives");
    memcpy(pool_item(pool, pool->count), item, pool->item_size);
    *slot = ++pool->count;
    return pool->count - 1;
}
