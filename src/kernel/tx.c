/* One frame's way out: the sender's pages, the egress filter on a kernel's copy, the device. */
#include "kernel/call.h"
#include "kernel/classify.h"
#include "kernel/env.h"
#include "kernel/loop.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/ring.h"
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

/* Checks one frame and gives it to the device: 0, or why not. */
static long send_frame(struct netif *netif, struct binding *binding, const void *frame,
                       uint64_t length)
{
    struct nic *nic = &netif->nic;
    struct nic_piece pieces[NIC_TX_PIECES - 1];
    uaddr_t va = (uaddr_t)frame;
    uint64_t copied = length < AEGIS_HEADER_COPY ? length : AEGIS_HEADER_COPY;
    long count;

    if (length < FRAME_LEAST || length > AEGIS_FRAME_MAX)
        return -AEGIS_E_RANGE;
    if (nic->tx_free == NIC_TX_SLOTS)
        return -AEGIS_E_FULL;
    uint8_t *copy = nic_tx_copy(nic, nic->tx_free);
    if (!user_read(copy, va, copied))
        return -AEGIS_E_ADDRESS;
    if (!classify_egress(binding, copy, copied, length)) {
        binding->counters.refused++;
        return -AEGIS_E_EGRESS;
    }
    count = find_pieces(va + copied, length - copied, pieces);
    if (count < 0)
        return count;

    for (long i = 0; i < count; i++)
        page_pin(pieces[i].page);
    if (netif->tap_count)
        show_taps(netif, copy, copied, pieces, (uint32_t)count);
    nic_tx(nic, copied, pieces, (uint32_t)count);
    binding->counters.sent++;
    return 0;
}

long call_net_send(uint32_t index, uaddr_t frames, uint64_t count)
{
    struct aegis_binding_info *i = netif_binding(index);
    uint64_t sent;
    long result = 0;

    if (!i || count == 0 || count > AEGIS_SEND_MAX)
        return -AEGIS_E_RANGE;
    if (i->owner != this_hart->env->number)
        return -AEGIS_E_OWNER;
    struct netif *netif = &netifs[i->netif];
    if (i->netif == info->netif_count)
        return loop_send(netif_binding_state(index), frames, count);
    netif->info->sent += nic_tx_reclaim(&netif->nic);
    for (sent = 0; sent < count; sent++) {
        struct aegis_frame_out copy;
        const volatile struct aegis_frame_out *out =
            user_words(frames + sent * sizeof(copy), sizeof(copy), &copy);
        result = out ? send_frame(netif, netif_binding_state(index), out->address, out->length)
                     : -AEGIS_E_ADDRESS;
        if (result < 0)
            break;
    }
    virtq_publish(&netif->nic.tx);
    /*
     * Somebody may wait for a pin to go, or for room: then the device has to say when it has sent.
     * (If it has already, the next interrupt or call reclaims; so look once more.)
     */
    if (netif->nic.tx_pinned || result == -AEGIS_E_FULL) {
        if (virtq_want_interrupt(&netif->nic.tx))
            netif->info->sent += nic_tx_reclaim(&netif->nic);
    } else {
        virtq_want_no_interrupt(&netif->nic.tx, netif->nic.tx.size / 2);
    }
    return sent ? (long)sent : result;
}
