/*
 * Disks for tests of the kernel's disk.c, disk_submit.c and extent*.c: models of devices that keep
 * their blocks in the host's memory, and answer when the test says, as it says.
 */
#ifndef AEGIS_TESTS_DISKS_H
#define AEGIS_TESTS_DISKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "device.h"
#include "extent/extent.h"

#define DISK_BLOCKS 1024                 /* of each disk */
#define DISK_TABLE  1                    /* blocks of slots in a table */
#define DISK_FIRST  (2 + 2 * DISK_TABLE) /* of the root */
#define DISK_AT     0x40000000UL         /* the callers' memory: DISK_PAGES at this address */
#define DISK_PAGES  40

/* Features (sections 5.2.3 and 6) of which the tests choose. */
#define DISK_SEG_MAX   (1UL << 2)
#define DISK_RO        (1UL << 5)
#define DISK_BLK_SIZE  (1UL << 6)
#define DISK_FLUSH     (1UL << 9)
#define DISK_DISCARD   (1UL << 13)
#define DISK_ZEROES    (1UL << 14)
#define DISK_INDIRECT  (1UL << 28)
#define DISK_EVENT_IDX (1UL << 29)

struct model {
    struct device_model device;
    uint8_t (*blocks)[AEGIS_DISK_BLOCK]; /* DISK_BLOCKS of them */
    uint32_t irq;
    uint64_t taken;  /* requests that it has begun */
    uint64_t failed; /* with fail_from <= their number < fail_from + fail_count: what it fails */
    uint64_t fail_from, fail_count;
    uint8_t fail_status;
    size_t longest;     /* pieces of data in a request */
    uint64_t types[16]; /* how many of each */
};

extern struct model models[2];

/* Boots with count disks, their blocks full of 0xee but for a table if is_formatted. */
void disks_boot(size_t count, uint64_t features, bool is_formatted, uint32_t seg_max);

/* The device does up to most requests, in their order, and interrupts; how many. */
size_t disks_serve(struct model *model, size_t most);

/* The same until it has no more, and nothing new comes of the answers. */
void disks_settle(struct model *model);

/* The next requests, from now on: pass good ones, then count that fail with a status. */
void disks_fail(struct model *model, uint64_t pass, uint64_t count, uint8_t status);

/* What a machine that boots now would read: 0, or the library's error. Fills *table. */
int disks_reread(const struct model *model, struct extent_table *table);

/* The caller's page number n, of DISK_PAGES, as the host sees it. */
uint8_t *disks_page(size_t n);

/* The caller's memory at DISK_AT. */
void disks_memory(void);

/* The calls, with their structures put into the caller's last page. */
long disks_submit(uint32_t binding, uint32_t op, uint64_t offset, uint64_t memory, uint64_t length,
                  uint64_t cookie);
long disks_alloc(uint64_t parent, uint64_t first, uint64_t count, const uint8_t *secret);
long disks_claim(uint32_t disk, uint64_t first, uint64_t count, const uint8_t *secret);

/* The caller's ring of completions, in page DISK_PAGES - 2. */
struct aegis_disk_ring *disks_ring(void);

/* The status of the oldest completion that wasn't taken, which is taken; ends the test if there is
 * none, or its cookie is another. */
int64_t disks_taken(uint64_t cookie);

#endif
