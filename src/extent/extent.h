/*
 * The table on a disk that says whose its blocks are: the format, the operations on it in memory,
 * and the writes that bring a change to the disk so that a loss of power at any moment leaves the
 * table before it or the one after it. docs/disk.md has the argument. Free-standing: needs memcpy,
 * memmove, memset and memcmp; allocates nothing.
 *
 * A block is 4,096 bytes, whatever the device's own logical block. An extent is a run of blocks;
 * extents nest (a child lies inside its parent, and children of one parent are disjoint), and slot
 * 0 is the root: all blocks behind the table.
 *
 *   block 0      header of copy 0    ┐ one of them is current: the whole one
 *         1      header of copy 1    ┘ with the higher sequence number
 *         2      ┐ slots of copy 0: n blocks of 64
 *         2+n    ┘ slots of copy 1: n blocks of 64
 *         2+2n   the root extent: all the rest
 *
 *   header: 512 bytes, then zeros         slot: 64 bytes (all zero: not in use)
 *    0  magic "AegisExt"                   0  first block
 *    8  version 1       12  n, 1 to 32     8  number of blocks, not 0
 *   16  sequence number, from 1           16  sequence number that it was made with
 *   24  blocks that the table rules       24  hash of its 128-bit secret
 *   32  salt, 16 bytes                    40  label: 16 bytes of its owner's choice
 *   48  copy, 0 or 1                      56  parent's slot, 2 bytes
 *   56  checksum of the header,           58  depth, 0 to 15, 1 byte
 *       this field taken as 0             59  flags, 1 byte
 *   64  checksums of the blocks of slots  60  reserved, zero
 *
 * All numbers are little-endian. A checksum is SipHash-2-4 with the salt as its key: it costs fewer
 * instructions than a CRC-32 by table, and who doesn't know the salt (no application does) can't
 * make two tables with the same. A secret's hash is two of them, 128 bits: of use only to who has
 * read the disk, and who has needs no secret.
 *
 * Invariant of a table: for each used slot s but the root, with p its parent: p is used,
 * depth(s) = depth(p) + 1, [first, first + count) of s lies within p's, and is disjoint from that
 * of each other child of p.
 */
#ifndef AEGIS_EXTENT_EXTENT_H
#define AEGIS_EXTENT_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXTENT_BLOCK      4096 /* bytes */
#define EXTENT_PER_BLOCK  64   /* slots */
#define EXTENT_BLOCKS_MAX 32   /* of slots in a copy: what a look at each slot takes is bounded */
#define EXTENT_DEPTH      16   /* levels, the root's is 0 */
#define EXTENT_ROOT       0    /* its slot */
#define EXTENT_VERSION    1
#define EXTENT_MAGIC      "AegisExt"
#define EXTENT_SECRET     16 /* bytes */
#define EXTENT_LABEL      16 /* bytes */

enum extent_error {
#define EXTENT_ERROR(name, value, sentence) EXTENT_E_##name = value,
#include "extent/errors.def"
#undef EXTENT_ERROR
};

enum extent_flags {
    EXTENT_USED = 1,
    EXTENT_READ_ONLY = 2, /* nobody writes its blocks, nor allocates or frees inside */
    EXTENT_SEALED = 4,    /* has a secret: hash says which */
};

struct extent_header {
    uint8_t magic[8];
    uint32_t version, table_blocks;
    uint64_t sequence, blocks;
    uint64_t salt[2];
    uint64_t copy;
    uint64_t sum;
    uint64_t sums[EXTENT_BLOCKS_MAX]; /* those from table_blocks on are zero */
    uint64_t reserved[24];            /* zero */
};

struct extent_entry {
    uint64_t first, count;
    uint64_t born;
    uint8_t hash[16];
    uint8_t label[EXTENT_LABEL];
    uint16_t parent;
    uint8_t depth, flags;
    uint32_t reserved;
};
_Static_assert(sizeof(struct extent_header) == 512, "a header is one sector, written at once");
_Static_assert(sizeof(struct extent_entry) * EXTENT_PER_BLOCK == EXTENT_BLOCK,
               "slots fill a block");

/* The caller's memory for a table of n blocks of slots; it stays the caller's, and outlives the
 * table. */
struct extent_memory {
    void *buffer; /* EXTENT_BLOCK bytes: headers are written from here */
    struct extent_entry
        *entries;    /* n * EXTENT_BLOCK bytes: blocks of slots are written from here */
    uint16_t *order; /* n * EXTENT_PER_BLOCK numbers */
};

/* Where a fault is; which fields count, the error says. */
struct extent_fault {
    uint32_t copy;        /* SUM */
    uint32_t block;       /* SUM: of the copy's blocks of slots */
    uint32_t slot, other; /* the slot, and with OVERLAP the one before it, with PARENT and OUTSIDE
                             its parent */
};

enum extent_change {
    EXTENT_NONE,
    EXTENT_REFRESH,
    EXTENT_ADD,
    EXTENT_REMOVE,
    EXTENT_RESIZE,
    EXTENT_SPLIT
};
enum extent_phase {
    EXTENT_IDLE,
    EXTENT_BEGIN,
    EXTENT_WIPE,
    EXTENT_WIPED,
    EXTENT_SLOTS,
    EXTENT_SLOTS_WRITTEN,
    EXTENT_HEADER_WRITTEN,
    EXTENT_COMMITTED,
};

/* A table in memory. To be read by callers; changed by this library alone. */
struct extent_table {
    struct extent_header
        header; /* as it is on the disk; while a change is on its way, as it will be */
    struct extent_entry *entries;
    uint16_t *order;   /* used slots by first block, the larger first, the parent first: a parent is
                        * followed by all   that lies inside it */
    uint32_t capacity; /* slots */
    uint32_t used;
    uint32_t free_from; /* no slot below is free */
    uint32_t copy;      /* the current one */
    void *buffer;
    uint64_t stale[2]; /* by copy: blocks of slots whose place on the disk holds something older
                          than memory */
    uint32_t wipe; /* bit c: copy c's header may be whole on the disk and must not be when its slots
                      change */
    enum extent_phase phase;
    uint32_t at; /* within the phase: the next copy or block */
    struct {     /* what undoes the change that is on its way */
        enum extent_change kind;
        uint32_t slot, other;
        struct extent_entry saved;
    } undo;
};

/* ---- Reading ---- */

/* What the first two blocks of a disk say. */
struct extent_probe {
    uint32_t copy;         /* the current one */
    uint32_t table_blocks; /* blocks of slots */
    uint64_t sequence, blocks;
    uint64_t
        first; /* the block from which on the current copy's slots lie: read table_blocks of them */
    bool whole[2]; /* by copy: its header is whole. One that isn't was being written, or is damaged
                    */
};

/*
 * Decide by blocks 0 and 1 (2 * EXTENT_BLOCK bytes, as read) of a disk of disk_blocks blocks which
 * copy is current. Returns 0, or -BLANK, -FOREIGN, -VERSION, -HEADERS, -GEOMETRY, -SHORT or -TWINS.
 */
int extent_probe(const void *headers, uint64_t disk_blocks, struct extent_probe *probe);

/*
 * Take the copy that extent_probe named: headers as given to it, memory->entries as read from
 * probe->first. All is verified: checksums, then the invariant. Returns 0, or -SUM or another error
 * from UNUSED to OVERLAP, with *fault filled and the table not to be used. Takes some 20,000
 * instructions a block, and n log n for n slots in use.
 */
int extent_open(struct extent_table *table, const void *headers, const struct extent_probe *probe,
                const struct extent_memory *memory, struct extent_fault *fault);

/* The checksum of a block of slots under a header's salt. */
uint64_t extent_sum(const struct extent_header *header, const void *block);

/*
 * A new table with nothing but the root, for a disk of so many blocks: the first change, to be
 * written as any other (extent_step). It leaves copy 1 empty; extent_refresh writes that too. salt:
 * 16 random bytes. Returns 0, or -GEOMETRY if table_blocks is not 1 to EXTENT_BLOCKS_MAX or leaves
 * the root no block, -RANGE if blocks exceed 2^48.
 */
int extent_create(struct extent_table *table, uint64_t blocks, uint32_t table_blocks,
                  const void *salt, const struct extent_memory *memory);

/* ---- Looking ---- */

/* The used slot with exactly these blocks, the innermost if several nest, or -NOT_FOUND. */
int extent_find(const struct extent_table *table, uint64_t first, uint64_t count);

/* The used slot with exactly these blocks and this secret (EXTENT_SECRET bytes), compared in
 * constant time; or -NOT_FOUND, which doesn't tell whether it is the blocks or the secret. */
int extent_unlock(const struct extent_table *table, uint64_t first, uint64_t count,
                  const void *secret);

/* The innermost used slot that has this block; -NOT_FOUND if it is the table's or beyond the disk.
 */
int extent_at(const struct extent_table *table, uint64_t block);

/* The lowest first block of count free blocks inside slot parent, or -RANGE, -NOT_FOUND, -NO_ROOM.
 * One step for each extent inside the parent. */
int64_t extent_gap(const struct extent_table *table, uint32_t parent, uint64_t count);

/* Is it a slot in use? */
bool extent_used(const struct extent_table *table, uint32_t slot);

/* ---- Changing ----
 * Each checks everything first, and then changes memory alone. The change is not made before
 * extent_step has returned false: until then others are refused with -BUSY. All but split take
 * O(log n) steps besides moving 2 n bytes. */

struct extent_new {
    const void *secret; /* EXTENT_SECRET bytes, of which a hash is kept; NULL: none, so that nothing
                           unlocks it */
    const void *label;  /* EXTENT_LABEL bytes, or NULL: zeros */
    bool read_only;
};

/* Blocks [first, first + count) of slot parent become a child extent. Returns its slot, or -BUSY,
 * -NOT_FOUND, -RANGE, -NOT_CONTAINED, -READ_ONLY, -DEPTH, -TAKEN, -FULL. */
int extent_allocate(struct extent_table *table, uint32_t parent, uint64_t first, uint64_t count,
                    const struct extent_new *make);

/* The extent's blocks return to its parent, with what they hold. Returns 0, or -BUSY, -NOT_FOUND,
 * -IS_ROOT, -CHILDREN. */
int extent_free(struct extent_table *table, uint32_t slot);

/* The extent keeps its first keep blocks; the rest becomes a sibling, to which the extents inside
 * it move. Returns the sibling's slot, or -BUSY, -NOT_FOUND, -IS_ROOT, -RANGE, -CHILDREN if an
 * extent inside lies across the cut, -FULL. One step for each extent behind the cut. */
int extent_split(struct extent_table *table, uint32_t slot, uint64_t keep,
                 const struct extent_new *make);

/* The extent gets or gives back blocks at its end, so that it has count. Returns 0, or -BUSY,
 * -NOT_FOUND, -IS_ROOT, -RANGE, -NOT_CONTAINED, -TAKEN, -CHILDREN if an extent inside has some of
 * what would be given back. */
int extent_resize(struct extent_table *table, uint32_t slot, uint64_t count);

/* Write the table once more, with no change: into the other copy. Returns 0 or -BUSY. */
int extent_refresh(struct extent_table *table);

/* ---- Bringing a change to the disk ---- */

struct extent_step {
    enum { EXTENT_STEP_WRITE, EXTENT_STEP_FLUSH } kind;
    uint64_t block;   /* WRITE: where to */
    const void *data; /* WRITE: EXTENT_BLOCK bytes in the caller's memory, which don't change before
                         the next FLUSH */
};

/*
 * The next step of writing the change that was made. Returns true with *step filled, or false when
 * there is none: the change is on the disk to stay. Between two flushes, writes may be under way
 * together, in any order; a flush is asked for when all writes before it are completed, and the
 * next step when the flush is. At most some 35,000 instructions.
 */
bool extent_step(struct extent_table *table, struct extent_step *step);

/* A write or a flush failed: memory is as before the change, and the disk holds the table before or
 * after it, until the next change (or extent_refresh) has been written. With no change on its way,
 * nothing happens. */
void extent_undo(struct extent_table *table);

/* The sentence for an error as returned (negative); never NULL. */
const char *extent_strerror(int error);

/* Its name, without EXTENT_E_; never NULL. */
const char *extent_error_name(int error);

#endif
