/* What the files of UDP's sockets share: socket_udp.c, socket_udp6.c for what is IPv6 there, and
 * udp_*.c. */
#ifndef EXOS_NET_UDP_H
#define EXOS_NET_UDP_H

#include <errno.h>
#include <string.h>

#include "libos/net/datagram.h"
#include "libos/net/pieces.h"
#include "libos/net/service.h"
#include "libos/net/socket.h"

#define UDP_SENDERS 4 /* programs that may be sending pieces to a socket at once */

struct udp {
    struct socket socket;
    bool has_lease, has_address; /* of its own, by bind */
    uint8_t wanted;              /* 1 + the enum net_family that bind wants a port of; 0: none */
    struct net_lease lease;
    /* What another process had received before it handed the socket over: each like a ring that
     * nothing is added to, the device's and the loop's. */
    struct net before[2];
    struct net *from; /* where the oldest datagram lies; NULL: in `whole` */
    /* Datagrams that come in pieces: by netd, and, each in a place of its own, of this machine's
     * programs; so the ones don't get into the others' way. */
    struct net_pieces told, pieces[UDP_SENDERS];
    struct net_pieces *whole; /* one of them, if it is */
    bool is_from_six;         /* whether it is of IPv6; then */
    struct socket_end sender; /* where it came from */
    struct net_ipv6 receiver; /* and, unless it came in pieces, to */
    uint16_t path;   /* what packets to the peer may be in IPv6, bytes; 0: nobody has said */
    bool tells_info; /* IP_PKTINFO, IPV6_RECVPKTINFO */
    /* Said and told again; they mean nothing to datagrams. */
    bool reuses, keep_alive;
    struct linger linger;
    /* Of the datagram that was looked at last: the sender, if it is of IPv4, and the hardware
     * addresses (udp_heard). */
    uint32_t heard;
    uint8_t heard_frame[12] __attribute__((aligned(4))); /* its first bytes */
    /* A short datagram under way; as in all buffers the frame lies behind NET_FRAME_LEAD bytes. */
    uint8_t out[NET_FRAME_LEAD + AEGIS_HEADER_COPY] __attribute__((aligned(8)));
};

#define UDP_HOP_RETRY 20000000UL /* ns: until a neighbour is looked up again, at most */

/* Takes a port, 0: any, unless it has one. 0 or a negative errno value, as all of these. */
int udp_take_port(struct udp *u, uint16_t port);

/* What is for the machine itself comes by another ring, and what netd tells of the port. */
#define UDP_SLOTS      32
#define UDP_NOTE_SLOTS 8 /* where nothing but notes comes by */
int udp_open_loop(struct udp *u, uint64_t slots);

/* The oldest slot that wasn't released, and u->from; or NULL. The socket has a lease. */
struct aegis_slot_header *udp_oldest(struct udp *u);

/* Whether that came over the loop interface. */
static inline bool udp_is_from_loop(const struct udp *u)
{
    return u->from == &u->lease.loop || u->from == &u->before[1];
}

void udp_close(struct socket *s);

/* udp_share.c: for struct socket_protocol. */
void udp_in_child(struct socket *s);
struct net_lease *udp_lease(struct socket *s);
size_t udp_state_size(const struct socket *s);
bool udp_give(struct socket *s, struct share_bytes *b);
int udp_take(struct socket *s, const struct net_offer *offer, struct share_bytes *b);
void udp_forget(struct socket *s);

/* Whether an IPv4 datagram is this socket's. */
bool udp_is_mine(const struct udp *u, const struct net_datagram *d);

/* A source that is somebody (RFC 1122, 3.2.1.3), and none of the machine's own addresses: what
 * those send comes over the loop interface. */
static inline bool udp_is_from_outside(uint32_t source)
{
    uint8_t first = (uint8_t)source;
    return first - 1U < 223 && !net_is_local(net_service(), source);
}

/* In words that are aligned in a slot; true. source: 0 of IPv6. */
static inline bool udp_note_sender(struct udp *u, const uint8_t *frame, uint32_t source)
{
    u->heard = source;
    memcpy(u->heard_frame, frame, 2);
    memcpy(u->heard_frame + 2, __builtin_assume_aligned(frame + 2, 8), 8);
    memcpy(u->heard_frame + 10, __builtin_assume_aligned(frame + 10, 4), 2);
    return true;
}

/*
 * Whether a neighbour who isn't known is who the last datagram came from: then an answer goes to
 * the hardware address that it had. Who sends in a name that nobody answers to gets his answers
 * himself, and nobody waits for that name's owner. What netd has put together of fragments comes
 * over the loop interface, with the sender's hardware address in the place of the destination's.
 */
static inline bool udp_heard(const struct udp *u, bool is_sender, uint8_t mac[6])
{
    const uint8_t none[6] = {0}, *from = u->heard_frame + ETH_SOURCE;

    if (!memcmp(from, none, sizeof none))
        from = u->heard_frame + ETH_DESTINATION;
    if (!is_sender || (errno != EAGAIN && errno != EHOSTUNREACH) || (*from & 1) ||
        !memcmp(from, none, sizeof none))
        return false;
    memcpy(mac, from, sizeof none);
    return true;
}

/* Before a step is tried again that has said in errno EAGAIN: waits, where the call may. */
int udp_try_again(struct udp *u, uint64_t deadline);

/* Sends a frame; waits for room until deadline. */
int udp_hand_over(struct udp *u, const struct net *by, const uint8_t *frame, size_t length,
                  uint64_t deadline);

static inline bool udp_is_loopback(uint32_t address)
{
    return (address & 0xff) == 127; /* its first byte: RFC 1122, 3.2.1.3 */
}

/* Which of our addresses datagrams to another come from. */
static inline uint32_t udp_source_towards(uint32_t address)
{
    return udp_is_loopback(address) ? htonl(INADDR_LOOPBACK) : net_service()->address;
}

/* udp_bind.c: for struct socket_protocol. */
int udp_bind(struct socket *s, const struct socket_end *end);
int udp_connect(struct socket *s, const struct socket_end *end);

/* udp_option.c: for struct socket_protocol. */
int udp_set(struct socket *s, int level, int option, const void *value, socklen_t size);
int udp_get(struct socket *s, int level, int option, void *value, socklen_t *size);

/* With SOCKET_INFO: tells of the datagram that was received; and takes, of one to be sent, the
 * source that was said: false if none was. -EINVAL (it isn't ours), -ENODEV. */
void udp_tell_info(const struct udp *u, const struct net_datagram *d, struct socket_transfer *t);
int udp_find_info(struct udp *u, struct socket_transfer *t, const struct socket_end **source);

/* The notes that have come, for who doesn't receive. */
void udp_look_for_notes(struct udp *u);

/* Takes a note: an error into the socket's, a piece into u->pieces. false if it is none that is
 * believed: errors are netd's, pieces also those of a port of this machine. */
bool udp_take_note(struct udp *u, const struct aegis_slot_header *slot, const uint8_t *frame);

/* The datagram that has come in pieces, u->whole. */
void udp_take_whole(struct udp *u, struct net_datagram *d);
void udp_forget_whole(struct udp *u);
void udp_forget_pieces(struct udp *u); /* and those that aren't whole */

/*
 * Sends what doesn't fit into a frame: from an address, IPv4's mapped, to a port of the like, by
 * the next hop's hardware address, zero: to this machine. At most UDP_LONG_MAX bytes, as others
 * leave a quarter of the receiver's ring (aegis_ring, share).
 */
#define UDP_LONG_MAX (UDP_SLOTS / 4 * 3 * NOTE_PIECE_MAX)
ssize_t udp_send_pieces(struct udp *u, const struct socket_transfer *t,
                        const struct net_ipv6 *source, const struct socket_end *end,
                        const uint8_t mac[6], uint64_t deadline);

/* What is known against sending and receiving, negated: it is told once. */
int udp_take_error(struct udp *u);

/* An AF_INET6 socket's part; `end` is no IPv4 address in disguise. */
int udp6_bind(struct udp *u, const struct socket_end *end);
int udp6_connect(struct udp *u, const struct socket_end *end);
ssize_t udp6_send(struct udp *u, struct socket_transfer *t, const struct socket_end *end);
int udp6_get(const struct udp *u, int option, void *value, socklen_t *size);

/* Whether a slot holds a datagram of IPv6 for it; then it is in *d, but for where it came from:
 * that is u->sender. */
bool udp6_take(struct udp *u, struct aegis_slot_header *slot, struct net_datagram *d);

#endif
