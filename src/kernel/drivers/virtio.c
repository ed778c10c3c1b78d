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
    STATUS = 0x070 / 4,
    QUEUE_DESC = 0x080 / 4,
    QUEUE_DRIVER = 0x090 / 4,
    QUEUE_DEVICE = 0x0a0 / 4,
    CONFIG_GENERATION = 0x0fc / 4,
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
    /*
     * Sizes as in section 2.7: descriptors 16 bytes, available 6 + 2 n, used 6 + 8 n. The used ring
     * begins at 4 modulo 8, so that its entries, behind 4 bytes, lie on 8 (virtq_take).
     */
    size_t avail_at = 16UL * size, used_at = ((avail_at + 6 + 2UL * size + 7) & ~7UL) + 4;
    size_t bytes = used_at + 6 + 8UL * size;
    uint8_t *memory = boot_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    *queue = (struct virtq){.desc = (struct virtq_desc *)memory,
                            .avail = (uint16_t *)(memory + avail_at),
                            .used = (volatile uint16_t *)(memory + used_at),
                            .size = size,
                            .mask = (uint16_t)(size - 1),
                            .event_idx = virtio_has(device, VIRTIO_F_EVENT_IDX),
                            .notify = &device->registers[VIRTIO_QUEUE_NOTIFY],
                            .index = index};
    queue->ring = &queue->avail[VIRTQ_RING];
    queue->used_event = &queue->avail[VIRTQ_RING + size];
    queue->avail_event = &queue->used[VIRTQ_RING + 4UL * size];
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

uint8_t virtio_config8(const struct virtio *device, uint32_t offset)
{
    return mmio_read8((const volatile uint8_t *)device->registers + CONFIG + offset);
}

uint16_t virtio_config16(const struct virtio *device, uint32_t offset)
{
    const volatile uint8_t *config = (const volatile uint8_t *)device->registers + CONFIG;

    return mmio_read16((const volatile uint16_t *)(config + offset));
}

uint32_t virtio_config32(const struct virtio *device, uint32_t offset)
{
    return mmio_read(&device->registers[(CONFIG + offset) / sizeof(uint32_t)]);
}

uint64_t virtio_config64(const struct virtio *device, uint32_t offset)
{
    uint32_t before, low, high;

    do {
        before = mmio_read(&device->registers[CONFIG_GENERATION]);
        low = virtio_config32(device, offset);
        high = virtio_config32(device, offset + 4);
    } while (mmio_read(&device->registers[CONFIG_GENERATION]) != before);
    return (uint64_t)high << 32 | low;
}

void virtq_bad_head(const struct virtq *queue, uint32_t head)
{
    panic("virtio: the device returned descriptor %u of %u", head, queue->size);
}

void virtq_publish(struct virtq *queue)
{
    virtq_show(queue);
}
