/* aegisctl disk show and check: what a table says, and whether it may. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "disk_image.h"

const char *disk_size(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(text, 32, "%.*f %s", value == (double)(long)value ? 0 : 1, value, units[unit]);
    return text;
}

static const char *flags_text(const struct extent_entry *entry)
{
    static const char *const texts[] = {"-", "read-only", "secret", "secret, read-only"};

    return texts[(entry->flags & EXTENT_SEALED ? 2 : 0) +
                 (entry->flags & EXTENT_READ_ONLY ? 1 : 0)];
}

static void print_extents(const struct extent_table *table)
{
    printf("%12s %12s %10s %5s  %-18s %s\n", "first", "blocks", "size", "slot", "flags", "label");
    for (uint32_t place = 0; place < table->used; place++) {
        const struct extent_entry *entry = &table->entries[table->order[place]];
        char label[EXTENT_LABEL + 1], size[32];

        disk_label(entry, label);
        printf("%12" PRIu64 " %12" PRIu64 " %10s %5u  %-18s %*s%s\n", entry->first, entry->count,
               disk_size(entry->count * EXTENT_BLOCK, size), table->order[place], flags_text(entry),
               2 * entry->depth, "", entry->depth == 0 ? "(root)" : label);
    }
}

/* Blocks of the root that no extent has, and the longest run of them. */
static void print_free(const struct extent_table *table)
{
    const struct extent_entry *root = &table->entries[EXTENT_ROOT];
    uint64_t at = root->first, longest = 0, sum = 0;
    char all[32], most[32];

    for (uint32_t place = 1; place <= table->used; place++) {
        bool end = place == table->used;
        const struct extent_entry *entry = &table->entries[end ? 0 : table->order[place]];
        uint64_t next = end ? root->first + root->count : entry->first;

        if (!end && entry->depth != 1) {
            continue;
        }
        sum += next - at;
        longest = next - at > longest ? next - at : longest;
        at = entry->first + entry->count;
    }
    printf("free in the root: %" PRIu64 " blocks, %s; the longest run %" PRIu64 ", %s\n", sum,
           disk_size(sum * EXTENT_BLOCK, all), longest, disk_size(longest * EXTENT_BLOCK, most));
}

static int show(const struct command *command, int argc, char **argv)
{
    static struct disk_image image;
    const struct option_row rows[] = {{0}};
    int count, status = options_parse(command, rows, argc, argv, &count);
    char size[32];
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (disk_open(&image, argv[0], false, &why) != 0) {
        return why_print(&why, "disk show");
    }
    status = disk_load(&image, &why);
    disk_close(&image);
    if (status != 0) {
        return why_print(&why, "disk show");
    }
    printf("%s: %" PRIu64 " blocks of 4096 bytes, %s; %u of %u slots are used; change %" PRIu64
           ", in copy %u\n",
           argv[0], image.probe.blocks, disk_size(image.probe.blocks * EXTENT_BLOCK, size),
           image.table.used, image.table.capacity, image.probe.sequence, image.probe.copy);
    print_extents(&image.table);
    print_free(&image.table);
    return 0;
}

static int check(const struct command *command, int argc, char **argv)
{
    static struct disk_image image;
    const struct option_row rows[] = {{0}};
    int count, status = options_parse(command, rows, argc, argv, &count), other;
    struct extent_fault fault;
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (disk_open(&image, argv[0], false, &why) != 0) {
        return why_print(&why, "disk check");
    }
    status = disk_load(&image, &why);
    other = status == 0 ? disk_other_copy(&image, &fault) : 0;
    disk_close(&image);
    if (status != 0) {
        return why_print(&why, "disk check");
    }
    printf("%s: copy %u is current (change %" PRIu64 ") and good: %u extents beside the root\n",
           argv[0], image.probe.copy, image.probe.sequence, image.table.used - 1);
    if (image.blocks > image.probe.blocks) {
        printf("%s: the last %" PRIu64 " blocks are not the table's: the image grew after disk "
               "init\n",
               argv[0], image.blocks - image.probe.blocks);
    }
    if (other == 0) {
        printf("%s: copy %u, the change before, is good too\n", argv[0], 1 - image.probe.copy);
    } else {
        printf("%s: copy %u is not whole: it was being written when power was lost, or is damaged; "
               "the next change writes it anew\n",
               argv[0], 1 - image.probe.copy);
    }
    return 0;
}

const struct command disk_show = {
    "disk show", "IMAGE", 1, 1, "Print the extents.", show,
};
const struct command disk_check = {
    "disk check", "IMAGE", 1, 1, "Verify the table; name its first fault and exit with 1.", check,
};
