/* aegisctl disk init: a new table, on a file that is there or a new one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "disk_image.h"

#define SLOTS_DEFAULT 512

/* "64M": bytes, or 0 if it is no size. */
static uint64_t parse_size(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    unsigned long long number;
    const char *unit;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (end == text || text[0] == '-' || text[0] == '+' || errno != 0) {
        return 0;
    }
    if (*end == 0) {
        return number;
    }
    unit = strchr(units, *end);
    if (unit == NULL || end[1] != 0 || number > UINT64_MAX >> (10 * (unit - units + 1))) {
        return 0;
    }
    return number << (10 * (unit - units + 1));
}

/* Make the file, or make it longer. Returns 1 if it is new, 0 if it was there, -1 with why. */
static int make_file(const char *path, uint64_t size, struct why *why)
{
    bool is_new = access(path, F_OK) != 0;
    int fd;

    if (size == 0) {
        return is_new ? why_set(why, "%s: %s; --size says how large a new one is to be", path,
                                strerror(errno))
                      : 0;
    }
    if (!is_new) {
        return why_set(why, "%s is there already; --size is for a new file", path);
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
        why_set(why, "%s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
            unlink(path);
        }
        return -1;
    }
    close(fd);
    return 1;
}

/* Anything but zeros in the first blocks is somebody's. */
static int check_empty(struct disk_image *image, struct why *why)
{
    int status = extent_probe(image->headers, image->blocks, &image->probe);
    const char *guess = disk_guess(image->headers);

    if (status == -EXTENT_E_BLANK) {
        return 0;
    }
    return why_set(why, "%s holds %s%s already; --force overwrites it", image->path,
                   status != -EXTENT_E_FOREIGN ? "a table of extents"
                   : guess != NULL             ? guess
                                               : "something",
                   status != -EXTENT_E_FOREIGN && status != 0 ? ", a damaged one," : "");
}

static int write_table(struct disk_image *image, uint32_t table_blocks, struct why *why)
{
    struct extent_memory memory = {image->buffer, image->entries, image->order};
    uint8_t salt[16];
    int status;

    if (getrandom(salt, sizeof salt, 0) != sizeof salt) {
        return why_set(why, "the host gives no random numbers: %s", strerror(errno));
    }
    status = extent_create(&image->table, image->blocks, table_blocks, salt, &memory);
    if (status != 0) {
        return why_set(
            why,
            "%s has %" PRIu64 " blocks of 4096 bytes; a table of %u slots alone takes %u; "
            "choose fewer with --slots",
            image->path, image->blocks, table_blocks * EXTENT_PER_BLOCK, 2 + 2 * table_blocks);
    }
    if (disk_commit(image, why) != 0 || extent_refresh(&image->table) != 0) {
        return -1;
    }
    return disk_commit(image, why); /* both copies */
}

static int init(const char *path, uint64_t size, uint32_t table_blocks, bool force, struct why *why)
{
    static struct disk_image image;
    const struct extent_entry *root;
    int made = make_file(path, size, why), status;

    if (made < 0 || disk_open(&image, path, true, why) != 0) {
        return -1;
    }
    status = force ? 0 : check_empty(&image, why);
    if (status == 0) {
        status = write_table(&image, table_blocks, why);
    }
    disk_close(&image);
    if (status != 0) {
        if (made == 1) {
            unlink(path);
        }
        return -1;
    }
    root = &image.table.entries[EXTENT_ROOT];
    printf("%s: a table of %u slots; blocks %" PRIu64 " to %" PRIu64 " are free\n", path,
           image.table.capacity, root->first, root->first + root->count - 1);
    return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    const char *size_text = NULL;
    long slots = SLOTS_DEFAULT;
    bool force = false;
    const struct option_row rows[] = {
        {"size", OPTION_TEXT, &size_text, "N[K|M|G]", "make a new file of so many bytes", 0, 0},
        {"slots", OPTION_NUMBER, &slots, "N",
         "how many extents the table can have, in steps of 64 (default: 512)", 1,
         EXTENT_BLOCKS_MAX * EXTENT_PER_BLOCK},
        {"force", OPTION_FLAG, &force, NULL, "overwrite whatever the file holds", 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    uint64_t size = 0;
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (size_text != NULL) {
        size = parse_size(size_text);
        if (size == 0 || size > INT64_MAX || size % EXTENT_BLOCK != 0) {
            return usage_error(command,
                               "--size is \"%s\", not a multiple of 4096 bytes such as 1048576 or "
                               "64M",
                               size_text);
        }
    }
    status = init(argv[0], size, (uint32_t)(slots + EXTENT_PER_BLOCK - 1) / EXTENT_PER_BLOCK, force,
                  &why);
    return status == 0 ? 0 : why_print(&why, "disk init");
}

const struct command disk_init = {
    "disk init", "IMAGE", 1, 1, "Put an empty table on an image.", run,
};
