/*
 * Sending. The kernel copies the first AEGIS_HEADER_COPY bytes; behind them the device reads the
 * program's own pages, which stay pinned until it has: so what doesn't fit the copy is sent from a
 * pool of buffers, and each is used again only when its page's pins, which the kernel exposes, are
 * gone.
 */
#include <string.h>

#include "libos/net/net.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define POOL_PAGES 16
#define FULL_RETRY                                                                                 \
    1000000 /* ns: nothing exposed tells of room in the device's queue, so look again then */

static struct {
    uint8_t *page;
    uint64_t ppn;
} pool[POOL_PAGES];
static size_t pool_next; /* the one used longest ago: the next that comes free */

/* Pins are the upper 16 bits of the first word of a page's record (struct aegis_page). */
#define PINS_MASK (0xffffUL << 48)
_Static_assert(offsetof(struct aegis_page, pins) == 6, "pins end the first word");

static struct aegis_predicate when_unpinned(uint64_t ppn)
{
    return (struct aegis_predicate){.word = (const volatile uint64_t *)aegis_page(ppn),
                                    .mask = PINS_MASK,
                                    .value = 0,
                                    .op = AEGIS_WAKE_EQ};
}

/* A buffer that no device reads, or NULL at the deadline or without memory. */
static uint8_t *take_buffer(uint64_t deadline)
{
    size_t i = pool_next;
    if (!pool[i].page) {
        pool[i].page = vm_alloc(1, VM_READ_WRITE);
        if (!pool[i].page)
            return NULL;
        pool[i].ppn = (uint64_t)vm_page_at(pool[i].page);
    }
    struct aegis_predicate unpinned = when_unpinned(pool[i].ppn);
    if (aegis_page(pool[i].ppn)->pins && aegis_wait(&unpinned, 1, deadline) != 0)
        return NULL;
    pool_next = (i + 1) % POOL_PAGES;
    return pool[i].page;
}

uint8_t *net_send_buffer(void)
{
    return take_buffer(AEGIS_FOREVER);
}

int64_t net_send_copy(struct net *net, const void *frame, size_t length, uint64_t deadline)
{
    struct aegis_frame_out out = {.address = frame, .length = length};
    if (length > AEGIS_FRAME_MAX)
        return -AEGIS_E_RANGE;
    if (length > AEGIS_HEADER_COPY) {
        uint8_t *buffer = take_buffer(deadline);
        if (!buffer)
            return 0;
        out.address = memcpy(buffer, frame, length);
    }
    for (;;) {
        int64_t result = aegis_net_send(net->binding, &out, 1);
        if (result != -AEGIS_E_FULL)
            return result;
        uint64_t now = time_now(), later = time_after(FULL_RETRY);
        if (now >= deadline)
            return 0;
        aegis_wait(NULL, 0, later < deadline ? later : deadline);
    }
}
