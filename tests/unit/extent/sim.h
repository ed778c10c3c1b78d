/* A disk with a cache that loses power, and a table of extents with its memory: for the tests of
 * src/extent. */
#ifndef TESTS_EXTENT_SIM_H
#define TESTS_EXTENT_SIM_H

#include "extent/extent.h"

#define SIM_BLOCKS  2000 /* of the disk; only those of a table, the first SIM_STORED, are stored */
#define SIM_TABLE   3    /* blocks of slots in the tests' tables */
#define SIM_STORED  (2 + 2 * SIM_TABLE)
#define SIM_PENDING 64
#define SIM_SECTOR  512
#define SIM_SLOTS   (SIM_TABLE * EXTENT_PER_BLOCK)

typedef uint8_t sim_image[SIM_STORED][EXTENT_BLOCK];

struct sim_disk {
    sim_image durable;
    struct {
        uint64_t block;
        uint8_t data[EXTENT_BLOCK];
    } pending[SIM_PENDING]; /* written since the last flush, in that order */
    int count;
};

/* A table and the memory it stands in. */
struct sim_table {
    struct extent_table table;
    uint8_t buffer[EXTENT_BLOCK];
    struct extent_entry entries[SIM_SLOTS];
    uint16_t order[SIM_SLOTS];
};

struct extent_memory sim_memory(struct sim_table *t);

/* The next of a sequence of numbers below limit, which *state selects. */
uint32_t sim_random(uint64_t *state, uint32_t limit);

/* A write enters the cache; a flush empties it. */
void sim_do(struct sim_disk *disk, const struct extent_step *step);

/*
 * What the disk holds if power is lost now: of the writes in the cache, those of which mask has a
 * bit, in their order. torn: of each, only some sectors, which *state selects.
 */
void sim_crash(const struct sim_disk *disk, uint64_t mask, bool torn, uint64_t *state,
               sim_image *image);

/* Read an image as a kernel does at boot. Returns 0 or the library's error. */
int sim_open(struct sim_table *t, sim_image *image, struct extent_fault *fault);

/* Bring the change that was made to the disk, without trouble. */
void sim_commit(struct sim_table *t, struct sim_disk *disk);

/* A new table on a new disk, both of its copies written. */
void sim_create(struct sim_table *t, struct sim_disk *disk);

/* Do two tables say the same? */
bool sim_same(const struct extent_entry *a, const struct extent_entry *b);

/* A change drawn at random: small extents, which often collide. Returns what the library did. */
int sim_change(struct sim_table *t, uint64_t *state);

#endif
