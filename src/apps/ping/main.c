/*
 * ping: asks a host whether it is there, by ICMP's echo or ICMPv6's. Its replies come by an
 * identifier, which netd leases as it leases ports.
 */
#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "apps/program.h"
#include "libos/net/echo.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define RING_SLOTS 32
#define NS_PER_MS  1000000UL
#define PATIENCE                                                                                   \
    (1000 * NS_PER_MS)   /* for a neighbour, for room to send, and after the last request */
#define LEAST      16    /* bytes of payload that tell a request's time */
#define REMEMBERED 65536 /* sequence numbers: a reply that comes twice is told */

const char program_name[] = "ping";
const char program_usage[] =
    "ping [-46] [-c COUNT] [-i MILLISECONDS] [-s SIZE] HOST  (until ^C, each second, 56 bytes)";

static struct {
    long count, interval, size;
    const char *host;
    int family;       /* AF_UNSPEC until it is known */
    uint32_t address; /* as on the wire; or */
    struct net_ipv6 six;
    char text[INET6_ADDRSTRLEN];
} to = {.count = -1, .interval = 1000, .size = 56};

static struct net_lease lease;
static struct net *net = &lease.net; /* or the loop's, to the machine itself */
static uint64_t key;                 /* in each request: a reply without it is not to one of ours */
static uint8_t seen[REMEMBERED / 8];
static struct {
    long sent, received, doubled;
    double least, most, sum, squares; /* ms */
} tally;
static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static bool find_host(void)
{
    const struct addrinfo hints = {.ai_family = to.family, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list;
    int error = getaddrinfo(to.host, NULL, &hints, &list);

    if (error) {
        fprintf(stderr, "ping: %s: %s\n", to.host, gai_strerror(error));
        return false;
    }
    to.family = list->ai_family;
    if (to.family == AF_INET6)
        memcpy(&to.six, &((const struct sockaddr_in6 *)list->ai_addr)->sin6_addr, sizeof to.six);
    else
        to.address = ((const struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr;
    inet_ntop(to.family, to.family == AF_INET6 ? (const void *)&to.six : &to.address, to.text,
              sizeof to.text);
    freeaddrinfo(list);
    return true;
}

/* What a request carries of its own, in front of its padding. */
struct stamp {
    uint64_t key, time;
};

/* Where it goes to, and from where. */
static int find_way(struct net_echo *e, uint8_t from[6], uint8_t mac[6])
{
    uint64_t deadline = time_after(PATIENCE);

    e->source = net_service()->address;
    e->destination = to.address;
    e->destination6 = to.six;
    memcpy(from, net_service()->mac, 6);
    if (net == &lease.loop) { /* where all hardware addresses are zero */
        e->source = to.address;
        e->source6 = to.six;
        memset(from, 0, 6);
        memset(mac, 0, 6);
        return 0;
    }
    if (to.family == AF_INET)
        return net_next_hop(to.address, mac, deadline);
    return net_ipv6_source(&to.six, &e->source6, deadline) ||
           net_ipv6_next_hop(&to.six, mac, deadline);
}

static void send_request(void)
{
    static uint8_t frame[AEGIS_FRAME_MAX] __attribute__((aligned(8)));
    size_t headers = to.family == AF_INET ? ECHO_HEADERS : ECHO6_HEADERS;
    struct net_echo e = {.id = lease.port,
                         .sequence = (uint16_t)(tally.sent + 1),
                         .ttl = 64,
                         .size = (size_t)to.size};
    uint8_t from[6], mac[6];

    tally.sent++;
    seen[e.sequence / 8] &= (uint8_t) ~(1u << e.sequence % 8);
    if (find_way(&e, from, mac)) {
        printf("From here icmp_seq=%ld %s\n", tally.sent,
               strerror(errno == EAGAIN ? EHOSTUNREACH : errno));
        return;
    }
    const struct stamp stamp = {key, time_now()};
    for (size_t i = 0; i < e.size; i++)
        frame[headers + i] = (uint8_t)i;
    memcpy(frame + headers, &stamp, e.size < LEAST ? e.size : sizeof stamp);
    size_t length = to.family == AF_INET ? net_echo_write(frame, &e, mac, from)
                                         : net_echo6_write(frame, &e, mac, from);
    if (net_send_copy(net, frame, length, time_after(PATIENCE)) < 0)
        printf("From here icmp_seq=%ld not sent\n", tally.sent);
}

static void count_time(double ms)
{
    if (!tally.received || ms < tally.least)
        tally.least = ms;
    if (ms > tally.most)
        tally.most = ms;
    tally.sum += ms;
    tally.squares += ms * ms;
}

static bool is_from_host(const struct net_echo *e)
{
    return to.family == AF_INET ? e->source == to.address : net_ipv6_equal(&e->source6, &to.six);
}

static void take_reply(const struct net_echo *e)
{
    struct stamp stamp = {0};
    bool is_timed = to.size >= LEAST;
    bool is_double = seen[e->sequence / 8] & 1u << e->sequence % 8;

    if (!is_from_host(e) || e->size != (size_t)to.size || e->id != lease.port)
        return;
    memcpy(&stamp, e->payload, is_timed ? sizeof stamp : 0);
    uint64_t now = time_now();
    if (is_timed && (stamp.key != key || stamp.time > now))
        return;
    seen[e->sequence / 8] |= (uint8_t)(1u << e->sequence % 8);
    printf("%zu bytes from %s: icmp_seq=%u ttl=%u", e->size + 8, to.text, e->sequence, e->ttl);
    if (is_timed) {
        double ms = (double)time_to_ns(now - stamp.time) / (double)NS_PER_MS;
        printf(" time=%.3f ms", ms);
        if (!is_double)
            count_time(ms);
    }
    printf(is_double ? " (DUP!)\n" : "\n");
    tally.received += !is_double;
    tally.doubled += is_double;
}

/* Takes replies until deadline, or until all that were asked for are there. */
static void listen_until(uint64_t deadline)
{
    struct aegis_slot_header *slot;
    struct net_echo e;

    while (!stopped && tally.received != to.count) {
        while ((slot = net_next(net))) {
            if (to.family == AF_INET ? net_echo_read(net_frame(slot), slot->length, &e)
                                     : net_echo6_read(net_frame(slot), slot->length, &e))
                take_reply(&e);
            net_release(net);
        }
        fflush(stdout);
        if (time_now() >= deadline || tally.received == to.count)
            return;
        struct aegis_predicate when = net_readable(net);
        exos_wait(&when, 1, deadline);
    }
}

static void print_tally(uint64_t begin)
{
    double n = (double)tally.received, mean = n > 0 ? tally.sum / n : 0;

    printf("\n--- %s ping statistics ---\n%ld packets transmitted, %ld received, ", to.host,
           tally.sent, tally.received);
    if (tally.doubled)
        printf("+%ld duplicates, ", tally.doubled);
    printf("%ld%% packet loss, time %lums\n",
           tally.sent ? 100 * (tally.sent - tally.received) / tally.sent : 0,
           (unsigned long)(time_to_ns(time_now() - begin) / NS_PER_MS));
    if (tally.received && to.size >= LEAST)
        printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", tally.least, mean, tally.most,
               sqrt(fmax(tally.squares / n - mean * mean, 0)));
}

static bool read_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "46c:i:s:")) != -1) {
        if (option == '4' || option == '6')
            to.family = option == '4' ? AF_INET : AF_INET6;
        else if (option == 'c')
            to.count = number(optarg, 1, 1000000000);
        else if (option == 'i')
            to.interval = number(optarg, 1, 1000000);
        else if (option == 's')
            to.size = number(optarg, 0, ECHO_MAX);
        else
            return false;
        if ((option == 'c' && to.count < 0) || to.interval < 0 || to.size < 0)
            return false;
    }
    to.host = argv[argc - 1];
    return argc - optind == 1;
}

static bool is_local(const struct net_host *host)
{
    return to.family == AF_INET ? net_is_local(host, to.address) : net_ipv6_is_local(&to.six);
}

int main(int argc, char **argv)
{
    take_help(argc, argv);
    if (!read_options(argc, argv))
        return usage();
    if (!find_host())
        return 2;
    const struct net_host *host = net_service();
    bool is_six = to.family == AF_INET6;
    if (!host)
        return failed(to.host) + 1;
    if (to.size > (is_six ? ECHO6_MAX : ECHO_MAX))
        return usage();
    if (net_lease_family(&lease, IPV4_ICMP, is_six ? NET_IPV6 : NET_IPV4, 0, RING_SLOTS))
        return failed("identifier") + 1;
    if (is_local(host)) {
        if (net_lease_loop(&lease, RING_SLOTS))
            return failed(to.host) + 1;
        net = &lease.loop;
    }
    aegis_entropy(&key, sizeof key);
    signal(SIGINT, stop);
    printf("PING %s (%s) %ld(%ld) bytes of data.\n", to.host, to.text, to.size,
           to.size + (is_six ? 48 : 28));
    uint64_t begin = time_now(), next = begin;
    while (!stopped && tally.sent != to.count && tally.received != to.count) {
        send_request();
        next += time_after((uint64_t)to.interval * NS_PER_MS) - time_now();
        listen_until(tally.sent == to.count ? time_after(PATIENCE) : next);
    }
    net_lease_end(&lease);
    print_tally(begin);
    return finish(tally.received == 0);
}
