/*
 * Pipes whose other side ends at any instruction, or writes what it likes into the pages that both
 * see: there is a defined result, and no harm.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "libos/ipc/pair.h"
#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "pipe_test.h"

#define ROUNDS       40 /* of killing, as many as there is time for */
#define ROUNDS_LEAST 4
#define KILLING      10000000000UL /* ns */

static void wait_ms(unsigned ms)
{
    aegis_wait(NULL, 0, time_after(ms * 1000000UL));
}

/* What comes in goes out, in pieces of any size. */
static int echo(void)
{
    static char bytes[PIPE_SIZE];
    ssize_t got, done;
    while ((got = read(IN, bytes, 1 + random_below(sizeof bytes))) > 0)
        for (ssize_t sent = 0; sent < got; sent += done)
            if ((done = write(OUT, bytes + sent, (size_t)(got - sent))) <= 0)
                return 2;
    return got == 0 ? 0 : 1;
}

struct record {
    uint32_t size; /* of all of it */
    uint32_t number, sender, sum;
    uint8_t bytes[PIPE_BUF - 16];
};

static uint32_t sum_of(const struct record *record)
{
    uint32_t sum = record->size * 31 + record->number * 7 + record->sender;
    for (uint32_t i = 0; i < record->size - offsetof(struct record, bytes); i++)
        sum = sum * 33 + record->bytes[i];
    return sum;
}

/* Records that arrive whole, or not at all. */
static int record(void)
{
    struct record one = {.sender = exos.env};
    for (;; one.number++) {
        one.size =
            (uint32_t)offsetof(struct record, bytes) + random_below((uint32_t)sizeof one.bytes);
        memset(one.bytes, (int)one.number, sizeof one.bytes);
        one.sum = sum_of(&one);
        if (write(OUT, &one, one.size) != (ssize_t)one.size)
            return 1;
    }
}

/* Any bytes anywhere in the pages that both see. */
static int scribble(void)
{
    volatile uint64_t *words = (volatile uint64_t *)page_of(IN);
    random_below(exos.env);
    for (;;) {
        uint32_t at = random_below(4) ? random_below(16) : random_below(512);
        words[at] = random_below(2) ? random_below(70000) : ~0UL - random_below(70000);
        if (random_below(20) == 0)
            aegis_yield(exos.parent);
    }
    return 0;
}

/* Takes the writers' lock, and keeps it. */
static int keep(void)
{
    struct pipe_page *page = page_of(OUT);
    page->writer = member_of(exos.env);
    for (;;)
        wait_ms(1000);
    return 0;
}

static void made_pair(int there[2], int back[2])
{
    CHECK(pipe(there) == 0 && pipe(back) == 0);
}

/* Whole records, in each sender's order, whoever is killed at whichever instruction. */
static void writes_are_whole_though_writers_are_killed(void)
{
    enum { WRITERS = 3 };
    static struct record one;
    uint32_t next[1024] = {0};
    pid_t pids[WRITERS];
    int fds[2];
    unsigned records = 0;
    CHECK_EQ(pipe(fds), 0);
    for (int i = 0; i < WRITERS; i++)
        pids[i] = start("pipe_peers", "record", -1, fds[1]);
    close(fds[1]);
    FILE *in = fdopen(fds[0], "r");
    for (int killed = 0; fread(&one, offsetof(struct record, bytes), 1, in) == 1; records++) {
        CHECK(one.size >= offsetof(struct record, bytes) && one.size <= sizeof one);
        size_t rest = one.size - offsetof(struct record, bytes);
        CHECK_EQ(fread(one.bytes, 1, rest, in), rest);
        CHECK_EQ(one.sum, sum_of(&one));
        CHECK_EQ(one.number, next[one.sender % 1024]++);
        if (records % 50 == 49 && killed < WRITERS)
            CHECK_EQ(kill(pids[killed++], SIGKILL), 0);
    }
    CHECK(feof(in) && records >= 50 * WRITERS);
    for (int i = 0; i < WRITERS; i++)
        CHECK(WIFSIGNALED(finish(pids[i])));
    fclose(in);
}

/* One side is killed after a random while, in a pipeline that is full of bytes: the other sees the
 * end, and hangs neither in reading nor in writing. */
static void peers_may_be_killed_at_any_instruction(void)
{
    uint64_t until = time_after(KILLING);
    static char bytes[3000];
    for (int round = 0; round < ROUNDS_LEAST || (round < ROUNDS && time_now() < until); round++) {
        int there[2], back[2];
        made_pair(there, back);
        pid_t pid = start("pipe_peers", "echo", there[0], back[1]);
        close(there[0]);
        close(back[1]);
        uint32_t before = random_below(40);
        ssize_t done = 1;
        for (uint32_t i = 0; done > 0; i++) {
            if (i == before)
                kill(pid, SIGKILL);
            done = write(there[1], bytes, 1 + random_below(sizeof bytes - 1));
            if (done > 0)
                done = read(back[0], bytes, sizeof bytes);
        }
        CHECK(done == 0 || errno == EPIPE);
        close(there[1]);
        while ((done = read(back[0], bytes, sizeof bytes)) > 0)
            ;
        CHECK_EQ(done, 0);
        close(back[0]);
        finish(pid);
    }
}

static void a_lock_is_taken_from_the_dead_alone(void)
{
    char byte = 'y';
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = start("pipe_peers", "keep", -1, fds[1]);
    while (!*(volatile uint64_t *)&page_of(fds[1])->writer)
        wait_ms(1);
    CHECK_EQ(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    CHECK_FAILS(write(fds[1], &byte, 1), EAGAIN);
    CHECK_EQ(fcntl(fds[1], F_SETFL, 0), 0);
    kill(pid, SIGKILL);
    CHECK_EQ(write(fds[1], &byte, 1), 1);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    finish(pid);
    close(fds[0]);
    close(fds[1]);
}

/* Results may be anything that the calls define; what counts is that they come, and harm nothing.
 */
static void what_a_hostile_peer_writes_does_no_harm(void)
{
    static struct {
        uint8_t before[64], bytes[PIPE_SIZE], behind[64];
    } room;
    int there[2], back[2];
    CHECK(pipe2(there, O_NONBLOCK) == 0 && pipe2(back, O_NONBLOCK) == 0);
    pid_t pids[] = {start("pipe_peers", "scribble", there[0], -1),
                    start("pipe_peers", "scribble", back[0], -1)};
    uint64_t until = time_after(1000000000), limit = test_deadline();
    memset(&room, 0x5a, sizeof room);
    unsigned results[2] = {0};
    while (time_now() < until || !results[0] || !results[1]) {
        CHECK(time_now() < limit);
        struct pollfd ends[] = {{.fd = there[1], .events = POLLOUT},
                                {.fd = back[0], .events = POLLIN}};
        size_t count = random_below(PIPE_SIZE);
        ssize_t done = write(there[1], room.bytes, count);
        CHECK(done >= -1 && done <= (ssize_t)count);
        results[done < 0]++;
        done = read(back[0], room.bytes, count);
        CHECK(done >= -1 && done <= (ssize_t)count);
        results[done < 0]++;
        poll(ends, 2, (int)random_below(3));
    }
    for (size_t i = 0; i < sizeof room.before; i++)
        CHECK(room.before[i] == 0x5a && room.behind[i] == 0x5a);
    for (int i = 0; i < 2; i++) {
        kill(pids[i], SIGKILL);
        finish(pids[i]);
        CHECK(close(there[i]) == 0 && close(back[i]) == 0);
    }
}

/*
 * Long writes out of shared memory, of which the reader copies by itself: either side is killed in
 * the middle. What a reader gets is what was written, from the beginning; a writer is told.
 */
static void long_writes_end_with_either_side(void)
{
    enum { SIZE = 200000 };
    static uint8_t bytes[9000];
    uint64_t until = time_after(KILLING / 2);
    uint8_t *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (size_t i = 0; i < SIZE; i++)
        shared[i] = (uint8_t)(i * 7 + (i >> 8));
    for (int round = 0; round < ROUNDS_LEAST || (round < ROUNDS && time_now() < until); round++) {
        int fds[2];
        bool we_read = round % 2;
        CHECK_EQ(pipe(fds), 0);
        pid_t pid = fork();
        CHECK(pid >= 0);
        close(fds[we_read != (pid == 0)]);
        if (pid == 0)
            for (;;)
                if (we_read ? write(fds[1], shared, SIZE) < 0
                            : read(fds[0], bytes, sizeof bytes) <= 0)
                    _exit(1);
        uint32_t before = random_below(30);
        ssize_t done = 1;
        for (uint64_t i = 0, got = 0; done > 0; i++) {
            if (i == before)
                kill(pid, SIGKILL);
            done = we_read ? read(fds[0], bytes, 1 + random_below(sizeof bytes - 1))
                           : write(fds[1], shared, 20000 + random_below(100000));
            for (ssize_t j = 0; we_read && j < done; j++)
                CHECK_EQ(bytes[j], shared[got++ % SIZE]);
        }
        CHECK(we_read ? done == 0 : errno == EPIPE);
        close(fds[!we_read]);
        CHECK(WIFSIGNALED(finish(pid)));
    }
    CHECK_EQ(munmap(shared, SIZE), 0);
}

/* Takes a long write's offer, and says what isn't so, in the order of `words`, again and again. */
static pid_t fork_liar(int fds[2], const uint64_t *words, size_t count, volatile uint8_t *ready)
{
    *ready = 0;
    pid_t pid = fork();
    CHECK(pid >= 0);
    while (pid && !*ready)
        aegis_yield(0);
    if (pid)
        return pid;
    close(fds[1]);
    *ready = 1; /* offers are made by who is the only writer */
    struct pipe_page *page = page_of(fds[0]);
    for (size_t i = 0;; i++) {
        while (__atomic_load_n(&page->offer.state, __ATOMIC_ACQUIRE) != OFFER_MADE)
            aegis_yield(exos.parent);
        page->offer.size = UINT64_MAX - i;
        __atomic_store_n(&page->offer.taken, words[i % count], __ATOMIC_RELEASE);
        aegis_yield(exos.parent);
    }
}

/* The writer believes no more than it has offered, and waits for nothing that goes back. */
static void who_takes_an_offer_may_lie_about_it(void)
{
    static const uint64_t back_and_forth[] = {3, 2, 1, 2, 3}, too_much[] = {30001, OFFER_MOST};
    enum { SIZE = 30000 };
    uint8_t *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    memset(shared, 1, SIZE);
    for (int i = 0; i < 30; i++) {
        int fds[2];
        CHECK_EQ(pipe(fds), 0);
        bool goes_back = i % 2;
        pid_t pid = goes_back ? fork_liar(fds, back_and_forth, 5, shared)
                              : fork_liar(fds, too_much, 2, shared);
        close(fds[0]);
        ssize_t done = write(fds[1], shared, SIZE);
        CHECK(goes_back ? done == -1 && errno == EIO : done == SIZE);
        kill(pid, SIGKILL);
        finish(pid);
        close(fds[1]);
    }
    CHECK_EQ(munmap(shared, SIZE), 0);
}

static void note_alarm(int signal)
{
    (void)signal;
}

/* A reader that moves the head all the time and makes no room: signals end the write. */
static void signals_come_though_a_peer_keeps_busy(void)
{
    static char bytes[PIPE_BUF];
    struct sigaction action = {.sa_handler = note_alarm};
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    for (size_t i = 0; i < PIPE_SIZE / PIPE_BUF; i++)
        CHECK_EQ(write(fds[1], bytes, PIPE_BUF), PIPE_BUF);
    pid_t pid = fork();
    CHECK(pid >= 0);
    for (struct pipe_page *page = page_of(fds[0]); pid == 0; aegis_yield(exos.parent))
        page->head ^= 1;
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    CHECK_FAILS(write(fds[1], bytes, PIPE_BUF), EINTR);
    kill(pid, SIGKILL);
    finish(pid);
    close(fds[0]);
    close(fds[1]);
}

/* A socketpair's peer that keeps both locks of a pipe: who mustn't wait doesn't, who does is
 * interrupted, and all goes on once it has ended. */
static void a_pairs_peer_that_keeps_locks_holds_up_none_who_must_not_wait(void)
{
    struct sigaction action = {.sa_handler = note_alarm};
    char byte = 'x';
    int fds[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_EQ(send(fds[1], &byte, 1, 0), 1);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    struct pair *p = (struct pair *)fd_object(fds[0]);
    p->in->page->reader = p->out->page->writer = member_of(proc_env(pid, NULL));
    CHECK_FAILS(recv(fds[0], &byte, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_FAILS(send(fds[0], &byte, 1, MSG_DONTWAIT), EAGAIN);
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    CHECK_FAILS(recv(fds[0], &byte, 1, 0), EINTR);
    kill(pid, SIGKILL);
    finish(pid);
    CHECK_EQ(recv(fds[0], &byte, 1, 0), 1);
    CHECK_EQ(send(fds[0], &byte, 1, 0), 1);
    close(fds[0]);
    close(fds[1]);
}

static const struct {
    const char *name;
    int (*run)(void);
} roles[] = {{"echo", echo}, {"record", record}, {"scribble", scribble}, {"keep", keep}};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(argv[1], roles[i].name))
            return roles[i].run();
    signal(SIGPIPE, SIG_IGN);
    writes_are_whole_though_writers_are_killed();
    a_lock_is_taken_from_the_dead_alone();
    what_a_hostile_peer_writes_does_no_harm();
    peers_may_be_killed_at_any_instruction();
    long_writes_end_with_either_side();
    who_takes_an_offer_may_lie_about_it();
    signals_come_though_a_peer_keeps_busy();
    a_pairs_peer_that_keeps_locks_holds_up_none_who_must_not_wait();
    return 0;
}
