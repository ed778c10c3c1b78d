/*
 * time COMMAND [ARG...]: runs it, and says on standard error how long it took: on the clock, in
 * slices of the processor, and in instructions, which are all that the machine retired meanwhile.
 */
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "libos/proc/session.h"
#include "libos/wait/wait.h"
#include "apps/program.h"

const char program_name[] = "time";
const char program_usage[] = "time COMMAND [ARG...]";

extern char **environ;

static uint64_t instructions(void)
{
    uint64_t count;
    __asm__ volatile("csrr %0, instret" : "=r"(count)::"memory");
    return count;
}

/* Slices that it had at its end; the exposed record is there until waitpid lets go of it. */
static uint64_t slices_of(pid_t pid)
{
    uint32_t env = proc_env(pid, NULL);
    if (!env)
        return 0;
    struct aegis_predicate ended = aegis_when_ended(env);
    while (exos_wait(&ended, 1, AEGIS_FOREVER) < 0)
        ;
    return aegis_env(env)->slices;
}

int main(int argc, char **argv)
{
    struct timespec begin, end;
    int status;
    pid_t pid;

    take_help(argc, argv);
    if (argc < 2)
        return usage();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    uint64_t before = instructions();
    int error = posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ);
    if (error) {
        errno = error;
        failed(argv[1]);
        return error == ENOENT ? 127 : 126;
    }
    uint64_t slices = slices_of(pid);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return failed(argv[1]);
    uint64_t after = instructions();
    clock_gettime(CLOCK_MONOTONIC, &end);
    fprintf(stderr, "%.3f ms, %llu slices, %llu instructions\n",
            (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6,
            (unsigned long long)slices, (unsigned long long)(after - before));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
