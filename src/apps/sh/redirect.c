/* Redirections: what a command reads from and writes to. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lex.h"
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

/* Write what doesn't fit the pipe from a process of its own, which nobody waits for. */
static bool write_later(int fd, int other, const char *text, size_t size)
{
    pid_t pid = fork();
    if (pid)
        return pid > 0;
    close(other);
    signal(SIGPIPE, SIG_DFL);
    fcntl(fd, F_SETFL, 0);
    while (size) {
        ssize_t n = write(fd, text, size);
        if (n <= 0)
            _exit(1);
        text += n;
        size -= (size_t)n;
    }
    _exit(0);
}

/* The reading end of a pipe with the document's lines, or -1: said why. */
static int here_document(const struct sh_redirect *redirect)
{
    char clean[SH_DELIMITER_MAX];
    struct sh_fields text = {0};
    bool quoted;
    int both[2];

    sh_here_delimiter(&redirect->target, clean, &quoted);
    if (!sh_expand_here(&redirect->body, quoted, redirect->direction == SH_HERE_STRIP, &vars_values,
                        &text)) {
        complain_of_word(text.error);
        return -1;
    }
    if (pipe2(both, O_CLOEXEC) != 0) {
        complain("<<: %s", strerror(errno));
        sh_fields_free(&text);
        return -1;
    }
    size_t size = strlen(text.list[0]);
    fcntl(both[1], F_SETFL, O_NONBLOCK);
    ssize_t n = size ? write(both[1], text.list[0], size) : 0;
    size_t done = n > 0 ? (size_t)n : 0;
    bool good = done == size || write_later(both[1], both[0], text.list[0] + done, size - done);
    close(both[1]);
    sh_fields_free(&text);
    if (good)
        return both[0];
    complain("fork: %s", strerror(errno));
    close(both[0]);
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
    if (redirect->direction == SH_HERE || redirect->direction == SH_HERE_STRIP)
        return here_document(redirect);
    if (!sh_expand_one(&redirect->target, &vars_values, &target)) {
        complain_of_word(target.error);
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
