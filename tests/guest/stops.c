/*
 * Processes that stop and go on: what their parents are told, what runs meanwhile, which groups can
 * be stopped, and what becomes of the stopped whose parent ends.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "test.h"

static volatile sig_atomic_t count;

static void note(int signal)
{
    (void)signal;
    count++;
}

/* In a group of its own, unless in_ours. */
static pid_t spawn(const char *what, bool in_ours)
{
    char *argv[] = {"stops", (char *)(uintptr_t)what, NULL};
    posix_spawnattr_t attributes;
    pid_t pid = 0;

    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, in_ours ? 0 : POSIX_SPAWN_SETPGROUP);
    CHECK_EQ(posix_spawn(&pid, "stops", NULL, &attributes, argv, environ), 0);
    return pid;
}

static int status_of(pid_t pid, int options)
{
    int status = -1;
    pid_t got;
    while ((got = waitpid(pid, &status, options)) < 0)
        CHECK_EQ(errno, EINTR);
    CHECK_EQ(got, pid < 0 ? -pid : pid);
    return status;
}

static int stop(pid_t pid, int signal)
{
    CHECK_EQ(kill(pid, signal), 0);
    return status_of(pid, WUNTRACED);
}

static void end(pid_t pid)
{
    CHECK_EQ(kill(pid, SIGKILL), 0);
    int status = status_of(pid, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static enum proc_state state_of(pid_t pid)
{
    struct proc_view views[130];
    size_t found = proc_list(views, 130);
    for (size_t i = 0; i < found; i++)
        if (views[i].pid == pid)
            return views[i].state;
    FAIL("no process %d", (int)pid);
}

static void parents_are_told_once(void)
{
    static const int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pid_t pid = spawn(i % 2 ? "wait" : "spin", false);
        CHECK_EQ(waitpid(pid, NULL, WNOHANG | WUNTRACED | WCONTINUED), 0);
        int status = stop(pid, signals[i]);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == signals[i]);
        CHECK(!WIFEXITED(status) && !WIFSIGNALED(status) && !WIFCONTINUED(status));
        CHECK_EQ(state_of(pid), PROC_STOPPED);
        CHECK_EQ(waitpid(pid, NULL, WNOHANG | WUNTRACED | WCONTINUED), 0);
        CHECK_EQ(kill(pid, SIGCONT), 0);
        status = status_of(-pid, WCONTINUED); /* as the group that it is */
        CHECK(WIFCONTINUED(status) && !WIFSTOPPED(status) && !WIFSIGNALED(status));
        CHECK_EQ(state_of(pid), PROC_RUNNING);
        CHECK_EQ(waitpid(-1, NULL, WNOHANG | WUNTRACED | WCONTINUED), 0);
        /* Who doesn't ask for stops isn't told of one, but of the end. */
        CHECK_EQ(kill(pid, SIGSTOP), 0);
        CHECK_EQ(kill(pid, SIGCONT), 0);
        CHECK_EQ(kill(pid, SIGTERM), 0);
        status = status_of(pid, 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    }
}

static void the_last_of_stop_and_continue_counts(void)
{
    pid_t pid = spawn("spin", false);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(kill(pid, SIGCONT), 0);
        CHECK_EQ(kill(pid, SIGSTOP), 0);
        CHECK(WIFSTOPPED(status_of(pid, WUNTRACED)));
        CHECK_EQ(state_of(pid), PROC_STOPPED);
        CHECK_EQ(kill(pid, SIGSTOP), 0);
        CHECK_EQ(kill(pid, SIGCONT), 0);
        CHECK(WIFCONTINUED(status_of(pid, WCONTINUED)));
    }
    end(pid);
}

static __attribute__((noreturn)) void *count_up(void *word)
{
    for (;;)
        ++*(volatile uint64_t *)word;
}

/* Neither the thread that took the signal nor another. */
static void nothing_runs_meanwhile(void)
{
    volatile uint64_t *shared =
        mmap(NULL, AEGIS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, count_up, (void *)(uintptr_t)&shared[1]), 0);
        count_up((void *)(uintptr_t)&shared[0]);
    }
    while (shared[0] == 0 || shared[1] == 0)
        usleep(1000);
    stop(pid, SIGSTOP);
    uint64_t before[] = {shared[0], shared[1]};
    for (int n = 0; n < 5; n++) {
        usleep(10000);
        kill(pid, SIGUSR1); /* by which it ends: later */
    }
    CHECK(shared[0] == before[0] && shared[1] == before[1]);
    CHECK_EQ(state_of(pid), PROC_STOPPED);
    CHECK_EQ(kill(pid, SIGCONT), 0);
    int status = status_of(pid, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    munmap((void *)(uintptr_t)shared, AEGIS_PAGE_SIZE);
}

static void handlers_see_stop_signals_but_one(void)
{
    pid_t pid = spawn("catches", false);
    CHECK(WIFSTOPPED(status_of(pid, WUNTRACED))); /* by itself, when it is ready */
    CHECK_EQ(kill(pid, SIGCONT), 0);
    CHECK(WIFCONTINUED(status_of(pid, WCONTINUED)));
    CHECK_EQ(kill(pid, SIGTSTP), 0);
    CHECK_EQ(WEXITSTATUS(status_of(pid, 0)), 3);
}

static void wait_for_handler(void)
{
    uint64_t limit = test_deadline();
    while (count == 0) {
        CHECK(time_now() < limit);
        usleep(1000);
    }
}

static void sigchld_comes_for_stops_if_it_is_wanted(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    CHECK_EQ(sigaction(SIGCHLD, &action, NULL), 0);
    pid_t pid = spawn("wait", false);
    count = 0;
    stop(pid, SIGSTOP);
    wait_for_handler(); /* it may run behind the waitpid that took the news */
    action.sa_flags |= SA_NOCLDSTOP;
    CHECK_EQ(sigaction(SIGCHLD, &action, NULL), 0);
    CHECK_EQ(kill(pid, SIGCONT), 0);
    CHECK(WIFCONTINUED(status_of(pid, WCONTINUED)));
    usleep(1000);
    count = 0;
    stop(pid, SIGSTOP);
    usleep(20000);
    CHECK_EQ(count, 0);
    end(pid);
    wait_for_handler();
    signal(SIGCHLD, SIG_DFL);
}

/* Ours is orphaned: nobody is outside of it who could continue its processes. */
static void orphaned_groups_are_stopped_by_one_signal_only(void)
{
    pid_t pid = spawn("survives", true);
    CHECK_EQ(WEXITSTATUS(status_of(pid, WUNTRACED)), 5);
    pid = spawn("spin", true);
    CHECK_EQ(WSTOPSIG(stop(pid, SIGSTOP)), SIGSTOP);
    end(pid);
    pid = spawn("leads", true);
    CHECK_EQ(WEXITSTATUS(status_of(pid, WUNTRACED)), 6);
}

/* What a stopped process's parent leaves is hung up, and goes on. Nobody waits for it any more. */
static void the_stopped_of_a_parent_that_ends_are_hung_up(void)
{
    struct proc_view views[130];
    uint64_t limit = test_deadline();

    signal(SIGUSR2, note);
    count = 0;
    CHECK_EQ(status_of(spawn("leaves-wait", false), 0), 0);
    CHECK_EQ(status_of(spawn("leaves-hup", false), 0), 0);
    while (proc_list(views, 130) > 1 || count == 0) {
        CHECK(time_now() < limit);
        usleep(1000);
    }
    CHECK_EQ(count, 1); /* of that with a handler of SIGHUP */
    signal(SIGUSR2, SIG_DFL);
}

/* Makes a child that stops, and ends. */
static int leave(const char *what)
{
    pid_t pid = spawn(what, false);
    if (!strcmp(what, "wait"))
        kill(pid, SIGSTOP);
    CHECK(WIFSTOPPED(status_of(pid, WUNTRACED)));
    return 0;
}

static int child(const char *what)
{
    if (!strcmp(what, "spin"))
        for (;;)
            __asm__ volatile("");
    if (!strcmp(what, "wait"))
        for (;;)
            pause();
    if (!strncmp(what, "leaves-", 7))
        return leave(what + 7);
    if (!strcmp(what, "catches")) {
        signal(SIGTSTP, note);
        signal(SIGCONT, note);
        raise(SIGSTOP);
        while (count < 2)
            usleep(1000);
        return 3;
    }
    if (!strcmp(what, "survives")) {
        raise(SIGTSTP);
        raise(SIGTTIN);
        return 5;
    }
    if (!strcmp(what, "leads")) {
        if (setsid() != getpid() || getpgrp() != getpid() || setsid() != -1 || errno != EPERM)
            return 1;
        raise(SIGTSTP);
        return 6;
    }
    if (!strcmp(what, "hup")) {
        signal(SIGHUP, note);
        raise(SIGSTOP);
        return count == 1 ? kill(1, SIGUSR2) : 8;
    }
    return 9;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child(argv[1]);
    CHECK_OK(proc_session_make());
    parents_are_told_once();
    the_last_of_stop_and_continue_counts();
    nothing_runs_meanwhile();
    handlers_see_stop_signals_but_one();
    sigchld_comes_for_stops_if_it_is_wanted();
    orphaned_groups_are_stopped_by_one_signal_only();
    the_stopped_of_a_parent_that_ends_are_hung_up();
    return 0;
}
