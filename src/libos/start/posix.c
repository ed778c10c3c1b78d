/* The functions that picolibc expects of a system, but for those on descriptors (libos/fd). */
#include <errno.h>
#include <signal.h>
#include <sys/times.h>
#include <unistd.h>

#include "libos/start/error.h"
#include "libos/start/start.h"

#define ENTROPY_MAX 256 /* getentropy(3) */

static int fail(int error)
{
    errno = error;
    return -1;
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
