/*
 * Numbered sets of equal-sized items: an item put in twice gets the same number. What the lifter
 * shares, it shares by putting it here: equal subgraphs become one, and nothing is computed twice.
 */
#ifndef DPFC_POOL_H
#define DPFC_POOL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a failure deep inside goes: fail() fills error and returns to whoever called setjmp. */
struct trouble {
    jmp_buf back;
    int status; /* enum dpflift_status */
    char *error;
};

_Noreturn void fail(struct trouble *trouble, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Memory from malloc, or DPFLIFT_SYSTEM. */
void *must_grow(struct trouble *trouble, void *old, size_t bytes);

struct pool {
    struct trouble *trouble;
    size_t item_size;
    uint32_t most;  /* items; more is a failure: the filter is too complex */
    uint32_t count; /* numbers run from 0 */
    uint32_t room;  /* items that fit */
    uint32_t slots; /* a power of two */
    uint8_t *items;
    uint32_t *index; /* number + 1, or 0 */
};

void pool_start(struct pool *pool, struct trouble *trouble, size_t item_size, uint32_t most);
void pool_end(struct pool *pool);

/* The number of an item (padding must be zero); fresh, if not null, tells whether it is new. The
   addresses of items change when one is added. */
uint32_t pool_put(struct pool *pool, const void *item, bool *fresh);

static inline void *pool_item(const struct pool *pool, uint32_t number)
{
    return pool->items + number * pool->item_size;
}

/* FNV-1a over bytes. */
uint32_t pool_hash(const void *bytes, size_t size);

#endif
