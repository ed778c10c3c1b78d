#include "kernel/ring.h"

#include <string.h>

#include "kernel/call.h"
#include "kernel/copy.h"
#include "kernel/env.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/user.h"
#include "kernel/wake.h"

_Static_assert(AEGIS_SLOT_FRAME % 8 == NIC_BUFFER_FRAME % 8,
               "both sides of the copy are aligned alike");
_Static_assert(NIC_BUFFER_SIZE - NIC_BUFFER_FRAME <= AEGIS_SLOT_SIZE - AEGIS_SLOT_FRAME,
               "every frame that the device can give fits into a slot");

#define SLOTS_A_PAGE (PAGE_SIZE / AEGIS_SLOT_SIZE)
#define LOOK_WORK    12 /* instructions to look at a slot's sender, generously */

/* The slot of the next frame, or NULL if there is no ring or it is full. */
static inline uint8_t *next_slot(struct binding *binding)
{
    struct aegis_ring *ring = binding->ring;

    if (!ring)
        return NULL;
    /* tail is the owner's: any value of it makes the ring look full or not, and nothing worse. */
    if (binding->head - ring->tail > binding->slot_mask) {
        ring->dropped++;
        return NULL;
    }
    uint64_t number = binding->head & binding->slot_mask;
    uint8_t *page = page_memory_at(binding->ring_pages[1 + number / SLOTS_A_PAGE]);
    uint8_t *slot = page + number % SLOTS_A_PAGE * AEGIS_SLOT_SIZE;
    if (!slot)
        __builtin_unreachable(); /* which gcc doesn't know */
    return slot;
}

/* Shows the frame that was copied to the next slot. */
static inline void show_slot(struct binding *binding, const struct aegis_slot_header *header)
{
    uint32_t owner = netif_row(header->binding)->owner;

    /* The slot before the head that shows it. */
    fence(w, w);
    binding->ring->head = ++binding->head;
    env_infos[owner].frames++; /* behind the head: who sees it grow finds it */
    wake_receiver = owner;
}

bool ring_put(struct binding *binding, uint32_t index, const struct ring_frame *frame)
{
    uint8_t *slot = next_slot(binding);
    size_t at = AEGIS_SLOT_FRAME;

    if (!slot)
        return false;
    for (uint32_t i = 0; i < frame->count; i++) {
        memcpy(slot + at, frame->pieces[i].bytes, frame->pieces[i].length);
        at += frame->pieces[i].length;
    }
    struct aegis_slot_header header = {.length = (uint16_t)(at - AEGIS_SLOT_FRAME),
                                       .flags = frame->flags,
                                       .binding = index,
                                       .time = frame->time};
    *(struct aegis_slot_header *)slot = header;
    show_slot(binding, &header);
    return true;
}

static __attribute__((noinline, cold)) bool put_any(struct binding *binding, uint32_t index,
                                                    const uint8_t *bytes, size_t length,
                                                    uint16_t flags)
{
    const struct ring_frame frame = {
        .pieces = {{bytes, length}}, .count = 1, .flags = flags, .time = time_now()};

    return ring_put(binding, index, &frame);
}

bool ring_put_received(struct binding *binding, uint32_t index, const uint8_t *bytes, size_t length,
                       uint16_t flags)
{
    if (!copy_can(bytes, length))
        return put_any(binding, index, bytes, length, flags);
    uint8_t *slot = next_slot(binding);
    if (!slot)
        return false;
    copy_frame(slot + AEGIS_SLOT_FRAME, bytes, length);
    struct aegis_slot_header header = {
        .length = (uint16_t)length, .flags = flags, .binding = index, .time = time_now()};
    *(struct aegis_slot_header *)slot = header;
    show_slot(binding, &header);
    return true;
}

/* Where a slot says who has sent its frame. */
static uint32_t *sender_of(const struct binding *binding, uint64_t frame)
{
    uint64_t number = frame & binding->slot_mask;
    uint8_t *page = page_memory_at(binding->ring_pages[1 + number / SLOTS_A_PAGE]);

    return (uint32_t *)(page + number % SLOTS_A_PAGE * AEGIS_SLOT_SIZE + AEGIS_SLOT_SENDER);
}
_Static_assert(AEGIS_SLOT_SENDER >= sizeof(struct aegis_slot_header) &&
                   AEGIS_SLOT_SENDER + sizeof(uint32_t) <= AEGIS_SLOT_FRAME,
               "between header and frame");

bool ring_may_put(const struct binding *binding, uint32_t sender, int64_t *left)
{
    const struct aegis_ring *ring = binding->ring;
    uint64_t share = ring->share, waiting = binding->head - ring->tail, own = 0;
    uint64_t most = share * (binding->slot_mask + 1 - waiting);

    if (share - 1 >= AEGIS_RING_SLOTS || waiting > binding->slot_mask || waiting <= most)
        return true;
    for (uint64_t i = binding->head - waiting; i != binding->head; i++)
        own += *sender_of(binding, i) == sender;
    *left -= (int64_t)(waiting * LOOK_WORK);
    return own <= most;
}

void ring_say_sender(const struct binding *binding, uint32_t sender)
{
    *sender_of(binding, binding->head - 1) = sender;
}

void ring_release(struct binding *binding)
{
    for (uint32_t i = 0; binding->ring && i < binding->ring_page_count; i++) {
        struct aegis_page *page = &pages[binding->ring_pages[i]];
        page_unpin(page);
        page->state = AEGIS_PAGE_DATA;
    }
    binding->ring = NULL;
}

/* The index of the caller's own page, mapped writable at va, that can become part of a ring; or an
 * error. */
static long ring_page(uaddr_t va)
{
    void *memory = user_at(this_hart->env, va, PTE_R | PTE_W);

    if (!memory || va >= AEGIS_EXPOSED_BASE)
        return -AEGIS_E_ADDRESS;
    struct aegis_page *page = page_of(virt_to_phys(memory) >> PAGE_SHIFT);
    if (page->owner != this_hart->env->number)
        return -AEGIS_E_OWNER;
    return page->state == AEGIS_PAGE_DATA && page_can_pin(page) ? (long)(page - pages)
                                                                : -AEGIS_E_STATE;
}

/* A page mapped twice would be pinned twice, and its slots lie in each other. */
static bool is_among(const uint32_t *found, uint32_t count, uint32_t page)
{
    while (count > 0)
        if (found[--count] == page)
            return true;
    return false;
}

long call_net_ring(uint32_t index, uaddr_t ring, uint64_t slots)
{
    struct aegis_binding_info *i = netif_binding(index);
    uint32_t found[RING_PAGES];
    uint32_t count;

    if (!i || slots < 2 || slots > AEGIS_RING_SLOTS || (slots & (slots - 1)))
        return -AEGIS_E_RANGE;
    if (i->owner != this_hart->env->number)
        return -AEGIS_E_OWNER;
    struct binding *binding = netif_binding_state(index);
    if (binding->ring)
        return -AEGIS_E_IN_USE;
    if (ring % PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    count = 1 + (uint32_t)slots / SLOTS_A_PAGE;
    for (uint32_t n = 0; n < count; n++) {
        long page = ring_page(ring + (uint64_t)n * PAGE_SIZE);
        if (page < 0)
            return page;
        if (is_among(found, n, (uint32_t)page))
            return -AEGIS_E_STATE;
        found[n] = (uint32_t)page;
    }

    for (uint32_t n = 0; n < count; n++) {
        binding->ring_pages[n] = found[n];
        pages[found[n]].state = AEGIS_PAGE_RING;
        page_pin(&pages[found[n]]);
    }
    binding->ring_page_count = count;
    binding->slot_mask = slots - 1;
    binding->ring = page_memory(&pages[found[0]]);
    binding->head =
        binding->ring->tail; /* an owner that binds pages of an old ring goes on there */
    binding->ring->head = binding->head;
    binding->ring->dropped = 0;
    i->slots = (uint16_t)slots;
    return 0;
}
