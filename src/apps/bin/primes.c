/*
 * primes [LIMIT]: the primes up to LIMIT (100), by a pipeline of processes (after Hoare's
 * Communicating Sequential Processes, 1978, example 6.1): each keeps the first number that it gets,
 * a prime, and passes on those that it doesn't divide.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apps/program.h"

const char program_name[] = "primes";
const char program_usage[] = "primes [LIMIT]  (2 to 100000; one process for each prime)";

#define BATCH 256

/* What is written to the next process, in batches; fd is -1 before there is one. */
struct next {
    int fd;
    pid_t pid;
    size_t count;
    uint32_t numbers[BATCH];
};

extern char **environ;

/* A process that runs us as a filter, and reads what we write. An errno. */
static int start(struct next *next)
{
    static char name[] = "primes", filter[] = "-f";
    char *argv[] = {name, filter, NULL};
    posix_spawn_file_actions_t files;
    int both[2];

    if (pipe2(both, O_CLOEXEC) != 0)
        return errno;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, both[0], STDIN_FILENO);
    int error = posix_spawnp(&next->pid, name, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(both[0]);
    if (error)
        close(both[1]);
    else
        next->fd = both[1];
    return error;
}

static bool flush(struct next *next)
{
    const char *bytes = (const char *)next->numbers;
    size_t size = next->count * sizeof *next->numbers;
    while (size) {
        ssize_t n = write(next->fd, bytes, size);
        if (n < 0 && errno != EINTR)
            return !failed("the pipe to the next process");
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    next->count = 0;
    return true;
}

static bool pass(struct next *next, uint32_t number)
{
    if (next->fd < 0) {
        errno = start(next);
        if (errno)
            return !failed("starting the next process");
    }
    next->numbers[next->count++] = number;
    return next->count < BATCH || flush(next);
}

/* No number follows: the status of all that come behind. */
static int end(struct next *next, bool good)
{
    int status;
    if (next->fd < 0)
        return !good;
    good = good && flush(next);
    close(next->fd);
    if (waitpid(next->pid, &status, 0) != next->pid)
        return failed("waiting for the next process");
    return good && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The next number of standard input; 0: there is none. */
static uint32_t get(void)
{
    static uint32_t numbers[BATCH];
    static size_t count, at;
    size_t size = 0;
    if (at < count)
        return numbers[at++];
    do {
        ssize_t n = read(STDIN_FILENO, (char *)numbers + size, sizeof numbers - size);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            break;
        size += n > 0 ? (size_t)n : 0;
    } while (size % sizeof *numbers);
    count = size / sizeof *numbers;
    at = 0;
    return count ? numbers[at++] : 0;
}

static int filter(void)
{
    struct next next = {.fd = -1};
    uint32_t prime = get(), number;
    bool good = true;

    if (!prime)
        return 0;
    printf("%u\n", (unsigned)prime);
    if (fflush(stdout))
        return failed("standard output");
    while (good && (number = get()))
        if (number % prime)
            good = pass(&next, number);
    return end(&next, good);
}

int main(int argc, char **argv)
{
    struct next next = {.fd = -1};
    bool good = true;

    take_help(argc, argv);
    if (argc == 2 && !strcmp(argv[1], "-f"))
        return filter();
    long limit = argc > 1 ? number(argv[1], 2, 100000) : 100;
    if (limit < 0 || argc > 2)
        return usage();
    for (uint32_t i = 2; good && i <= (uint32_t)limit; i++)
        good = pass(&next, i);
    return end(&next, good);
}
