/* One frame's way out: the sender's pages, the egress filter on a kernel's copy, the device. */
#include "kernel/call.h"
#include "kernel/classify.h"
#include "kernel/copy.h"
#include "kernel/env.h"
#include "kernel/loop.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/ring.h"
#include "kernel/rv64/csr.h"
#include "kernel/tap.h"
#include "kernel/user.h"

#define FRAME_LEAST 14 /* an Ethernet header */

_Static_assert(NIC_TX_COPY + AEGIS_HEADER_COPY <= NIC_TX_SLOT, "the copy fits into a slot");
_Static_assert(AEGIS_FRAME_MAX - AEGIS_HEADER_COPY <= PAGE_SIZE,
               "the rest lies in at most two pages");

/*
 * Finds the pieces of the caller's memory from va on, length bytes, that lie in one page each;
 * returns how many, or an error. length is at most a page.
 */
static long find_pieces(uaddr_t va, uint64_t length, struct nic_piece *pieces)
{
    uint32_t count = 0;

    while (length) {
        uint64_t n = PAGE_SIZE - va % PAGE_SIZE;
        const void *at = user_at(this_hart->env, va, PTE_R);
        if (!at)
            return -AEGIS_E_ADDRESS;
        n = n < length ? n : length;
        struct nic_piece *piece = &pieces[count++];
        *piece = (struct nic_piece){.physical = virt_to_phys(at), .length = (uint32_t)n};
        piece->page = page_of(piece->physical >> PAGE_SHIFT);
        if (!page_can_pin(piece->page))
            return -AEGIS_E_STATE;
        va += n;
        length -= n;
    }
    return count;
}

/* Gives taps their copies of a frame that has passed the check. */
static void show_taps(struct netif *netif, const uint8_t *copy, size_t copied,
                      const struct nic_piece *pieces, uint32_t count)
{
    struct ring_frame frame = {.pieces = {{copy, copied}}, .count = 1, .time = time_now()};

    for (uint32_t i = 0; i < count; i++, frame.count++) {
        frame.pieces[frame.count].bytes = phys_to_virt(pieces[i].physical);
        frame.pieces[frame.count].length = pieces[i].length;
    }
    tap_sent(netif, &frame);
}

/* Whether a frame may be sent, of which copied bytes lie in a transmit slot. Who returns to an
 * application behind this clears temporaries (clear_call_temporaries). */
static inline bool may_leave(struct binding *binding, const uint8_t *copy, size_t copied,
                             size_t length)
{
    dpf_matcher *matcher = (dpf_matcher *)binding->egress_code.entry;
    bool may = __builtin_expect(matcher != NULL, 1)
                   ? matcher(copy, copied, length) != 0
                   : dpf_match(&binding->egress, copy, copied, length);

    if (__builtin_expect(!may, 0))
        binding->counters.refused++;
    return may;
}
/* Slots lie as frames usually do. */
_Static_assert(NIC_TX_COPY % 8 == 6 && NIC_TX_SLOT % 8 == 0, "classify_lies_as_usual");

/* A frame that the kernel doesn't copy as a whole: 0, or why it isn't sent. */
static __attribute__((noinline)) long send_long(struct netif *netif, struct binding *binding,
                                                uaddr_t va, uint64_t length)
{
    struct nic *nic = &netif->nic;
    struct nic_piece pieces[NIC_TX_PIECES - 1];
    uint8_t *copy = nic_tx_copy(nic, nic->tx_free);

    if (length > AEGIS_FRAME_MAX)
        return -AEGIS_E_RANGE;
    if (nic->tx_free == NIC_TX_SLOTS)
        return -AEGIS_E_FULL;
    if (!user_read(copy, va, AEGIS_HEADER_COPY))
        return -AEGIS_E_ADDRESS;
    if (!may_leave(binding, copy, AEGIS_HEADER_COPY, length))
        return -AEGIS_E_EGRESS;
    long count = find_pieces(va + AEGIS_HEADER_COPY, length - AEGIS_HEADER_COPY, pieces);
    if (count < 0)
        return count;

    for (long i = 0; i < count; i++)
        page_pin(pieces[i].page);
    if (netif->tap_count)
        show_taps(netif, copy, AEGIS_HEADER_COPY, pieces, (uint32_t)count);
    nic_tx(nic, AEGIS_HEADER_COPY, pieces, (uint32_t)count);
    binding->counters.sent++;
    return 0;
}

/* Checks one frame and gives it to the device: 0, or why not. */
static long send_frame(struct netif *netif, struct binding *binding, const void *frame,
                       uint64_t length)
{
    struct nic *nic = &netif->nic;

    if (length > AEGIS_HEADER_COPY)
        return send_long(netif, binding, (uaddr_t)frame, length);
    if (length < FRAME_LEAST)
        return -AEGIS_E_RANGE;
    if (nic->tx_free == NIC_TX_SLOTS)
        return -AEGIS_E_FULL;
    uint8_t *copy = nic_tx_copy(nic, nic->tx_free);
    if (!user_read(copy, (uaddr_t)frame, length))
        return -AEGIS_E_ADDRESS;
    if (!may_leave(binding, copy, length, length))
        return -AEGIS_E_EGRESS;

    if (__builtin_expect(netif->tap_count != 0, 0))
        show_taps(netif, copy, length, NULL, 0);
    nic_tx_copied(nic, length);
    binding->counters.sent++;
    return 0;
}

/* Any frames, to any interface. */
static __attribute__((noinline)) long send_all(uint32_t index, uaddr_t frames, uint64_t count)
{
    struct aegis_binding_info *i = netif_binding(index);
    uint64_t sent;
    long result = 0;

    if (!i || count == 0 || count > AEGIS_SEND_MAX)
        return -AEGIS_E_RANGE;
    if (i->owner != this_hart->env->number)
        return -AEGIS_E_OWNER;
    struct netif *netif = &netifs[i->netif];
    struct binding *binding = netif_binding_state(index);
    if (i->netif == info->netif_count)
        return loop_send(binding, frames, count);
    struct nic *nic = &netif->nic;
    netif->info->sent += nic_tx_reclaim(nic);
    for (sent = 0; sent < count; sent++, frames += sizeof(struct aegis_frame_out)) {
        struct aegis_frame_out copy;
        const volatile struct aegis_frame_out *out = user_words(frames, sizeof(copy), &copy);
        result = out ? send_frame(netif, binding, out->address, out->length) : -AEGIS_E_ADDRESS;
        if (result < 0)
            break;
    }
    virtq_show(&nic->tx);
    /*
     * Somebody may wait for a pin to go, or for room: then the device has to say when it has sent.
     * (If it has already, the next interrupt or call reclaims; so look once more.)
     */
    if (nic->tx_pinned || result == -AEGIS_E_FULL) {
        if (virtq_want_interrupt(&nic->tx))
            netif->info->sent += nic_tx_reclaim(nic);
    } else {
        virtq_want_no_interrupt(&nic->tx, nic->tx.size / 2);
    }
    clear_call_temporaries();
    return sent ? (long)sent : result;
}

/*
 * One short frame to a device, nothing about it out of the ordinary, is on its way here: whatever
 * else there may be, mistakes included, is send_all's.
 */
long call_net_send(uint32_t index, uaddr_t frames, uint64_t count)
{
    const struct env *self = this_hart->env;
    struct aegis_binding_info *i = netif_binding(index);

    if (!i || count != 1 || i->owner != self->number || i->netif == info->netif_count)
        return send_all(index, frames, count);
    struct netif *netif = &netifs[i->netif];
    struct binding *binding = netif_binding_state(index);
    struct nic *nic = &netif->nic;
    const volatile struct aegis_frame_out *out = user_words_at_hand(frames, sizeof(*out));
    if (!out || nic->tx_free == NIC_TX_SLOTS || nic->tx_pinned || netif->tap_count ||
        !binding->egress_code.entry)
        return send_all(index, frames, count);
    uaddr_t va = (uaddr_t)out->address;
    uint64_t length = out->length;
    const uint8_t *frame = user_peek(self, va, PTE_R);
    if (length - FRAME_LEAST > AEGIS_HEADER_COPY - FRAME_LEAST ||
        va % PAGE_SIZE > PAGE_SIZE - length || !frame || !copy_can(frame, length))
        return send_all(index, frames, count);

    if (virtq_waits(&nic->tx))
        netif->info->sent += nic_tx_take_back(nic);
    uint8_t *copy = nic_tx_copy(nic, nic->tx_free);
    if (__builtin_expect(va % PAGE_SIZE <= PAGE_SIZE - COPY_BLOCK, 1))
        copy_block(copy, frame);
    else
        copy_frame(copy, frame, length);
    bool may = may_leave(binding, copy, length, length);
    clear_call_temporaries();
    if (!may)
        return -AEGIS_E_EGRESS;
    nic_tx_copied(nic, length);
    binding->counters.sent++;
    virtq_show(&nic->tx);
    virtq_want_no_interrupt(&nic->tx, NIC_TX_QUEUE_SIZE / 2);
    return 1;
}
_Static_assert(AEGIS_HEADER_COPY <= COPY_SHORT && AEGIS_HEADER_COPY <= COPY_BLOCK &&
                   NIC_TX_COPY + COPY_BLOCK <= NIC_TX_SLOT,
               "copy_frame, copy_block");
