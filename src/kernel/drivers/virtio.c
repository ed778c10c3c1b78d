#include "kernel/drivers/virtio.h"

#include "kernel/boot_memory.h"
#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/rv64/mmio.h"
#include "kernel/rv64/paging.h"

/* Section 4.2.2, as indices of 32-bit words. */
enum {
    MAGIC = 0x000 / 4,
    VERSION = 0x004 / 4,
    DEVICE_ID = 0x008 / 4,
    DEVICE_FEATURES = 0x010 / 4,
    DEVICE_FEATURES_SEL = 0x014 / 4,
    DRIVER_FEATURES = 0x020 / 4,
    DRIVER_FEATURES_SEL = 0x024 / 4,
    QUEUE_SEL = 0x030 / 4,
    QUEUE_NUM_MAX = 0x034 / 4,
    QUEUE_NUM = 0x038 / 4,
    QUEUE_READY = 0x044 / 4,
    QUEUE_NOTIFY = 0x050 / 4,
    INTERRUPT_STATUS = 0x060 / 4,
    INTERRUPT_ACK = 0x064 / 4,
    STATUS = 0x070 / 4,
    QUEUE_DESC = 0x080 / 4,
    QUEUE_DRIVER = 0x090 / 4,
    QUEUE_DEVICE = 0x0a0 / 4,
    CONFIG = 0x100,
};

#define MAGIC_VALUE        0x74726976 /* "virt" */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER      2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8

static const char *id_name(uint32_t id)
{
    static const char *const names[] = {"none", "net", "block", "console", "entropy"};

    return id < sizeof(names) / sizeof(*names) ? names[id] : "device";
}

/* The register at an index. */
static uint32_t get(const struct virtio *device, unsigned int index)
{
    return mmio_read(&device->registers[index]);
}

static void set(struct virtio *device, unsigned int index, uint32_t value)
{
    mmio_write(&device->registers[index], value);
}

bool virtio_probe(struct virtio *device, const struct device *slot)
{
    volatile uint32_t *registers = paging_map_device(slot->registers);

    if (mmio_read(&registers[MAGIC]) != MAGIC_VALUE || mmio_read(&registers[DEVICE_ID]) == 0)
        return false;
    *device = (struct virtio){
        .registers = registers, .irq = slot->irq, .id = mmio_read(&registers[DEVICE_ID])};
    if (get(device, VERSION) == 1)
        refuse("virtio-%s at 0x%lx is a legacy device (version 1): start QEMU with "
               "-global virtio-mmio.force-legacy=false",
               id_name(device->id), slot->registers.start);
    if (get(device, VERSION) != 2)
        refuse("virtio-%s at 0x%lx has version %u, and 2 is needed", id_name(device->id),
               slot->registers.start, get(device, VERSION));
    return true;
}

static uint64_t device_features(struct virtio *device)
{
    set(device, DEVICE_FEATURES_SEL, 1);
    uint64_t features = (uint64_t)get(device, DEVICE_FEATURES) << 32;
    set(device, DEVICE_FEATURES_SEL, 0);
    return features | get(device, DEVICE_FEATURES);
}

void virtio_reset(struct virtio *device)
{
    set(device, STATUS, 0);
    while (get(device, STATUS) != 0) /* the reset is done when it reads 0 (section 2.4.2) */
        ;
}

void virtio_negotiate(struct virtio *device, uint64_t required, uint64_t wanted)
{
    uint64_t offered;

    virtio_reset(device);
    set(device, STATUS, STATUS_ACKNOWLEDGE);
    set(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    offered = device_features(device);
    required |= 1UL << VIRTIO_F_VERSION_1;
    for (unsigned int bit = 0; bit < 64; bit++)
        if ((required & ~offered) >> bit & 1)
            refuse("virtio-%s doesn't offer feature bit %u, which is needed", id_name(device->id),
                   bit);
    device->features = required | (wanted & offered);
    set(device, DRIVER_FEATURES_SEL, 1);
    set(device, DRIVER_FEATURES, (uint32_t)(device->features >> 32));
    set(device, DRIVER_FEATURES_SEL, 0);
    set(device, DRIVER_FEATURES, (uint32_t)device->features);
    set(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    if (!(get(device, STATUS) & STATUS_FEATURES_OK))
        refuse("virtio-%s refuses the features 0x%lx", id_name(device->id), device->features);
}

/* To a register and the next, low half first. */
static void set_address(struct virtio *device, unsigned int index, uint64_t address)
{
    set(device, index, (uint32_t)address);
    set(device, index + 1, (uint32_t)(address >> 32));
}

void virtio_make_queue(struct virtio *device, uint32_t index, uint16_t size, struct virtq *queue)
{
    uint32_t most;

    set(device, QUEUE_SEL, index);
    most = get(device, QUEUE_NUM_MAX);
    if (most == 0 || get(device, QUEUE_READY) != 0)
        refuse("virtio-%s has no queue %u", id_name(device->id), index);
    while (size > most)
        size /= 2;
    /* Sizes as in section 2.7: descriptors 16 bytes, available 6 + 2 n, used 6 + 8 n. */
    size_t avail_at = 16UL * size, used_at = (avail_at + 6 + 2UL * size + 3) & ~3UL;
    size_t bytes = used_at + 6 + 8UL * size;
    uint8_t *memory = boot_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    *queue = (struct virtq){.desc = (struct virtq_desc *)memory,
                            .avail = (volatile uint16_t *)(memory + avail_at),
                            .used = (volatile uint16_t *)(memory + used_at),
                            .size = size,
                            .event_idx = virtio_has(device, VIRTIO_F_EVENT_IDX),
                            .notify = &device->registers[QUEUE_NOTIFY],
                            .index = index};
    set(device, QUEUE_NUM, size);
    set_address(device, QUEUE_DESC, virt_to_phys(memory));
    set_address(device, QUEUE_DRIVER, virt_to_phys(memory + avail_at));
    set_address(device, QUEUE_DEVICE, virt_to_phys(memory + used_at));
    set(device, QUEUE_READY, 1);
}

void virtio_start(struct virtio *device)
{
    set(device, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

uint32_t virtio_acknowledge(struct virtio *device)
{
    uint32_t status = get(device, INTERRUPT_STATUS);

    set(device, INTERRUPT_ACK, status);
    return status;
}

uint8_t virtio_config8(const struct virtio *device, uint32_t offset)
{
    return mmio_read8((const volatile uint8_t *)device->registers + CONFIG + offset);
}

uint16_t virtio_config16(const struct virtio *device, uint32_t offset)
{
    const volatile uint8_t *config = (const volatile uint8_t *)device->registers + CONFIG;

    return mmio_read16((const volatile uint16_t *)(config + offset));
}

#define AVAIL_FLAGS 0
#define AVAIL_IDX   1
#define AVAIL_RING  2
#define USED_FLAGS  0
#define USED_IDX    1
#define USED_RING   2 /* entries of two 32-bit words, at byte 4 */

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY     1

static volatile uint16_t *used_event(struct virtq *queue)
{
    return &queue->avail[AVAIL_RING + queue->size];
}

static uint16_t avail_event(const struct virtq *queue)
{
    return queue->used[USED_RING + 4 * queue->size];
}

void virtq_add(struct virtq *queue, uint16_t head)
{
    queue->avail[AVAIL_RING + (queue->next_avail & (queue->size - 1))] = head;
    queue->next_avail++;
}

/*
 * Makes what was stored visible to the device before what is loaded next. A fence is all that the
 * specification asks for, but QEMU (7.2, one hart) drops fences, while its device runs on another
 * thread of a host whose loads overtake stores: about one wish in 300,000 was missed, and the queue
 * stood still. A register's read goes through a lock of QEMU's, which orders both.
 */
static void order_with_device(const struct virtq *queue)
{
    fence(rw, rw);
    (void)mmio_read(queue->notify + (INTERRUPT_STATUS - QUEUE_NOTIFY));
}

/* Did the published index pass avail_event (section 2.7.10)? */
static bool wants_notify(const struct virtq *queue, uint16_t before, uint16_t after)
{
    if (queue->event_idx)
        return (uint16_t)(after - avail_event(queue) - 1) < (uint16_t)(after - before);
    return !(queue->used[USED_FLAGS] & USED_NO_NOTIFY);
}

void virtq_publish(struct virtq *queue)
{
    uint16_t before = queue->avail[AVAIL_IDX], after = queue->next_avail;

    if (before == after)
        return;
    /* Ring entries and descriptors before the index that shows them (section 2.7.13.3). */
    fence(w, w);
    queue->avail[AVAIL_IDX] = after;
    /* The index before the look at whether to notify: the device does the reverse
     * (section 2.7.13.4.1). */
    fence(rw, rw);
    bool notify = wants_notify(queue, before, after);
    if (!notify) {
        order_with_device(queue);
        notify = wants_notify(queue, before, after);
    }
    if (notify) {
        /* Memory before the device register. */
        fence(w, o);
        mmio_write(queue->notify, queue->index);
    }
}

bool virtq_take(struct virtq *queue, struct virtq_used *used)
{
    if (queue->used[USED_IDX] == queue->next_used)
        return false;
    /* The index before the entry and the buffer that it shows (section 2.7.14). */
    fence(r, r);
    const volatile uint32_t *entry =
        (const volatile uint32_t *)&queue
            ->used[USED_RING + 4 * (queue->next_used & (queue->size - 1))];
    used->head = entry[0];
    used->length = entry[1];
    queue->next_used++;
    if (used->head >= queue->size)
        panic("virtio: the device returned descriptor %u of %u", used->head, queue->size);
    return true;
}

bool virtq_want_interrupt(struct virtq *queue)
{
    if (queue->event_idx)
        *used_event(queue) = queue->next_used;
    else
        queue->avail[AVAIL_FLAGS] = 0;
    /* The wish before the look for what came too early for it. */
    order_with_device(queue);
    return queue->used[USED_IDX] != queue->next_used;
}

void virtq_want_no_interrupt(struct virtq *queue, uint16_t count)
{
    if (queue->event_idx)
        *used_event(queue) = (uint16_t)(queue->next_used + count);
    else
        queue->avail[AVAIL_FLAGS] = AVAIL_NO_INTERRUPT;
}
