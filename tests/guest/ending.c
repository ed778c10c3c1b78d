/*
 * The first program of a machine on which processes make, replace, signal, wait for and end each
 * other at random, and are ended at any instruction. Afterwards the session's table has to be
 * empty but for this program, no other environment may be left, and all pages have to be back.
 * Boot argument: ending=SEED,ROUNDS. Says "ending: done after ROUNDS rounds: SPAWNED spawned, ..."
 * or what is wrong, and ends the machine with a status.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/session.h"
#include "libos/start/error.h"
#include "libos/time/time.h"

#define SECOND  1000000000UL
#define MEMBERS 24 /* processes at most before one more is made */
#define VIEWS   128

static uint64_t state;
static uint64_t spawned, killed, waited, refused;

static uint32_t below(uint32_t limit)
{
    state = state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(state >> 33) % limit;
}

static _Noreturn void die(const char *what, int64_t number)
{
    struct proc_view views[VIEWS];
    size_t count = proc_list(views, VIEWS);

    printf("ending: %s: %" PRId64 "\n", what, number);
    for (size_t i = 0; i < count && i < VIEWS; i++)
        printf("ending: process %d of %d, state %d, environment %" PRIu32 "\n", (int)views[i].pid,
               (int)views[i].parent, (int)views[i].state, views[i].env);
    for (uint32_t env = 2; env < aegis_info()->env_count; env++)
        if (aegis_env(env)->state != AEGIS_ENV_NONE)
            printf("ending: environment %" PRIu32 " of %" PRIu32 ", state %d, %" PRIu32 " pages\n",
                   env, aegis_env(env)->owner, aegis_env(env)->state, aegis_env(env)->pages);
    fflush(stdout);
    aegis_shutdown(1);
    abort();
}

/* What a process does with its life. */
static const char *const lives[] = {"member", "member", "exit", "wait",
                                    "spin",   "exec",   "null", "leave"};
#define LIVES (sizeof lives / sizeof *lives)

static void make(void)
{
    struct proc_view views[1];
    char seed[24], depth[2] = "0";
    char *argv[] = {"ending", (char *)(uintptr_t)lives[below(LIVES)], seed, depth, NULL};
    pid_t pid;

    if (proc_list(views, 1) > MEMBERS)
        return;
    snprintf(seed, sizeof seed, "%" PRIu64, state);
    int error = posix_spawn(&pid, "ending", NULL, NULL, argv, environ);
    spawned += error == 0;
    refused += error != 0;
    if (error && error != ENOMEM && error != EAGAIN)
        die("posix_spawn", error);
}

/* Any process but the first, this one among them. */
static void end_one(void)
{
    static const int signals[] = {SIGKILL, SIGKILL, SIGTERM, SIGUSR1, SIGSEGV, SIGCHLD};
    struct proc_view views[VIEWS];
    size_t count = proc_list(views, VIEWS);
    const struct proc_view *view = &views[below((uint32_t)count)];

    if (view->pid == 1 || view->state != PROC_RUNNING)
        return;
    killed += kill(view->pid, signals[below(sizeof signals / sizeof *signals)]) == 0;
}

/* One's own environments, without a word to the table: as the kernel's owner may. */
static void end_by_force(void)
{
    uint32_t env = 2 + below(40);

    if (aegis_env(env)->owner == exos.env && aegis_env(env)->state == AEGIS_ENV_LIVE)
        killed += aegis_env_end(env, below(256)) == 0;
}

static void collect(void)
{
    waited += waitpid(-1, NULL, WNOHANG) > 0;
}

static void pause_a_little(void)
{
    usleep(below(3000));
}

static void look_around(void)
{
    pid_t parent = getppid();

    kill(parent, 0);
    setpgid(0, below(2) ? 0 : getpgrp());
}

static void step(void);

/* The child goes on with what this process did, for a while. */
static void split(void)
{
    struct proc_view views[1];

    if (proc_list(views, 1) > MEMBERS)
        return;
    pid_t pid = fork();
    spawned += pid > 0;
    refused += pid < 0;
    if (pid < 0 && errno != ENOMEM && errno != EAGAIN)
        die("fork", errno);
    if (pid)
        return;
    state += (uint64_t)getpid();
    for (uint32_t i = below(20); i > 0; i--)
        step();
    _exit((int)below(256));
}

static void (*const steps[])(void) = {make,    make,           split,       end_one,
                                      collect, pause_a_little, look_around, end_by_force};

static void step(void)
{
    steps[below(sizeof steps / sizeof *steps)]();
}

static void nothing(int signal)
{
    (void)signal;
}

static int live(char **argv)
{
    state = strtoull(argv[2], NULL, 10) + (uint64_t)getpid();
    signal(SIGUSR1, nothing);
    signal(SIGCHLD, nothing);
    if (!strcmp(argv[1], "wait"))
        for (;;)
            pause();
    if (!strcmp(argv[1], "spin"))
        for (;;)
            __asm__ volatile("");
    if (!strcmp(argv[1], "null"))
        __asm__ volatile("sw zero, 8(zero)");
    if (!strcmp(argv[1], "exec")) {
        static char *const changed[] = {"ending", "member", "77", NULL};
        step();
        execv("ending", changed);
        return errno;
    }
    uint32_t rounds = !strcmp(argv[1], "exit") ? 0 : below(60);
    for (uint32_t i = 0; i < rounds; i++)
        step();
    return 0;
}

static unsigned environments(void)
{
    unsigned count = 0;

    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        count += aegis_env(env)->state != AEGIS_ENV_NONE;
    return count;
}

/* Ends all others. */
static void drain(void)
{
    struct proc_view views[VIEWS];
    uint64_t limit = time_after(60 * SECOND);

    while (proc_list(views, VIEWS) > 1 || environments() > 1) {
        kill(-1, SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        usleep(1000);
        if (time_now() > limit)
            die("processes are left after a minute", (int64_t)proc_list(views, VIEWS));
    }
}

/* Free ones, and this program's own. */
static uint64_t pages(void)
{
    return aegis_info()->free_pages + aegis_env(exos.env)->pages;
}

int main(int argc, char **argv)
{
    char arguments[AEGIS_BOOTARGS_SIZE + 1] = "", *end;

    if (argc > 1)
        return live(argv);
    for (size_t i = 0; i < AEGIS_BOOTARGS_SIZE; i++)
        arguments[i] = aegis_info()->bootargs[i];
    const char *own = strstr(arguments, "ending=");
    if (!own || proc_session_make() || environments() != 1)
        die("ending=SEED,ROUNDS is missing, or another program is there", 0);
    state = strtoull(own + 7, &end, 10);
    uint64_t rounds = strtoull(end + 1, NULL, 10), before = pages();
    for (uint64_t i = 0; i < rounds; i++)
        step();
    drain();
    if (pages() != before)
        die("pages are lost", (int64_t)(before - pages()));
    printf("ending: done after %" PRIu64 " rounds: %" PRIu64 " spawned by the first, %" PRIu64
           " refused, %" PRIu64 " signalled, %" PRIu64 " waited for\n",
           rounds, spawned, refused, killed, waited);
    fflush(stdout);
    aegis_shutdown(0);
    return 0;
}
