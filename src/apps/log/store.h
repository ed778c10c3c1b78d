/*
 * An append-only store of records in a run of bytes on a disk: what was appended, and told so, is
 * there after any loss of power, in order, and nothing is there that was not appended.
 *
 *   0        header: magic, unit, epoch, checksum; one unit
 *   unit     record 1: struct store_record, its bytes, zeros up to a multiple of the unit
 *   ...      record 2, and so on; behind the last one anything
 *
 * A unit is the device's logical block: what one write can tear is at most the units that it
 * writes. Nothing that was appended is written again, so a torn append harms no earlier record. The
 * checksum of a record is SipHash-2-4, keyed by the epoch (drawn when the store is made), over the
 * record and the checksum of the one before: so the end is the first place where no record follows,
 * and what an earlier store, or an append that was never told, has left behind it is none.
 */
#ifndef AEGIS_LOG_STORE_H
#define AEGIS_LOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_RECORD_MAX 65536 /* bytes of a record, its head included */
#define STORE_UNIT_MAX   4096

struct store_record {
    uint32_t magic, length; /* STORE_RECORD; bytes that follow */
    uint64_t number;        /* from 1 */
    uint64_t before;        /* checksum of the record before; of the header for the first */
    uint64_t sum;           /* of this and the bytes, this field taken as 0 */
};

/* The disk: offsets and lengths are multiples of the unit. Each returns 0 or a negative number,
 * which the store passes on. A flush ends when what was written before outlasts the power. */
struct store_disk {
    int64_t (*read)(void *context, uint64_t offset, void *memory, uint64_t length);
    int64_t (*write)(void *context, uint64_t offset, const void *memory, uint64_t length);
    int64_t (*flush)(void *context);
    void *context;
    uint64_t size; /* bytes */
    uint32_t unit; /* bytes, a power of two from 512 to STORE_UNIT_MAX */
};

enum store_error {
    STORE_E_NONE = 0x5000, /* there is no store: only zeros */
    STORE_E_OTHER,         /* there is something else than a store */
    STORE_E_FULL,          /* no room for the record */
    STORE_E_LENGTH,        /* the record is too long */
};

struct store {
    struct store_disk disk;
    uint64_t key[2]; /* the epoch */
    uint64_t tail;   /* where the next record goes */
    uint64_t last;   /* checksum of the last one */
    uint64_t count;  /* records */
    uint8_t *buffer; /* the caller's: STORE_RECORD_MAX + STORE_UNIT_MAX bytes, aligned as the disk
                      * wants it */
};

/* Make a new, empty store, of whatever was there. epoch: random. Returns 0 or a disk's error. */
int64_t store_make(struct store *store, const struct store_disk *disk, uint8_t *buffer,
                   const uint64_t epoch[2]);

/* Read a store to its end, and call each, unless it is NULL, with each record; the bytes are valid
 * during the call. Returns 0, -STORE_E_NONE, -STORE_E_OTHER or a disk's error. */
int64_t store_open(struct store *store, const struct store_disk *disk, uint8_t *buffer,
                   void (*each)(uint64_t number, const void *bytes, uint32_t length));

/* Append a record and wait until it outlasts the power. Returns its number, -STORE_E_FULL,
 * -STORE_E_LENGTH or a disk's error: then it may be there after a loss of power, or not, unless
 * another is appended before. */
int64_t store_append(struct store *store, const void *bytes, uint32_t length);

/* The sentence for a store's own error; NULL for a disk's. */
const char *store_strerror(int64_t error);

#endif
