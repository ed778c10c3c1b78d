/*
 * virtio network device (specification 1.2, section 5.1): one receive and one transmit queue, no
 * offloads, so that every frame is as it was on the wire.
 */
#ifndef AEGIS_KERNEL_DRIVERS_VIRTIO_NET_H
#define AEGIS_KERNEL_DRIVERS_VIRTIO_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/check/hard.h"
#include "kernel/drivers/virtio.h"
#include "kernel/page.h"
#include "kernel/phys.h"
#include "kernel/print.h"

#define NIC_RX_BUFFERS HARD(256, 16)
#define NIC_TX_SLOTS   HARD(64, 16)
#define NIC_TX_PIECES                                                                              \
    3 /* descriptors a chain: header and copy, and what lies in up to two pages                    \
       */
#define NIC_TX_QUEUE_SIZE 256
#define NIC_TX_STRIDE     4 /* descriptors from one slot's first to the next one's */

/*
 * A receive buffer: 256 bytes of headroom for handlers that grow a frame, then the device's header,
 * then the frame, at 6 mod 8, so that IPv4 addresses (26 and 30 behind an Ethernet header) lie on 8
 * bytes.
 *
 *   0        258     270                    2048
 *   | headroom | header | frame               |
 */
#define NIC_HEADER        12
#define NIC_BUFFER_SIZE   2048
#define NIC_BUFFER_HEADER 258
#define NIC_BUFFER_FRAME  (NIC_BUFFER_HEADER + NIC_HEADER)

typedef uint16_t __attribute__((may_alias)) nic_half;
typedef uint32_t __attribute__((may_alias)) nic_word;

struct nic_tx_slot {
    struct aegis_page *pinned[NIC_TX_PIECES - 1]; /* until the device has read them */
    uint64_t user; /* whose frame it sends in place: index into in_flight; or NIC_NO_USER */
    uint16_t pinned_count;
    uint16_t buffer; /* a receive buffer: a spare one, or the one that it sends in place */
    uint16_t next_free;
};
#define NIC_NO_USER UINT64_MAX

/* What every frame needs stands first, where one instruction reaches it. */
struct nic {
    struct virtio device;
    struct virtq rx, tx;
    uint8_t *rx_buffers;
    uint64_t rx_first; /* where the device begins in the first buffer: physical */
    uint8_t
        *tx_headers; /* NIC_TX_SLOT bytes a slot: zeros for the device, then the kernel's copy */
    uint32_t *in_flight; /* frames sent in place that the device still has, by user */
    uint64_t tx_free;    /* first free slot, or NIC_TX_SLOTS */
    uint32_t changed;    /* set when something changes that an application may wait for: a pin goes,
                        or a frame arrives (rx.c, which clears it) */
    uint32_t tx_pinned;  /* frames under way that pin pages */
    uint16_t rx_together; /* returned buffers are shown to the device so many at a time, less 1 */
    uint8_t mac[6];
    uint16_t mtu;
    uint16_t rx_buffer[NIC_RX_BUFFERS]; /* which buffer a descriptor holds */
    struct nic_tx_slot tx_slots[NIC_TX_SLOTS];
};

/* A transmit slot's beginning: the device's header so that the copy behind it is at 6 mod 8, as
   frames are in rings and buffers. */
#define NIC_TX_SLOT   256
#define NIC_TX_HEADER 2
#define NIC_TX_COPY   (NIC_TX_HEADER + NIC_HEADER)

void nic_init(struct nic *nic, const struct virtio *device);

static inline uint8_t *nic_rx_memory(const struct nic *nic, uint64_t buffer)
{
    return nic->rx_buffers + buffer * NIC_BUFFER_SIZE;
}

/*
 * Gives a descriptor's buffer back to the device. Showing it costs nearly as much as a frame's way
 * to its ring, and the device has many; so up to an eighth of them is shown together.
 */
static inline void nic_rx_return(struct nic *nic, uint64_t head)
{
    uint64_t added = virtq_add(&nic->rx, head);

    if (__builtin_expect(!(added & nic->rx_together), 0))
        virtq_publish(&nic->rx);
}

/*
 * The next received frame: false if there is none, else its buffer, in which it is at
 * NIC_BUFFER_FRAME, *length long. It stays out until nic_rx_return(head).
 */
static inline bool nic_rx_next(struct nic *nic, uint8_t **buffer, size_t *length, uint64_t *head)
{
    struct virtq_used used;

    while (virtq_take(&nic->rx, &used)) {
        *head = used.head;
        *length = used.length - NIC_HEADER;
        *buffer = nic_rx_memory(nic, nic->rx_buffer[*head]);
        /* Unsigned: a length below the header's is far above the most. */
        if (*length - 1 < NIC_BUFFER_SIZE - NIC_BUFFER_FRAME)
            return true;
        nic_rx_return(nic, *head); /* a header alone: nothing was received */
    }
    return false;
}

/* Zeroes the device's header before a frame; where one that wasn't moved lies, four stores do it.
 */
static inline void nic_clear_header(uint8_t *frame, bool is_moved)
{
    if (__builtin_expect(is_moved, 0)) {
        for (size_t i = 1; i <= NIC_HEADER; i++)
            *(frame - i) = 0;
        return;
    }
    *(nic_half *)(frame - 12) = 0;
    *(nic_word *)(frame - 10) = 0;
    *(nic_word *)(frame - 6) = 0;
    *(nic_half *)(frame - 2) = 0;
}
_Static_assert(NIC_BUFFER_FRAME % 8 == 6 && NIC_HEADER == 12, "nic_clear_header");

/*
 * Sends a frame from where it is in head's buffer, the device's header zeroed before it, of which
 * NIC_HEADER bytes lie in the buffer (is_moved: it isn't at 6 modulo 8); false if there is no slot,
 * or the user has most frames under way. The slot's spare buffer takes that one's place, and the
 * slot keeps this one: once it is sent, it is the spare. nic_rx_return(head) is still due. Counted
 * in in_flight[user] until it is sent.
 */
static inline bool nic_tx_turn(struct nic *nic, uint64_t head, uint8_t *frame, size_t length,
                               bool is_moved, uint64_t user, uint32_t most)
{
    uint64_t number = nic->tx_free;
    struct nic_tx_slot *slot = &nic->tx_slots[number];
    uint32_t *under_way = &nic->in_flight[user];

    if (number == NIC_TX_SLOTS || *under_way == most)
        return false;
    uint64_t spare = slot->buffer;
    ++*under_way;
    nic_clear_header(frame, is_moved);
    nic->tx_free = slot->next_free;
    slot->user = user;
    slot->buffer = nic->rx_buffer[head];
    nic->rx_buffer[head] = (uint16_t)spare;
    struct virtq_desc *desc = &nic->tx.desc[number * NIC_TX_STRIDE];
    desc->address = virt_to_phys(frame) - NIC_HEADER;
    desc->rest = NIC_HEADER + length; /* no flags */
    /* Length and flags of the descriptor that receives stay as they are. */
    nic->rx.desc[head].address = nic->rx_first + spare * NIC_BUFFER_SIZE;
    virtq_add(&nic->tx, number * NIC_TX_STRIDE);
    return true;
}

/* Where slot's copy of a frame's beginning lies. */
static inline uint8_t *nic_tx_copy(struct nic *nic, uint64_t slot)
{
    return nic->tx_headers + slot * NIC_TX_SLOT + NIC_TX_COPY;
}

/* A piece of a frame in somebody's page, pinned by the caller. */
struct nic_piece {
    struct aegis_page *page;
    uint64_t physical;
    uint32_t length;
};

/*
 * Sends slot's copy of copied bytes, followed by pieces. The slot is nic->tx_free, not
 * NIC_TX_SLOTS; it is taken. virtq_publish(&nic->tx) shows it.
 */
void nic_tx(struct nic *nic, size_t copied, const struct nic_piece *pieces, uint32_t count);

/* The same of a frame that was copied as a whole: length bytes. */
static inline void nic_tx_copied(struct nic *nic, size_t length)
{
    uint64_t number = nic->tx_free;
    struct virtq_desc *desc = &nic->tx.desc[number * NIC_TX_STRIDE];

    desc->address = virt_to_phys(nic_tx_copy(nic, number) - NIC_HEADER);
    desc->rest = NIC_HEADER + length;               /* no flags */
    nic->tx_free = nic->tx_slots[number].next_free; /* pinned_count of a free slot is 0 */
    virtq_add(&nic->tx, number * NIC_TX_STRIDE);
}

/* Undoes what a sent frame held: pins of its pages, or somebody's share of what is under way. */
static inline void nic_tx_release(struct nic *nic, uint64_t number)
{
    struct nic_tx_slot *slot = &nic->tx_slots[number];

    /* Heads are less than the queue's size (virtq_take): usually that is all there is to check. */
    if (NIC_TX_SLOTS * NIC_TX_STRIDE < NIC_TX_QUEUE_SIZE)
        assert_kernel(number < NIC_TX_SLOTS);
    if (slot->user != NIC_NO_USER) {
        nic->in_flight[slot->user]--;
        slot->user = NIC_NO_USER;
    } else if (slot->pinned_count) {
        for (uint32_t i = 0; i < slot->pinned_count; i++)
            page_unpin(slot->pinned[i]);
        slot->pinned_count = 0;
        nic->tx_pinned--;
        nic->changed = true;
    }
    slot->next_free = (uint16_t)nic->tx_free;
    nic->tx_free = number;
}

/* Takes back what the device has sent, unpins its pages; returns how many frames. */
static inline uint64_t nic_tx_take_back(struct nic *nic)
{
    struct virtq_used used;
    uint64_t count = 0;

    for (; virtq_take(&nic->tx, &used); count++)
        nic_tx_release(nic, used.head / NIC_TX_STRIDE);
    return count;
}

/*
 * The same, and while some still pin pages, asks for an interrupt, since somebody may wait for a
 * pin to go.
 */
uint64_t nic_tx_reclaim(struct nic *nic);

#endif
