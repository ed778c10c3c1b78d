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
#include "kernel/rv64/csr.h"
#include "kernel/rv64/mmio.h"

#define VIRTIO_ID_NET     1
#define VIRTIO_ID_BLOCK   2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG     4

/* Registers, as indices of 32-bit words (section 4.2.2); the others are virtio.c's. */
#define VIRTIO_QUEUE_NOTIFY     (0x050 / 4)
#define VIRTIO_INTERRUPT_STATUS (0x060 / 4)
#define VIRTIO_INTERRUPT_ACK    (0x064 / 4)

#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32

#define VIRTQ_DESC_NEXT     1
#define VIRTQ_DESC_WRITE    2
#define VIRTQ_DESC_INDIRECT 4

/* Section 2.7.5. */
struct virtq_desc {
    uint64_t address;
    union {
        struct {
            uint32_t length;
            uint16_t flags;
            uint16_t next;
        };
        uint64_t rest; /* all three in one store */
    };
};

/* One virtqueue; its memory is taken at boot and stays. The driver sets descriptors itself. */
struct virtq {
    struct virtq_desc *desc;
    uint16_t
        *avail; /* flags, idx, ring[size], used_event (section 2.7.6): stores are shown by fences */
    volatile uint16_t *used; /* flags, idx, {id, length}[size], avail_event (section 2.7.8) */
    uint16_t *ring;          /* in avail: heads */
    uint16_t *used_event;    /* in avail: the driver's wish (section 2.7.7) */
    const volatile uint16_t *avail_event; /* in used: the device's (section 2.7.10) */
    uint16_t size;                        /* a power of two */
    uint16_t mask;                        /* size - 1 */
    uint16_t next_avail;                  /* avail idx, once virtq_publish has shown it */
    uint16_t next_used;                   /* first used entry that the driver hasn't taken */
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

/*
 * Acknowledges what the device has raised its interrupt for (section 4.2.2): bit 0, used buffers,
 * and bit 1, its configuration. Which of them is of no use to who looks at the queue in any case,
 * so the status isn't read.
 */
static inline void virtio_acknowledge(struct virtio *device)
{
    mmio_write(&device->registers[VIRTIO_INTERRUPT_ACK], 3);
}

/* Bytes of the device's configuration space. */
uint8_t virtio_config8(const struct virtio *device, uint32_t offset);
uint16_t virtio_config16(const struct virtio *device, uint32_t offset);
uint32_t virtio_config32(const struct virtio *device, uint32_t offset);

/* A field of 64 bits, which takes two reads: as it was at one moment (section 4.2.2.2). */
uint64_t virtio_config64(const struct virtio *device, uint32_t offset);

static inline bool virtio_has(const struct virtio *device, unsigned int feature)
{
    return device->features >> feature & 1;
}

/* Flags in avail and used, without EVENT_IDX. */
#define VIRTQ_AVAIL_NO_INTERRUPT 1
#define VIRTQ_USED_NO_NOTIFY     1

/* Places in avail and used, of 16 bits. */
#define VIRTQ_FLAGS 0
#define VIRTQ_IDX   1
#define VIRTQ_RING  2 /* of used: entries of two 32-bit words, at byte 4 */

/*
 * Puts the chain that begins at descriptor head on the available ring; virtq_publish shows it.
 * Returns how many were added so far; of that, the lower 16 bits count.
 */
static inline uint64_t virtq_add(struct virtq *queue, uint64_t head)
{
    uint64_t next = queue->next_avail;

    queue->ring[next & queue->mask] = (uint16_t)head;
    queue->next_avail = (uint16_t)(next + 1);
    return next + 1;
}

/*
 * Makes what was stored visible to the device before what is loaded next. A fence is all that the
 * specification asks for, but QEMU (7.2, one hart) drops fences, while its device runs on another
 * thread of a host whose loads overtake stores: about one wish in 300,000 was missed, and the queue
 * stood still. A register's read goes through a lock of QEMU's, which orders both.
 */
static inline void virtq_order_with_device(const struct virtq *queue)
{
    fence(rw, rw);
    (void)mmio_read(queue->notify + (VIRTIO_INTERRUPT_STATUS - VIRTIO_QUEUE_NOTIFY));
}

/* Did the published index pass avail_event (section 2.7.10)? All of it modulo 2^16. */
static inline bool virtq_wants_notify(const struct virtq *queue, uint16_t before, uint16_t after)
{
    if (queue->event_idx)
        return (uint64_t)(after - *queue->avail_event - 1) << 48 < (uint64_t)(after - before) << 48;
    return !(queue->used[VIRTQ_FLAGS] & VIRTQ_USED_NO_NOTIFY);
}

/* Shows added chains to the device, and notifies it if it asked to be; virtq_publish isn't inlined.
 */
static inline void virtq_show(struct virtq *queue)
{
    uint16_t before = queue->avail[VIRTQ_IDX], after = queue->next_avail;

    if (before == after)
        return;
    /* Ring entries and descriptors before the index that shows them (section 2.7.13.3). */
    fence(w, w);
    queue->avail[VIRTQ_IDX] = after;
    /* The index before the look at whether to notify: the device does the reverse
     * (section 2.7.13.4.1). */
    fence(rw, rw);
    if (!virtq_wants_notify(queue, before, after)) {
        virtq_order_with_device(queue);
        if (!virtq_wants_notify(queue, before, after))
            return;
    }
    /* Memory before the device register. */
    fence(w, o);
    mmio_write(queue->notify, queue->index);
}

void virtq_publish(struct virtq *queue);

/* A used chain. */
struct virtq_used {
    uint64_t head;
    uint64_t length; /* bytes that the device wrote */
};

/* A used chain that is none: the kernel ends, since the device writes where it likes. */
_Noreturn void virtq_bad_head(const struct virtq *queue, uint32_t head);

/* Takes the next used chain; false if there is none. head < size was checked. */
static inline bool virtq_take(struct virtq *queue, struct virtq_used *used)
{
    const volatile uint16_t *ring = queue->used;
    uint64_t next = queue->next_used, mask = queue->mask;

    if (ring[VIRTQ_IDX] == next)
        return false;
    /* The index before the entry and the buffer that it shows (section 2.7.14). */
    fence(r, r);
    /* Head and length, 32 bits each, in one load: entries lie on 8 bytes (virtio_make_queue). */
    uint64_t entry = *(const uint64_t *)((uintptr_t)&ring[VIRTQ_RING] + 8 * (next & mask));
    used->head = entry & UINT32_MAX;
    used->length = entry >> 32;
    queue->next_used = (uint16_t)(next + 1);
    if (__builtin_expect(used->head > mask, 0))
        virtq_bad_head(queue, (uint32_t)used->head);
    return true;
}

/* Whether the device has used a chain that virtq_take has not returned yet. */
static inline bool virtq_waits(const struct virtq *queue)
{
    const volatile uint16_t *ring = queue->used;

    return ring[VIRTQ_IDX] != queue->next_used;
}

/*
 * Asks for an interrupt with the next used chain; true if one came meanwhile, and the driver has to
 * look again (section 2.7.7.2).
 */
static inline bool virtq_want_interrupt(struct virtq *queue)
{
    if (queue->event_idx)
        *queue->used_event = queue->next_used;
    else
        queue->avail[VIRTQ_FLAGS] = 0;
    /* The wish before the look for what came too early for it. */
    virtq_order_with_device(queue);
    return queue->used[VIRTQ_IDX] != queue->next_used;
}

/* Asks for none before more than count further chains are used. Without EVENT_IDX: for none at all.
 */
static inline void virtq_want_no_interrupt(struct virtq *queue, uint16_t count)
{
    if (__builtin_expect(queue->event_idx, 1))
        *queue->used_event = (uint16_t)(queue->next_used + count);
    else
        queue->avail[VIRTQ_FLAGS] = VIRTQ_AVAIL_NO_INTERRUPT;
}

#endif
