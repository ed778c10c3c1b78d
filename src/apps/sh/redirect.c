/* Redirections: what a command reads from and writes to. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define SAVED_FIRST 10 /* descriptors from here on are the shell's own */

/* The descriptor that >&N or <&N means, or -1: said why. */
static int duplicate(const char *target)
{
    if (target[0] >= '0' && target[0] <= '9' && !target[1]) {
        int fd = target[0] - '0';
        if (fcntl(fd, F_GETFD) >= 0)
            return fd;
    }
    complain("%s: %s", target, strerror(EBADF));
    return -1;
}

int redirect_open(const struct sh_redirect *redirect, bool *close_it)
{
    static const int flags[] = {[SH_READ] = O_RDONLY,
                                [SH_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
                                [SH_APPEND] = O_WRONLY | O_CREAT | O_APPEND};
    struct sh_fields target = {0};
    int fd = -1;

    *close_it = redirect->direction != SH_DUPLICATE;
    if (!sh_expand_one(&redirect->target, &vars_values, &target)) {
        complain("%s", target.error);
    } else if (!*close_it) {
        fd = duplicate(target.list[0]);
    } else {
        fd = open(target.list[0], flags[redirect->direction] | O_CLOEXEC, 0666);
        if (fd < 0)
            complain("%s: %s", target.list[0], strerror(errno));
    }
    sh_fields_free(&target);
    return fd;
}

/* One redirection. False: said why. */
static bool begin(const struct sh_redirect *redirect, struct redirected *state)
{
    bool close_it;

    if (state->count == REDIRECT_MAX) {
        complain("more than %d redirections", REDIRECT_MAX);
        return false;
    }
    int fd = redirect_open(redirect, &close_it);
    if (fd < 0)
        return false;
    int saved = fcntl(redirect->fd, F_DUPFD_CLOEXEC, SAVED_FIRST);
    bool done = dup2(fd, redirect->fd) >= 0;
    if (!done)
        complain("%d: %s", redirect->fd, strerror(errno));
    if (close_it && fd != redirect->fd)
        close(fd);
    if (!done) {
        if (saved >= 0)
            close(saved);
        return false;
    }
    state->undo[state->count].fd = redirect->fd;
    state->undo[state->count++].saved = saved;
    return true;
}

bool redirect_begin(const struct sh_redirect *redirects, struct redirected *state)
{
    state->count = 0;
    fflush(stdout);
    for (; redirects; redirects = redirects->next)
        if (!begin(redirects, state)) {
            redirect_end(state);
            return false;
        }
    return true;
}

void redirect_end(struct redirected *state)
{
    fflush(stdout);
    while (state->count) {
        int fd = state->undo[--state->count].fd, saved = state->undo[state->count].saved;
        if (saved < 0) {
            close(fd);
        } else {
            dup2(saved, fd);
            close(saved);
        }
    }
}
