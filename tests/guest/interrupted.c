/*
 * Signals in the middle of something: calls that go on behind a handler or don't (SA_RESTART),
 * waits with another mask, and copies on write.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "test.h"

#define MS    1000UL /* us */
#define LARGE 40000  /* bytes: more than a pipe holds */

static volatile sig_atomic_t count;

static void note(int signal)
{
    (void)signal;
    count++;
}

static void handle(int flags)
{
    const struct sigaction action = {.sa_handler = note, .sa_flags = flags};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    count = 0;
}

static pid_t forked(void)
{
    pid_t pid = fork();
    if (pid < 0)
        FAIL("fork: errno %d", errno);
    return pid;
}

static void ends_well(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0)
        CHECK_EQ(errno, EINTR);
    CHECK_EQ(status, 0);
}

/* In a child: what the parent sleeps in is interrupted, some times. */
static void interrupt_parent(void)
{
    for (int i = 0; i < 3; i++) {
        usleep(10 * MS);
        kill(getppid(), SIGUSR1);
    }
    usleep(10 * MS);
}

static void reads_and_writes_go_on_if_they_are_to(void)
{
    static char bytes[LARGE];
    for (int restart = 0; restart < 2; restart++) {
        int there[2], back[2], tries = 0;
        ssize_t n, done = 0;
        CHECK_EQ(pipe(there), 0);
        CHECK_EQ(pipe(back), 0);
        handle(restart ? SA_RESTART : 0);
        pid_t pid = forked();
        if (pid == 0) {
            interrupt_parent();
            n = write(back[1], "x", 1);
            interrupt_parent();
            close(there[1]);
            while ((n = read(there[0], bytes, sizeof bytes)) > 0)
                done += n;
            _exit(done != LARGE);
        }
        while ((n = read(back[0], bytes, 1)) < 0) {
            CHECK(errno == EINTR && !restart);
            tries++;
        }
        CHECK(n == 1 && count >= 1 && (tries >= 1) == !restart);
        count = tries = 0;
        while (done < LARGE) {
            n = write(there[1], bytes, (size_t)(LARGE - done));
            CHECK(n > 0 || (n < 0 && errno == EINTR && !restart));
            done += n > 0 ? n : 0;
            tries++;
        }
        CHECK(count >= 1 && (tries > 1) == !restart);
        close(there[0]), close(there[1]), close(back[0]), close(back[1]);
        ends_well(pid);
    }
}

static void children_are_waited_for_on_and_sleeps_are_not(void)
{
    handle(SA_RESTART);
    pid_t pid = forked();
    if (pid == 0) {
        interrupt_parent();
        _exit(0);
    }
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(status == 0 && count >= 1);
    handle(0);
    pid = forked();
    if (pid == 0) {
        interrupt_parent();
        _exit(0);
    }
    CHECK(usleep(10000 * MS) == -1 && errno == EINTR);
    CHECK(count >= 1);
    ends_well(pid);
}

static int wait_by(int way, int fd)
{
    const struct timespec day = {.tv_sec = 86400};
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    switch (way) {
    case 0:
        return poll(&polled, 1, -1);
    case 1:
        return poll(NULL, 0, -1);
    case 2:
        return ppoll(&polled, 1, NULL, NULL);
    case 3:
        return select(fd + 1, &set, NULL, NULL, NULL);
    case 4:
        return pselect(fd + 1, &set, NULL, NULL, &day, NULL);
    case 5:
        return nanosleep(&day, NULL);
    case 6:
        return usleep(10000 * MS);
    case 7:
        errno = EINTR; /* which it doesn't set */
        return sleep(86400) ? -1 : 0;
    case 8:
        return pause();
    default:
        return 1;
    }
}

/* The usual server: it waits in poll for clients, and for a handler's word that it is to end. */
static void polls_and_sleeps_end_even_if_calls_go_on(void)
{
    int ends[2];

    CHECK_EQ(pipe(ends), 0);
    handle(SA_RESTART);
    pid_t sender = forked();
    if (sender == 0)
        for (;;) {
            usleep(10 * MS);
            kill(getppid(), SIGUSR1);
        }
    for (int way = 0, result; (result = wait_by(way, ends[0])) != 1; way++) {
        CHECK_EQ(result, -1);
        CHECK_EQ(errno, EINTR);
        CHECK(count >= 1);
        errno = count = 0;
    }
    CHECK_EQ(kill(sender, SIGKILL), 0);
    CHECK_EQ(waitpid(sender, NULL, 0), sender);
    close(ends[0]), close(ends[1]);
}

/* A signal that is pending when the wait begins ends it, whatever its action's flags are. */
static void waits_with_another_mask_miss_no_signal(void)
{
    const struct timespec day = {.tv_sec = 86400}, none = {0}, wrong = {.tv_nsec = 1000000000};
    sigset_t blocked = 1UL << SIGUSR1, empty = 0, now;
    int ends[2];
    fd_set set;
    CHECK_EQ(pipe(ends), 0);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    CHECK_EQ(sigprocmask(SIG_SETMASK, &blocked, NULL), 0);
    for (int i = 0; i < 4; i++) {
        handle(i % 2 ? SA_RESTART : 0);
        raise(SIGUSR1);
        CHECK_EQ(count, 0);
        CHECK_EQ(ppoll(&fd, 1, &none, NULL), 0);
        CHECK_EQ(ppoll(&fd, 1, &none, &blocked), 0);
        CHECK_EQ(count, 0);
        errno = 0;
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        int result = i < 2 ? ppoll(&fd, 1, i ? &day : &none, &empty)
                           : pselect(ends[0] + 1, &set, NULL, NULL, &day, &empty);
        CHECK(result == -1 && errno == EINTR);
        CHECK_EQ(count, 1);
        CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &now), 0);
        CHECK_EQ(now, blocked);
    }
    handle(SA_RESTART);
    pid_t pid = forked(); /* one that comes later */
    if (pid == 0) {
        usleep(20 * MS);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    CHECK(ppoll(&fd, 1, NULL, &empty) == -1 && errno == EINTR && count == 1);
    ends_well(pid);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK(ppoll(&fd, 1, &day, &empty) == 1 && fd.revents == POLLIN);
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    CHECK(pselect(ends[0] + 1, &set, NULL, NULL, NULL, &empty) == 1 && FD_ISSET(ends[0], &set));
    CHECK(ppoll(&fd, 1, &wrong, NULL) == -1 && errno == EINVAL);
    CHECK(pselect(0, NULL, NULL, NULL, &wrong, NULL) == -1 && errno == EINVAL);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &empty, NULL), 0);
    close(ends[0]), close(ends[1]);
}

#define PAGES 24
#define WORDS (AEGIS_PAGE_SIZE / sizeof(uint64_t))

static volatile uint64_t *memory; /* of PAGES; word 0 is the program's, word 1 the handler's */
static volatile uint64_t stored[PAGES];
static sigjmp_buf again;
static volatile sig_atomic_t armed;

/* It stores to pages whose copies are due, too, and leaves what it interrupted now and then. */
static void store(int signal)
{
    unsigned page = (unsigned)count++ * 7 % PAGES;
    (void)signal;
    memory[page * WORDS + 1]++;
    stored[page]++;
    if (armed && count % 3 == 0)
        siglongjmp(again, 1);
}

static bool is_right(uint64_t round)
{
    const sigset_t blocked = 1UL << SIGUSR1;
    sigset_t before;
    bool right = true;

    sigprocmask(SIG_BLOCK, &blocked, &before);
    for (size_t page = 0; page < PAGES; page++) {
        const volatile uint64_t *at = memory + page * WORDS;
        right &= at[0] == round * PAGES + page && at[1] == stored[page] && at[WORDS - 1] == page;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return right;
}

/* Parent and child, each on its own copies. */
static bool write_all(uint64_t round)
{
    sigsetjmp(again, 1);
    armed = 1;
    for (size_t page = 0; page < PAGES; page++)
        memory[page * WORDS] = round * PAGES + page;
    armed = 0;
    return is_right(round);
}

static void copies_on_write_are_whole(void)
{
    memory = mmap(NULL, PAGES * AEGIS_PAGE_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    for (size_t page = 0; page < PAGES; page++)
        memory[page * WORDS + WORDS - 1] = page;
    pid_t sender = forked();
    if (sender == 0) { /* to all of the group */
        signal(SIGUSR1, SIG_IGN);
        for (;;) {
            kill(0, SIGUSR1);
            usleep(MS);
        }
    }
    const struct sigaction action = {.sa_handler = store, .sa_flags = SA_RESTART};
    count = 0;
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    uint64_t limit = test_deadline();
    for (volatile uint64_t round = 1; count < 30; round++) {
        CHECK(time_now() < limit);
        CHECK(write_all(round)); /* what is copied next time is there */
        pid_t pid = forked();
        bool right = write_all(round + 1000000);
        if (pid == 0)
            _exit(!right);
        CHECK(right);
        ends_well(pid);
    }
    CHECK_EQ(kill(sender, SIGKILL), 0);
    CHECK_EQ(waitpid(sender, NULL, 0), sender);
    signal(SIGUSR1, SIG_DFL);
    munmap((void *)(uintptr_t)memory, PAGES * AEGIS_PAGE_SIZE);
}

int main(void)
{
    CHECK_OK(proc_session_make());
    reads_and_writes_go_on_if_they_are_to();
    children_are_waited_for_on_and_sleeps_are_not();
    polls_and_sleeps_end_even_if_calls_go_on();
    waits_with_another_mask_miss_no_signal();
    copies_on_write_are_whole();
    return 0;
}
