#include "libos/net/note.h"

#include <errno.h>

#include "libos/net/parse.h"

#define IP_TTL      (ETH_SIZE + 8)
#define IP_CHECKSUM (ETH_SIZE + 10)
#define IP_SIZE     32

/* The option, in the IPv4 header. */
#define OPTION      (ETH_SIZE + IPV4_LEAST)
#define OPTION_TYPE 222 /* RFC 4727, section 3.2 */
#define OPTION_SIZE (IP_SIZE - IPV4_LEAST)

/* Where the ports are, and behind them UDP_LENGTH. */
#define PORTS  (ETH_SIZE + IP_SIZE)
#define PORTS6 (ETH_SIZE + IPV6_SIZE)

/* What a note says, in the option or behind the ports of IPv6, where TCP's offset would stand at
 * SAID_PLACE: 0 of an error. */
#define SAID       (OPTION + 2)
#define SAID6      (PORTS6 + UDP_SIZE)
#define SAID_KIND  0
#define SAID_TYPE  1
#define SAID_CODE  2
#define SAID_PLACE 4
#define SAID_TOTAL 6
#define SAID_MTU   8

static void put_said(uint8_t *to, const struct net_note *n)
{
    to[SAID_KIND] = n->kind;
    to[SAID_TYPE] = n->type;
    to[SAID_CODE] = n->code;
    net_put16(to + SAID_PLACE, n->at);
    net_put16(to + SAID_TOTAL, n->total);
    net_put16(to + SAID_MTU, n->mtu);
}

static void get_said(const uint8_t *from, struct net_note *n)
{
    n->kind = from[SAID_KIND];
    n->type = from[SAID_TYPE];
    n->code = from[SAID_CODE];
    n->at = net_get16(from + SAID_PLACE);
    n->total = net_get16(from + SAID_TOTAL);
    n->mtu = net_get16(from + SAID_MTU);
}

static void put_ports(uint8_t *to, const struct net_note *n)
{
    memcpy(to + UDP_SOURCE, &n->source_port, 2);
    memcpy(to + UDP_DESTINATION, &n->destination_port, 2);
    if (n->protocol != IPV4_UDP)
        net_put32(to + UDP_LENGTH, n->sequence);
}

static void get_ports(const uint8_t *from, struct net_note *n)
{
    memcpy(&n->source_port, from + UDP_SOURCE, 2);
    memcpy(&n->destination_port, from + UDP_DESTINATION, 2);
    if (n->protocol != IPV4_UDP)
        n->sequence = net_get32(from + UDP_LENGTH);
}

static void write4(uint8_t *frame, const struct net_note *n, size_t size)
{
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NOTE_FIRST;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IP_SIZE + UDP_SIZE + size));
    frame[IP_TTL] = 1;
    frame[IPV4_PROTOCOL] = n->protocol;
    memcpy(frame + IPV4_SOURCE, &n->source.words[3], 4);
    memcpy(frame + IPV4_DESTINATION, &n->destination.words[3], 4);
    frame[OPTION] = OPTION_TYPE;
    frame[OPTION + 1] = OPTION_SIZE;
    put_said(frame + SAID, n);
    uint16_t sum = net_fold(net_sum(0, frame + ETH_SIZE, IP_SIZE));
    memcpy(frame + IP_CHECKSUM, &sum, sizeof sum);
    put_ports(frame + PORTS, n);
    if (n->protocol == IPV4_UDP)
        net_put16(frame + PORTS + UDP_LENGTH, (uint16_t)(UDP_SIZE + size));
}

static void write6(uint8_t *frame, const struct net_note *n, size_t size)
{
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    net_put32(frame + IPV6_FIRST, NOTE6_FIRST);
    net_put16(frame + IPV6_LENGTH, (uint16_t)(NOTE6_HEADERS - PORTS6 + size));
    frame[IPV6_NEXT] = n->protocol;
    frame[IPV6_HOP_LIMIT] = 1;
    memcpy(frame + IPV6_SOURCE, &n->source, sizeof n->source);
    memcpy(frame + IPV6_DESTINATION, &n->destination, sizeof n->destination);
    put_ports(frame + PORTS6, n);
    put_said(frame + SAID6, n);
}

size_t net_note_write(uint8_t *frame, const struct net_note *n)
{
    size_t size = n->kind == NOTE_PIECE ? n->size : 0;
    size_t headers = net_note_is_ipv6(n) ? NOTE6_HEADERS : NOTE_HEADERS;

    memset(frame, 0, headers);
    if (net_note_is_ipv6(n))
        write6(frame, n, size);
    else
        write4(frame, n, size);
    if (size)
        memcpy(frame + headers, n->payload, size);
    return headers + size;
}

/* As far as a family's own parts say. */
static bool read4(const uint8_t *frame, size_t length, struct net_note *n)
{
    if (length < NOTE_HEADERS || frame[IPV4_FIRST] != NOTE_FIRST || frame[OPTION] != OPTION_TYPE ||
        frame[OPTION + 1] != OPTION_SIZE)
        return false;
    size_t total = net_get16(frame + IPV4_LENGTH);
    if (total < IP_SIZE + UDP_SIZE || total > length - ETH_SIZE)
        return false;
    n->protocol = frame[IPV4_PROTOCOL];
    n->payload = frame + NOTE_HEADERS;
    n->size = total - IP_SIZE - UDP_SIZE;
    memcpy(&n->source.words[3], frame + IPV4_SOURCE, 4);
    memcpy(&n->destination.words[3], frame + IPV4_DESTINATION, 4);
    n->source.words[2] = n->destination.words[2] = NET_WIRE32(0xffff);
    get_ports(frame + PORTS, n);
    get_said(frame + SAID, n);
    return true;
}

static bool read6(const uint8_t *frame, size_t length, struct net_note *n)
{
    if (length < NOTE6_HEADERS || net_get32(frame + IPV6_FIRST) != NOTE6_FIRST)
        return false;
    size_t total = net_get16(frame + IPV6_LENGTH);
    if (total < NOTE6_HEADERS - PORTS6 || total > length - PORTS6)
        return false;
    n->protocol = frame[IPV6_NEXT];
    n->payload = frame + NOTE6_HEADERS;
    n->size = total - (NOTE6_HEADERS - PORTS6);
    memcpy(&n->source, frame + IPV6_SOURCE, sizeof n->source);
    memcpy(&n->destination, frame + IPV6_DESTINATION, sizeof n->destination);
    get_ports(frame + PORTS6, n);
    get_said(frame + SAID6, n);
    return net_note_is_ipv6(n) && (n->type != NOTE6_TOO_BIG || n->mtu >= NOTE6_MTU_LEAST);
}

bool net_note_read(const uint8_t *frame, size_t length, struct net_note *n)
{
    if (length < NOTE_HEADERS)
        return false;
    uint16_t type = net_get16(frame + ETH_TYPE);
    *n = (struct net_note){.kind = 0};
    bool is_there = type == ETH_TYPE_IPV4 ? read4(frame, length, n)
                                          : type == ETH_TYPE_IPV6 && read6(frame, length, n);
    if (!is_there)
        return false;
    if (n->kind == NOTE_ERROR)
        return n->size == 0;
    return n->kind == NOTE_PIECE && n->size > 0 && n->size <= NOTE_PIECE_MAX &&
           n->at + n->size <= n->total;
}

#define UNREACHABLE   3 /* RFC 792's types */
#define TIME_EXCEEDED 11
#define PARAMETER     12

static int errno_of4(const struct net_note *n)
{
    /* Destination unreachable's codes: RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1). */
    static const uint8_t codes[] = {ENETUNREACH,  EHOSTUNREACH, ECONNREFUSED, ECONNREFUSED,
                                    EMSGSIZE,     EHOSTUNREACH, ENETUNREACH,  EHOSTUNREACH,
                                    EHOSTUNREACH, ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
                                    EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH};

    if (n->type == UNREACHABLE)
        return n->code < sizeof codes ? codes[n->code] : EHOSTUNREACH;
    if (n->type == TIME_EXCEEDED)
        return EHOSTUNREACH;
    return n->type == PARAMETER ? EPROTO : 0;
}

static int errno_of6(const struct net_note *n)
{
    /* Destination unreachable's codes: RFC 4443, section 3.1. */
    static const uint8_t codes[] = {ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
                                    ECONNREFUSED, EACCES, EACCES};

    switch (n->type) {
    case NOTE6_UNREACHABLE:
        return n->code < sizeof codes ? codes[n->code] : EHOSTUNREACH;
    case NOTE6_TOO_BIG:
        return EMSGSIZE;
    case NOTE6_TIME_EXCEEDED:
        return EHOSTUNREACH;
    case NOTE6_PARAMETER:
        return EPROTO;
    default:
        return 0;
    }
}

int net_note_errno(const struct net_note *n)
{
    if (n->kind != NOTE_ERROR)
        return 0;
    return net_note_is_ipv6(n) ? errno_of6(n) : errno_of4(n);
}
