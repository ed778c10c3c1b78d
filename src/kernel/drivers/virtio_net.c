#include "kernel/drivers/virtio_net.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/page.h"
#include "kernel/phys.h"
#include "kernel/print.h"

/* Section 5.1.3. */
#define F_MTU 3
#define F_MAC 5

/* Section 5.1.4. */
#define CONFIG_MAC 0
#define CONFIG_MTU 10

#define QUEUE_RX    0
#define QUEUE_TX    1
#define DEFAULT_MTU 1500

#define TX_QUEUE_SIZE 256
_Static_assert(TX_QUEUE_SIZE >= NIC_TX_SLOTS * NIC_TX_PIECES,
               "each slot has descriptors of its own");

static uint8_t *rx_memory(const struct nic *nic, uint16_t buffer)
{
    return nic->rx_buffers + (size_t)buffer * NIC_BUFFER_SIZE;
}

/* Has descriptor number i receive into a buffer. */
static void place_buffer(struct nic *nic, uint16_t i, uint16_t buffer)
{
    nic->rx_buffer[i] = buffer;
    nic->rx.desc[i] =
        (struct virtq_desc){.address = virt_to_phys(rx_memory(nic, buffer) + NIC_BUFFER_HEADER),
                            .length = NIC_BUFFER_SIZE - NIC_BUFFER_HEADER,
                            .flags = VIRTQ_DESC_WRITE};
}

static void fill_rx(struct nic *nic)
{
    size_t count = nic->rx.size + NIC_RX_SPARE;

    nic->rx_buffers = boot_alloc((count * NIC_BUFFER_SIZE + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    for (uint16_t i = 0; i < nic->rx.size; i++) {
        place_buffer(nic, i, i);
        virtq_add(&nic->rx, i);
    }
    while (nic->rx_spare_count < NIC_RX_SPARE) {
        nic->rx_spare[nic->rx_spare_count] = (uint16_t)(nic->rx.size + nic->rx_spare_count);
        nic->rx_spare_count++;
    }
}

static void fill_tx(struct nic *nic)
{
    nic->tx_headers = boot_alloc((NIC_TX_SLOTS * NIC_TX_SLOT + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    for (uint16_t i = 0; i < NIC_TX_SLOTS; i++) {
        nic->tx_slots[i].next_free = i + 1;
        nic->tx_slots[i].buffer = NIC_NO_BUFFER;
    }
    nic->tx_free = 0;
}

void nic_init(struct nic *nic, const struct virtio *device)
{
    nic->device = *device;
    virtio_negotiate(&nic->device, 1UL << F_MAC, 1UL << F_MTU | 1UL << VIRTIO_F_EVENT_IDX);
    for (uint32_t i = 0; i < sizeof(nic->mac); i++)
        nic->mac[i] = virtio_config8(&nic->device, CONFIG_MAC + i);
    nic->mtu =
        virtio_has(&nic->device, F_MTU) ? virtio_config16(&nic->device, CONFIG_MTU) : DEFAULT_MTU;
    virtio_make_queue(&nic->device, QUEUE_RX, NIC_RX_BUFFERS, &nic->rx);
    virtio_make_queue(&nic->device, QUEUE_TX, TX_QUEUE_SIZE, &nic->tx);
    if (nic->tx.size < TX_QUEUE_SIZE)
        refuse("virtio-net: its transmit queue holds %u descriptors, and %u are needed",
               nic->tx.size, TX_QUEUE_SIZE);
    fill_rx(nic);
    fill_tx(nic);
    virtio_start(&nic->device);
    virtq_publish(&nic->rx);
    virtq_want_no_interrupt(&nic->tx, TX_QUEUE_SIZE);
    virtq_want_interrupt(&nic->rx);
}

uint8_t *nic_rx_next(struct nic *nic, size_t *length, uint16_t *head)
{
    struct virtq_used used;

    while (virtq_take(&nic->rx, &used)) {
        *head = (uint16_t)used.head;
        if (used.length > NIC_HEADER && used.length <= NIC_BUFFER_SIZE - NIC_BUFFER_HEADER) {
            *length = used.length - NIC_HEADER;
            return rx_memory(nic, nic->rx_buffer[*head]);
        }
        virtq_add(&nic->rx, *head); /* a header alone: nothing was received */
    }
    return NULL;
}

void nic_rx_return(struct nic *nic, uint16_t head)
{
    virtq_add(&nic->rx, head);
}

void nic_tx_turn(struct nic *nic, uint16_t head, size_t start, size_t end, uint32_t user)
{
    struct nic_tx_slot *slot = &nic->tx_slots[nic->tx_free];
    uint16_t first = nic->tx_free * NIC_TX_PIECES, buffer = nic->rx_buffer[head];
    uint8_t *header = rx_memory(nic, buffer) + start - NIC_HEADER;

    memset(header, 0, NIC_HEADER);
    nic->tx_free = slot->next_free;
    nic->tx.desc[first] = (struct virtq_desc){.address = virt_to_phys(header),
                                              .length = (uint32_t)(NIC_HEADER + end - start)};
    slot->buffer = buffer;
    slot->user = user;
    nic->in_flight[user]++;
    place_buffer(nic, head, nic->rx_spare[--nic->rx_spare_count]);
    virtq_add(&nic->tx, first);
}

void nic_tx(struct nic *nic, size_t copied, const struct nic_piece *pieces, uint32_t count)
{
    struct nic_tx_slot *slot = &nic->tx_slots[nic->tx_free];
    uint16_t head = nic->tx_free * NIC_TX_PIECES;
    struct virtq_desc *desc = &nic->tx.desc[head];

    nic->tx_free = slot->next_free;
    *desc = (struct virtq_desc){
        .address = virt_to_phys(nic_tx_copy(nic, (uint16_t)(head / NIC_TX_PIECES)) - NIC_HEADER),
        .length = (uint32_t)(NIC_HEADER + copied)};
    slot->pinned_count = count;
    if (count)
        nic->tx_pinned++;
    for (uint32_t i = 0; i < count; i++) {
        desc->flags = VIRTQ_DESC_NEXT;
        desc->next = (uint16_t)(head + i + 1);
        desc++;
        *desc = (struct virtq_desc){.address = pieces[i].physical, .length = pieces[i].length};
        slot->pinned[i] = pieces[i].page;
    }
    virtq_add(&nic->tx, head);
}

uint32_t nic_tx_reclaim(struct nic *nic)
{
    struct virtq_used used;
    uint32_t count = 0;

    do {
        for (; virtq_take(&nic->tx, &used); count++) {
            uint16_t number = (uint16_t)(used.head / NIC_TX_PIECES);
            assert_kernel(number < NIC_TX_SLOTS);
            struct nic_tx_slot *slot = &nic->tx_slots[number];
            for (uint32_t i = 0; i < slot->pinned_count; i++)
                page_unpin(slot->pinned[i]);
            if (slot->pinned_count)
                nic->tx_pinned--;
            slot->pinned_count = 0;
            if (slot->buffer != NIC_NO_BUFFER) {
                nic->rx_spare[nic->rx_spare_count++] = slot->buffer;
                nic->in_flight[slot->user]--;
            }
            slot->buffer = NIC_NO_BUFFER;
            slot->next_free = nic->tx_free;
            nic->tx_free = number;
        }
    } while (nic->tx_pinned && virtq_want_interrupt(&nic->tx));
    return count;
}
