#include "kv/wire.h"

#include "libos/net/datagram.h"

#define TTL 64

/* Back to where it came from: no neighbour has to be known, so no sender can make kv wait. */
static size_t answer4(struct store *store, const struct wire *wire, const uint8_t *frame,
                      size_t length, uint8_t *out)
{
    struct net_datagram asked;

    if (!net_datagram_read(frame, length, &asked) || wire->is_local4(asked.source) != wire->is_loop)
        return 0;
    struct net_datagram d = {.source = asked.destination,
                             .destination = asked.source,
                             .source_port = asked.destination_port,
                             .destination_port = asked.source_port};
    d.size = kv_serve(store, asked.payload, asked.size, out + NET_DATAGRAM_HEADERS);
    return d.size ? net_datagram_write(out, &d, frame + ETH_SOURCE, wire->mac, TTL) : 0;
}

/* The filter has seen to the lower half of the address that it came to. */
static size_t answer6(struct store *store, const struct wire *wire, const uint8_t *frame,
                      size_t length, uint8_t *out)
{
    struct net_datagram6 asked;

    if (!net_datagram6_read(frame, length, &asked) || !wire->is_local6(&asked.destination) ||
        wire->is_local6(&asked.source) != wire->is_loop)
        return 0;
    struct net_datagram6 d = {.source = asked.destination,
                              .destination = asked.source,
                              .source_port = asked.destination_port,
                              .destination_port = asked.source_port};
    d.size = kv_serve(store, asked.payload, asked.size, out + NET_DATAGRAM6_HEADERS);
    return d.size ? net_datagram6_write(out, &d, frame + ETH_SOURCE, wire->mac, TTL) : 0;
}

size_t wire_answer(struct store *store, const struct wire *wire, const uint8_t *frame,
                   size_t length, uint8_t *out)
{
    bool is_six = length >= ETH_SIZE && net_get16(frame + ETH_TYPE) == ETH_TYPE_IPV6;

    return (is_six ? answer6 : answer4)(store, wire, frame, length, out);
}
