/*
 * bench-client: measures UDP and TCP echo round trips, requests for pages and streams over the raw
 * Ethernet of a QEMU machine, and writes every sample as JSON on stdout.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <arpa/inet.h>
#include "bench/client/bulk.h"
#include "bench/client/http.h"
#include "bench/client/tcp.h"

#define USAGE 2

static const char help[] =
    "usage: bench-client --local PATH --remote PATH [OPTION...]\n"
    "Sends UDP datagrams, or segments of a TCP connection, as Ethernet frames to a machine behind "
    "QEMU's\n"
    "  -netdev dgram,local.type=unix,local.path=REMOTE,remote.type=unix,remote.path=LOCAL\n"
    "waits for each to come back, and writes the samples as JSON on stdout.\n"
    "  --local PATH      socket to bind: where QEMU sends its frames\n"
    "  --remote PATH     socket of QEMU\n"
    "  --address A       IPv4 address of the guest (10.0.2.15)\n"
    "  --self A          IPv4 address of the client (10.0.2.2)\n"
    "  --mode MODE       udp: datagrams that come back (the default); tcp: bytes of one "
    "connection, "
    "one\n"
    "                    segment under way; http: pages over --window connections; bulk-in, "
    "bulk-out:\n"
    "                    a stream of --bytes to or from the guest\n"
    "  --port N          port of the echo (7)\n"
    "  --count N         round trips to measure, 1 to 1000000 (1000)\n"
    "  --warmup N        round trips before them (20)\n"
    "  --size N          bytes of payload, 16 to 1472 (60), by TCP 1 to 1460, of a page to 65536\n"
    "  --path PATH       of the page (/)\n"
    "  --bytes N         of a stream, 1 to 1073741824 (1048576)\n"
    "  --window N        requests under way at once, 1 to 256 (1)\n"
    "  --timeout MS      after which a request counts as lost (1000)\n"
    "  --deadline S      for everything (60)\n"
    "  --counter PATH    also sample the guest's instructions from the file of the plugin "
    "libcount.so\n"
    "  --settle US       the guest is done with an echo when it rested for so long (300)\n"
    "Exit status: 0 if every request was answered, 1 if not, 2 for a usage error.\n";

struct options {
    const char *local, *remote, *counter, *path;
    struct in_addr address, self;
    const struct mode *mode;
    uint64_t port, count, warmup, size, window, timeout, deadline, settle, bytes;
};

/* What can be measured. */
static const struct mode {
    const char *name;
    int (*run)(struct wire *wire, const struct echo_plan *plan, struct echo_result *result);
    uint64_t size_least, size_most;
    bool has_window; /* else --window is 1 */
    bool each; /* instructions are counted round trip by round trip, for which the window is 1 */
} modes[] = {
    {"udp", echo_run, PAYLOAD_MIN, PAYLOAD_MAX, true, true},
    {"tcp", tcp_run, 1, TCP_PAYLOAD_MAX, false, true},
    {"http", http_run, 1, PAGE_MAX, true, false},
    {"bulk-in", bulk_in, 1, PAGE_MAX, false, false},
    {"bulk-out", bulk_out, 1, PAGE_MAX, false, false},
};

/* Options that take a number, and the range that it must be in. */
static const struct number {
    const char *name;
    size_t offset;
    uint64_t least, most;
} numbers[] = {
    {"port", offsetof(struct options, port), 1, 65535},
    {"count", offsetof(struct options, count), 1, 1000000},
    {"warmup", offsetof(struct options, warmup), 0, 1000000},
    {"size", offsetof(struct options, size), 1, PAGE_MAX},
    {"window", offsetof(struct options, window), 1, WINDOW_MAX},
    {"timeout", offsetof(struct options, timeout), 1, 60000},
    {"deadline", offsetof(struct options, deadline), 1, 3600},
    {"settle", offsetof(struct options, settle), 1, 50000},
    {"bytes", offsetof(struct options, bytes), 1, 1UL << 30},
};

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "bench-client: %s%s; see --help\n", text, value);
    return USAGE;
}

static int parse_number(struct options *options, const char *name, const char *text)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number *n = &numbers[i];
        if (strcmp(n->name, name) != 0)
            continue;
        char *end;
        errno = 0;
        unsigned long long value = strtoull(text, &end, 10);
        if (errno || *end || end == text || *text == '-' || value < n->least || value > n->most) {
            fprintf(stderr, "bench-client: --%s %s: must be a number from %llu to %llu\n", name,
                    text, (unsigned long long)n->least, (unsigned long long)n->most);
            return USAGE;
        }
        *(uint64_t *)((char *)options + n->offset) = value;
        return 0;
    }
    return usage("no option --", name);
}

static int parse_mode(struct options *options, const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (strcmp(modes[i].name, name) == 0) {
            options->mode = &modes[i];
            return 0;
        }
    return usage("no --mode ", name);
}

static int parse_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "local") == 0)
        options->local = value;
    else if (strcmp(name, "remote") == 0)
        options->remote = value;
    else if (strcmp(name, "counter") == 0)
        options->counter = value;
    else if (strcmp(name, "path") == 0)
        options->path = value;
    else if (strcmp(name, "mode") == 0)
        return parse_mode(options, value);
    else if (strcmp(name, "address") == 0 || strcmp(name, "self") == 0) {
        struct in_addr *a = name[0] == 'a' ? &options->address : &options->self;
        if (inet_pton(AF_INET, value, a) != 1)
            return usage("not an IPv4 address: ", value);
    } else
        return parse_number(options, name, value);
    return 0;
}

static int parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"local", 1, 0, 0},   {"remote", 1, 0, 0},  {"counter", 1, 0, 0},
        {"address", 1, 0, 0}, {"self", 1, 0, 0},    {"port", 1, 0, 0},
        {"count", 1, 0, 0},   {"warmup", 1, 0, 0},  {"size", 1, 0, 0},
        {"window", 1, 0, 0},  {"timeout", 1, 0, 0}, {"deadline", 1, 0, 0},
        {"settle", 1, 0, 0},  {"mode", 1, 0, 0},    {"path", 1, 0, 0},
        {"bytes", 1, 0, 0},   {"help", 0, 0, 'h'},  {0},
    };
    int c, index, status;
    while ((c = getopt_long(argc, argv, "h", known, &index)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            exit(0);
        }
        if (c != 0)
            return USAGE;
        status = parse_option(options, known[index].name, optarg);
        if (status)
            return status;
    }
    if (optind < argc)
        return usage("unexpected argument: ", argv[optind]);
    if (!options->local || !options->remote)
        return usage("--local and --remote are required", "");
    const struct mode *mode = options->mode;
    if (options->counter && mode->each && options->window != 1)
        return usage("--counter needs --window 1", "");
    if ((!mode->has_window && options->window != 1) || options->size < mode->size_least ||
        options->size > mode->size_most)
        return usage("--size or --window is out of range of --mode ", mode->name);
    return 0;
}

static const struct counter *map_counter(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct counter *counter = MAP_FAILED;
    if (fd >= 0 && lseek(fd, 0, SEEK_END) >= (off_t)sizeof(*counter))
        counter = mmap(NULL, sizeof(*counter), PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (counter == MAP_FAILED || counter->magic != COUNTER_MAGIC) {
        fprintf(stderr, "bench-client: %s: not a file of the plugin libcount.so\n", path);
        return NULL;
    }
    return counter;
}

static void print_samples(const char *name, const uint64_t *samples, uint64_t count)
{
    printf(", \"%s\": [", name);
    for (uint64_t i = 0; i < count; i++)
        printf(i ? ", %llu" : "%llu", (unsigned long long)samples[i]);
    printf("]");
}

static void print_result(const struct echo_result *result)
{
    printf("{\"sent\": %llu, \"received\": %llu, \"lost\": %llu, \"wrong\": %llu, \"late\": %llu, "
           "\"duration_ns\": %llu, \"expired\": %s, \"resent\": %llu",
           (unsigned long long)result->sent, (unsigned long long)result->received,
           (unsigned long long)result->lost, (unsigned long long)result->wrong,
           (unsigned long long)result->late, (unsigned long long)result->duration,
           result->expired ? "true" : "false", (unsigned long long)result->resent);
    print_samples("rtt_ns", result->rtt, result->received);
    if (result->insn)
        print_samples("insn", result->insn, result->received);
    if (result->total)
        printf(", \"total_insn\": %llu", (unsigned long long)result->total);
    printf("}\n");
}

static int measure(struct wire *wire, const struct options *options)
{
    struct echo_plan plan = {
        .count = options->count,
        .warmup = options->warmup,
        .size = options->size,
        .window = options->window,
        .timeout = options->timeout * 1000000,
        .deadline = options->deadline * 1000000000,
        .settle = options->settle * 1000,
        .bytes = options->bytes,
        .path = options->path,
    };
    const struct mode *mode = options->mode;
    struct echo_result result = {0};
    int status = 1;
    if (options->counter && !(plan.counter = map_counter(options->counter)))
        return 1;
    result.rtt = calloc(plan.count, sizeof(*result.rtt));
    result.insn = plan.counter && mode->each ? calloc(plan.count, sizeof(*result.insn)) : NULL;
    if (!result.rtt || (plan.counter && mode->each && !result.insn)) {
        fprintf(stderr, "bench-client: no memory for %llu samples\n",
                (unsigned long long)plan.count);
    } else if (wire_resolve(wire, wire_now() + plan.deadline) == 0 &&
               mode->run(wire, &plan, &result) == 0) {
        print_result(&result);
        bool all = !result.expired && result.received == result.sent && result.received;
        status = all && result.wrong == 0 ? 0 : 1;
    }
    free(result.rtt);
    free(result.insn);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {
        .count = 1000,
        .warmup = 20,
        .size = 60,
        .window = 1,
        .timeout = 1000,
        .deadline = 60,
        .settle = 300,
        .port = 7,
        .bytes = 1 << 20,
        .path = "/",
        .mode = &modes[0],
    };
    inet_pton(AF_INET, "10.0.2.15", &options.address);
    inet_pton(AF_INET, "10.0.2.2", &options.self);
    int status = parse(&options, argc, argv);
    if (status)
        return status;
    struct wire wire = {
        .self = {{0x52, 0x55, 0x0a, 0x00, 0x02, 0x02}, ntohl(options.self.s_addr), 40007},
        .guest = {{0}, ntohl(options.address.s_addr), (uint16_t)options.port},
    };
    if (wire_open(&wire, options.local, options.remote) < 0)
        return 1;
    status = measure(&wire, &options);
    wire_close(&wire);
    return status;
}
