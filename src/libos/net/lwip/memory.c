/*
 * lwIP's memory: malloc's, but for what each segment needs anew, of which some blocks are kept for
 * the next one. All of lwIP runs holding, so nothing else does meanwhile.
 *
 * Blocks as large as a segment lie in pages of their own, two in each, from which the device reads
 * what is sent (output.c). It may do so still when lwIP has freed the block: then the page is
 * pinned, and its blocks are not given out again before that is over.
 */
#include <stdint.h>
#include <stdlib.h>

#include "libos/net/lwip/internal.h"
#include "libos/vm/vm.h"
#include "lwip/opt.h"

#define KEPT       48 /* blocks of a size, at most: 95 KiB in all */
#define PAGES_MOST 64 /* of segments */
#define LOOKS      4  /* blocks that are looked at for one whose page isn't pinned */

/* Behind each is what lwIP asked for, aligned as malloc's. */
struct block {
    struct block *next; /* of those that are kept */
    uint32_t size;      /* number of its size, or SIZES: malloc's own affair */
    uint32_t batch;     /* of a segment's: net_lwip_batch when it was sent last, 0: never */
};

/* Descriptions of segments; buffers without data; those of a segment. */
static const uint16_t sizes[] = {64, 256, 1664};
#define SIZES   (sizeof sizes / sizeof *sizes)
#define SEGMENT (SIZES - 1)
#define PAGED   (SIZES + 1) /* a segment's in a page of such */
#define STRIDE  (AEGIS_PAGE_SIZE / 2)
_Static_assert(STRIDE >= 1664 + sizeof(struct block), "two of them");

static struct {
    struct block *first;
    unsigned count;
} kept[SIZES];
static struct block *paged; /* of PAGED, those that are free */
static size_t pages;

static bool is_pinned(const struct block *b)
{
    return b->batch && aegis_page(AEGIS_PTE_PPN(vm_pte(b)))->pins;
}

/* Two more segments; NULL without memory, or if there are enough of them. */
static struct block *take_page(void)
{
    uint8_t *page = pages < PAGES_MOST ? vm_alloc(1, VM_READ_WRITE) : NULL;

    if (!page)
        return NULL;
    pages++;
    struct block *b = (struct block *)page, *other = (struct block *)(page + STRIDE);
    *other = (struct block){.next = paged, .size = PAGED};
    paged = other;
    *b = (struct block){.size = PAGED};
    return b;
}

static struct block *take_segment(void)
{
    struct block **at = &paged;

    for (int i = 0; i < LOOKS && *at; i++, at = &(*at)->next)
        if (!is_pinned(*at)) {
            struct block *b = *at;
            *at = b->next;
            return b;
        }
    return take_page();
}

void *net_lwip_allocate(size_t size)
{
    size_t i = 0;

    while (i < SIZES && size > sizes[i])
        i++;
    struct block *b = i == SEGMENT ? take_segment() : NULL;
    if (b)
        return b + 1;
    b = i < SIZES ? kept[i].first : NULL;
    if (b) {
        kept[i].first = b->next;
        kept[i].count--;
        return b + 1;
    }
    size_t room = i < SIZES ? sizes[i] : size;
    if (room > SIZE_MAX - sizeof *b || !(b = malloc(sizeof *b + room)))
        return NULL;
    b->size = (uint32_t)i;
    return b + 1;
}

void net_lwip_free(void *memory)
{
    struct block *b = (struct block *)memory - 1;

    if (!memory)
        return;
    if (b->size == PAGED) {
        if (b->batch == net_lwip_batch)
            net_lwip_flush(); /* the batch goes as it was put together */
        b->next = paged;
        paged = b;
        return;
    }
    if (b->size == SIZES || kept[b->size].count == KEPT) {
        free(b);
        return;
    }
    b->next = kept[b->size].first;
    kept[b->size].first = b;
    kept[b->size].count++;
}

bool net_lwip_send_in_place(const struct pbuf *p)
{
    struct block *b = (struct block *)(uintptr_t)p - 1;

    if (pbuf_get_allocsrc(p) != PBUF_TYPE_ALLOC_SRC_MASK_STD_HEAP ||
        p->flags & PBUF_FLAG_IS_CUSTOM || b->size != PAGED || p->next ||
        (const uint8_t *)p->payload < (const uint8_t *)(p + 1) + ETH_SIZE)
        return false;
    b->batch = net_lwip_batch;
    return true;
}
