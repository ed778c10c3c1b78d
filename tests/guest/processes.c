/*
 * Processes of a session: numbers, posix_spawn, waitpid, execve, the environment, orphans, groups;
 * and what is left of all that when it fails: nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/proc.h"
#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "test.h"

#define SECOND 1000000000UL

static pid_t spawn(char *const argv[])
{
    pid_t pid = 0;
    int error = posix_spawn(&pid, "processes", NULL, NULL, argv, environ);
    if (error)
        FAIL("posix_spawn: %s", strerror(error));
    return pid;
}

#define SPAWN(...) spawn((char *[]){"processes", __VA_ARGS__, NULL})

static int status_of(pid_t pid)
{
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

static void exit_statuses(void)
{
    for (int i = 0; i < 256; i += 85) {
        char text[8];
        snprintf(text, sizeof text, "%d", i);
        int status = status_of(SPAWN("exit", text));
        CHECK(WIFEXITED(status) && !WIFSIGNALED(status));
        CHECK_EQ(WEXITSTATUS(status), i);
    }
    CHECK_EQ(waitpid(-1, NULL, 0), -1);
    CHECK_EQ(errno, ECHILD);
    CHECK_EQ(waitpid(12345, NULL, 0), -1);
    CHECK_EQ(errno, ECHILD);
    CHECK_EQ(waitpid(-1, NULL, 64), -1);
    CHECK_EQ(errno, EINVAL);
}

static void nobody_has_ended(void)
{
    int status;
    pid_t pid = SPAWN("wait");
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    status = status_of(pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    CHECK_EQ(kill(pid, 0), -1);
    CHECK_EQ(errno, ESRCH);
}

static void ends_by_exception(void)
{
    static const struct {
        char *how;
        int signal;
    } ends[] = {{"null", SIGSEGV},
                {"illegal", SIGILL},
                {"break", SIGTRAP},
                {"abort", SIGABRT},
                {"overflow", SIGSEGV}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int status = status_of(SPAWN(ends[i].how));
        CHECK(WIFSIGNALED(status));
        CHECK_EQ(WTERMSIG(status), ends[i].signal);
    }
}

/* As many at once as one process may have; the one more is refused. */
static void many(void)
{
    pid_t pids[10];
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++) {
        pids[i] = SPAWN("exit", "7");
        for (size_t j = 0; j < i; j++)
            CHECK(pids[j] != pids[i]);
    }
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++) {
        int status;
        pid_t pid = wait(&status);
        CHECK(pid > 0);
        CHECK_EQ(WEXITSTATUS(status), 7);
        for (size_t j = 0; j < sizeof pids / sizeof *pids; j++)
            if (pids[j] == pid)
                pids[j] = 0;
    }
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++)
        CHECK_EQ(pids[i], 0);
}

static void the_environment_goes_along(void)
{
    CHECK_EQ(setenv("COLOUR", "blue", 1), 0);
    CHECK_EQ(setenv("EMPTY", "", 1), 0);
    CHECK_EQ(WEXITSTATUS(status_of(SPAWN("getenv", "COLOUR", "blue"))), 0);
    CHECK_EQ(WEXITSTATUS(status_of(SPAWN("getenv", "EMPTY", ""))), 0);
    CHECK_EQ(WEXITSTATUS(status_of(SPAWN("getenv", "NONE", ""))), 9);
    CHECK_EQ(unsetenv("EMPTY"), 0);
    CHECK_EQ(WEXITSTATUS(status_of(SPAWN("getenv", "EMPTY", ""))), 9);
    /* Over an execve as well. */
    CHECK_EQ(WEXITSTATUS(status_of(SPAWN("exec", "getenv", "COLOUR", "blue"))), 0);
}

static void up_to_64_KiB_of_arguments(void)
{
    static char large[EXOS_STRINGS_MAX + 1];
    pid_t pid = 0;
    char *argv[] = {"processes", "length", large, NULL};
    size_t most = EXOS_STRINGS_MAX - sizeof "processes" - sizeof "length" - 1;
    char *none[] = {NULL};

    memset(large, 'x', most);
    CHECK_EQ(posix_spawn(&pid, "processes", NULL, NULL, argv, none), 0);
    CHECK_EQ(WEXITSTATUS(status_of(pid)), most % 251);
    large[most] = 'x';
    CHECK_EQ(posix_spawn(&pid, "processes", NULL, NULL, argv, none), E2BIG);
    CHECK_EQ(execve("processes", argv, none), -1);
    CHECK_EQ(errno, E2BIG);

    /* In number. */
    static char *many[EXOS_ARGUMENTS_MAX + 2];
    for (int i = 0; i < EXOS_ARGUMENTS_MAX + 1; i++)
        many[i] = i == 1 ? "count" : "";
    CHECK_EQ(posix_spawn(&pid, "processes", NULL, NULL, many, none), E2BIG);
    many[EXOS_ARGUMENTS_MAX] = NULL;
    CHECK_EQ(posix_spawn(&pid, "processes", NULL, NULL, many, none), 0);
    CHECK_EQ(WEXITSTATUS(status_of(pid)), EXOS_ARGUMENTS_MAX % 251);
}

static void errors_are_named(void)
{
    pid_t pid = 0;
    char *argv[] = {"x", NULL};
    uint64_t before = aegis_info()->free_pages;
    CHECK_EQ(posix_spawn(&pid, "nobody", NULL, NULL, argv, NULL), ENOENT);
    CHECK_EQ(posix_spawn(&pid, "", NULL, NULL, argv, NULL), ENOENT);
    CHECK_EQ(execve("nobody", argv, NULL), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(aegis_info()->free_pages, before);
}

/* It keeps its number, and its parent waits for it as if nothing had happened. */
static void exec_keeps_the_number(void)
{
    for (int i = 0; i < 2; i++) {
        pid_t pid = SPAWN("exec", "exec", "exec", "exit", "33");
        CHECK_EQ(WEXITSTATUS(status_of(pid)), 33);
    }
    struct proc proc;
    struct proc_status status;
    char *argv[] = {"processes", "exec", "exec", "exit", "34", NULL};
    const struct proc_options options = {
        .name = "processes", .argc = 5, .argv = argv, .member = true};
    CHECK_OK(proc_spawn(&proc, &options));
    while (!proc_wait(&proc, &status, AEGIS_FOREVER))
        ;
    CHECK_EQ(status.reason, AEGIS_EXIT_STATUS);
    CHECK_EQ(status.value, 34);
}

/* The child's child outlives it, belongs to process 1 then, and is nobody's to wait for. */
/* What a stream holds is written once, by who put it there: execve forgets it (POSIX XSH exec). */
static void exec_writes_out_no_stream(void)
{
    char text[32] = "";
    int ends[2];

    CHECK_EQ(pipe(ends), 0);
    FILE *stream = fdopen(ends[1], "w");
    CHECK(stream && fputs("once", stream) >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        execv("/processes", (char *[]){"processes", "exit", "3", NULL});
        _exit(98);
    }
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 3);
    CHECK_EQ(fclose(stream), 0);
    CHECK_EQ(read(ends[0], text, sizeof text), 4);
    CHECK_EQ(strcmp(text, "once"), 0);
    close(ends[0]);
}

static void orphans_go_to_the_first(void)
{
    struct proc_view views[16];
    pid_t pid = SPAWN("orphan");
    int status = status_of(pid);
    CHECK_EQ(WEXITSTATUS(status), 0);
    size_t count = proc_list(views, 16);
    CHECK_EQ(count, 2);
    CHECK_EQ(views[0].pid, getpid());
    CHECK_EQ(getpid(), 1);
    uint64_t limit = test_deadline();
    while (proc_list(views, 16) > 1) { /* it ends when it sees that its parent has */
        CHECK(time_now() < limit);
        waitpid(-1, &status, WNOHANG);
        usleep(10000);
    }
}

static void groups(void)
{
    posix_spawnattr_t attributes;
    pid_t pids[3], group = 0;
    char *argv[] = {"processes", "wait", NULL};
    CHECK_EQ(posix_spawnattr_init(&attributes), 0);
    CHECK_EQ(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP), 0);
    CHECK_EQ(posix_spawnattr_setflags(&attributes, 0x400), EINVAL);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(posix_spawnattr_setpgroup(&attributes, group), 0);
        CHECK_EQ(posix_spawn(&pids[i], "processes", NULL, &attributes, argv, environ), 0);
        group = pids[0];
        CHECK_EQ(getpgid(pids[i]), group);
    }
    pid_t other = SPAWN("wait");
    CHECK_EQ(getpgid(other), getpgrp());
    CHECK_EQ(kill(-group, SIGTERM), 0);
    for (int i = 0; i < 3; i++) {
        int status;
        pid_t pid = waitpid(-group, &status, 0);
        CHECK(pid == pids[0] || pid == pids[1] || pid == pids[2]);
        CHECK_EQ(WTERMSIG(status), SIGTERM);
    }
    CHECK_EQ(waitpid(-group, NULL, 0), -1);
    CHECK_EQ(waitpid(other, NULL, WNOHANG), 0);
    CHECK_EQ(kill(-group, SIGTERM), -1);
    CHECK_EQ(errno, ESRCH);
    CHECK_EQ(setpgid(other, other), 0);
    CHECK_EQ(getpgid(other), other);
    CHECK_EQ(kill(other, SIGKILL), 0);
    CHECK_EQ(WTERMSIG(status_of(other)), SIGKILL);
}

/* A child whose account has no more pages than that: it spawns with ever more of them. */
static void out_of_memory_at_each_step(void)
{
    struct proc proc;
    struct proc_status status;
    char *argv[] = {"processes", "hungry", NULL};
    const struct proc_options options = {.name = "processes", .argc = 2, .argv = argv};
    struct aegis_limits limits = {
        .limit = {[AEGIS_QUOTA_PAGES] = 700, [AEGIS_QUOTA_SLOTS] = 6, [AEGIS_QUOTA_ENVS] = 6}};
    CHECK_OK(proc_create(&proc, &options));
    CHECK_OK(aegis_quota_set(proc.env, &limits));
    CHECK_OK(proc_start(&proc));
    struct aegis_predicate ended = aegis_when_ended(proc.env);
    CHECK_EQ(aegis_wait(&ended, 1, test_deadline()), 0);
    char said[TEST_WHY_SIZE] = "";
    strncat(said, test_why(proc.start), sizeof said - 1);
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    if (status.reason != AEGIS_EXIT_STATUS || status.value != 0)
        FAIL("hungry: %s", said);
}

/* Takes what its account has but for `pages`, and spawns with that. */
static int hungry(void)
{
    static uint64_t taken[700];
    const volatile struct aegis_account *account = aegis_account(exos.env);
    size_t count = 0, failures = 0;
    pid_t pid = 0;
    char *argv[] = {"processes", "exit", "3", NULL};
    CHECK_EQ(WEXITSTATUS(status_of(SPAWN("exit", "3"))), 3); /* heap and tables have their size */
    while (account->used[AEGIS_QUOTA_PAGES] < account->limit[AEGIS_QUOTA_PAGES])
        taken[count++] = test_page();
    for (;;) {
        uint64_t used = account->used[AEGIS_QUOTA_PAGES], envs = account->used[AEGIS_QUOTA_ENVS];
        int error = posix_spawn(&pid, "processes", NULL, NULL, argv, environ);
        int status = error ? 0 : status_of(pid); /* memory comes when it is touched, or doesn't */
        if (!error && WIFEXITED(status) && WEXITSTATUS(status) == 3)
            break;
        CHECK(error == ENOMEM || error == EAGAIN || WIFSIGNALED(status));
        if (error) /* what it kept of programs it gives up */
            CHECK(account->used[AEGIS_QUOTA_PAGES] <= used);
        CHECK_EQ(account->used[AEGIS_QUOTA_ENVS], envs);
        CHECK(count > 6);
        for (size_t more = failures++ % 3 == 2 ? 6 : 1; more > 0; more--)
            CHECK_OK(aegis_page_free(taken[--count]));
    }
    CHECK(failures > 10);
    struct proc_view views[8];
    CHECK_EQ(proc_list(views, 8), 1);
    return 0;
}

/* Children. */

static int overflow(int depth)
{
    volatile char room[65536];
    room[0] = (char)depth;
    return depth < 0 ? 0 : overflow(depth + 1) + room[0];
}

static int child(int argc, char **argv)
{
    const char *what = argv[1];
    if (!strcmp(what, "exit"))
        return atoi(argv[2]);
    if (!strcmp(what, "wait"))
        for (;;)
            pause();
    if (!strcmp(what, "null"))
        __asm__ volatile("sw zero, 8(zero)");
    if (!strcmp(what, "illegal"))
        __asm__ volatile("unimp");
    if (!strcmp(what, "break"))
        __asm__ volatile("ebreak");
    if (!strcmp(what, "abort"))
        abort();
    if (!strcmp(what, "overflow"))
        return overflow(0);
    if (!strcmp(what, "hungry"))
        return hungry();
    if (!strcmp(what, "getenv"))
        return getenv(argv[2]) ? strcmp(getenv(argv[2]), argv[3]) != 0 : 9;
    if (!strcmp(what, "length"))
        return (int)(strlen(argv[2]) % 251);
    if (!strcmp(what, "exec")) {
        char text[16];
        snprintf(text, sizeof text, "%d", getpid());
        if (getenv("PID") && strcmp(getenv("PID"), text))
            return 99;
        setenv("PID", text, 1);
        argv[1] = argv[0];
        execv("/processes", argv + 1);
        return 98;
    }
    if (!strcmp(what, "orphan"))
        return SPAWN("orphaned") > 0 ? 0 : 1;
    if (!strcmp(what, "orphaned")) {
        while (getppid() != 1)
            usleep(10000);
        return 0;
    }
    return argc == 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "count"))
        return argc % 251;
    if (argc > 1)
        return child(argc, argv);
    exit_statuses();
    nobody_has_ended();
    ends_by_exception();
    many();
    the_environment_goes_along();
    up_to_64_KiB_of_arguments();
    errors_are_named();
    exec_keeps_the_number();
    exec_writes_out_no_stream();
    orphans_go_to_the_first();
    groups();
    out_of_memory_at_each_step();
    return 0;
}
