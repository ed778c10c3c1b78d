/*
 * A disk's table of extents, and the one change of it that may be on its way: made in memory at
 * once, and then brought to the disk in steps, one request at a time, as the device answers
 * (extent/extent.h has the format and why no loss of power leaves a mix).
 *
 * Invariant: a change is on its way <=> info's flags say CHANGING; then the extents that it touches
 * are in no state that takes requests. Blocks that the device may write to for the kernel are in
 * none that takes them: also after the change has failed for being late, until the device answers.
 */
#ifndef AEGIS_KERNEL_EXTENT_TABLE_H
#define AEGIS_KERNEL_EXTENT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "extent/extent.h"

struct disk;

/* What is on its way to a disk's table. */
struct table_change {
    enum extent_change kind; /* EXTENT_NONE: nothing */
    uint32_t extent;         /* its number */
    uint32_t other;          /* SPLIT: the rest's */
    uint64_t zero, zero_end; /* blocks that have to become zero first */
    uint64_t zeroing;        /* of those, blocks that the device is at */
    uint64_t charged;        /* RESIZE: what the owner's account has for it if it is done */
    uint32_t env, serial;    /* who has asked for it, and owes the time that it takes */
};

struct disk_table {
    struct extent_table table;
    bool present; /* there is one: extents can be made */
    struct table_change change;
    struct {
        uint64_t first, end; /* blocks that the device may still make zero; end 0: none */
        uint32_t parent;     /* whose they are, which counts them as a child */
    } late;                  /* of a change that it was too late for */
};

/* Reads a disk's table, at boot. Without one the root is all of the disk; a damaged one is told. */
void table_read(struct disk *disk, uint32_t number);

/* Whether a change can begin now; else others' is on its way, or an answer to an old one. */
bool table_is_idle(const struct disk *disk);

/* The library has made a change in memory, as this environment has asked: brings it to the disk.
 * extent_settled or extent_undone (extent.h) hears of its end. */
void table_begin(struct disk *disk, const struct table_change *change);

/* Who has asked for the change that is on its way; 0 if there is none, or that one has ended. */
uint32_t table_payer(const struct disk *disk);

/* The device has ended what the kernel asked for; is_late: table_late was called for it. */
void table_answer(struct disk *disk, bool is_late, bool is_right);

/* It has not ended that in time: the change has failed. */
void table_late(struct disk *disk);

#endif
