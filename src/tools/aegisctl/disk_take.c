/* aegisctl disk export and free: an extent's bytes into a file, and its blocks back to its parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_image.h"

#define CHUNK 256 /* blocks copied at a time */

static uint8_t chunk[CHUNK][EXTENT_BLOCK];

static int copy_out(const struct disk_image *image, const struct extent_entry *entry,
                    const char *file, FILE *out, struct why *why)
{
    for (uint64_t done = 0; done < entry->count;) {
        size_t now = entry->count - done < CHUNK ? (size_t)(entry->count - done) : CHUNK;

        if (disk_read(image, entry->first + done, chunk, now, why) != 0) {
            return -1;
        }
        if (fwrite(chunk, EXTENT_BLOCK, now, out) != now) {
            return why_set(why, "%s: %s", file, strerror(errno));
        }
        done += now;
    }
    return fflush(out) == 0 ? 0 : why_set(why, "%s: %s", file, strerror(errno));
}

/* Open the file to copy to, which is not to be the image: that would be emptied. */
static FILE *open_output(const struct disk_image *image, const char *file, struct why *why)
{
    struct stat from, to;
    FILE *out;

    if (strcmp(file, "-") == 0) {
        return stdout;
    }
    if (stat(file, &to) == 0 && fstat(image->fd, &from) == 0 && to.st_dev == from.st_dev &&
        to.st_ino == from.st_ino) {
        why_set(why, "%s: it is the image itself; choose another file", file);
        return NULL;
    }
    out = fopen(file, "we");
    if (out == NULL) {
        why_set(why, "%s: %s", file, strerror(errno));
    }
    return out;
}

static int export_extent(const char *path, const char *name, const char *file, struct why *why)
{
    static struct disk_image image;
    bool to_stdout = strcmp(file, "-") == 0;
    FILE *out = NULL;
    int slot = -1, status = -1;

    if (disk_open(&image, path, false, why) != 0) {
        return -1;
    }
    if (disk_load(&image, why) == 0) {
        slot = disk_find(&image, name, why);
    }
    if (slot >= 0) {
        out = open_output(&image, file, why);
        status = out != NULL ? copy_out(&image, &image.table.entries[slot], file, out, why) : -1;
    }
    if (out != NULL && !to_stdout && fclose(out) != 0 && status == 0) {
        status = why_set(why, "%s: %s", file, strerror(errno));
    }
    disk_close(&image);
    return status;
}

static int export(const struct command *command, int argc, char **argv)
{
    const struct option_row rows[] = {{0}};
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct why why;

    if (status >= 0) {
        return status;
    }
    return export_extent(argv[0], argv[1], argv[2], &why) == 0 ? 0 : why_print(&why, "disk export");
}

static int free_extent(const char *path, const char *name, struct why *why)
{
    static struct disk_image image;
    struct extent_entry entry;
    int slot, status = -1;

    if (disk_open(&image, path, true, why) != 0) {
        return -1;
    }
    if (disk_load(&image, why) == 0 && (slot = disk_find(&image, name, why)) >= 0) {
        entry = image.table.entries[slot];
        status = extent_free(&image.table, (uint32_t)slot);
        if (status != 0) {
            why_set(why, "%s: %s: %s", path, name, extent_strerror(status));
        } else {
            status = disk_commit(&image, why);
        }
    }
    disk_close(&image);
    if (status == 0) {
        printf("%s: blocks %" PRIu64 " to %" PRIu64 " are free\n", path, entry.first,
               entry.first + entry.count - 1);
    }
    return status;
}

static int release(const struct command *command, int argc, char **argv)
{
    const struct option_row rows[] = {{0}};
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct why why;

    if (status >= 0) {
        return status;
    }
    return free_extent(argv[0], argv[1], &why) == 0 ? 0 : why_print(&why, "disk free");
}

const struct command disk_export = {
    "disk export",
    "IMAGE EXTENT FILE",
    3,
    3,
    "Copy an extent's bytes to a file (\"-\": standard output).",
    export,
};
const struct command disk_free = {
    "disk free", "IMAGE EXTENT", 2, 2, "Give an extent's blocks back to what it lies in.", release,
};
