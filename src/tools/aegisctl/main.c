/* aegisctl: boots Aegis-V in QEMU, and controls what runs in it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

static const struct command *const commands[] = {
    &command_run,  &command_load,    &command_start,   &command_unload, &command_list,
    &command_maps, &command_capture, &command_rtt,     &command_status, &command_log,
    &command_stop, &command_post,    &command_symbols, &command_disk,   &command_console,
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(FILE *to)
{
    fprintf(to, "usage: aegisctl COMMAND [options]\n\n"
                "Boots Aegis-V in QEMU, and controls what runs in it.\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char left[64];

        snprintf(left, sizeof left, "%s %s", commands[i]->name, commands[i]->arguments);
        fprintf(to, "  %-22s %s\n", left, commands[i]->summary);
    }
    fprintf(to,
            "\naegisctl COMMAND --help tells of its options. Exit status: 0, 1 after a failure, 2 "
            "after a mistake\nof usage; run and stop return QEMU's.\n");
}

/* What a command printed must have reached its reader, or the command has failed. */
static int finish(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    fprintf(stderr, "aegisctl: standard output: %s\n",
            errno != 0 ? strerror(errno) : "not all could be written");
    return status != 0 ? status : 1;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_usage(stdout);
        return finish(0);
    }
    for (size_t i = 0; argc >= 2 && i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i]->name) == 0) {
            int status = commands[i]->run(commands[i], argc - 1, argv + 1);

            /* capture judges its output itself: it ends with 0 when its reader does, and closes
             * stdout if that was its file. */
            return commands[i] == &command_capture ? status : finish(status);
        }
    }
    if (argc < 2) {
        fprintf(stderr, "aegisctl: no command is given; see aegisctl --help\n");
    } else {
        fprintf(stderr, "aegisctl: \"%s\" is no command; see aegisctl --help\n", argv[1]);
    }
    return 2;
}
