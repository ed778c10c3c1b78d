/* Long writes out of memory that both sides share: one copy, by the reader (page.h). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "libos/ipc/internal.h"
#include "libos/vm/vm.h"

#define WITHDRAW_YIELDS                                                                            \
    100 /* to a reader that has the lock, before it is not waited for any more */

/* Whether a range is in one region of memory that is shared with others. */
static bool is_shared(uint64_t address, uint64_t size)
{
    const struct vm_region *region = vm_region_at(address);
    return region->inherit == VM_SHARE && region->prot & AEGIS_PROT_READ &&
           address >= region->start && size <= region->end - address;
}

static uint64_t frame_at(uint64_t address)
{
    uint64_t pte = vm_pte((const void *)address);
    return pte & AEGIS_PTE_VALID ? AEGIS_PTE_PPN(pte) : 0;
}

bool pipe_offer(struct pipe_end *end, const void *bytes, size_t count)
{
    struct pipe_page *page = end->page;
    struct pipe_offer *offer = &page->offer;
    uint64_t address = (uint64_t)bytes, size = count < OFFER_MOST ? count : OFFER_MOST;
    uint64_t first = address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);

    if (end->declined || end->object.flags & O_NONBLOCK || !end->few ||
        __atomic_load_n(&page->head, __ATOMIC_RELAXED) != page->tail || !is_shared(address, size))
        return false;
    for (uint64_t i = 0; first + i * AEGIS_PAGE_SIZE < address + size; i++) {
        uint64_t frame = frame_at(first + i * AEGIS_PAGE_SIZE);
        if (!frame)
            return false;
        offer->frames[i] = frame;
    }
    offer->address = address;
    offer->size = size;
    offer->taken = 0;
    __atomic_store_n(&offer->state, OFFER_MADE, __ATOMIC_RELEASE);
    __atomic_fetch_add(&page->changes, 1, __ATOMIC_ACQ_REL); /* readers that sleep look at that */
    pipe_changed(page);
    return true;
}

/* What was taken when no more will be: a reader that has begun is let finish. */
static uint64_t withdraw(struct pipe_end *end)
{
    struct pipe_page *page = end->page;
    unsigned tries = 0;
    while (!pipe_try_lock(&page->reader, end->pipe->self) && tries++ < WITHDRAW_YIELDS)
        aegis_yield(MEMBER_ENV(__atomic_load_n(&page->reader, __ATOMIC_RELAXED)));
    __atomic_store_n(&page->offer.state, OFFER_NONE, __ATOMIC_RELEASE);
    uint64_t taken = __atomic_load_n(&page->offer.taken, __ATOMIC_ACQUIRE);
    if (tries <= WITHDRAW_YIELDS)
        pipe_unlock(&page->reader);
    return taken;
}

/* What stands in the page is the reader's word, not what was offered: `taken` counts as long as it
 * grows, so that no reader keeps this waiting with anything but doing nothing. */
ssize_t pipe_offer_wait(struct pipe_end *end, size_t count)
{
    struct pipe_offer *offer = &end->page->offer;
    uint64_t size = count < OFFER_MOST ? count : OFFER_MOST, before = 0;
    int result = 1;
    for (uint64_t taken; result > 0; before = taken) {
        taken = __atomic_load_n(&offer->taken, __ATOMIC_ACQUIRE);
        if (taken >= size) {
            __atomic_store_n(&offer->state, OFFER_NONE, __ATOMIC_RELEASE);
            end->declined = taken == OFFER_DECLINED;
            return end->declined ? 0 : (ssize_t)size;
        }
        result = taken < before ? -EIO : pipe_await(end, &offer->taken, taken);
    }
    if (result == -EBADF) /* the end is gone */
        return result;
    uint64_t taken = withdraw(end);
    return result == -EIO || taken == 0 || taken > size ? result : (ssize_t)taken;
}

/* Whether the pages from number first of the offer on are this process's memory there, too. */
static bool is_ours(const struct pipe_offer *offer, uint64_t address, uint64_t from, uint64_t count)
{
    uint64_t page = address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    uint64_t i = (address + from - page) / AEGIS_PAGE_SIZE;
    for (; page + i * AEGIS_PAGE_SIZE < address + from + count; i++)
        if (frame_at(page + i * AEGIS_PAGE_SIZE) !=
            __atomic_load_n(&offer->frames[i], __ATOMIC_RELAXED))
            return false;
    return true;
}

/* address, size and taken are another's words: each is read once. */
ssize_t pipe_offer_take(struct pipe_page *page, void *bytes, size_t count)
{
    struct pipe_offer *offer = &page->offer;
    if (!pipe_is_offered(page))
        return 0;
    uint64_t address = __atomic_load_n(&offer->address, __ATOMIC_RELAXED);
    uint64_t size = __atomic_load_n(&offer->size, __ATOMIC_RELAXED);
    uint64_t taken = __atomic_load_n(&offer->taken, __ATOMIC_RELAXED);
    if (taken >= size)
        return 0;
    if (count > size - taken)
        count = size - taken;
    if (size > OFFER_MOST || !is_shared(address, size) || !is_ours(offer, address, taken, count)) {
        __atomic_store_n(&offer->taken, OFFER_DECLINED, __ATOMIC_RELEASE);
        return 0;
    }
    memcpy(bytes, (const void *)(address + taken), count);
    __atomic_store_n(&offer->taken, taken + count, __ATOMIC_RELEASE);
    return (ssize_t)count;
}
