/*
 * What the files of sockets share; programs use sys/socket.h.
 *
 * A socket is an object of descriptors. What it does with bytes is its protocol's: UDP
 * (socket_udp.c) reads and writes the frames of its own ring, with nothing in between; TCP
 * (socket_tcp.c) is lwIP's.
 */
#ifndef EXOS_NET_SOCKET_H
#define EXOS_NET_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "libos/fd/fd.h"
#include "libos/net/ipv6.h"

struct net_lease;
struct net_offer;
struct share;
struct share_bytes;
struct socket;

/*
 * An end of a conversation; numbers as on the wire. An IPv4 address of an AF_INET6 socket is in
 * `address` alone, and is mapped (RFC 4291, 2.5.5.2) only on its way from and to the program.
 */
struct socket_end {
    uint32_t address;   /* of IPv4; 0: any, or none */
    uint16_t port;      /* 0: none */
    bool is_six : 1;    /* it was given as a struct sockaddr_in6, */
    bool is_nobody : 1; /* or as AF_UNSPEC */
    uint8_t scope;      /* sin6_scope_id */
    struct net_ipv6 six;
} __attribute__((aligned(8)));

static inline struct socket_end socket_end_ipv4(uint32_t address, uint16_t port)
{
    return (struct socket_end){.address = address, .port = port};
}

/* Whether a socket of that family can be given it. */
static inline bool socket_end_suits(bool is_six, const struct socket_end *end)
{
    return end->is_six == is_six || end->is_nobody;
}

/* Whether it means IPv6, and not an IPv4 address in disguise. */
static inline bool socket_end_is_ipv6(const struct socket_end *end)
{
    return end->is_six && !net_ipv6_is_mapped(&end->six);
}

/* One call's bytes and flags. */
struct socket_transfer {
    const struct iovec *vector;
    int count;
    size_t size; /* of the vector, bytes */
    int flags;   /* MSG_*, SOCKET_INFO; MSG_TRUNC is set where a datagram was cut */
    bool has_end;
    bool is_six;           /* the socket's */
    struct socket_end end; /* to; or from, and zeros before */
};

#define SOCKET_INFO 0x400 /* of flags: this is part of a struct socket_message */

/*
 * What goes along with a datagram (control.c). Received: where it came to, if the program wants to
 * know; sent: where it is to come from, if the program says so.
 */
struct socket_message {
    struct socket_transfer transfer;
    bool is_told;          /* the rest says something */
    unsigned interface;    /* from 1; 0: any */
    struct socket_end own; /* of ours; any: none */
};

static inline struct socket_message *socket_message_of(struct socket_transfer *t)
{
    return (struct socket_message *)t; /* its first member */
}

/* A protocol's part. Called with exos_hold held; results as those of struct fd_kind. */
struct socket_protocol {
    int type, number; /* SOCK_*, IPPROTO_* */
    int family;       /* AF_*; 0: AF_INET or AF_INET6 */
    bool speaks_ipv6; /* as well */
    size_t size;      /* of its own structure, which begins with struct socket */
    int (*bind)(struct socket *s, const struct socket_end *end);
    int (*connect)(struct socket *s, const struct socket_end *end); /* port 0: dissolve it */
    bool (*has_peer)(const struct socket *s);                       /* NULL: if peer has a port */
    int (*listen)(struct socket *s, int backlog);                   /* NULL: EOPNOTSUPP */
    /* The next connection, with references 0; or NULL with *error. */
    struct socket *(*accept)(struct socket *s, int *error);
    void (*put_back)(struct socket *s, struct socket *connection); /* it comes next again */
    ssize_t (*send)(struct socket *s, struct socket_transfer *t);
    ssize_t (*receive)(struct socket *s, struct socket_transfer *t);
    short (*ready)(struct socket *s, short events);
    int (*readable)(struct socket *s); /* bytes, for FIONREAD */
    int (*shutdown)(struct socket *s, int how);
    /* Options of its own; -ENOPROTOOPT for those of any protocol. NULL: none. */
    int (*set)(struct socket *s, int level, int option, const void *value, socklen_t size);
    int (*get)(struct socket *s, int level, int option, void *value, socklen_t *size);
    void (*close)(struct socket *s); /* frees what it has beyond its structure */
    void (*in_child)(struct socket *s);

    /*
     * For sockets of several processes (share.h); all NULL: there are none. lease: of its port, or
     * NULL. narrow: makes what is offered of that (as to share_offer_port) no more than the socket
     * has; 0 or a negated errno value; NULL: it has all. state_size: what give may write, at most.
     * give: writes the socket's state, and lets go of its ring and connection; false: it can't now.
     * take: the other half, with what give wrote, or NULL, if that is lost; 0 or a negated errno
     * value. forget: somebody else has it now, for good.
     */
    struct net_lease *(*lease)(struct socket *s);
    int (*narrow)(struct socket *s, const struct net_lease *lease, struct net_offer *offer);
    size_t (*state_size)(const struct socket *s);
    bool (*give)(struct socket *s, struct share_bytes *b);
    int (*take)(struct socket *s, const struct net_offer *offer, struct share_bytes *b);
    void (*forget)(struct socket *s);
};

struct socket {
    struct fd_object object;
    const struct socket_protocol *protocol;
    struct socket_end own, peer;
    uint64_t receive_ns, send_ns; /* SO_RCVTIMEO, SO_SNDTIMEO; 0: for ever */
    int error;                    /* SO_ERROR */
    bool is_six, six_only;        /* AF_INET6, IPV6_V6ONLY */
    bool broadcast;
    bool lost;           /* the frames come to another process */
    bool away;           /* to one that hands them over: share_hold asks for it */
    struct share *share; /* others have it, too; or NULL */
    uint8_t ttl, tos;    /* hop limit; type of service, or traffic class */
    bool shut[2];        /* SHUT_RD, SHUT_WR */
};

extern const struct fd_kind socket_kind;
extern const struct socket_protocol socket_udp, socket_tcp;

/* What this program's sockets can be, up to a NULL: linked by what it names (CMakeLists.txt). */
extern const struct socket_protocol *const socket_protocols[];

#define SOCKET_TTL 64 /* at first: RFC 1340's recommendation */

extern bool sockets_made; /* by this program, ever */

/*
 * Result of a protocol's function: while it waited another process was given the socket. It is
 * called again when that has handed it back.
 */
#define SOCKET_MOVED 0x6000

/* fd_wait, and SOCKET_MOVED, negated. */
int socket_wait(struct socket *s, const struct aegis_predicate *when, size_t count,
                uint64_t deadline);

/* Before a socket is used: 0, or why it can't be (share_hold); flags may have MSG_DONTWAIT. */
int socket_hold_slowly(struct socket *s, int flags);
static inline int socket_hold(struct socket *s, int flags)
{
    return __builtin_expect(s->lost || s->share, 0) ? socket_hold_slowly(s, flags) : 0;
}

/* A new socket, calloc'ed, with references 0; NULL without memory. */
struct socket *socket_make(const struct socket_protocol *protocol);

/* Whether a socket can have that address as its own: -EADDRNOTAVAIL, -ENETDOWN. */
int socket_check_own(uint32_t address);

/* When a call that may wait gives up: 0 if it must not wait. */
uint64_t socket_deadline(const struct socket *s, uint64_t limit_ns, int flags);

/*
 * Copy between a transfer's vector and memory; to the vector, from its byte `at` on. Returns how
 * many bytes, as many as it has. Mostly it is of one piece.
 */
size_t socket_gather_parts(const struct socket_transfer *t, void *to, size_t most);
size_t socket_scatter_parts(const struct socket_transfer *t, size_t at, const void *from,
                            size_t size);

static inline size_t socket_gather(const struct socket_transfer *t, void *to, size_t most)
{
    if (t->count != 1)
        return socket_gather_parts(t, to, most);
    size_t size = t->vector->iov_len < most ? t->vector->iov_len : most;
    memcpy(to, t->vector->iov_base, size);
    return size;
}

static inline size_t socket_scatter(const struct socket_transfer *t, size_t at, const void *from,
                                    size_t size)
{
    if (t->count != 1 || at > t->vector->iov_len)
        return socket_scatter_parts(t, at, from, size);
    size_t room = t->vector->iov_len - at;
    size = room < size ? room : size;
    memcpy((uint8_t *)t->vector->iov_base + at, from, size);
    return size;
}

/* Values of options: an int in a range (-EINVAL), and what is told of one. */
int socket_read_int(const void *value, socklen_t size, int least, int most, int *number);
int socket_write_value(void *value, socklen_t *size, const void *from, socklen_t has);

/* The same of flags, which take any int. */
int socket_read_flag(const void *value, socklen_t size, bool *flag);
int socket_read_linger(const void *value, socklen_t size, struct linger *linger);

/* socket_option.c: options of any protocol; results as of the POSIX calls, with negative errno
 * values. socket_set_ip: those of IPPROTO_IP and IPPROTO_IPV6, with type of service bits that are
 * TCP's own. */
int socket_set(struct socket *s, int level, int option, const void *value, socklen_t size);
int socket_set_ip(struct socket *s, int level, int option, const void *value, socklen_t size,
                  uint8_t kept_service);
int socket_get(struct socket *s, int level, int option, void *value, socklen_t *size);

/* Between struct sockaddr and ends; -EINVAL, -EAFNOSUPPORT. AF_UNSPEC gives port 0. */
int socket_read_end(const struct sockaddr *address, socklen_t size, struct socket_end *end);

/* What a program says in msg_control of a message that is sent: into m->interface and m->own.
 * -EINVAL. */
int socket_read_control(const struct msghdr *message, struct socket_message *m);

/* What m tells of a datagram that was received, into msg_control; MSG_CTRUNC into msg_flags if
 * there is no room. */
void socket_write_control(bool is_six, const struct socket_message *m, struct msghdr *message);

/* Of whom something is sent to: 0.0.0.0 and :: are this machine, as elsewhere. */
void socket_name_self(struct socket_end *end);
/* An address of which no more is known. */
void socket_write_family(int family, struct sockaddr *address, socklen_t *size);
void socket_write_end(bool is_six, const struct socket_end *end, struct sockaddr *address,
                      socklen_t *size);

#endif
