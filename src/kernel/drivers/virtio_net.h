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

#define NIC_RX_BUFFERS HARD(256, 16)
#define NIC_RX_SPARE   HARD(64, 2) /* stand in for buffers that are sent back in place */
#define NIC_TX_SLOTS   HARD(64, 16)
#define NIC_TX_PIECES                                                                              \
    3 /* descriptors a chain: header and copy, and what lies in up to two pages                    \
       */

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

struct aegis_page;

struct nic_tx_slot {
    struct aegis_page *pinned[NIC_TX_PIECES]; /* until the device has read them */
    uint32_t pinned_count;
    uint32_t user;   /* whose frame it sends in place: index into in_flight */
    uint16_t buffer; /* receive buffer that is sent in place, or NIC_NO_BUFFER */
    uint16_t next_free;
};
#define NIC_NO_BUFFER UINT16_MAX

struct nic {
    struct virtio device;
    struct virtq rx, tx;
    uint8_t *rx_buffers;
    uint16_t rx_buffer[NIC_RX_BUFFERS]; /* which buffer a descriptor holds */
    uint16_t rx_spare[NIC_RX_SPARE];
    uint32_t rx_spare_count;
    uint8_t
        *tx_headers; /* NIC_TX_SLOT bytes a slot: zeros for the device, then the kernel's copy */
    struct nic_tx_slot tx_slots[NIC_TX_SLOTS];
    uint16_t tx_free;    /* first free slot, or NIC_TX_SLOTS */
    uint32_t tx_pinned;  /* frames under way that pin pages */
    uint16_t *in_flight; /* frames sent in place that the device still has, by user */
    uint8_t mac[6];
    uint16_t mtu;
};

/* A transmit slot's beginning: the device's header so that the copy behind it is at 6 mod 8, as
   frames are in rings and buffers. */
#define NIC_TX_SLOT   256
#define NIC_TX_HEADER 2
#define NIC_TX_COPY   (NIC_TX_HEADER + NIC_HEADER)

void nic_init(struct nic *nic, const struct virtio *device);

/*
 * The buffer of the next received frame, or NULL; the frame is at NIC_BUFFER_FRAME, *length long.
 * It stays out until nic_rx_return(head).
 */
uint8_t *nic_rx_next(struct nic *nic, size_t *length, uint16_t *head);
void nic_rx_return(struct nic *nic, uint16_t head);

/* Whether a received frame could be sent in place: there are a slot and a spare buffer. */
static inline bool nic_can_turn(const struct nic *nic)
{
    return nic->tx_free != NIC_TX_SLOTS && nic->rx_spare_count > 0;
}

/*
 * Sends bytes [start, end) of head's buffer from where they are, the device's header zeroed before
 * them, and puts a spare buffer in its place; nic_rx_return(head) is still due. nic_can_turn must
 * hold, and start be at least NIC_HEADER. Counted in in_flight[user] until it is sent.
 */
void nic_tx_turn(struct nic *nic, uint16_t head, size_t start, size_t end, uint32_t user);

/* Where slot's copy of a frame's beginning lies. */
static inline uint8_t *nic_tx_copy(struct nic *nic, uint16_t slot)
{
    return nic->tx_headers + (size_t)slot * NIC_TX_SLOT + NIC_TX_COPY;
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

/*
 * Takes back what the device has sent, unpins its pages; returns how many frames. While some still
 * pin pages, it asks for an interrupt, since somebody may wait for a pin to go.
 */
uint32_t nic_tx_reclaim(struct nic *nic);

#endif
