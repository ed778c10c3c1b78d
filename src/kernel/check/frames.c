/* Rings, and what the devices have: transmit slots, receive buffers, the pages that they pin. */
#include "kernel/check/internal.h"

#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/loop.h"
#include "kernel/rx.h"
#include "kernel/netif.h"
#include "kernel/slice.h"

static void check_ring(uint32_t index)
{
    const struct aegis_binding_info *i = netif_binding(index);
    const struct binding *b = netif_binding_state(index);

    if (!b->ring)
        return;
    HOLDS(ring_pages, i, "unbound %u has a ring", index);
    HOLDS(ring_pages, b->ring_page_count == 1U + i->slots / 2 && b->slot_mask == i->slots - 1UL,
          "%u has %u pages for %u slots", index, b->ring_page_count, i->slots);
    HOLDS(ring_pages, b->ring == page_memory(&pages[b->ring_pages[0]]), "%u's header is elsewhere",
          index);
    for (uint32_t n = 0; n < b->ring_page_count; n++) {
        const struct aegis_page *page = &pages[b->ring_pages[n]];
        HOLDS(ring_pages, page->state == AEGIS_PAGE_RING && page->owner == i->owner,
              "page %lu of %u is in state %u, of %u", page_index(page), index, page->state,
              page->owner);
        check_role(page, ROLE_RING, AEGIS_PAGE_RING, i->owner);
        shadow_of(page)->pins++;
    }
}

/* Marks what lies on the free list of transmit slots; returns how many. */
static uint32_t check_free_slots(const struct nic *nic, bool *seen)
{
    uint32_t count = 0;

    for (uint64_t i = nic->tx_free; i != NIC_TX_SLOTS; i = nic->tx_slots[i].next_free) {
        HOLDS(frames_under_way, i < NIC_TX_SLOTS && !seen[i], "free slot %lu", i);
        HOLDS(frames_under_way,
              nic->tx_slots[i].pinned_count == 0 && nic->tx_slots[i].user == NIC_NO_USER,
              "free slot %lu holds something", i);
        seen[i] = true;
        count++;
    }
    return count;
}

static void check_buffer(const struct nic *nic, uint64_t *seen, uint32_t buffer)
{
    HOLDS(frames_under_way, buffer < (uint32_t)nic->rx.size + NIC_TX_SLOTS, "buffer %u", buffer);
    HOLDS(frames_under_way, !(seen[buffer / 64] >> buffer % 64 & 1), "buffer %u is in two places",
          buffer);
    seen[buffer / 64] |= 1UL << buffer % 64;
}

static void check_in_flight(const struct netif *netif)
{
    const struct nic *nic = &netif->nic;

    for (uint32_t user = 0; user < info->binding_count; user++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < NIC_TX_SLOTS && nic->in_flight[user]; i++)
            count += nic->tx_slots[i].user == user;
        HOLDS(frames_under_way, count == nic->in_flight[user], "%u has %u frames under way, not %u",
              user, count, nic->in_flight[user]);
    }
}

static void check_nic(const struct netif *netif)
{
    const struct nic *nic = &netif->nic;
    bool is_free[NIC_TX_SLOTS] = {false};
    uint64_t seen[(NIC_RX_BUFFERS + NIC_TX_SLOTS + 63) / 64] = {0};
    uint32_t pinned = 0;

    check_free_slots(nic, is_free);
    for (uint32_t i = 0; i < nic->rx.size; i++)
        check_buffer(nic, seen, nic->rx_buffer[i]);
    /* As many buffers as there are, each in one place: so none is lost. */
    for (uint32_t i = 0; i < NIC_TX_SLOTS; i++) {
        const struct nic_tx_slot *slot = &nic->tx_slots[i];
        check_buffer(nic, seen, slot->buffer);
        if (is_free[i])
            continue;
        pinned += slot->pinned_count > 0;
        for (uint32_t n = 0; n < slot->pinned_count; n++)
            shadow_of(slot->pinned[n])->pins++;
    }
    HOLDS(frames_under_way, pinned == nic->tx_pinned, "%u frames pin pages, not %u", pinned,
          nic->tx_pinned);
    check_in_flight(netif);
}

static void check_loop_buffer(uint32_t *seen, const uint8_t *buffer)
{
    uint64_t number = (uint64_t)(buffer - loop.memory) / NIC_BUFFER_SIZE;

    HOLDS(loop_queue, number < LOOP_BUFFERS && !(*seen >> number & 1), "buffer %lu", number);
    *seen |= 1U << number;
}

static void check_loop(void)
{
    uint32_t seen = 0;

    HOLDS(loop_queue, loop.tail - loop.head <= LOOP_QUEUE, "%lu wait", loop.tail - loop.head);
    HOLDS(loop_queue,
          loop.head == loop.tail || (loop.netif->unfinished && slice_chores.rx_unfinished),
          "%lu wait for nothing", loop.tail - loop.head);
    check_loop_buffer(&seen, loop.spare);
    for (uint32_t i = 0; i < LOOP_QUEUE; i++)
        check_loop_buffer(&seen, loop.queue[i].buffer);
    for (uint64_t i = loop.head; i != loop.tail; i++) {
        const struct loop_frame *f = &loop.queue[i % LOOP_QUEUE];
        HOLDS(loop_queue, f->hops <= LOOP_HOPS && f->length <= AEGIS_FRAME_MAX && env_table[f->env],
              "%u bytes of %u's, %u hops", f->length, f->env, f->hops);
    }
}

void check_frames(void)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        check_ring(i);
    for (uint32_t i = 0; i < info->netif_count; i++)
        check_nic(&netifs[i]);
    check_loop();
}
