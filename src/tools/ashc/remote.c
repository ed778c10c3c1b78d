/*
 * The client of the runner.
 */
#include "tools/ashc/remote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIME_MAX 20000 /* ms for one job */
#define QEMU     "qemu-riscv64"

static bool fail(struct remote *remote, const char *what)
{
    snprintf(remote->error, sizeof remote->error, "%s", what);
    return false;
}

/* The runner beside this program. */
static bool find_runner(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0)
        return false;
    path[length] = 0;
    char *slash = strrchr(path, '/');
    size_t room = size - (size_t)(slash + 1 - path);
    return snprintf(slash + 1, room, "ash-runner") < (int)room && access(path, R_OK) == 0;
}

bool remote_open(struct remote *remote, const char *path)
{
    int pair[2];
    char found[4096];
    *remote = (struct remote){.pid = -1, .to = -1, .from = -1};
    if (!path && !find_runner(found, sizeof found))
        return fail(remote,
                    "there is no ash-runner beside this program; build the target ash-runner");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return fail(remote, strerror(errno));
    remote->pid = fork();
    if (remote->pid == 0) {
        dup2(pair[1], STDIN_FILENO);
        dup2(pair[1], STDOUT_FILENO);
        execlp(QEMU, QEMU, path ? path : found, (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    remote->to = remote->from = pair[0];
    return remote->pid > 0 ? true : fail(remote, strerror(errno));
}

void remote_close(struct remote *remote)
{
    if (remote->to >= 0)
        close(remote->to);
    if (remote->pid > 0) {
        kill(remote->pid, SIGKILL);
        waitpid(remote->pid, NULL, 0);
    }
    remote->pid = remote->to = remote->from = -1;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The runner is gone: what does its status say? */
static bool ended(struct remote *remote)
{
    int status = 0;
    if (waitpid(remote->pid, &status, 0) == remote->pid)
        remote->pid = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return fail(remote, "can't run " QEMU "; install it (apt-get install qemu-user)");
    if (WIFSIGNALED(status))
        snprintf(remote->error, sizeof remote->error, "the runner was ended by signal %d",
                 WTERMSIG(status));
    else
        snprintf(remote->error, sizeof remote->error, "the runner has ended with status %d",
                 WEXITSTATUS(status));
    return false;
}

static bool transfer(struct remote *remote, bool sends, void *bytes, size_t size, int64_t deadline)
{
    for (size_t done = 0; done < size;) {
        struct pollfd p = {.fd = remote->to, .events = sends ? POLLOUT : POLLIN};
        int64_t left = deadline - now();
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return fail(remote, "the runner doesn't answer");
        ssize_t n = sends ? send(remote->to, (char *)bytes + done, size - done, MSG_NOSIGNAL)
                          : recv(remote->from, (char *)bytes + done, size - done, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ended(remote);
        done += (size_t)n;
    }
    return true;
}

bool remote_run(struct remote *remote, const struct job_request *request, const void *image,
                void *memory, char *trace, struct job_reply *reply)
{
    int64_t deadline = now() + TIME_MAX;
    struct job_request q = *request;
    if (!transfer(remote, true, &q, sizeof q, deadline) ||
        !transfer(remote, true, (void *)(uintptr_t)image, q.image_size, deadline) ||
        !transfer(remote, true, memory, q.memory_size, deadline) ||
        !transfer(remote, false, reply, sizeof *reply, deadline) ||
        !transfer(remote, false, memory, q.memory_size, deadline))
        return false;
    if (reply->magic != JOB_MAGIC || reply->trace_size > JOB_TRACE_MAX)
        return fail(remote, "the runner has answered something else");
    return transfer(remote, false, trace, reply->trace_size, deadline);
}
