/*
 * log DISK,FIRST,COUNT,SECRET COMMAND: records in an extent that outlast the power (store.h).
 *
 *   make             begin an empty log, of whatever the extent holds
 *   append TEXT...   append a record of these words, and tell its number once it is kept
 *   fill COUNT SIZE  append COUNT records of SIZE bytes, which their numbers choose, each told
 * likewise list             print the records
 *
 * Exit status 0, 1 after a failure, 2 after a mistake of usage.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/log/store.h"
#include "apps/program.h"
#include "libos/disk/disk.h"
#include "libos/start/error.h"

const char program_name[] = "log";
const char program_usage[] =
    "log DISK,FIRST,COUNT,SECRET make | append TEXT... | fill COUNT SIZE | list";

static uint8_t buffer[STORE_RECORD_MAX + STORE_UNIT_MAX] __attribute__((aligned(AEGIS_PAGE_SIZE)));
static struct disk disk;
static struct store store;

static int64_t read_disk(void *context, uint64_t offset, void *memory, uint64_t length)
{
    return disk_read(context, offset, memory, length);
}

static int64_t write_disk(void *context, uint64_t offset, const void *memory, uint64_t length)
{
    return disk_write(context, offset, memory, length);
}

static int64_t flush_disk(void *context)
{
    return disk_flush(context);
}

static int fail(const char *what, int64_t error)
{
    const char *own = store_strerror(error);

    fprintf(stderr, "log: %s: %s%s%s\n", what, own ? own : aegis_strerror(error), own ? "" : ": ",
            own ? "" : aegis_remedy(error));
    return 1;
}

static int make(const struct store_disk *on)
{
    uint64_t epoch[2];
    int64_t error = aegis_entropy((uint8_t *)epoch, sizeof epoch);

    if (error >= 0)
        error = store_make(&store, on, buffer, epoch);
    if (error < 0)
        return fail("make", error);
    printf("log: an empty log of %" PRIu64 " bytes is kept\n", on->size);
    return 0;
}

static void print_record(uint64_t number, const void *bytes, uint32_t length)
{
    printf("%" PRIu64 ": %.*s\n", number, (int)(length < 200 ? length : 200), (const char *)bytes);
}

static int append(const void *bytes, size_t length)
{
    int64_t number = store_append(&store, bytes, (uint32_t)length);

    if (number < 0)
        return fail("append", number);
    printf("log: record %" PRId64 " is kept\n", number);
    return 0;
}

static int append_words(int count, char **words)
{
    static char text[EXOS_STRINGS_MAX];
    size_t used = 0;

    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", words[i]);
    return append(text, used);
}

/* The bytes of a record that its number chooses: decimal numbers, one more each. */
static int fill(uint64_t count, uint64_t size)
{
    static char text[STORE_RECORD_MAX];
    int status = 0;

    for (uint64_t i = 0; i < count && status == 0; i++) {
        for (uint64_t at = 0, n = 0; at < size; at += 8, n++) {
            char part[24];

            snprintf(part, sizeof part, "%07" PRIu64 " ", (store.count * 131 + n) % 10000000);
            memcpy(text + at, part, size - at < 8 ? size - at : 8);
        }
        status = append(text, size);
    }
    return status;
}

/* A number from 0 to most, or -1. */
static int64_t parse(const char *text, uint64_t most)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == 0 && number <= most ? (int64_t)number : -1;
}

int main(int argc, char **argv)
{
    const char *command = argc > 2 ? argv[2] : "";
    int64_t count = argc == 5 ? parse(argv[3], UINT32_MAX) : -1;
    int64_t size = argc == 5 ? parse(argv[4], STORE_RECORD_MAX / 2) : -1;
    bool is_make = strcmp(command, "make") == 0 && argc == 3;
    bool is_list = strcmp(command, "list") == 0 && argc == 3;
    bool is_append = strcmp(command, "append") == 0 && argc > 3;
    bool is_fill = strcmp(command, "fill") == 0 && count >= 0 && size >= 0;

    take_help(argc, argv);
    if (!is_make && !is_list && !is_append && !is_fill)
        return usage();
    int64_t error = disk_open_name(&disk, argv[1], is_list ? DISK_READ_ONLY : DISK_READ_WRITE);
    if (error < 0)
        return fail("the extent", error); /* its name has the secret in it */
    struct store_disk on = {read_disk, write_disk, flush_disk, &disk, disk.size, disk.unit};
    if (is_make)
        return make(&on);
    error = store_open(&store, &on, buffer, is_list ? print_record : NULL);
    if (error < 0)
        return fail("open", error);
    if (is_list) {
        printf("log: %" PRIu64 " records, %" PRIu64 " of %" PRIu64 " bytes used\n", store.count,
               store.tail, disk.size);
        return 0;
    }
    return is_append ? append_words(argc - 3, argv + 3) : fill((uint64_t)count, (uint64_t)size);
}
