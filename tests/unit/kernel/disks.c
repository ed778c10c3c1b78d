#include "disks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/disk.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "world.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define SECTORS    8 /* of a block */
#define VERSION_1  (1UL << 32)
#define CONFIG     0x100
#define NOTIFY     0x050
#define FIRST_IRQ  11
#define PIECES     40
#define CALLS_PAGE (DISK_PAGES - 1)
#define RING_PAGE  (DISK_PAGES - 2)
#define CALLS_AT   (DISK_AT + CALLS_PAGE * 4096UL)

struct model models[2];
static size_t model_count;
static bool is_booting; /* then each request is served when it is shown */
static void (*registers_write)(volatile void *at, uint32_t value);
static uint8_t *memory; /* the caller's */

static void config32(struct model *m, uint32_t offset, uint32_t value)
{
    memcpy(m->device.config + offset, &value, sizeof(value));
}

/* Moves a request's bytes (section 5.2.6), all of which lie on the disk; its status. */
static uint8_t play(struct model *m, const struct device_piece *pieces, size_t count)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    struct {
        uint64_t sector;
        uint32_t count, flags;
    } segment;

    CHECK(count >= 2 && pieces[0].length == sizeof(header) && !pieces[0].is_written);
    CHECK(pieces[count - 1].length == 1 && pieces[count - 1].is_written);
    memcpy(&header, pieces[0].memory, sizeof(header));
    CHECK(header.type < 16);
    m->types[header.type]++;
    m->longest = count - 2 > m->longest ? count - 2 : m->longest;
    uint64_t number = m->taken++;
    if (number >= m->fail_from && number - m->fail_from < m->fail_count) {
        m->failed++;
        return m->fail_status;
    }
    uint8_t *at = (uint8_t *)m->blocks + header.sector * 512;
    uint8_t *end = (uint8_t *)(m->blocks + DISK_BLOCKS);
    switch (header.type) {
    case BLK_IN:
    case BLK_OUT:
        for (size_t i = 1; i < count - 1; at += pieces[i++].length) {
            CHECK(at + pieces[i].length <= end && pieces[i].is_written == (header.type == BLK_IN));
            if (header.type == BLK_IN)
                memcpy(pieces[i].memory, at, pieces[i].length);
            else
                memcpy(at, pieces[i].memory, pieces[i].length);
        }
        return BLK_OK;
    case BLK_FLUSH:
        CHECK(count == 2 && header.sector == 0);
        return BLK_OK;
    default:
        CHECK(count == 3 && pieces[1].length == sizeof(segment));
        memcpy(&segment, pieces[1].memory, sizeof(segment));
        CHECK(segment.flags == 0 && segment.sector + segment.count <= DISK_BLOCKS * SECTORS);
        memset((uint8_t *)m->blocks + segment.sector * 512, 0, segment.count * 512UL);
        return BLK_OK;
    }
}

/* The device does the next of its requests, without an interrupt. */
static bool serve_one(struct model *m)
{
    struct device_piece pieces[PIECES];
    uint16_t head;
    size_t count;

    if (!device_take(&m->device, 0, &head, pieces, PIECES, &count))
        return false;
    *pieces[count - 1].memory = play(m, pieces, count);
    device_use_quietly(&m->device, 0, head, 1);
    return true;
}

size_t disks_serve(struct model *m, size_t most)
{
    size_t count = 0;

    while (count < most && serve_one(m))
        count++;
    device_consider(&m->device, 0);
    host_interrupt(m->irq);
    return count;
}

void disks_settle(struct model *m)
{
    while (disks_serve(m, SIZE_MAX) > 0)
        if (host_csr_time >= disk_deadline)
            disk_expire();
}

void disks_fail(struct model *m, uint64_t pass, uint64_t count, uint8_t status)
{
    m->fail_from = m->taken + pass;
    m->fail_count = count;
    m->fail_status = status;
}

static void on_write(volatile void *at, uint32_t value)
{
    registers_write(at, value);
    for (struct model *m = models; is_booting && m < models + model_count; m++) {
        if (at != (volatile uint8_t *)m->device.registers + NOTIFY)
            continue;
        while (serve_one(m))
            ;
        device_want_notify(&m->device, 0, true);
    }
}

static void format(struct model *m)
{
    static uint8_t buffer[EXTENT_BLOCK];
    static struct extent_entry entries[DISK_TABLE * EXTENT_PER_BLOCK];
    static uint16_t order[DISK_TABLE * EXTENT_PER_BLOCK];
    const struct extent_memory places = {buffer, entries, order};
    struct extent_table table;
    struct extent_step step;

    CHECK(extent_create(&table, DISK_BLOCKS, DISK_TABLE, "0123456789abcdef", &places) == 0);
    for (int copy = 0; copy < 2; copy++) {
        while (extent_step(&table, &step))
            if (step.kind == EXTENT_STEP_WRITE)
                memcpy(m->blocks[step.block], step.data, EXTENT_BLOCK);
        CHECK(copy == 1 || extent_refresh(&table) == 0);
    }
}

int disks_reread(const struct model *m, struct extent_table *table)
{
    static uint8_t buffer[EXTENT_BLOCK];
    static struct extent_entry entries[DISK_TABLE * EXTENT_PER_BLOCK];
    static uint16_t order[DISK_TABLE * EXTENT_PER_BLOCK];
    const struct extent_memory places = {buffer, entries, order};
    struct extent_probe probe;
    struct extent_fault fault;
    int error = extent_probe(m->blocks, DISK_BLOCKS, &probe);

    if (error)
        return error;
    memcpy(entries, m->blocks[probe.first], sizeof(entries));
    return extent_open(table, m->blocks, &probe, &places, &fault);
}

/* As main.c does, at the place where devices take their memory. */
static void init(void)
{
    struct virtio devices[2];

    for (size_t i = 0; i < model_count; i++)
        devices[i] = (struct virtio){
            .registers = models[i].device.registers, .irq = models[i].irq, .id = VIRTIO_ID_BLOCK};
    is_booting = true;
    disk_init(devices, model_count, 30);
    is_booting = false;
}

void disks_boot(size_t count, uint64_t features, bool is_formatted, uint32_t seg_max)
{
    model_count = count;
    for (struct model *m = models; m < models + count; m++) {
        *m = (struct model){.blocks = malloc(DISK_BLOCKS * sizeof(*m->blocks)),
                            .irq = FIRST_IRQ + (uint32_t)(m - models)};
        CHECK(m->blocks);
        memset(m->blocks, 0xee, DISK_BLOCKS * sizeof(*m->blocks));
        if (is_formatted)
            format(m);
        device_init(&m->device, VIRTIO_ID_BLOCK, VERSION_1 | features, 1024);
        config32(m, 0, DISK_BLOCKS * SECTORS);
        config32(m, 12, seg_max);
        config32(m, 20, 512);
        config32(m, 36, 64 * SECTORS);
        config32(m, 48, 64 * SECTORS);
    }
    registers_write = host_on_mmio_write;
    host_on_mmio_write = on_write;
    world_before_free = init;
    world_boot(NULL, 0);
}

void disks_memory(void)
{
    memory = world_memory(DISK_AT, DISK_PAGES);
    CHECK(call_disk_ring(DISK_AT + RING_PAGE * 4096UL) == 0);
}

uint8_t *disks_page(size_t n)
{
    CHECK(n < DISK_PAGES);
    return memory + n * 4096;
}

struct aegis_disk_ring *disks_ring(void)
{
    return (struct aegis_disk_ring *)disks_page(RING_PAGE);
}

long disks_submit(uint32_t binding, uint32_t op, uint64_t offset, uint64_t va, uint64_t length,
                  uint64_t cookie)
{
    struct aegis_disk_request request = {.binding = binding,
                                         .op = op,
                                         .offset = offset,
                                         .cookie = cookie,
                                         .memory = (const void *)va,
                                         .length = length};

    memcpy(disks_page(CALLS_PAGE), &request, sizeof(request));
    return call_disk_submit(CALLS_AT, 1);
}

long disks_alloc(uint64_t parent, uint64_t first, uint64_t count, const uint8_t *secret)
{
    struct aegis_extent_request request = {.parent = parent,
                                           .first = first,
                                           .count = count,
                                           .flags = secret ? AEGIS_EXTENT_SEALED : 0};

    if (secret)
        memcpy(request.secret, secret, sizeof(request.secret));
    memcpy(disks_page(CALLS_PAGE), &request, sizeof(request));
    return call_extent_alloc(CALLS_AT);
}

long disks_claim(uint32_t disk, uint64_t first, uint64_t count, const uint8_t *secret)
{
    memcpy(disks_page(CALLS_PAGE), secret, AEGIS_SECRET_SIZE);
    return call_extent_claim(disk, first, count, CALLS_AT);
}

int64_t disks_taken(uint64_t cookie)
{
    struct aegis_disk_ring *ring = disks_ring();

    CHECK(ring->tail != ring->head);
    const struct aegis_disk_completion *end = &ring->entries[ring->tail++ % AEGIS_DISK_RING];
    CHECK(end->cookie == cookie);
    return end->status;
}
