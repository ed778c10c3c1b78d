/* aegisctl log: what the machine printed on its serial port, also after its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "commands.h"

/* Copy what there is from the file's offset on. Returns -1 if stdout takes no more. */
static int copy(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        if (fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n) {
            return -1;
        }
    }
    return fflush(stdout) == 0 ? 0 : -1;
}

static int print_log(const struct command *command, int argc, char **argv)
{
    const char *name = INSTANCE_DEFAULT;
    bool follow = false;
    const struct option_row rows[] = {
        {"follow", OPTION_FLAG, &follow, NULL, "go on until the machine ends", 0, 0},
        {"instance", OPTION_TEXT, &name, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count), fd;
    char path[INSTANCE_PATH_MAX];
    struct instance instance;
    struct why why;
    bool runs;

    if (status >= 0) {
        return status;
    }
    if (instance_find(&instance, name, &why) != 0) {
        return why_print(&why, "log");
    }
    instance_path(&instance, "serial.log", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        why_set(&why, "%s: %s; start the machine with aegisctl run", path, strerror(errno));
        return why_print(&why, "log");
    }
    do {
        runs = follow && instance_runs(&instance); /* asked first, so that nothing is missed */
        status = copy(fd);
        if (runs) {
            usleep(100000);
        }
    } while (status == 0 && runs);
    close(fd);
    return status == 0 ? 0 : 1;
}

const struct command command_log = {
    "log", "", 0, 0, "Print what the machine printed on its serial port.", print_log,
};
