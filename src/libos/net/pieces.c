#include "libos/net/pieces.h"

#include <stdlib.h>

void net_pieces_forget(struct net_pieces *p)
{
    free(p->bytes);
    p->bytes = NULL;
}

void net_pieces_take(struct net_pieces *p, const struct net_note *n)
{
    if (n->at == 0) {
        net_pieces_forget(p);
        *p = (struct net_pieces){.bytes = malloc(n->total),
                                 .sender = p->sender,
                                 .number = p->number,
                                 .total = n->total,
                                 .source = n->source,
                                 .source_port = n->source_port,
                                 .destination = n->destination};
    }
    if (!p->bytes)
        return;
    if (n->at != p->have || n->total != p->total || n->source_port != p->source_port ||
        !net_ipv6_equal(&n->source, &p->source)) { /* the ring had no room for some */
        net_pieces_forget(p);
        return;
    }
    memcpy(p->bytes + p->have, n->payload, n->size);
    p->have += n->size;
}

bool net_pieces_whole(const struct net_pieces *p, struct net_datagram *d)
{
    if (!p->bytes || p->have < p->total)
        return false;
    bool is_four = net_ipv6_is_mapped(&p->source);
    *d = (struct net_datagram){.source = is_four ? p->source.words[3] : 0,
                               .source_port = p->source_port,
                               .destination = is_four ? p->destination.words[3] : 0,
                               .payload = p->bytes,
                               .size = p->total};
    return true;
}

struct net_pieces *net_pieces_place(struct net_pieces *places, size_t count, uint32_t sender,
                                    const struct net_note *n)
{
    struct net_pieces *place = places;
    uint64_t last = 0;

    for (struct net_pieces *p = places; p < places + count; p++) {
        if (p->bytes && p->sender == sender)
            return p;
        if (!p->bytes || (place->bytes && p->number < place->number))
            place = p;
        last = p->number > last ? p->number : last;
    }
    if (n->at)
        return NULL;
    place->sender = sender;
    place->number = last + 1;
    return place;
}
