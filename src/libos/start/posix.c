/*
 * The functions that picolibc expects of a system. There are no files yet: descriptors 1 and 2
 * write to the log, 0 is at its end, others don't exist.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <unistd.h>

#include "libos/start/error.h"
#include "libos/start/start.h"

#define LOG_MAX     256
#define ENTROPY_MAX 256 /* getentropy(3) */

static int fail(int error)
{
    errno = error;
    return -1;
}

int open(const char *path, int flags, ...)
{
    (void)path, (void)flags;
    return fail(ENOENT);
}

int close(int fd)
{
    (void)fd;
    return fail(EBADF);
}

ssize_t read(int fd, void *bytes, size_t count)
{
    (void)bytes, (void)count;
    return fd == STDIN_FILENO ? 0 : fail(EBADF);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    if (fd != STDOUT_FILENO && fd != STDERR_FILENO)
        return fail(EBADF);
    size_t part = count < LOG_MAX ? count : LOG_MAX;
    int64_t status = part ? aegis_log(bytes, part) : 0;
    return status < 0 ? fail(aegis_errno(status)) : (ssize_t)part;
}

off_t lseek(int fd, off_t offset, int whence)
{
    (void)offset, (void)whence;
    return fail(fd >= STDIN_FILENO && fd <= STDERR_FILENO ? ESPIPE : EBADF);
}

int fstat(int fd, struct stat *status)
{
    if (fd < STDIN_FILENO || fd > STDERR_FILENO)
        return fail(EBADF);
    *status = (struct stat){.st_mode = S_IFCHR | 0600, .st_blksize = LOG_MAX};
    return 0;
}

int stat(const char *path, struct stat *status)
{
    (void)path, (void)status;
    return fail(ENOENT);
}

int unlink(const char *path)
{
    (void)path;
    return fail(ENOENT);
}

pid_t getpid(void)
{
    return (pid_t)exos.env;
}

/* A signal to oneself ends the program, as its default action would; there is no sending to others.
 */
int kill(pid_t pid, int signal)
{
    if (pid != getpid())
        return fail(ESRCH);
    if (signal)
        _exit(128 + signal);
    return 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    (void)how, (void)set;
    if (old)
        sigemptyset(old);
    return 0;
}

int getentropy(void *bytes, size_t length)
{
    if (length > ENTROPY_MAX)
        return fail(EIO);
    int64_t status = length ? aegis_entropy(bytes, length) : 0;
    return status < 0 ? fail(aegis_errno(status)) : 0;
}
