/* UDP's sockets of several processes (share.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/share_bytes.h"
#include "libos/net/udp.h"

/* The ring and the binding are the parent's, and so is what came before. */
void udp_in_child(struct socket *s)
{
    struct udp *u = (struct udp *)s;

    u->has_lease = false;
    udp_forget_pieces(u);
    for (int i = 0; i < 2; i++) {
        free(u->before[i].ring);
        u->before[i].ring = NULL;
    }
}

struct net_lease *udp_lease(struct socket *s)
{
    struct udp *u = (struct udp *)s;
    return u->has_lease ? &u->lease : NULL;
}

#define KEPT_FRAMES 32 /* datagrams that are handed over; more are lost */

struct kept {
    uint16_t length;
    uint8_t is_loop, is_told; /* net_is_told */
};

/* What goes along beside them. */
struct head {
    uint8_t count, has_address, wanted, is_six, six_only;
};

size_t udp_state_size(const struct socket *s)
{
    (void)s;
    return KEPT_FRAMES * (sizeof(struct kept) + AEGIS_FRAME_MAX) + sizeof(struct head);
}

/* Inside of another's binding this one makes room for who comes next; what has none around it
 * stays, so that nothing is told meanwhile that the port is closed. */
bool udp_give(struct socket *s, struct share_bytes *b)
{
    struct udp *u = (struct udp *)s;
    struct aegis_slot_header *slot;
    struct head head = {0, u->has_address, u->wanted, s->is_six, s->six_only};
    uint8_t *to = b->at;

    share_put(b, &head, sizeof head);
    udp_forget_pieces(u); /* as if one of them had been lost */
    while (u->has_lease && (slot = udp_oldest(u))) {
        bool is_loop = udp_is_from_loop(u);
        struct kept kept = {(uint16_t)slot->length, is_loop, is_loop && net_is_told(slot)};
        if (head.count < KEPT_FRAMES && b->ok && slot->length <= AEGIS_FRAME_MAX) {
            share_put(b, &kept, sizeof kept);
            share_put(b, net_frame(slot), slot->length);
            head.count++;
        }
        net_release(u->from);
    }
    if (u->has_lease && !net_lease_is_outermost(&u->lease)) {
        net_lease_end(&u->lease);
        u->has_lease = false;
    }
    memcpy(to, &head, sizeof head);
    return true; /* udp_state_size says that there is room */
}

/* Room for `slots` frames, as if a ring had been filled with them. */
static bool make_before(struct net *net)
{
    size_t header = (sizeof *net->ring + 63) & ~63UL;
    uint8_t *memory = malloc(header + KEPT_FRAMES * AEGIS_SLOT_SIZE);

    if (!memory)
        return false;
    *net = (struct net){
        .ring = (struct aegis_ring *)memory, .slots = memory + header, .mask = KEPT_FRAMES - 1};
    memset(memory, 0, header);
    return true;
}

static void keep(struct net *net, const struct kept *kept, const uint8_t *frame)
{
    const uint32_t sender = !kept->is_told; /* anybody but 0 */

    if (!net->ring && !make_before(net))
        return; /* as if they had been lost on the way */
    struct aegis_slot_header *slot = net_slot(net, net->ring->head++);
    slot->length = kept->length;
    memcpy((uint8_t *)slot + AEGIS_SLOT_SENDER, &sender, sizeof sender);
    memcpy(net_frame(slot), frame, kept->length);
}

static void take_frames(struct udp *u, uint8_t count, struct share_bytes *b)
{
    struct kept kept;

    while (count-- > 0 && share_get(b, &kept, sizeof kept)) {
        const uint8_t *frame = share_get_in_place(b, kept.length);
        struct net *net = &u->before[kept.is_loop != 0];
        if (!frame || kept.length > AEGIS_FRAME_MAX ||
            (net->ring && net->ring->head - net->tail >= KEPT_FRAMES))
            return;
        keep(net, &kept, frame);
    }
}

int udp_take(struct socket *s, const struct net_offer *offer, struct share_bytes *b)
{
    const struct net_ipv6 nobody = {{0}};
    struct udp *u = (struct udp *)s;
    struct head head;

    if (offer->port.protocol != IPPROTO_UDP)
        return -ENETDOWN;
    bool loop = offer->has_loop != 0;
    if (!u->has_lease && net_lease_join(&u->lease, offer, &nobody, 0, UDP_SLOTS, true, loop))
        return -errno;
    u->has_lease = true;
    if (b && share_get(b, &head, sizeof head)) {
        u->has_address = head.has_address != 0;
        u->wanted = head.wanted <= 1 + NET_BOTH ? head.wanted : 0;
        s->is_six = head.is_six != 0;
        s->six_only = head.six_only != 0;
        take_frames(u, head.count, b);
    }
    s->own.port = htons(u->lease.port);
    return 0;
}

void udp_forget(struct socket *s)
{
    struct udp *u = (struct udp *)s;

    udp_close(s);
    u->has_lease = false;
}
