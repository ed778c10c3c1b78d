/*
 * lwIP's memory: malloc's, but for what each segment needs anew, of which some blocks are kept for
 * the next one. All of lwIP runs holding, so nothing else does meanwhile.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lwip/opt.h"

#define KEPT 48 /* blocks of a size, at most: 95 KiB in all */

/* Behind each is what lwIP asked for, aligned as malloc's. */
struct block {
    struct block *next; /* of those that are kept */
    uint64_t size;      /* number of its size, or SIZES: malloc's own affair */
};

/* Descriptions of segments; buffers without data; those of a segment. */
static const uint16_t sizes[] = {64, 256, 1664};
#define SIZES (sizeof sizes / sizeof *sizes)

static struct {
    struct block *first;
    unsigned count;
} kept[SIZES];

void *net_lwip_allocate(size_t size)
{
    size_t i = 0;

    while (i < SIZES && size > sizes[i])
        i++;
    struct block *b = i < SIZES ? kept[i].first : NULL;
    if (b) {
        kept[i].first = b->next;
        kept[i].count--;
        return b + 1;
    }
    size_t room = i < SIZES ? sizes[i] : size;
    if (room > SIZE_MAX - sizeof *b || !(b = malloc(sizeof *b + room)))
        return NULL;
    b->size = i;
    return b + 1;
}

void net_lwip_free(void *memory)
{
    struct block *b = (struct block *)memory - 1;

    if (!memory)
        return;
    if (b->size == SIZES || kept[b->size].count == KEPT) {
        free(b);
        return;
    }
    b->next = kept[b->size].first;
    kept[b->size].first = b;
    kept[b->size].count++;
}
