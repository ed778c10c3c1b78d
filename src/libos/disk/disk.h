/*
 * Extents of disks: requests under way while the program goes on, and whole transfers for who
 * rather waits. Nothing is cached, nothing is copied: the disk reads and writes the program's own
 * memory.
 *
 *     struct disk disk;
 *     disk_open_name(&disk, "0,162,256,<secret>", DISK_READ_WRITE);
 *     disk_write(&disk, 0, page, 4096);                      // and wait
 *     disk_flush(&disk);                                     // now it outlasts the power
 *
 *     struct disk_io io;
 *     disk_start(&disk, AEGIS_DISK_READ, 8192, page, 4096, &io);
 *     ... disk_poll() ... if (io.done) ... disk_wait(&io);
 *
 * Memory that is read or written is the program's own (not attached from others), writable for
 * READ, at an address and of a length that are multiples of disk.unit. The bytes are the disk's
 * until the request is done: with status TIMEOUT even longer, until the disk answers after all.
 */
#ifndef EXOS_DISK_DISK_H
#define EXOS_DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libos/start/start.h"

#define DISK_READ_ONLY  AEGIS_RIGHT_READ
#define DISK_READ_WRITE (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)

/* An extent that is open. To be read by callers. */
struct disk {
    uint64_t size;    /* bytes */
    uint64_t most;    /* bytes that one request can move, wherever its memory begins */
    uint32_t unit;    /* bytes: offsets, lengths and addresses are multiples */
    uint32_t extent;  /* its number */
    uint32_t binding; /* to it, for aegis_disk_submit */
    uint32_t number;  /* the disk's */
};

/* A request; the caller's memory, which stays in place until it is done. */
struct disk_io {
    volatile bool done;
    int64_t status;                 /* once done: 0 or a negated enum aegis_error (DEVICE, ...) */
    void (*then)(struct disk_io *); /* called by disk_poll when it is done; NULL: nothing */
    void *context;                  /* then's; not looked at */
};

/* ---- Opening ---- */

/*
 * Bind the program to an extent, by ownership or with a capability. Returns 0, a negated error of
 * aegis_disk_bind or aegis_disk_ring, or NO_PAGE. The first call donates a page for completions.
 */
int64_t disk_open(struct disk *disk, uint32_t extent, uint32_t rights,
                  const struct aegis_cap *capability);

/*
 * Own the extent whose blocks and secret the text tells, "DISK,FIRST,COUNT,SECRET" in decimal, the
 * secret in 32 hexadecimal digits, as aegisctl disk import prints them. Returns its number, or a
 * negated error of aegis_extent_claim; INVALID: the text is no such thing.
 */
int64_t disk_claim(const char *name);

/*
 * Open the extent that a text names: as for disk_claim, or by its label, among those for which the
 * program was started with a capability (aegisctl start --extent). Returns as disk_open and
 * disk_claim do; INVALID also: there is none of that label.
 */
int64_t disk_open_name(struct disk *disk, const char *name, uint32_t rights);

/* Undo the binding. Requests that are under way end as if it were there. */
void disk_close(struct disk *disk);

/*
 * Make an extent of blocks of another one, of the program's own or with a capability for it
 * (DELEGATE), and wait until the disk's table says so. Returns its number, or a negated error: of
 * aegis_extent_alloc, or DEVICE if the table could not be written. While others' changes are on
 * their way, it waits, two seconds at most (then BUSY).
 */
int64_t disk_allocate(const struct aegis_extent_request *request);

/* Give an extent's blocks back to its parent, and wait likewise. Returns 0 or a negated error. */
int64_t disk_release(uint32_t extent);

/* Change how many blocks it has, at its end; the rest of it becomes an extent of its own, whose
 * number is returned. As aegis_extent_resize and aegis_extent_split, and wait likewise. */
int64_t disk_resize(uint32_t extent, uint64_t count, const struct aegis_cap *capability);
int64_t disk_split(uint32_t extent, uint64_t keep, const uint8_t *secret);

/* ---- Requests under way ---- */

/*
 * Begin a request (enum aegis_disk_op; FLUSH with offset, memory and length 0). io->then and
 * io->context are the caller's to set before. Returns 0, or a negated error of aegis_disk_submit,
 * with io not under way: FULL, if others have to end first.
 */
int64_t disk_start(const struct disk *disk, enum aegis_disk_op op, uint64_t offset, void *memory,
                   uint64_t length, struct disk_io *io);

/* Take what has ended: set done and status, call then. Returns how many. */
uint32_t disk_poll(void);

/* Holds while something has ended that disk_poll hasn't taken: for aegis_wait. After disk_open. */
struct aegis_predicate disk_when_ended(void);

/* Wait until a request is done, and return its status. Others' ends are taken meanwhile, too. */
int64_t disk_wait(struct disk_io *io);

/* ---- Whole transfers ---- */

/*
 * Move length bytes, in as many requests as that takes, several of them under way at a time, and
 * wait for their end. Returns 0, or the first error; then some of the bytes may have been moved.
 */
int64_t disk_read(const struct disk *disk, uint64_t offset, void *memory, uint64_t length);
int64_t disk_write(const struct disk *disk, uint64_t offset, const void *memory, uint64_t length);

/* Wait until all that was written, and is done, outlasts a loss of power. Returns 0 or an error. */
int64_t disk_flush(const struct disk *disk);

#endif
