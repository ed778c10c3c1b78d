/* Group proc: what a process costs from its making to the knowledge of its end. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"

_Noreturn static void failed(const char *what)
{
    port_print("bench: proc: ");
    port_print(what);
    port_print(" failed\n");
    exit(1);
}

static void wait_for(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        failed("waitpid");
}

static void fork_once(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid < 0)
        failed("fork");
    wait_for(pid);
}

static uint64_t run_fork(uint64_t n)
{
    return COUNT_LOOP(n, fork_once());
}

static void spawn_once(void)
{
    static char *const arguments[] = {(char *)"true", NULL}, *const environment[] = {NULL};
    pid_t pid;
    if (posix_spawn(&pid, "/true", NULL, NULL, arguments, environment) != 0)
        failed("posix_spawn");
    wait_for(pid);
}

static uint64_t run_spawn(uint64_t n)
{
    return COUNT_LOOP(n, spawn_once());
}

const struct row proc_rows[] = {{"proc", "fork_exit_wait", 10, run_fork},
                                {"proc", "spawn_exit_wait", 10, run_spawn},
                                {NULL, NULL, 0, NULL}};
