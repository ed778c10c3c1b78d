/*
 * A member of a session that writes random bytes all over the table: others don't crash, don't
 * hang, and lose no memory, whatever becomes of their numbers.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/fd/fd.h"
#include "libos/proc/proc.h"
#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "libos/tty/tty.h"
#include "libos/vm/vm.h"
#include "test.h"

#define SECOND 1000000000UL
#define ROUNDS 12

static uint64_t state = 88172645463325252;

static uint64_t random_word(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Words of any value, and words that look like life: states, carriers and numbers that exist. */
static _Noreturn void scribble(void)
{
    volatile uint64_t *table = (volatile uint64_t *)EXOS_SESSION_ADDRESS;
    size_t words = EXOS_SESSION_SIZE / sizeof *table;

    for (uint64_t i = 0;; i++) {
        uint64_t place = random_word() % words, word = random_word();
        switch (random_word() % 4) {
        case 0:
            table[place] = word;
            break;
        case 1: /* an entry's life */
            table[place & ~7UL] = (word % 3) << 40 | (random_word() % 4) << 38 |
                                  (random_word() % 12) << 26 | random_word() % 20;
            break;
        case 2:
            table[place & ~7UL] ^= 1UL << word % 64;
            break;
        default: /* relatives */
            table[(place & ~7UL) + 1] = (word % 200) << 32 | random_word() % 200;
        }
        if (i % 64 == 0)
            aegis_yield(0);
    }
}

/* The word of a process's entry that holds what signals it was sent. */
static volatile uint64_t *pending_of(pid_t pid)
{
    return (volatile uint64_t *)EXOS_SESSION_ADDRESS + (size_t)(pid % 128) * 8 + 2;
}

/* No signal reaches who keeps the word spoilt. */
static _Noreturn void be_deaf(void)
{
    for (;;) {
        *pending_of(getpid()) = UINT64_MAX;
        aegis_yield(0);
    }
}

/* Who owns a process's environment ends it, whatever that has made of the table. */
static void kill_the_deaf(void)
{
    char *argv[] = {"scribbling", "deaf", NULL};
    uint64_t limit = test_deadline();
    int status;
    pid_t pid;

    CHECK_EQ(posix_spawn(&pid, "scribbling", NULL, NULL, argv, environ), 0);
    while (*pending_of(pid) != UINT64_MAX)
        aegis_yield(0);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        CHECK(time_now() < limit);
        usleep(1000);
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static unsigned environments(void)
{
    unsigned count = 0;

    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        count += aegis_env(env)->owner == exos.env && env != exos.env &&
                 aegis_env(env)->state != AEGIS_ENV_NONE;
    return count;
}

/* One of each call that reads or changes the table; results may be anything that returns. */
static void use_everything(void)
{
    struct proc_view views[130];
    sigset_t set;
    pid_t pid = 0;
    char *argv[] = {"scribbling", "exit", NULL};

    size_t count = proc_list(views, 130);
    CHECK(count <= 127);
    for (size_t i = 0; i < count; i++) {
        CHECK(memchr(views[i].name, 0, sizeof views[i].name));
        getpgid(views[i].pid);
        kill(views[i].pid, 0);
        kill(views[i].pid, SIGURG); /* ignored by who still has a handler's table of its own */
        proc_ring(views[i].pid);
        proc_env(views[i].pid, NULL);
    }
    int error = posix_spawn(&pid, "scribbling", NULL, NULL, argv, environ);
    CHECK(error == 0 || error == EAGAIN);
    getppid();
    setpgid(0, 5);
    waitpid(-1, NULL, WNOHANG);
    waitpid(-5, NULL, WNOHANG | WUNTRACED | WCONTINUED);
    sigpending(&set);
    alarm(0);
    if (error == 0)
        waitpid(pid, NULL, 0); /* returns: it has ended, or isn't known any more */
}

/* Signals may be forged, and so end this process: everything that can be caught is. */
static void catch_all(void)
{
    for (int signal = 1; signal < NSIG; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

/* Uses a table that is scribbled on, until its time is over. */
static int user(void)
{
    catch_all();
    uint64_t limit = time_after(2 * SECOND);
    for (int i = 0; i < ROUNDS && time_now() < limit; i++)
        use_everything();
    return 42;
}

/*
 * A program that keeps a terminal's locks while it lives keeps nobody else from the terminal, not
 * even if it names others as the holders.
 */
static void take_locks_for_ever(bool in_other_names)
{
    struct tty_page *page = vm_shared_alloc(1);
    struct tty server;
    CHECK(page != NULL);
    tty_init(&server, page, true);
    page->server = getpid();
    page->server_env = exos.env;
    page->server_serial = aegis_env(exos.env)->serial;
    int fd = fd_install(tty_object(page), 3, 0);
    CHECK(fd >= 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    for (uint32_t holder = exos.env; pid == 0; aegis_yield(exos.parent)) {
        page->in_lock = page->out_lock = (uint64_t)aegis_env(holder)->serial << 32 | holder;
        do
            holder = in_other_names ? (holder + 1) % aegis_info()->env_count : holder;
        while (aegis_env(holder)->state != AEGIS_ENV_LIVE);
    }
    while (!*(volatile uint64_t *)&page->in_lock)
        aegis_yield(0);
    uint64_t before = time_now();
    CHECK_EQ(write(fd, "some", 4), 4);
    CHECK(time_to_ns(time_now() - before) < 40 * SECOND);
    char text[8] = "";
    CHECK(tty_output(&server, (uint8_t *)text, 4) == 4 && !strcmp(text, "some"));
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK(tty_input(&server, (const uint8_t *)"a\n", 2) == 2 && read(fd, text, 8) == 2);
    close(fd);
    vm_free(page);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "exit"))
        return 0;
    if (argc > 1 && !strcmp(argv[1], "deaf"))
        be_deaf();
    if (argc > 1)
        return strcmp(argv[1], "scribble") ? user() : (scribble(), 1);

    /* The two aren't waited for by number, which won't last. */
    char *vandal[] = {"scribbling", "scribble", NULL}, *peer[] = {"scribbling", "use", NULL};
    struct proc_options options = {.name = "scribbling", .argc = 2, .argv = vandal, .member = true};
    struct proc scribbler, procs[2];
    struct proc_status status;
    CHECK_OK(proc_session_make());
    kill_the_deaf();
    take_locks_for_ever(false);
    take_locks_for_ever(true);
    options.argv = peer;
    for (int i = 0; i < 2; i++)
        CHECK_OK(proc_spawn(&procs[i], &options));
    options.argv = vandal;
    CHECK_OK(proc_spawn(&scribbler, &options));
    uint32_t envs[] = {procs[0].env, procs[1].env, scribbler.env};
    for (int i = 0; i < 2; i++) {
        struct aegis_predicate ended = aegis_when_ended(envs[i]);
        CHECK_EQ(aegis_wait(&ended, 1, time_after(40 * SECOND)), 0);
        const volatile struct aegis_env_info *info = aegis_env(envs[i]);
        /* A forged SIGKILL is obeyed; nothing else may end it but itself. */
        CHECK_EQ(info->exit_reason, AEGIS_EXIT_STATUS);
        CHECK(info->exit_value == 42 || info->exit_value == SIGKILL << 8);
    }
    catch_all();
    use_everything();
    CHECK_OK(aegis_env_end(envs[2], 0));
    struct aegis_predicate ended = aegis_when_ended(envs[2]);
    CHECK_EQ(aegis_wait(&ended, 1, AEGIS_FOREVER), 0);
    for (int i = 0; i < 2; i++)
        proc_wait(&procs[i], &status, time_after(SECOND));
    proc_wait(&scribbler, &status, time_after(SECOND));
    /* What the others had left came here; a look for children takes it back. */
    uint64_t limit = time_after(20 * SECOND);
    while (environments() > 0) {
        waitpid(-1, NULL, WNOHANG);
        usleep(1000);
        CHECK(time_now() < limit);
    }
    return 0;
}
