/*
 * virtio over MMIO, version 2, with split virtqueues (Virtual I/O Device specification 1.2;
 * sections are named where a step follows them).
 */
#ifndef AEGIS_KERNEL_DRIVERS_VIRTIO_H
#define AEGIS_KERNEL_DRIVERS_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/rv64/board.h"

#define VIRTIO_ID_NET     1
#define VIRTIO_ID_BLOCK   2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG     4

#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32

#define VIRTQ_DESC_NEXT  1
#define VIRTQ_DESC_WRITE 2

/* Section 2.7.5. */
struct virtq_desc {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

/* One virtqueue; its memory is taken at boot and stays. The driver sets descriptors itself. */
struct virtq {
    struct virtq_desc *desc;
    volatile uint16_t *avail; /* flags, idx, ring[size], used_event (section 2.7.6) */
    volatile uint16_t *used;  /* flags, idx, {id, length}[size], avail_event (section 2.7.8) */
    uint16_t size;            /* a power of two */
    uint16_t next_avail;      /* driver's copy of avail idx */
    uint16_t next_used;       /* first used entry that the driver hasn't taken */
    bool event_idx;
    volatile uint32_t *notify;
    uint32_t index;
};

struct virtio {
    volatile uint32_t *registers;
    uint64_t features; /* negotiated */
    uint32_t irq;
    uint32_t id;
};

/*
 * Looks at what is in an MMIO slot: false if nothing is, with the slot unmapped or empty. Refuses
 * to boot, and names the flag that mends it, if a legacy device is there.
 */
bool virtio_probe(struct virtio *device, const struct device *slot);

/*
 * Resets the device and negotiates (section 3.1.1): VERSION_1 and what required names must be
 * offered, else refuses by name; of wanted, what is offered is taken. Bits by number.
 */
void virtio_negotiate(struct virtio *device, uint64_t required, uint64_t wanted);

/* Makes queue number index with at most size entries (section 4.2.3.2); refuses if the device lacks
 * it. */
void virtio_make_queue(struct virtio *device, uint32_t index, uint16_t size, struct virtq *queue);

/* Says that the driver is ready (DRIVER_OK): the device may use its queues. */
void virtio_start(struct virtio *device);

/* Has the device let go of everything: it uses no queue any more when this returns (section 2.4).
 */
void virtio_reset(struct virtio *device);

/* Reads and acknowledges the interrupt status (section 4.2.2); bit 0: used buffers, bit 1:
 * configuration. */
uint32_t virtio_acknowledge(struct virtio *device);

/* Bytes of the device's configuration space. */
uint8_t virtio_config8(const struct virtio *device, uint32_t offset);
uint16_t virtio_config16(const struct virtio *device, uint32_t offset);

static inline bool virtio_has(const struct virtio *device, unsigned int feature)
{
    return device->features >> feature & 1;
}

/* Puts the chain that begins at descriptor head on the available ring; virtq_publish shows it. */
void virtq_add(struct virtq *queue, uint16_t head);

/* Shows added chains to the device, and notifies it if it asked to be. */
void virtq_publish(struct virtq *queue);

struct virtq_used {
    uint32_t head;
    uint32_t length; /* bytes that the device wrote */
};

/* Takes the next used chain; false if there is none. head < size was checked. */
bool virtq_take(struct virtq *queue, struct virtq_used *used);

/*
 * Asks for an interrupt with the next used chain; true if one came meanwhile, and the driver has to
 * look again (section 2.7.7.2).
 */
bool virtq_want_interrupt(struct virtq *queue);

/* Asks for none before more than count further chains are used. Without EVENT_IDX: for none at all.
 */
void virtq_want_no_interrupt(struct virtq *queue, uint16_t count);

#endif
