/* Pipes, in one process and between several, as POSIX has them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libos/ipc/special.h"
#include "libos/time/time.h"
#include "pipe_test.h"

static uint8_t byte_at(uint64_t place)
{
    return (uint8_t)(place * 167 + (place >> 8));
}

static void wait_ms(unsigned ms)
{
    aegis_wait(NULL, 0, time_after(ms * 1000000UL));
}

/* ---- one process, against a model: the counts of bytes */

static void check_poll(const int fds[2], uint64_t used)
{
    struct pollfd ends[] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLOUT}};
    int available;
    poll(ends, 2, 0);
    CHECK_EQ(ends[0].revents, used ? POLLIN : 0);
    CHECK_EQ(ends[1].revents, PIPE_SIZE - used >= PIPE_BUF ? POLLOUT : 0);
    CHECK_EQ(ioctl(fds[0], FIONREAD, &available), 0);
    CHECK_EQ(available, used);
}

static void bytes_come_out_as_they_went_in(void)
{
    static uint8_t bytes[PIPE_SIZE + 5000];
    uint64_t written = 0, got = 0;
    int fds[2];
    CHECK_EQ(pipe2(fds, O_NONBLOCK), 0);
    for (int round = 0; round < 1500; round++) {
        size_t count = random_below(random_below(4) ? 3000 : sizeof bytes);
        uint64_t used = written - got, room = PIPE_SIZE - used;
        bool blocked;
        ssize_t done;
        if (random_below(2)) {
            for (size_t i = 0; i < count; i++)
                bytes[i] = byte_at(written + i);
            blocked = count && (count <= PIPE_BUF ? room < count : room == 0);
            done = write(fds[1], bytes, count);
            CHECK_EQ(done, blocked ? -1 : (ssize_t)(count < room ? count : room));
            written += blocked ? 0 : (uint64_t)done;
        } else {
            blocked = count && used == 0;
            done = read(fds[0], bytes, count);
            CHECK_EQ(done, blocked ? -1 : (ssize_t)(count < used ? count : used));
            for (ssize_t i = 0; i < done; i++)
                CHECK_EQ(bytes[i], byte_at(got + (uint64_t)i));
            got += blocked ? 0 : (uint64_t)done;
        }
        if (blocked)
            CHECK_EQ(errno, EAGAIN);
        check_poll(fds, written - got);
    }
    CHECK(written > 100000);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
}

static volatile int broken_pipes;

static void count_broken(int signal)
{
    (void)signal;
    broken_pipes++;
}

static void ends_that_are_closed_are_told(void)
{
    char byte = 'x';
    struct stat status;
    int fds[2], other;
    CHECK_EQ(pipe(fds), 0);
    CHECK_FAILS(read(fds[1], &byte, 1), EBADF);
    CHECK_FAILS(write(fds[0], &byte, 1), EBADF);
    CHECK_FAILS(lseek(fds[0], 0, SEEK_SET), ESPIPE);
    CHECK(fstat(fds[0], &status) == 0 && S_ISFIFO(status.st_mode));
    other = dup(fds[1]);
    CHECK_EQ(write(fds[1], &byte, 1), 1);
    CHECK(close(fds[1]) == 0);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    struct pollfd end = {.fd = fds[0], .events = POLLIN};
    CHECK_EQ(poll(&end, 1, 0), 0);
    CHECK(close(other) == 0);
    CHECK(poll(&end, 1, -1) == 1 && end.revents == POLLHUP);
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    CHECK(close(fds[0]) == 0);

    signal(SIGPIPE, count_broken);
    CHECK_EQ(pipe(fds), 0);
    CHECK(close(fds[0]) == 0);
    end = (struct pollfd){.fd = fds[1], .events = 0};
    CHECK(poll(&end, 1, -1) == 1 && end.revents == POLLERR);
    CHECK_FAILS(write(fds[1], &byte, 1), EPIPE);
    CHECK_EQ(broken_pipes, 1);
    signal(SIGPIPE, SIG_IGN);
    CHECK_FAILS(write(fds[1], &byte, 1), EPIPE);
    CHECK_EQ(broken_pipes, 1);
    CHECK(close(fds[1]) == 0);
    CHECK_FAILS(pipe2(fds, O_RDWR), EINVAL);
}

static void a_pipe_that_finds_no_number_leaves_nothing(void)
{
    int fds[2], last = 0, null = open("/dev/null", O_RDWR);
    while (last < 4094)
        last = dup(null);
    uint64_t before = aegis_env(exos.env)->pages;
    CHECK_FAILS(pipe(fds), EMFILE);
    CHECK_EQ(aegis_env(exos.env)->pages, before);
    for (int fd = null; fd <= last; fd++)
        CHECK_EQ(close(fd), 0);
}

/* ---- roles of children */

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

static int sip(void)
{
    char byte;
    return read(IN, &byte, 1) == 1 ? 0 : 1;
}

/* Makes a pipe between two children of its own, and ends before they do. */
static int orphan(void)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    start("pipes", "echo", IN, fds[1]);
    start("pipes", "echo", fds[0], OUT);
    return 0;
}

/* Whether what comes in is what byte_at says, to the end. */
static int compare(int in)
{
    static uint8_t bytes[70000];
    uint64_t got = 0;
    for (ssize_t part; (part = read(in, bytes, 1 + random_below(sizeof bytes - 1))) != 0;) {
        if (part < 0)
            return 1;
        for (ssize_t i = 0; i < part; i++)
            if (bytes[i] != byte_at(got++))
                return 2;
    }
    return got ? 0 : 3;
}

static int compare_in(void)
{
    return compare(IN);
}

/* Once the other side has closed what it doesn't use. */
static void in_place(struct pipe_special *special, int fd)
{
    while (pipe_special(special, fd) != 0) {
        CHECK_EQ(errno, EBUSY);
        wait_ms(1);
    }
}

static int mirror(int in_fd, int out_fd)
{
    struct pipe_special in, out;
    size_t count, room_count;
    in_place(&in, in_fd);
    in_place(&out, out_fd);
    for (const uint8_t *bytes; (bytes = pipe_bytes(&in, &count));) {
        uint8_t *room = pipe_room(&out, &room_count);
        if (!room)
            return 1;
        count = count < room_count ? count : room_count;
        memcpy(room, bytes, count);
        pipe_took(&in, count);
        pipe_put(&out, count);
    }
    return errno;
}

/* ---- with children */

static void made_pair(int there[2], int back[2])
{
    CHECK(pipe(there) == 0 && pipe(back) == 0);
}

/* All that was sent comes back, with no end blocked for ever. */
static void send_and_compare(int to, int from, uint64_t count)
{
    static uint8_t bytes[7000];
    uint64_t sent = 0, got = 0;
    fcntl(to, F_SETFL, O_NONBLOCK);
    while (got < count) {
        struct pollfd ends[] = {{.fd = from, .events = POLLIN},
                                {.fd = sent < count ? to : -1, .events = POLLOUT}};
        CHECK(poll(ends, 2, 10000) > 0);
        if (ends[1].revents) {
            size_t part = 1 + random_below(sizeof bytes - 1);
            part = part < count - sent ? part : count - sent;
            for (size_t i = 0; i < part; i++)
                bytes[i] = byte_at(sent + i);
            ssize_t done = write(to, bytes, part);
            CHECK(done > 0 || errno == EAGAIN);
            sent += done > 0 ? (uint64_t)done : 0;
            if (sent == count)
                close(to);
        }
        if (ends[0].revents) {
            ssize_t done = read(from, bytes, sizeof bytes);
            CHECK(done > 0);
            for (ssize_t i = 0; i < done; i++)
                CHECK_EQ(bytes[i], byte_at(got + (uint64_t)i));
            got += (uint64_t)done;
        }
    }
    CHECK_EQ(read(from, bytes, 1), 0);
    close(from);
}

static void much_goes_there_and_back(void)
{
    int there[2], back[2];
    made_pair(there, back);
    pid_t pid = start("pipes", "echo", there[0], back[1]);
    close(there[0]);
    close(back[1]);
    send_and_compare(there[1], back[0], 1 << 18);
    CHECK_EQ(finish(pid), 0);
}

static void a_pipe_outlives_who_made_it(void)
{
    int there[2], back[2];
    made_pair(there, back);
    pid_t pid = start("pipes", "orphan", there[0], back[1]);
    close(there[0]);
    close(back[1]);
    CHECK_EQ(finish(pid), 0);
    send_and_compare(there[1], back[0], 20000);
}

static void a_reader_that_ends_breaks_the_pipe(void)
{
    char bytes[1000] = "";
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = start("pipes", "sip", fds[0], -1);
    close(fds[0]);
    ssize_t done;
    while ((done = write(fds[1], bytes, sizeof bytes)) > 0)
        ;
    CHECK(done == -1 && errno == EPIPE);
    CHECK_EQ(finish(pid), 0);
    close(fds[1]);
}

static void note_alarm(int signal)
{
    (void)signal;
}

static void a_signal_interrupts_a_read(void)
{
    struct sigaction action = {.sa_handler = note_alarm};
    char byte;
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    alarm(1);
    CHECK_FAILS(read(fds[0], &byte, 1), EINTR);
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
}

/* More pipes than there are predicates: the doorbell tells which child wrote. */
static void poll_waits_for_many(void)
{
    enum { MANY = 3 };
    struct pollfd ends[MANY];
    int there[MANY], fds[2];
    pid_t pids[MANY];
    char byte = 'z';
    for (int i = 0; i < MANY; i++) {
        int back[2];
        made_pair(fds, back);
        pids[i] = start("pipes", "echo", fds[0], back[1]);
        close(fds[0]);
        close(back[1]);
        there[i] = fds[1];
        ends[i] = (struct pollfd){.fd = back[0], .events = POLLIN};
    }
    CHECK_EQ(poll(ends, MANY, 20), 0);
    for (int round = 0; round < 12; round++) {
        int which = (int)random_below(MANY);
        CHECK_EQ(write(there[which], &byte, 1), 1);
        CHECK_EQ(poll(ends, MANY, 5000), 1);
        CHECK_EQ(ends[which].revents, POLLIN);
        CHECK_EQ(read(ends[which].fd, &byte, 1), 1);
    }
    kill(pids[1], SIGKILL);
    CHECK_EQ(poll(ends, MANY, 5000), 1);
    CHECK_EQ(ends[1].revents, POLLHUP);
    for (int i = 0; i < MANY; i++) {
        close(there[i]);
        finish(pids[i]);
        close(ends[i].fd);
    }
}

/* Longer writes than the ring, out of memory that a forked reader shares, or its reader alone. */
static void long_writes_out_of_shared_memory(bool reader_shares)
{
    enum { SIZE = 100000, ROUNDS = 4 };
    static uint8_t bytes[SIZE];
    uint8_t *shared;
    int fds[2];
    shared = mmap(NULL, SIZE + 10, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = reader_shares ? fork() : start("pipes", "compare", fds[0], -1);
    if (pid == 0) {
        close(fds[1]);
        _exit(compare(fds[0]));
    }
    CHECK(pid > 0);
    close(fds[0]);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SIZE; i++)
            shared[7 + i] = byte_at(round * SIZE + i);
        CHECK_EQ(write(fds[1], shared + 7, SIZE), SIZE);
    }
    memset(shared, 0, SIZE + 10);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = byte_at(ROUNDS * (uint64_t)SIZE + i);
    CHECK_EQ(write(fds[1], bytes, SIZE), SIZE);
    close(fds[1]);
    CHECK_EQ(finish(pid), 0);
    CHECK_EQ(munmap(shared, SIZE + 10), 0);
}

/* In place, against a child that reads and writes in place, too. */
static void ends_are_used_in_place(void)
{
    struct pipe_special in, out;
    int there[2], back[2];
    size_t count;
    made_pair(there, back);
    pid_t pid = fork();
    if (pid == 0) {
        close(there[1]);
        close(back[0]);
        _exit(mirror(there[0], back[1]));
    }
    int null = open("/dev/null", O_RDONLY);
    CHECK_FAILS(pipe_special(&in, null), EINVAL);
    CHECK_EQ(close(null), 0);
    CHECK_FAILS(pipe_special(&in, null), EBADF);
    close(there[0]);
    close(back[1]);
    in_place(&in, back[0]);
    in_place(&out, there[1]);
    for (uint64_t sent = 0, got = 0; got < 200000;) {
        uint8_t *room = pipe_room(&out, &count);
        CHECK(room && count >= 1 && count <= PIPE_SIZE);
        count = 1 + random_below((uint32_t)count);
        for (size_t i = 0; i < count; i++)
            room[i] = byte_at(sent + i);
        pipe_put(&out, count);
        sent += count;
        while (got < sent) {
            const uint8_t *bytes = pipe_bytes(&in, &count);
            CHECK(bytes && count >= 1);
            for (size_t i = 0; i < count; i++)
                CHECK_EQ(bytes[i], byte_at(got + i));
            pipe_took(&in, count);
            got += count;
        }
    }
    close(there[1]);
    CHECK(!pipe_bytes(&in, &count) && errno == 0);
    CHECK_EQ(finish(pid), 0);
    close(back[0]);
}

static const struct {
    const char *name;
    int (*run)(void);
} roles[] = {{"echo", echo}, {"sip", sip}, {"orphan", orphan}, {"compare", compare_in}};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(argv[1], roles[i].name))
            return roles[i].run();
    signal(SIGPIPE, SIG_IGN);
    bytes_come_out_as_they_went_in();
    ends_that_are_closed_are_told();
    a_pipe_that_finds_no_number_leaves_nothing();
    much_goes_there_and_back();
    a_pipe_outlives_who_made_it();
    a_reader_that_ends_breaks_the_pipe();
    long_writes_out_of_shared_memory(true);
    long_writes_out_of_shared_memory(false);
    ends_are_used_in_place();
    a_signal_interrupts_a_read();
    poll_waits_for_many();
    return 0;
}
