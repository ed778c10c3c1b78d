/* A disk's image as a file: its table of extents read, changed and written by src/extent. */
#ifndef AEGISCTL_DISK_IMAGE_H
#define AEGISCTL_DISK_IMAGE_H

#include "extent/extent.h"
#include "options.h"
#include "why.h"

struct disk_image {
    const char *path;
    int fd;
    uint64_t blocks;                  /* of the file; a last one that isn't whole doesn't count */
    uint8_t headers[2][EXTENT_BLOCK]; /* blocks 0 and 1 */
    struct extent_probe probe;        /* what they say */
    struct extent_table table;        /* after disk_load or disk_create */
    uint8_t buffer[EXTENT_BLOCK];     /* the table's memory */
    struct extent_entry entries[EXTENT_BLOCKS_MAX * EXTENT_PER_BLOCK];
    uint16_t order[EXTENT_BLOCKS_MAX * EXTENT_PER_BLOCK];
};

/* Open a file with read(2)'s flags and take its size. With writing, it is locked against QEMU and
 * against others that write: an image that a machine has open is refused. */
int disk_open(struct disk_image *image, const char *path, bool writing, struct why *why);

/* Close; errors of earlier writes were told by disk_commit. */
void disk_close(struct disk_image *image);

/* Read and verify the table. Why says what is wrong, where, and what would be right. */
int disk_load(struct disk_image *image, struct why *why);

/* Verify the copy that is not current. Returns 0 if it is whole, or the library's error. */
int disk_other_copy(struct disk_image *image, struct extent_fault *fault);

/* Write the change that was made to the table, in the order that the library asks for. */
int disk_commit(struct disk_image *image, struct why *why);

/* Read or write whole blocks. */
int disk_read(const struct disk_image *image, uint64_t block, void *bytes, size_t count,
              struct why *why);
int disk_write(const struct disk_image *image, uint64_t block, const void *bytes, size_t count,
               struct why *why);

/* The slot that "FIRST,COUNT" or a label names, or -1 with why. */
int disk_find(const struct disk_image *image, const char *name, struct why *why);

/* A label as text: what isn't printable is a question mark. */
void disk_label(const struct extent_entry *entry, char text[EXTENT_LABEL + 1]);

/* What a file that isn't a disk of ours looks like, or NULL. */
const char *disk_guess(const uint8_t headers[2][EXTENT_BLOCK]);

/* Bytes as "1.5 MiB". */
const char *disk_size(uint64_t bytes, char text[32]);

/* The commands. */
extern const struct command disk_init, disk_show, disk_check, disk_import, disk_export, disk_free;

#endif
