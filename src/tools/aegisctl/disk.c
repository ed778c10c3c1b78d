/* aegisctl disk: tables of extents on images of disks, with no machine. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "disk_image.h"

static const struct command *const commands[] = {
    &disk_init, &disk_show, &disk_check, &disk_import, &disk_export, &disk_free,
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(void)
{
    printf("usage: aegisctl disk COMMAND [options]\n\n"
           "The table on a disk's image that says whose its blocks are.\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char left[64];

        snprintf(left, sizeof left, "%s %s", commands[i]->name, commands[i]->arguments);
        printf("  %-32s %s\n", left, commands[i]->summary);
    }
    printf(
        "\naegisctl disk COMMAND --help tells of its options. A block has 4096 bytes. EXTENT is a "
        "label, or\nFIRST,COUNT: its first block and how many.\n");
}

static int run(const struct command *command, int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_usage();
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i]->name + strlen("disk ")) == 0) {
            return commands[i]->run(commands[i], argc - 1, argv + 1);
        }
    }
    if (argc < 2) {
        return usage_error(command, "what to do with it is missing: init, show, check, ...");
    }
    return usage_error(command, "\"%s\" is no command", argv[1]);
}

const struct command command_disk = {
    "disk", "COMMAND", 0, 0, "Make, show and check tables of extents on disks' images.", run,
};
