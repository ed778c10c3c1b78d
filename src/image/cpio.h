/*
 * A reader of cpio archives in the "newc" format (cpio(5), magic 070701), as `cpio -o -H newc` and
 * the Linux kernel's usr/gen_init_cpio write them.
 *
 * The archive is untrusted: each field is checked before it is used, and nothing outside
 * [archive, archive + size) is read. Nothing is copied and nothing allocated; what an entry points
 * to lies in the archive and lives as long as it does. Free-standing: needs memcmp only.
 */
#ifndef AEGIS_IMAGE_CPIO_H
#define AEGIS_IMAGE_CPIO_H

#include <stddef.h>
#include <stdint.h>

/* CPIO_ERROR(NAME, value, sentence): CPIO_E_NAME, returned negated. */
#define CPIO_ERRORS(CPIO_ERROR)                                                                    \
    CPIO_ERROR(TRUNCATED, 1, "cpio: the archive ends inside an entry or before its trailer")       \
    CPIO_ERROR(MAGIC, 2, "cpio: an entry doesn't begin with 070701 (newc)")                        \
    CPIO_ERROR(DIGIT, 3, "cpio: a header field has something else than hexadecimal digits")        \
    CPIO_ERROR(NAME, 4, "cpio: an entry's name is empty, unterminated or has a zero inside")       \
    CPIO_ERROR(NOT_FOUND, 5, "cpio: the archive has no regular file of that name")

enum cpio_error {
#define CPIO_ERROR(name, value, sentence) CPIO_E_##name = value,
    CPIO_ERRORS(CPIO_ERROR)
#undef CPIO_ERROR
};

#define CPIO_MODE_TYPE    0170000 /* of entry.mode: the file's type */
#define CPIO_MODE_REGULAR 0100000

struct cpio_entry {
    const char *name; /* zero-terminated, in the archive */
    uint32_t name_length;
    uint32_t mode;
    const uint8_t *data; /* in the archive, 4-byte aligned relative to its start */
    uint32_t size;
};

/*
 * Read the entry at *offset, and move *offset to the next one. Start with *offset = 0.
 * Returns 1 with *entry filled, 0 at the trailer, or a negated enum cpio_error with *offset
 * unchanged.
 */
int cpio_next(const void *archive, size_t size, size_t *offset, struct cpio_entry *entry);

/*
 * Find the first regular file with this name (zero-terminated; a leading "./" in the archive is
 * skipped). Returns 0, or a negated enum cpio_error: an error in an entry before the file counts.
 */
int cpio_find(const void *archive, size_t size, const char *name, struct cpio_entry *entry);

/* The sentence for an error as returned (negative); never NULL. */
const char *cpio_strerror(int error);

#endif
