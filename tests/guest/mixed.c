/*
 * Everything that uses the network at once, for test_mixed.py.
 *
 *   mixed all SECONDS TCP UDP   starts the servers and ping, and keeps one program of each kind
 *                               below running; ends them all after SECONDS
 *   mixed tcp SECONDS TCP       connections to that port of the host's: bytes there and back
 *   mixed udp SECONDS UDP       datagrams to an echo at that port of the host's
 *   mixed names SECONDS         asks for n.test, which is 10.1.0.n
 *   mixed loop SECONDS          the servers, by 127.0.0.1, ::1 and the machine's own address
 *   mixed reap                  takes a port and gives it back: netd looks who has ended
 *
 * Each kind says at its end how many rounds it had, and how long the longest took, pauses
 * included. Byte number `at` of whatever is sent is that of the file "pattern", from a place on
 * that differs from round to round.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOST     "10.0.2.2"
#define OWN      "10.0.2.15"
#define LARGEST  40000 /* bytes a way */
#define PATTERN  65536 /* bytes of the file */
#define LIFE     "4"   /* seconds of a program of a kind, then another follows */
#define PAUSE_US 15000 /* between two rounds */
#define PATIENCE 2     /* seconds for a datagram to come back */

extern char **environ;

static const char *kind;
static unsigned char pattern[PATTERN], bytes[PATTERN];
static unsigned rounds, lost;

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        int error_ = errno;                                                                        \
        printf("mixed: %s, line %d, round %u: ", kind, __LINE__, rounds);                          \
        printf(__VA_ARGS__);                                                                       \
        printf(" (%s)\n", strerror(error_));                                                       \
        exit(1);                                                                                   \
    } while (0)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            FAIL("failed: %s", #condition);                                                        \
    } while (0)

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct sockaddr_in at(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    CHECK(inet_aton(address, &in.sin_addr) == 1);
    return in;
}

static int dial(int type, const void *to, socklen_t size)
{
    int s = socket(((const struct sockaddr *)to)->sa_family, type, 0);

    CHECK(s >= 0);
    if (connect(s, to, size))
        FAIL("connect");
    return s;
}

static void write_all(int s, const void *from, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t part = write(s, (const char *)from + done, size - done);
        CHECK(part > 0);
        done += (size_t)part;
    }
}

/* All that comes until the peer ends it; how much. */
static size_t read_all(int s, size_t room)
{
    size_t got = 0;
    ssize_t part;

    while ((part = read(s, bytes + got, room - got)) > 0)
        got += (size_t)part;
    CHECK(part == 0);
    return got;
}

/* The host sends the bytes back, and ends the connection first: so no port of ours is kept. */
static void tcp_round(uint16_t port)
{
    size_t size = 1 + (size_t)rand() % LARGEST, from = (size_t)rand() % (PATTERN - size);
    struct sockaddr_in to = at(HOST, port);
    char head[32];
    int s = dial(SOCK_STREAM, &to, sizeof to);

    write_all(s, head, (size_t)snprintf(head, sizeof head, "%zu %zu\n", from, size));
    write_all(s, pattern + from, size);
    size_t got = read_all(s, sizeof bytes);
    if (got != size || memcmp(bytes, pattern + from, size))
        FAIL("%zu bytes, and %zu came back", size, got);
    CHECK(close(s) == 0);
}

/* A datagram there and back; false if it was lost. Late ones of rounds before are left out. */
static bool datagram(int s, size_t size, size_t from)
{
    ssize_t got;

    CHECK(send(s, pattern + from, size, 0) == (ssize_t)size);
    while ((got = recv(s, bytes, sizeof bytes, 0)) >= 0)
        if ((size_t)got == size && !memcmp(bytes, pattern + from, size))
            return true;
    CHECK(errno == EAGAIN);
    return false;
}

static void set_patience(int s)
{
    struct timeval limit = {PATIENCE, 0};
    CHECK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
}

static void udp_round(uint16_t port)
{
    struct sockaddr_in to = at(HOST, port);
    int s = dial(SOCK_DGRAM, &to, sizeof to);

    set_patience(s);
    for (int i = 0; i < 4; i++)
        lost += !datagram(s, 1 + (size_t)rand() % 1472, (size_t)rand() % 60000);
    CHECK(close(s) == 0);
}

static void names_round(uint16_t port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *found;
    unsigned number = (unsigned)rand() % 256;
    char name[16], wanted[16];

    (void)port;
    snprintf(name, sizeof name, "%u.test", number);
    snprintf(wanted, sizeof wanted, "10.1.0.%u", number);
    int error = getaddrinfo(name, NULL, &hints, &found);
    if (error == EAI_AGAIN) { /* three questions of it were lost */
        lost++;
        return;
    }
    CHECK(error == 0);
    CHECK(((struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr == inet_addr(wanted));
    freeaddrinfo(found);
}

static void get_page(const struct sockaddr_in *to)
{
    static const char request[] = "GET /pattern HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                  "Range: bytes=0-49999\r\n\r\n";
    int s = dial(SOCK_STREAM, to, sizeof *to);

    write_all(s, request, sizeof request - 1);
    size_t got = read_all(s, sizeof bytes);
    CHECK(got > 50000 && !memcmp(bytes, "HTTP/1.1 206 ", 13));
    CHECK(!memcmp(bytes + got - 50000, pattern, 50000));
    CHECK(close(s) == 0);
}

static void loop_round(uint16_t port)
{
    static const char *const addresses[] = {"127.0.0.1", OWN};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(7)};

    (void)port;
    six.sin6_addr.s6_addr[15] = 1;
    for (int i = 0; i < 3; i++) {
        struct sockaddr_in to = at(addresses[i % 2], 7);
        int s = i < 2 ? dial(SOCK_DGRAM, &to, sizeof to) : dial(SOCK_DGRAM, &six, sizeof six);
        set_patience(s);
        lost += !datagram(s, 1 + (size_t)rand() % 1400, (size_t)rand() % 60000);
        CHECK(close(s) == 0);
    }
    struct sockaddr_in web = at(addresses[rounds % 2], 80);
    get_page(&web);
}

static const struct kind {
    const char *name;
    void (*round)(uint16_t port);
} kinds[] = {{"tcp", tcp_round}, {"udp", udp_round}, {"names", names_round}, {"loop", loop_round}};
#define KINDS (sizeof kinds / sizeof *kinds)

static void run_kind(const struct kind *k, unsigned seconds, uint16_t port)
{
    uint64_t end = now_ms() + seconds * 1000UL, longest = 0;

    srand((unsigned)getpid());
    for (uint64_t begun = now_ms(), now = begun; now < end; begun = now) {
        k->round(port);
        usleep(PAUSE_US);
        rounds++;
        now = now_ms();
        longest = now - begun > longest ? now - begun : longest;
    }
    printf("mixed: %s: %u rounds, %u lost, longest %lu ms\n", k->name, rounds, lost,
           (unsigned long)longest);
}

static pid_t start(char *const argv[])
{
    pid_t pid;
    int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);

    errno = error;
    CHECK(error == 0);
    return pid;
}

/* A program of that kind. */
static pid_t start_kind(size_t which, char *const ports[2])
{
    static char program[] = "mixed", life[] = LIFE;
    char name[8];

    strcpy(name, kinds[which].name);
    return start((char *[]){program, name, life, which < 2 ? ports[which] : NULL, NULL});
}

static void stop(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid);
}

static char *const servers[][5] = {{"udpecho", NULL},
                                   {"tcpecho", NULL},
                                   {"kv", NULL},
                                   {"httpd", NULL},
                                   {"ping", "-i", "100", HOST, NULL}};
#define SERVERS (sizeof servers / sizeof *servers)

/* Until the servers answer. */
static void wait_for_servers(void)
{
    static const uint16_t ports[] = {7, 80};
    struct sockaddr_in to = at("127.0.0.1", 7);
    char byte = 'x';

    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_in listener = at("127.0.0.1", ports[i]);
        int s;
        while (s = socket(AF_INET, SOCK_STREAM, 0),
               connect(s, (struct sockaddr *)&listener, sizeof listener) != 0) {
            CHECK(errno == ECONNREFUSED && close(s) == 0);
            usleep(20000);
        }
        CHECK(close(s) == 0);
    }
    int s = dial(SOCK_DGRAM, &to, sizeof to);
    set_patience(s);
    while (send(s, &byte, 1, 0) != 1 || recv(s, &byte, 1, 0) != 1) {
        CHECK(errno == ECONNREFUSED || errno == EAGAIN);
        usleep(20000);
    }
    CHECK(close(s) == 0);
}

static void run_all(unsigned seconds, char *const ports[2])
{
    pid_t serving[SERVERS], running[KINDS];
    int quiet = open("/dev/null", O_WRONLY), said = dup(1);

    for (size_t i = 0; i < SERVERS; i++) {
        if (i == SERVERS - 1 && quiet >= 0)
            dup2(quiet, 1); /* a line for each answer */
        serving[i] = start(servers[i]);
    }
    dup2(said, 1);
    wait_for_servers();
    printf("mixed: begins\n");
    uint64_t end = now_ms() + seconds * 1000UL;
    for (size_t i = 0; i < KINDS; i++)
        running[i] = start_kind(i, ports);
    while (now_ms() < end) {
        for (size_t i = 0; i < KINDS; i++) {
            int status;
            if (waitpid(running[i], &status, WNOHANG) != running[i])
                continue;
            if (status)
                printf("mixed: %s ended with status %#x\n", kinds[i].name, (unsigned)status);
            running[i] = start_kind(i, ports);
        }
        for (size_t i = 0; i < SERVERS; i++)
            if (waitpid(serving[i], NULL, WNOHANG))
                FAIL("%s has ended", servers[i][0]);
        usleep(50000);
    }
    for (size_t i = 0; i < KINDS; i++)
        stop(running[i]);
    for (size_t i = 0; i < SERVERS; i++)
        stop(serving[i]);
    printf("mixed: over\n");
}

static void reap(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(bind(s, (struct sockaddr *)&own, sizeof own) == 0);
    printf("mixed: reaped\n");
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2)
        return 2;
    kind = argv[1];
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)((i * 2654435761U) >> 13);
    if (argc == 5 && !strcmp(kind, "all"))
        run_all(seconds, argv + 3);
    else if (argc == 2 && !strcmp(kind, "reap"))
        reap();
    for (size_t i = 0; i < KINDS; i++)
        if (argc > 2 && !strcmp(kind, kinds[i].name))
            run_kind(&kinds[i], seconds, argc > 3 ? (uint16_t)strtoul(argv[3], NULL, 10) : 0);
    return 0;
}
