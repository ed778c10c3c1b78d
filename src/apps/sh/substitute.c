/* $(commands): what they print, in a subshell of their own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shell.h"

/* All that comes from fd, without newlines at its end and zero bytes; NULL: said why. */
static char *read_all(int fd)
{
    char *text = NULL, bytes[4096];
    size_t length = 0;

    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) != 0 && !shell.interrupted;) {
        if (n < 0 && errno == EINTR)
            continue;
        char *more = n > 0 && length + (size_t)n <= SH_BYTES_MAX
                         ? realloc(text, length + (size_t)n + 1)
                         : NULL;
        if (!more) {
            complain("$( ): %s", n < 0 ? strerror(errno) : "the strings are too long");
            free(text);
            return NULL;
        }
        text = more;
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i])
                text[length++] = bytes[i];
    }
    while (length && text[length - 1] == '\n')
        length--;
    if (!text)
        return strdup("");
    text[length] = 0;
    return text;
}

static _Noreturn void run(const char *text, size_t size, int out, int other)
{
    const struct ends ends = {-1, out, other};
    pipeline_become_child(&ends, -1, false);
    run_text(text, size);
    fflush(stdout);
    _exit(shell.interrupted ? STATUS_SIGNAL + SIGINT : shell.status);
}

char *substitute(const char *text, size_t size)
{
    int both[2], status = 0;
    char *output = NULL;

    fflush(stdout);
    fflush(stderr);
    if (pipe2(both, O_CLOEXEC) != 0) {
        complain("$( ): %s", strerror(errno));
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0)
        run(text, size, both[1], both[0]);
    close(both[1]);
    if (pid > 0)
        output = read_all(both[0]);
    else
        complain("fork: %s", strerror(errno));
    close(both[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0)
        shell.substituted =
            WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
    return output;
}
