/* cat [FILE...]: copies files, or standard input (-), to standard output. */
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "apps/program.h"

const char program_name[] = "cat";
const char program_usage[] = "cat [FILE...]  (-: standard input)";

/* 0, or 1: said why. */
static int copy(int fd, const char *name)
{
    static char bytes[16384];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(name);
        for (ssize_t done = 0; done < n;) {
            ssize_t part = write(STDOUT_FILENO, bytes + done, (size_t)(n - done));
            if (part < 0 && errno != EINTR)
                exit(failed("standard output"));
            done += part > 0 ? part : 0;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    take_help(argc, argv);
    if (argc == 1)
        return copy(STDIN_FILENO, "standard input");
    for (int i = 1; i < argc; i++) {
        bool in = !strcmp(argv[i], "-");
        int fd = in ? STDIN_FILENO : open(argv[i], O_RDONLY);
        status |= fd < 0 ? failed(argv[i]) : copy(fd, argv[i]);
        if (fd > STDERR_FILENO)
            close(fd);
    }
    return status;
}
