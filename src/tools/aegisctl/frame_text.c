#include "frame_text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ETHER_SIZE 14
#define ARP_SIZE   28 /* of Ethernet and IPv4 */
#define IPV4_LEAST 20
#define IPV6_SIZE  40
#define UDP_SIZE   8
#define TCP_LEAST  20
#define ECHO_SIZE  8

/* What is left to describe: bytes that are there, and how many there were on the wire. */
struct rest {
    const uint8_t *bytes;
    size_t have, length;
    char *text;
    size_t used;
};

static void say(struct rest *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct rest *r, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(r->text + r->used, FRAME_TEXT_SIZE - r->used, format, arguments);
    va_end(arguments);
    r->used += n < 0 ? 0 : (size_t)n;
    r->used = r->used < FRAME_TEXT_SIZE ? r->used : FRAME_TEXT_SIZE - 1;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)(at[0] << 8 | at[1]);
}

/* Whether so many bytes are there; else the line ends with what is missing. */
static bool has(struct rest *r, size_t size, const char *what)
{
    if (r->have >= size) {
        return true;
    }
    say(r, "[|%s]", what);
    return false;
}

/* Step over a header that is there. */
static void skip(struct rest *r, size_t size)
{
    r->bytes += size;
    r->have -= size;
    r->length -= size;
}

/* An upper layer that says it has `total` bytes: what lies behind is padding. */
static void limit(struct rest *r, size_t total)
{
    r->length = total < r->length ? total : r->length;
    r->have = r->have < r->length ? r->have : r->length;
}

static void say_mac(struct rest *r, const uint8_t *m)
{
    say(r, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

struct address {
    char text[INET6_ADDRSTRLEN];
};

static struct address address(int family, const uint8_t *at)
{
    struct address a = {{0}};

    inet_ntop(family, at, a.text, sizeof a.text);
    return a;
}

/* The two ends of an IP packet. */
struct ends {
    struct address from, to;
};

static void say_ends(struct rest *r, const struct ends *ends, bool ports)
{
    if (ports) {
        say(r, "%s.%u > %s.%u: ", ends->from.text, get16(r->bytes), ends->to.text,
            get16(r->bytes + 2));
    } else {
        say(r, "%s > %s: ", ends->from.text, ends->to.text);
    }
}

static void say_udp(struct rest *r, const struct ends *ends)
{
    say_ends(r, ends, r->have >= UDP_SIZE);
    if (has(r, UDP_SIZE, "udp")) {
        unsigned length = get16(r->bytes + 4);

        say(r, length < UDP_SIZE ? "UDP, bad length %u" : "UDP, length %u",
            length < UDP_SIZE ? length : length - UDP_SIZE);
    }
}

static void say_tcp(struct rest *r, const struct ends *ends)
{
    say_ends(r, ends, r->have >= TCP_LEAST);
    if (has(r, TCP_LEAST, "tcp")) {
        size_t header = (size_t)(r->bytes[12] >> 4) * 4;

        if (header < TCP_LEAST || header > r->length) {
            say(r, "tcp, bad header length %zu", header);
        } else {
            say(r, "tcp %zu", r->length - header);
        }
    }
}

/* Echo requests and replies have numbers; of all else the type. */
static void say_icmp(struct rest *r, const struct ends *ends, const char *name, unsigned request,
                     unsigned reply)
{
    say_ends(r, ends, false);
    if (!has(r, ECHO_SIZE, "icmp")) {
        return;
    }
    if (r->bytes[0] == request || r->bytes[0] == reply) {
        say(r, "%s echo %s, id %u, seq %u, length %zu", name,
            r->bytes[0] == request ? "request" : "reply", get16(r->bytes + 4), get16(r->bytes + 6),
            r->length);
    } else {
        say(r, "%s type %u, code %u, length %zu", name, r->bytes[0], r->bytes[1], r->length);
    }
}

static void say_icmp4(struct rest *r, const struct ends *ends)
{
    say_icmp(r, ends, "ICMP", 8, 0);
}

static void say_icmp6(struct rest *r, const struct ends *ends)
{
    say_icmp(r, ends, "ICMP6,", 128, 129);
}

/* What an IP packet carries; a later fragment has no header of it to look at. */
static void say_protocol(struct rest *r, unsigned protocol, bool later, const struct ends *ends)
{
    static const struct {
        uint8_t protocol;
        void (*describe)(struct rest *r, const struct ends *ends);
    } known[] = {{1, say_icmp4}, {6, say_tcp}, {17, say_udp}, {58, say_icmp6}};

    for (size_t i = 0; i < sizeof known / sizeof known[0] && !later; i++) {
        if (known[i].protocol == protocol) {
            known[i].describe(r, ends);
            return;
        }
    }
    say_ends(r, ends, false);
    if (later) {
        say(r, "ip-proto-%u", protocol);
    } else {
        say(r, "ip-proto-%u %zu", protocol, r->length);
    }
}

static void say_ipv4(struct rest *r)
{
    say(r, "IP ");
    if (!has(r, IPV4_LEAST, "ip")) {
        return;
    }
    const uint8_t *ip = r->bytes;
    size_t header = (size_t)(ip[0] & 15) * 4;
    struct ends ends = {address(AF_INET, ip + 12), address(AF_INET, ip + 16)};

    if (ip[0] >> 4 != 4 || header < IPV4_LEAST || get16(ip + 2) < header) {
        say(r, "version %u, bad header length %zu of %u", ip[0] >> 4, header, get16(ip + 2));
        return;
    }
    limit(r, get16(ip + 2));
    if (has(r, header, "ip")) {
        skip(r, header);
        say_protocol(r, ip[9], (get16(ip + 6) & 0x1fff) != 0, &ends);
    }
}

static void say_ipv6(struct rest *r)
{
    say(r, "IP6 ");
    if (!has(r, IPV6_SIZE, "ip6")) {
        return;
    }
    const uint8_t *ip = r->bytes;
    struct ends ends = {address(AF_INET6, ip + 8), address(AF_INET6, ip + 24)};

    skip(r, IPV6_SIZE);
    limit(r, get16(ip + 4));
    say_protocol(r, ip[6], false, &ends);
}

static void say_arp(struct rest *r)
{
    static const uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4};
    const uint8_t *arp = r->bytes;

    say(r, "ARP, ");
    if (!has(r, ARP_SIZE, "arp")) {
        return;
    }
    if (memcmp(arp, ethernet_ipv4, sizeof ethernet_ipv4) != 0) {
        say(r, "hardware %u, protocol 0x%04x, operation %u", get16(arp), get16(arp + 2),
            get16(arp + 6));
    } else if (get16(arp + 6) == 1) {
        say(r, "Request who-has %s tell %s", address(AF_INET, arp + 24).text,
            address(AF_INET, arp + 14).text);
    } else if (get16(arp + 6) == 2) {
        say(r, "Reply %s is-at ", address(AF_INET, arp + 14).text);
        say_mac(r, arp + 8);
    } else {
        say(r, "operation %u", get16(arp + 6));
    }
    say(r, ", length %zu", r->length);
}

void frame_text(const uint8_t *bytes, size_t have, size_t length, char *text)
{
    static const struct {
        unsigned type;
        void (*describe)(struct rest *r);
    } known[] = {{0x0800, say_ipv4}, {0x0806, say_arp}, {0x86dd, say_ipv6}};
    struct rest r = {.bytes = bytes, .have = have, .length = length, .text = text};

    text[0] = 0;
    if (!has(&r, ETHER_SIZE, "ether")) {
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (get16(bytes + 12) == known[i].type) {
            skip(&r, ETHER_SIZE);
            known[i].describe(&r);
            return;
        }
    }
    say_mac(&r, bytes + 6);
    say(&r, " > ");
    say_mac(&r, bytes);
    say(&r, ", ethertype 0x%04x, length %zu", get16(bytes + 12), length);
}
