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
#define AT_KIND     (OPTION + 2)
#define AT_TYPE     (OPTION + 3)
#define AT_CODE     (OPTION + 4)
#define AT_PLACE    (OPTION + 6)
#define AT_TOTAL    (OPTION + 8)
#define AT_MTU      (OPTION + 10)

#define PORTS (ETH_SIZE + IP_SIZE)

size_t net_note_write(uint8_t *frame, const struct net_note *n)
{
    size_t size = n->kind == NOTE_PIECE ? n->size : 0;

    memset(frame, 0, NOTE_HEADERS);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NOTE_FIRST;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(IP_SIZE + UDP_SIZE + size));
    frame[IP_TTL] = 1;
    frame[IPV4_PROTOCOL] = n->protocol;
    memcpy(frame + IPV4_SOURCE, &n->source, 4);
    memcpy(frame + IPV4_DESTINATION, &n->destination, 4);
    frame[OPTION] = OPTION_TYPE;
    frame[OPTION + 1] = OPTION_SIZE;
    frame[AT_KIND] = n->kind;
    frame[AT_TYPE] = n->type;
    frame[AT_CODE] = n->code;
    net_put16(frame + AT_PLACE, n->at);
    net_put16(frame + AT_TOTAL, n->total);
    net_put16(frame + AT_MTU, n->mtu);
    uint16_t sum = net_fold(net_sum(0, frame + ETH_SIZE, IP_SIZE));
    memcpy(frame + IP_CHECKSUM, &sum, sizeof sum);
    memcpy(frame + PORTS + UDP_SOURCE, &n->source_port, 2);
    memcpy(frame + PORTS + UDP_DESTINATION, &n->destination_port, 2);
    if (n->protocol == IPV4_UDP)
        net_put16(frame + PORTS + UDP_LENGTH, (uint16_t)(UDP_SIZE + size));
    else
        net_put32(frame + PORTS + UDP_LENGTH, n->sequence);
    if (size)
        memcpy(frame + NOTE_HEADERS, n->payload, size);
    return NOTE_HEADERS + size;
}

bool net_note_read(const uint8_t *frame, size_t length, struct net_note *n)
{
    if (length < NOTE_HEADERS || net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4 ||
        !net_is_note(frame) || frame[OPTION] != OPTION_TYPE || frame[OPTION + 1] != OPTION_SIZE)
        return false;
    size_t total = net_get16(frame + IPV4_LENGTH);
    if (total < IP_SIZE + UDP_SIZE || total > length - ETH_SIZE)
        return false;
    *n = (struct net_note){.kind = frame[AT_KIND],
                           .protocol = frame[IPV4_PROTOCOL],
                           .type = frame[AT_TYPE],
                           .code = frame[AT_CODE],
                           .mtu = net_get16(frame + AT_MTU),
                           .at = net_get16(frame + AT_PLACE),
                           .total = net_get16(frame + AT_TOTAL),
                           .payload = frame + NOTE_HEADERS,
                           .size = total - IP_SIZE - UDP_SIZE};
    memcpy(&n->source, frame + IPV4_SOURCE, 4);
    memcpy(&n->destination, frame + IPV4_DESTINATION, 4);
    memcpy(&n->source_port, frame + PORTS + UDP_SOURCE, 2);
    memcpy(&n->destination_port, frame + PORTS + UDP_DESTINATION, 2);
    if (n->protocol != IPV4_UDP)
        n->sequence = net_get32(frame + PORTS + UDP_LENGTH);
    if (n->kind == NOTE_ERROR)
        return n->size == 0;
    return n->kind == NOTE_PIECE && n->size > 0 && n->at + n->size <= n->total;
}

#define UNREACHABLE   3 /* RFC 792's types */
#define TIME_EXCEEDED 11
#define PARAMETER     12

int net_note_errno(const struct net_note *n)
{
    /* Destination unreachable's codes: RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1). */
    static const uint8_t codes[] = {ENETUNREACH,  EHOSTUNREACH, ECONNREFUSED, ECONNREFUSED,
                                    EMSGSIZE,     EHOSTUNREACH, ENETUNREACH,  EHOSTUNREACH,
                                    EHOSTUNREACH, ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
                                    EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH};

    if (n->kind != NOTE_ERROR)
        return 0;
    if (n->type == UNREACHABLE)
        return n->code < sizeof codes ? codes[n->code] : EHOSTUNREACH;
    if (n->type == TIME_EXCEEDED)
        return EHOSTUNREACH;
    return n->type == PARAMETER ? EPROTO : 0;
}
