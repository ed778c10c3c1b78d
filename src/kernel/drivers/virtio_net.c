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

_Static_assert(NIC_TX_QUEUE_SIZE >= NIC_TX_SLOTS * NIC_TX_STRIDE && NIC_TX_STRIDE >= NIC_TX_PIECES,
               "each slot has descriptors of its own");

/* Has descriptor number i receive into a buffer. */
static void place_buffer(struct nic *nic, uint16_t i, uint16_t buffer)
{
    nic->rx_buffer[i] = buffer;
    nic->rx.desc[i] =
        (struct virtq_desc){.address = virt_to_phys(nic_rx_memory(nic, buffer) + NIC_BUFFER_HEADER),
                            .length = NIC_BUFFER_SIZE - NIC_BUFFER_HEADER,
                            .flags = VIRTQ_DESC_WRITE};
}

static void fill_rx(struct nic *nic)
{
    size_t count = nic->rx.size + NIC_TX_SLOTS;

    nic->rx_buffers = boot_alloc((count * NIC_BUFFER_SIZE + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    nic->rx_first = virt_to_phys(nic->rx_buffers) + NIC_BUFFER_HEADER;
    for (uint16_t i = 0; i < nic->rx.size; i++) {
        place_buffer(nic, i, i);
        virtq_add(&nic->rx, i);
    }
    nic->rx_together = nic->rx.size < 16 ? 0 : nic->rx.size / 8 - 1;
}

static void fill_tx(struct nic *nic)
{
    nic->tx_headers = boot_alloc((NIC_TX_SLOTS * NIC_TX_SLOT + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    for (uint16_t i = 0; i < NIC_TX_SLOTS; i++) {
        nic->tx_slots[i].next_free = i + 1;
        nic->tx_slots[i].user = NIC_NO_USER;
        nic->tx_slots[i].buffer = (uint16_t)(nic->rx.size + i);
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
    virtio_make_queue(&nic->device, QUEUE_TX, NIC_TX_QUEUE_SIZE, &nic->tx);
    if (nic->tx.size < NIC_TX_QUEUE_SIZE)
        refuse("virtio-net: its transmit queue holds %u descriptors, and %u are needed",
               nic->tx.size, NIC_TX_QUEUE_SIZE);
    fill_rx(nic);
    fill_tx(nic);
    virtio_start(&nic->device);
    virtq_publish(&nic->rx);
    virtq_want_no_interrupt(&nic->tx, NIC_TX_QUEUE_SIZE);
    virtq_want_interrupt(&nic->rx);
}

void nic_tx(struct nic *nic, size_t copied, const struct nic_piece *pieces, uint32_t count)
{
    struct nic_tx_slot *slot = &nic->tx_slots[nic->tx_free];
    uint32_t head = (uint32_t)nic->tx_free * NIC_TX_STRIDE;
    struct virtq_desc *desc = &nic->tx.desc[head];

    *desc =
        (struct virtq_desc){.address = virt_to_phys(nic_tx_copy(nic, nic->tx_free) - NIC_HEADER),
                            .length = (uint32_t)(NIC_HEADER + copied)};
    nic->tx_free = slot->next_free;
    slot->pinned_count = (uint16_t)count;
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

uint64_t nic_tx_reclaim(struct nic *nic)
{
    uint64_t count = 0;

    do
        count += nic_tx_take_back(nic);
    while (nic->tx_pinned && virtq_want_interrupt(&nic->tx));
    return count;
}
