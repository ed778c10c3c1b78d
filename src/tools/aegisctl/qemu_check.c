/* Is QEMU there, and is it new enough? */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define PROGRAM     "qemu-system-riscv64"
#define PACKAGE     "Debian's package qemu-system-misc"
#define LEAST_MAJOR 7
#define LEAST_MINOR 2
#define LIMIT_MS    10000

static void exec_version(int out)
{
    int null = open("/dev/null", O_RDWR);

    dup2(null, 0);
    dup2(out, 1);
    dup2(null, 2);
    execlp(PROGRAM, PROGRAM, "--version", (char *)NULL);
    _exit(errno == ENOENT ? 127 : 126);
}

/* Read until the end or the deadline. Returns the bytes, or -1 at the deadline. */
static int read_all(int fd, char *text, size_t size, int64_t deadline)
{
    size_t fill = 0;

    while (fill < size - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, clock_left(deadline)) == 0) {
            return -1;
        }
        n = read(fd, text + fill, size - 1 - fill);
        if (n <= 0) {
            break;
        }
        fill += (size_t)n;
    }
    text[fill] = 0;
    return (int)fill;
}

/* "QEMU emulator version 7.2.22 (...)" */
static bool parse_version(const char *text, unsigned long *major, unsigned long *minor)
{
    static const char before[] = "QEMU emulator version ";
    char *end;

    if (strncmp(text, before, strlen(before)) != 0) {
        return false;
    }
    text += strlen(before);
    *major = strtoul(text, &end, 10);
    if (end == text || *end != '.') {
        return false;
    }
    text = end + 1;
    *minor = strtoul(text, &end, 10);
    return end != text;
}

static int judge(const char *text, int status, struct why *why)
{
    unsigned long major, minor;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        return why_set(why, PROGRAM " is not on the PATH: install " PACKAGE);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !parse_version(text, &major, &minor)) {
        return why_set(why, PROGRAM " --version does not tell a version: reinstall " PACKAGE);
    }
    if (major < LEAST_MAJOR || (major == LEAST_MAJOR && minor < LEAST_MINOR)) {
        return why_set(why,
                       PROGRAM " is version %lu.%lu, too old: %d.%d or newer is needed, " PACKAGE
                               " of Debian 12",
                       major, minor, LEAST_MAJOR, LEAST_MINOR);
    }
    return 0;
}

int qemu_check(struct why *why)
{
    char text[256];
    int ends[2], status, n;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return why_set(why, "cannot make a pipe: %s", strerror(errno));
    }
    pid = fork();
    if (pid == 0) {
        exec_version(ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return why_set(why, "cannot start a process: %s", strerror(errno));
    }
    n = read_all(ends[0], text, sizeof text, clock_ms() + LIMIT_MS);
    close(ends[0]);
    if (n < 0) {
        kill(pid, SIGKILL);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (n < 0) {
        return why_set(why, PROGRAM " --version said nothing for %d s: reinstall " PACKAGE,
                       LIMIT_MS / 1000);
    }
    return judge(text, status, why);
}
