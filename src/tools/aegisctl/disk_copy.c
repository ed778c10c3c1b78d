/* aegisctl disk import, export and free: files into extents, and back. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_image.h"

#define CHUNK 256 /* blocks copied at a time */

static uint8_t chunk[CHUNK][EXTENT_BLOCK];

/* What import was told. */
struct job {
    const char *image, *file;
    const char *parent; /* an extent's name, or NULL: the root */
    long at;            /* the first block, or -1: anywhere */
    long blocks;        /* how many, or 0: as the file needs */
    uint8_t secret[EXTENT_SECRET];
    uint8_t label[EXTENT_LABEL];
    bool sealed, read_only;
};

/* 32 hexadecimal digits. */
static bool parse_secret(const char *text, uint8_t secret[EXTENT_SECRET])
{
    for (size_t i = 0; i < EXTENT_SECRET; i++) {
        char pair[3] = {text[2 * i], text[2 * i] != 0 ? text[2 * i + 1] : (char)0, 0};
        char *end;

        if (strspn(pair, "0123456789abcdefABCDEF") != 2) {
            return false;
        }
        secret[i] = (uint8_t)strtoul(pair, &end, 16);
    }
    return text[(size_t)2 * EXTENT_SECRET] == 0;
}

/* Read until the chunk is full or the file ends. Returns bytes, or -1. */
static ssize_t read_chunk(int fd, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(fd, (uint8_t *)chunk + done, size - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* The file's bytes, then zeros, to count blocks from first on. */
static int copy_in(const struct disk_image *image, const char *file, int fd, uint64_t first,
                   uint64_t count, struct why *why)
{
    bool ended = false;

    while (count > 0) {
        size_t now = count < CHUNK ? (size_t)count : CHUNK;
        ssize_t n = ended ? 0 : read_chunk(fd, now * EXTENT_BLOCK);

        if (n < 0) {
            return why_set(why, "%s: %s", file, strerror(errno));
        }
        ended = (size_t)n < now * EXTENT_BLOCK;
        memset((uint8_t *)chunk + n, 0, now * EXTENT_BLOCK - (size_t)n);
        if (disk_write(image, first, chunk, now, why) != 0) {
            return -1;
        }
        first += now;
        count -= now;
    }
    if (!ended && read_chunk(fd, 1) != 0) {
        return why_set(why, "%s has more bytes than the extent; choose more with --blocks", file);
    }
    return 0;
}

/* How many blocks the extent is to have. */
static int64_t choose_blocks(const struct job *job, int fd, struct why *why)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return why_set(why, "%s: %s", job->file, strerror(errno));
    }
    if (job->blocks > 0) {
        return job->blocks;
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        return why_set(why, "%s: its size doesn't say how many blocks to take; --blocks does",
                       job->file);
    }
    return (status.st_size + EXTENT_BLOCK - 1) / EXTENT_BLOCK;
}

/* Why the table refuses it, with what was asked for. */
static int refuse(const struct disk_image *image, int error, int64_t first, int64_t count,
                  struct why *why)
{
    why_set(why, "%s", extent_strerror(error));
    if (first >= 0) {
        return why_in(why, "%s: blocks %" PRId64 " to %" PRId64, image->path, first,
                      first + count - 1);
    }
    return why_in(why, "%s: %" PRId64 " blocks", image->path, count);
}

/* The new extent in memory. Returns its slot, or -1. */
static int allocate(struct disk_image *image, const struct job *job, int64_t count, struct why *why)
{
    struct extent_new make = {.secret = job->sealed ? job->secret : NULL,
                              .label = job->label,
                              .read_only = job->read_only};
    int parent = job->parent != NULL ? disk_find(image, job->parent, why) : EXTENT_ROOT, slot;
    int64_t first = job->at;

    if (parent < 0) {
        return -1;
    }
    if (first < 0) {
        first = extent_gap(&image->table, (uint32_t)parent, (uint64_t)count);
        if (first < 0) {
            return refuse(image, (int)first, -1, count, why);
        }
    }
    slot =
        extent_allocate(&image->table, (uint32_t)parent, (uint64_t)first, (uint64_t)count, &make);
    return slot > 0 ? slot : refuse(image, slot, first, count, why);
}

/* The blocks first, which nobody has yet; then the table, which gives them away. */
static int import_file(struct disk_image *image, const struct job *job, int fd, struct why *why)
{
    int64_t count = choose_blocks(job, fd, why);
    const struct extent_entry *entry;
    int slot;

    if (count < 0) {
        return -1;
    }
    slot = allocate(image, job, count, why);
    if (slot < 0) {
        return -1;
    }
    entry = &image->table.entries[slot];
    if (copy_in(image, job->file, fd, entry->first, entry->count, why) != 0) {
        return -1;
    }
    if (fdatasync(image->fd) != 0) {
        return why_set(why, "%s: cannot be flushed: %s", image->path, strerror(errno));
    }
    if (disk_commit(image, why) != 0) {
        return -1;
    }
    printf("%" PRIu64 ",%" PRIu64, entry->first, entry->count);
    if (job->sealed) {
        printf(" secret ");
        for (size_t i = 0; i < sizeof job->secret; i++) {
            printf("%02x", job->secret[i]);
        }
    }
    printf("\n");
    return 0;
}

static int import_job(const struct job *job, struct why *why)
{
    static struct disk_image image;
    int fd = strcmp(job->file, "-") == 0 ? 0 : open(job->file, O_RDONLY | O_CLOEXEC), status;

    if (fd < 0) {
        return why_set(why, "%s: %s", job->file, strerror(errno));
    }
    status = disk_open(&image, job->image, true, why);
    if (status == 0) {
        status = disk_load(&image, why);
        if (status == 0) {
            status = import_file(&image, job, fd, why);
        }
        disk_close(&image);
    }
    if (fd != 0) {
        close(fd);
    }
    return status;
}

static int import(const struct command *command, int argc, char **argv)
{
    const char *label = "", *secret = NULL;
    struct job job = {.at = -1};
    bool open_to_nobody = false;
    const struct option_row rows[] = {
        {"at", OPTION_NUMBER, &job.at, "BLOCK", "first block (default: where there is room)", 0,
         INT64_MAX},
        {"blocks", OPTION_NUMBER, &job.blocks, "N",
         "blocks to take (default: as many as FILE needs)", 1, 1L << 48},
        {"in", OPTION_TEXT, &job.parent, "EXTENT", "take them inside this one (default: the root)",
         0, 0},
        {"label", OPTION_TEXT, &label, "TEXT", "a name for people, up to 16 bytes", 0, 0},
        {"secret", OPTION_TEXT, &secret, "HEX",
         "32 digits that open it to an application (default: drawn, and printed)", 0, 0},
        {"no-secret", OPTION_FLAG, &open_to_nobody, NULL,
         "only who holds what it lies in can use it", 0, 0},
        {"read-only", OPTION_FLAG, &job.read_only, NULL, "the machine may not write it", 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (strlen(label) > EXTENT_LABEL || strchr(label, ',') != NULL) {
        return usage_error(command, "--label is \"%s\", not up to 16 bytes without a comma", label);
    }
    if (secret != NULL && (open_to_nobody || !parse_secret(secret, job.secret))) {
        return usage_error(command, open_to_nobody
                                        ? "--secret and --no-secret contradict each other"
                                        : "--secret is not 32 hexadecimal digits");
    }
    memcpy(job.label, label, strlen(label));
    job.image = argv[0];
    job.file = argv[1];
    job.sealed = !open_to_nobody;
    if (job.sealed && secret == NULL &&
        getrandom(job.secret, sizeof job.secret, 0) != sizeof job.secret) {
        why_set(&why, "the host gives no random numbers: %s", strerror(errno));
        return why_print(&why, "disk import");
    }
    return import_job(&job, &why) == 0 ? 0 : why_print(&why, "disk import");
}

const struct command disk_import = {
    "disk import", "IMAGE FILE", 2, 2, "Make an extent of a file's bytes (\"-\": standard input).",
    import,
};
