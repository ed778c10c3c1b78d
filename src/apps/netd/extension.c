#include "extension.h"

#include "libos/net/headers.h"

#define NEXT        6 /* in the IPv6 header: the next header, */
#define DESTINATION 24
#define LENGTH      4

#define UNIT           8 /* bytes that lengths of headers count in, beyond the first eight */
#define OPTIONS_BEGIN  2 /* in a header of options */
#define ROUTING_TYPE   2 /* in a routing header */
#define ROUTING_LEFT   3
#define FRAGMENT_PLACE 2 /* in a fragment header: offset in units of 8, two bits, more */
#define FRAGMENT_ID    4
#define MORE           1

#define PAD_ONE        0 /* an option without length */
#define PAD            1
#define ACTION(option) ((option) >> 6)
#define GOES_ON        0 /* past an unknown one */
#define DROPS          1
#define IS_TOLD        2 /* the sender, even of a packet to a group */

#define TCP_OFFSET 12
#define TCP_LEAST  20
#define REDIRECT   137

static enum extension_verdict problem(struct extension *e, enum extension_problem code, size_t at)
{
    e->code = (uint8_t)code;
    e->pointer = (uint32_t)at;
    return EXTENSION_PROBLEM;
}

/* The options of a header from `at` to `end`. */
static enum extension_verdict read_options(const uint8_t *packet, size_t at, size_t end,
                                           struct extension *e)
{
    while (at < end) {
        uint8_t option = packet[at];
        if (option == PAD_ONE) {
            at++;
            continue;
        }
        if (end - at < 2 || packet[at + 1] > end - at - 2)
            return problem(e, EXTENSION_BAD_FIELD, at + (end - at < 2 ? 0 : 1));
        if (ACTION(option) == DROPS)
            return EXTENSION_DROPS;
        if (ACTION(option) != GOES_ON)
            return ACTION(option) == IS_TOLD || packet[DESTINATION] != 0xff
                       ? problem(e, EXTENSION_BAD_OPTION, at)
                       : EXTENSION_DROPS;
        at += 2 + (size_t)packet[at + 1];
    }
    return EXTENSION_PASSES;
}

/* A fragment header; of one that is a fragment the rest is another packet's, but of the first. */
static enum extension_verdict read_fragment(const uint8_t *header, struct extension *e)
{
    uint16_t place = net_get16(header + FRAGMENT_PLACE);

    if (place / UNIT == 0 && !(place & MORE))
        return EXTENSION_PASSES;
    if (e->is_fragment)
        return EXTENSION_DROPS; /* of a fragment */
    e->is_fragment = true;
    e->fragment = e->at;
    e->offset = place / UNIT * UNIT;
    e->is_last = !(place & MORE);
    e->id = net_get32(header + FRAGMENT_ID);
    return EXTENSION_PASSES;
}

static bool is_extension(uint8_t next)
{
    return next == EXTENSION_HOPS || next == EXTENSION_OPTIONS || next == EXTENSION_ROUTING ||
           next == EXTENSION_FRAGMENT;
}

/* The packet ends before its headers do. */
static enum extension_verdict is_short(struct extension *e, size_t pointer)
{
    return e->is_fragment ? problem(e, EXTENSION_BAD_FRAGMENT, 0)
                          : problem(e, EXTENSION_BAD_FIELD, pointer);
}

/* One header, at e->at, and *next, the place where the one behind it is named. */
static enum extension_verdict read_header(const uint8_t *packet, size_t size, struct extension *e,
                                          size_t *next)
{
    const uint8_t *header = packet + e->at;
    enum extension_verdict verdict = EXTENSION_PASSES;

    if (size - e->at < UNIT)
        return is_short(e, LENGTH);
    size_t length = e->protocol == EXTENSION_FRAGMENT ? UNIT : (header[1] + 1U) * UNIT;
    if (length > size - e->at)
        return is_short(e, e->at + 1);
    if (e->protocol == EXTENSION_FRAGMENT)
        verdict = read_fragment(header, e);
    else if (e->protocol != EXTENSION_ROUTING)
        verdict = read_options(packet, e->at + OPTIONS_BEGIN, e->at + length, e);
    else if (header[ROUTING_LEFT])
        verdict = problem(e, EXTENSION_BAD_FIELD, e->at + ROUTING_TYPE);
    *next = e->at;
    e->at += length;
    e->protocol = *header;
    return verdict;
}

/* Whether the header of what a first fragment carries is in it, options of TCP included. */
static bool is_all(const uint8_t *packet, size_t size, const struct extension *e)
{
    size_t left = size - e->at;

    if (e->protocol != IPV4_TCP)
        return left >= UNIT; /* UDP's, and all that ICMPv6's messages have in common */
    return left >= TCP_LEAST && left >= packet[e->at + TCP_OFFSET] / 16 * 4U;
}

enum extension_verdict extension_walk(const uint8_t *packet, size_t size, struct extension *e)
{
    enum extension_verdict verdict;
    size_t next = NEXT;

    *e = (struct extension){.at = IPV6_SIZE, .protocol = packet[NEXT]};
    while (is_extension(e->protocol)) {
        if (e->protocol == EXTENSION_HOPS && next != NEXT) /* RFC 8200, section 4.1 */
            return problem(e, EXTENSION_BAD_HEADER, next);
        verdict = read_header(packet, size, e, &next);
        if (verdict != EXTENSION_PASSES || (e->is_fragment && e->offset))
            return verdict;
    }
    if (e->protocol == EXTENSION_NOTHING)
        return EXTENSION_DROPS;
    if (e->protocol != IPV4_UDP && e->protocol != IPV4_TCP && e->protocol != IPV6_ICMP)
        return problem(e, EXTENSION_BAD_HEADER, next);
    if (e->is_fragment && !is_all(packet, size, e))
        return problem(e, EXTENSION_BAD_FRAGMENT, 0);
    return EXTENSION_PASSES;
}

bool extension_is_error(const uint8_t *packet, size_t size)
{
    uint8_t next = packet[NEXT];
    size_t at = IPV6_SIZE;

    while (is_extension(next) && size - at >= UNIT) {
        const uint8_t *header = packet + at;
        size_t length = next == EXTENSION_FRAGMENT ? UNIT : (header[1] + 1U) * UNIT;
        if (length > size - at ||
            (next == EXTENSION_FRAGMENT && net_get16(header + FRAGMENT_PLACE) / UNIT))
            return false;
        next = *header;
        at += length;
    }
    return next == IPV6_ICMP && at < size && (packet[at] < 128 || packet[at] == REDIRECT);
}
