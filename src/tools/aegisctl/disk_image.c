#include "disk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of the file that QEMU's raw driver locks, to say what it does and what others must not
 * (block/file-posix.c's RAW_LOCK_PERM_BASE and RAW_LOCK_SHARED_BASE, 64 bytes each). */
#define QEMU_LOCKS_AT   100
#define QEMU_LOCKS_SIZE 200

static int lock(const struct disk_image *image, struct why *why)
{
    struct flock range = {.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = QEMU_LOCKS_AT,
                          .l_len = QEMU_LOCKS_SIZE};

    if (fcntl(image->fd, F_OFD_SETLK, &range) == 0) {
        return 0;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return why_set(why, "%s: a machine, or another aegisctl disk, uses it; stop that first",
                       image->path);
    }
    return why_set(why, "%s: cannot be locked: %s", image->path, strerror(errno));
}

int disk_open(struct disk_image *image, const char *path, bool writing, struct why *why)
{
    off_t size;

    image->path = path;
    image->fd = open(path, (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (image->fd < 0) {
        return why_set(why, "%s: %s", path, strerror(errno));
    }
    size = lseek(image->fd, 0, SEEK_END);
    if (size < 0) {
        why_set(why, "%s: %s", path, strerror(errno));
    } else if (size < 2 * EXTENT_BLOCK) {
        why_set(why,
                "%s: it has %lld bytes; a disk has two blocks of 4096 for the headers of its table "
                "alone",
                path, (long long)size);
    } else if (!writing || lock(image, why) == 0) {
        image->blocks = (uint64_t)size / EXTENT_BLOCK;
        if (disk_read(image, 0, image->headers, 2, why) == 0) {
            return 0;
        }
    }
    disk_close(image);
    return -1;
}

void disk_close(struct disk_image *image)
{
    close(image->fd);
    image->fd = -1;
}

int disk_read(const struct disk_image *image, uint64_t block, void *bytes, size_t count,
              struct why *why)
{
    size_t size = count * EXTENT_BLOCK, done = 0;

    while (done < size) {
        ssize_t n = pread(image->fd, (uint8_t *)bytes + done, size - done,
                          (off_t)(block * EXTENT_BLOCK + done));

        if (n <= 0) {
            return why_set(why, "%s: block %" PRIu64 ": %s", image->path,
                           block + done / EXTENT_BLOCK,
                           n == 0 ? "the file ends before it" : strerror(errno));
        }
        done += (size_t)n;
    }
    return 0;
}

int disk_write(const struct disk_image *image, uint64_t block, const void *bytes, size_t count,
               struct why *why)
{
    size_t size = count * EXTENT_BLOCK, done = 0;

    while (done < size) {
        ssize_t n = pwrite(image->fd, (const uint8_t *)bytes + done, size - done,
                           (off_t)(block * EXTENT_BLOCK + done));

        if (n < 0) {
            return why_set(why, "%s: block %" PRIu64 ": %s", image->path,
                           block + done / EXTENT_BLOCK, strerror(errno));
        }
        done += (size_t)n;
    }
    return 0;
}

/* What would be right, by the error. */
static const char *remedy(const struct disk_image *image, int error)
{
    static char text[200];
    const char *guess = disk_guess(image->headers);

    switch (-error) {
    case EXTENT_E_BLANK:
        return "; aegisctl disk init makes one";
    case EXTENT_E_FOREIGN:
        snprintf(text, sizeof text, "%s%s; disk init --force would overwrite it",
                 guess != NULL ? ": it looks like " : "", guess != NULL ? guess : "");
        return text;
    case EXTENT_E_SHORT: {
        const struct extent_header *header =
            (const struct extent_header *)image->headers[image->probe.copy];

        snprintf(text, sizeof text, ": %" PRIu64 " of %" PRIu64 "; was the image cut off?",
                 image->blocks, header->blocks);
        return text;
    }
    case EXTENT_E_VERSION:
        return "; use the aegisctl that made it";
    default:
        return "; bring back a copy of the image, or begin anew with aegisctl disk init --force";
    }
}

static int explain(const struct disk_image *image, int error, const struct extent_fault *fault,
                   struct why *why)
{
    why_set(why, "%s%s", extent_strerror(error), remedy(image, error));
    switch (-error) {
    case EXTENT_E_SUM:
        why_in(why, "copy %u, slots %u to %u", fault->copy, fault->block * EXTENT_PER_BLOCK,
               (fault->block + 1) * EXTENT_PER_BLOCK - 1);
        break;
    case EXTENT_E_OVERLAP:
    case EXTENT_E_OUTSIDE:
    case EXTENT_E_PARENT:
        why_in(why, "slot %u (%s slot %u)", fault->slot,
               error == -EXTENT_E_OVERLAP ? "and" : "of parent", fault->other);
        break;
    case EXTENT_E_UNUSED:
    case EXTENT_E_FLAGS:
    case EXTENT_E_EMPTY:
        why_in(why, "slot %u", fault->slot);
        break;
    default:
        break;
    }
    return why_in(why, "%s", image->path);
}

static struct extent_memory memory_of(struct disk_image *image)
{
    return (struct extent_memory){image->buffer, image->entries, image->order};
}

int disk_load(struct disk_image *image, struct why *why)
{
    struct extent_memory memory = memory_of(image);
    struct extent_fault fault = {0};
    int status = extent_probe(image->headers, image->blocks, &image->probe);

    if (status == 0) {
        if (disk_read(image, image->probe.first, image->entries, image->probe.table_blocks, why) !=
            0) {
            return -1;
        }
        status = extent_open(&image->table, image->headers, &image->probe, &memory, &fault);
    }
    return status == 0 ? 0 : explain(image, status, &fault, why);
}

int disk_other_copy(struct disk_image *image, struct extent_fault *fault)
{
    struct disk_image *other = malloc(sizeof *other);
    struct extent_memory memory;
    struct why why;
    int status = -EXTENT_E_HEADERS;

    if (other != NULL) {
        *other = *image;
        memset(other->headers[image->probe.copy], 0, EXTENT_BLOCK);
        memory = memory_of(other);
        status = extent_probe(other->headers, other->blocks, &other->probe);
        if (status == 0 && disk_read(other, other->probe.first, other->entries,
                                     other->probe.table_blocks, &why) == 0) {
            status = extent_open(&other->table, other->headers, &other->probe, &memory, fault);
        }
    }
    free(other);
    return status;
}

int disk_commit(struct disk_image *image, struct why *why)
{
    struct extent_step step;

    while (extent_step(&image->table, &step)) {
        if (step.kind == EXTENT_STEP_FLUSH) {
            if (fdatasync(image->fd) != 0) {
                return why_set(why, "%s: cannot be flushed: %s", image->path, strerror(errno));
            }
        } else if (disk_write(image, step.block, step.data, 1, why) != 0) {
            return -1;
        }
    }
    return 0;
}

void disk_label(const struct extent_entry *entry, char text[EXTENT_LABEL + 1])
{
    size_t length = 0;

    for (size_t i = 0; i < EXTENT_LABEL; i++) {
        if (entry->label[i] != 0) {
            length = i + 1;
        }
        text[i] = (char)(entry->label[i] >= 0x20 && entry->label[i] < 0x7f ? entry->label[i] : '?');
    }
    text[length] = 0;
}

static int find_label(const struct disk_image *image, const char *name, struct why *why)
{
    char label[EXTENT_LABEL + 1];
    int found = -1;

    for (uint32_t slot = 1; slot < image->table.capacity; slot++) {
        if (!extent_used(&image->table, slot)) {
            continue;
        }
        disk_label(&image->table.entries[slot], label);
        if (strcmp(label, name) != 0) {
            continue;
        }
        if (found >= 0) {
            return why_set(why, "%s: several extents are labelled \"%s\"; name one by FIRST,COUNT",
                           image->path, name);
        }
        found = (int)slot;
    }
    return found >= 0 ? found
                      : why_set(why,
                                "%s: no extent is labelled \"%s\"; disk show lists them, and "
                                "FIRST,COUNT names one too",
                                image->path, name);
}

/* "FIRST,COUNT" in decimal, and nothing else. */
static bool parse_pair(const char *name, uint64_t *first, uint64_t *count)
{
    char *end;

    errno = 0;
    *first = strtoull(name, &end, 10);
    if (end == name || *end != ',') {
        return false;
    }
    const char *rest = end + 1;
    *count = strtoull(rest, &end, 10);
    return errno == 0 && end != rest && *end == 0;
}

int disk_find(const struct disk_image *image, const char *name, struct why *why)
{
    uint64_t first, count;
    int slot;

    if (!parse_pair(name, &first, &count)) {
        return find_label(image, name, why);
    }
    slot = extent_find(&image->table, first, count);
    return slot >= 0 ? slot
                     : why_set(why,
                               "%s: no extent has exactly the %" PRIu64 " blocks from %" PRIu64
                               " on; disk show lists them",
                               image->path, count, first);
}
