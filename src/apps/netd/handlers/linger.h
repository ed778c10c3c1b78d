/*
 * Connections of TCP that programs left behind when they ended: a table that netd fills
 * (NETD_LINGER), its other process goes on with (late.c), and the handler of answers looks up, as a
 * map, "lingering". Also compiled as BPF, so it stands alone.
 *
 * Who changes what: netd alone puts entries in, and takes over one whose time is over. It stores
 * 0 in `state` first, then the rest, then the new state. Else `state` is changed by the other
 * process alone, by comparing and exchanging it: what it has worked out for an entry that is
 * another's by now is lost.
 */
#ifndef NETD_HANDLERS_LINGER_H
#define NETD_HANDLERS_LINGER_H

#define LINGER_SETS 32 /* a power of two */
#define LINGER_WAYS 7  /* entries of a set: with what is before them it has 512 bytes */

struct linger_entry {
    unsigned int remote[4], local[4]; /* as on the wire; those of IPv4 are mapped (RFC 4291) */
    unsigned int ports;    /* as in a segment of the peer's: in memory its port comes first */
    unsigned int own_next; /* the sequence number behind our FIN */
    /* The peer's next sequence number; from bit 32 an enum net_linger_state, 0: nothing; from
     * bit 40 a number that tells uses of the entry apart. */
    unsigned long long state;
    unsigned int until;   /* seconds since boot; then it is over */
    unsigned char mac[6]; /* the next hop's; all 0: it isn't known */
    unsigned char gap[6];
};

#define LINGER_STATE(word)  ((unsigned char)((word) >> 32))
#define LINGER_NUMBER(word) ((word) >> 40)

struct linger_set {
    unsigned long long
        given; /* in the first set of the interface: of all tables, how many were put in, ever */
    unsigned long long gap[7];
    struct linger_entry entries[LINGER_WAYS];
};

/* The set of a connection. */
static inline unsigned int linger_place(unsigned int remote, unsigned int ports)
{
    unsigned int all = remote ^ ports;

    all ^= all >> 16;
    return (all ^ all >> 8 ^ all >> 5) % LINGER_SETS;
}

#endif
