#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define DEVICES 9

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "the driver breaks a rule, %s:%d: %s\n", __FILE__, __LINE__,           \
                    #condition);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static struct device_model *devices[DEVICES];
static size_t device_count;

/* Section 2.7.5. */
struct desc {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
#define NEXT     1
#define WRITE    2
#define INDIRECT 4 /* section 2.7.5.3 */

/* Feature bits (section 6). */
#define INDIRECT_DESC 28
#define EVENT_IDX     29
#define VERSION_1     32

/* Status bits (section 2.1). */
#define ACKNOWLEDGE 1
#define DRIVER      2
#define DRIVER_OK   4
#define FEATURES_OK 8

static struct device_model *model_at(const volatile void *at, size_t *offset)
{
    for (size_t i = 0; i < device_count; i++) {
        *offset = (size_t)((const volatile uint8_t *)at -
                           (const volatile uint8_t *)devices[i]->registers);
        if (*offset < sizeof(devices[i]->registers))
            return devices[i];
    }
    fprintf(stderr, "the driver touches a register of no device\n");
    abort();
}

static struct device_queue *selected(struct device_model *d)
{
    static struct device_queue none;

    return d->queue_sel < DEVICE_QUEUES ? &d->queues[d->queue_sel] : &none;
}

static uint32_t read_register(const volatile void *at, size_t size)
{
    size_t offset;
    struct device_model *d = model_at(at, &offset);

    if (offset >= 0x100) { /* the configuration: accesses as wide as the field (section 4.2.2.2) */
        uint32_t value = 0;
        CHECK(offset - 0x100 + size <= sizeof(d->config) && offset % size == 0);
        memcpy(&value, d->config + offset - 0x100, size);
        return value;
    }
    CHECK(size == 4 && offset % 4 == 0);
    switch (offset) {
    case 0x000:
        return d->magic;
    case 0x004:
        return d->version;
    case 0x008:
        return d->id;
    case 0x010:
        return (uint32_t)(d->features >> (d->features_sel ? 32 : 0));
    case 0x034:
        return selected(d)->most;
    case 0x044:
        return selected(d)->ready;
    case 0x060:
        return d->interrupt_status;
    case 0x070:
        return d->status;
    case 0x0fc: /* changes as often as the test says, then stays (section 4.2.2.2) */
        return d->config_changes > 0 ? d->config_changes-- : 0;
    default:
        fprintf(stderr, "the driver reads register 0x%zx, which is only written\n", offset);
        abort();
    }
}

static void write_status(struct device_model *d, uint32_t value)
{
    if (d->step_count < 16)
        d->steps[d->step_count++] = value;
    if (value == 0) { /* reset */
        for (size_t i = 0; i < DEVICE_QUEUES; i++)
            d->queues[i] = (struct device_queue){.most = d->queues[i].most};
        d->interrupt_status = 0;
    }
    if ((value & FEATURES_OK) && (d->deaf || (d->accepted & ~d->features)))
        value &= ~(uint32_t)FEATURES_OK;
    d->status = value;
}

static void write_half(uint64_t *to, bool high, uint32_t value)
{
    *to = high ? (*to & 0xffffffff) | (uint64_t)value << 32 : (*to & ~0xffffffffUL) | value;
}

static void write_queue(struct device_model *d, size_t offset, uint32_t value)
{
    struct device_queue *q = selected(d);

    CHECK(q->most != 0 && !q->ready);
    switch (offset) {
    case 0x038:
        CHECK(value != 0 && value <= q->most && (value & (value - 1)) == 0);
        q->size = value;
        return;
    case 0x044: /* what section 2.7 asks of alignment */
        CHECK(value == 1 && q->size && q->desc % 16 == 0 && q->driver % 2 == 0 &&
              q->device % 4 == 0);
        q->ready = 1;
        return;
    case 0x080:
    case 0x084:
        write_half(&q->desc, offset & 4, value);
        return;
    case 0x090:
    case 0x094:
        write_half(&q->driver, offset & 4, value);
        return;
    default:
        write_half(&q->device, offset & 4, value);
        return;
    }
}

static void write_register(volatile void *at, uint32_t value)
{
    size_t offset;
    struct device_model *d = model_at(at, &offset);

    switch (offset) {
    case 0x014:
        d->features_sel = value;
        return;
    case 0x020:
        write_half(&d->accepted, d->driver_sel, value);
        return;
    case 0x024:
        d->driver_sel = value;
        return;
    case 0x030:
        d->queue_sel = value;
        return;
    case 0x050:
        CHECK(value < DEVICE_QUEUES && (d->status & DRIVER_OK));
        d->queues[value].notified++;
        return;
    case 0x064:
        d->interrupt_status &= ~value;
        return;
    case 0x070:
        write_status(d, value);
        return;
    case 0x038:
    case 0x044:
    case 0x080:
    case 0x084:
    case 0x090:
    case 0x094:
    case 0x0a0:
    case 0x0a4:
        write_queue(d, offset, value);
        return;
    default:
        fprintf(stderr, "the driver writes register 0x%zx, which is only read\n", offset);
        abort();
    }
}

void device_init(struct device_model *d, uint32_t id, uint64_t features, uint32_t size)
{
    *d = (struct device_model){.magic = 0x74726976, .version = 2, .id = id, .features = features};
    for (size_t i = 0; i < DEVICE_QUEUES; i++)
        d->queues[i].most = size;
    host_on_mmio_read = read_register;
    host_on_mmio_write = write_register;
    for (size_t i = 0; i < device_count; i++)
        if (devices[i] == d)
            return;
    CHECK(device_count < DEVICES);
    devices[device_count++] = d;
}

/* The rings, by the specification's drawings: flags, idx, ring, event. */
static volatile uint16_t *available(const struct device_queue *q)
{
    return host_at(q->driver, 6 + 2 * q->size);
}

static volatile uint8_t *used(const struct device_queue *q)
{
    return host_at(q->device, 6 + 8 * q->size);
}

static bool has_event_idx(const struct device_model *d)
{
    return d->accepted >> EVENT_IDX & 1;
}

bool device_take(struct device_model *d, uint32_t queue, uint16_t *head,
                 struct device_piece *pieces, size_t most, size_t *count)
{
    struct device_queue *q = &d->queues[queue];
    volatile uint16_t *ring = available(q);
    const struct desc *table = host_at(q->desc, 16 * q->size);
    bool written = false;

    CHECK(q->ready && (uint16_t)(ring[1] - q->taken) <= q->size);
    if (ring[1] == q->taken)
        return false;
    *head = ring[2 + q->taken % q->size];
    q->taken++;
    *count = 0;
    uint32_t size = q->size;
    uint16_t at = *head;
    if (at < size && (table[at].flags & INDIRECT)) {
        CHECK(d->accepted >> INDIRECT_DESC & 1);
        CHECK(table[at].flags == INDIRECT && table[at].length % 16 == 0 && table[at].length);
        size = table[at].length / 16;
        table = host_at(table[at].address, 16UL * size);
        at = 0;
    }
    for (;; at = table[at].next) {
        CHECK(at < size && *count < most && table[at].length > 0);
        CHECK((table[at].flags & ~(NEXT | WRITE)) == 0);
        /* What the device writes comes last (section 2.7.4.2). */
        CHECK(!written || (table[at].flags & WRITE));
        written = table[at].flags & WRITE;
        pieces[(*count)++] = (struct device_piece){host_at(table[at].address, table[at].length),
                                                   table[at].length, written};
        if (!(table[at].flags & NEXT))
            return true;
    }
}

void device_use_quietly(struct device_model *d, uint32_t queue, uint16_t head, uint32_t length)
{
    struct device_queue *q = &d->queues[queue];
    volatile uint8_t *ring = used(q);
    volatile uint32_t *entry = (volatile uint32_t *)(ring + 4 + 8 * (q->used % q->size));

    entry[0] = head;
    entry[1] = length;
    q->used++;
    *(volatile uint16_t *)(ring + 2) = q->used;
}

bool device_consider(struct device_model *d, uint32_t queue)
{
    struct device_queue *q = &d->queues[queue];
    uint16_t before = q->told, event = available(q)[2 + q->size];
    bool raise = false;

    q->told = q->used;
    if (!has_event_idx(d))
        raise = before != q->used && !(available(q)[0] & 1);
    else /* an entry with the index that the driver named was used meanwhile (section 2.7.7.1) */
        for (uint16_t i = before; i != q->used; i++)
            raise |= i == event;
    if (raise) {
        d->interrupt_status |= 1;
        d->interrupts++;
    }
    return raise;
}

void device_use(struct device_model *d, uint32_t queue, uint16_t head, uint32_t length)
{
    device_use_quietly(d, queue, head, length);
    device_consider(d, queue);
}

void device_want_notify(struct device_model *d, uint32_t queue, bool want)
{
    struct device_queue *q = &d->queues[queue];
    volatile uint16_t *ring = (volatile uint16_t *)used(q);

    if (!has_event_idx(d))
        ring[0] = !want;
    else if (want)
        ring[2 + 4 * q->size] = q->taken;
    else /* as far away as can be */
        ring[2 + 4 * q->size] = (uint16_t)(q->taken + 0x8000);
}
