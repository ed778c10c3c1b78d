/*
 * The neighbours' hardware addresses: a page of netd's that its handler fills when an answer comes
 * (apps/netd/arp.c), and that every application reads. Compiled as BPF too, so it stands alone.
 *
 * Who fills what: netd puts an address into its place and marks it WANTED before it asks the
 * network; only a place that is wanted takes an answer. So nobody on the network can put an entry
 * there, or change one, that wasn't asked for at the time; nor change one that is only asked for
 * again, until that was asked in vain (apps/netd/asking.h).
 */
#ifndef EXOS_NET_NEIGHBOUR_H
#define EXOS_NET_NEIGHBOUR_H

#define NEIGHBOURS          256
#define NEIGHBOUR_WANTED    (1UL << 48) /* asked for: an answer is taken */
#define NEIGHBOUR_KNOWN     (1UL << 49) /* the hardware address is there */
#define NEIGHBOUR_MAC_MASK  0xffffffffffffUL
#define NEIGHBOUR_FRESH     60 /* s: until netd asks anew, while the old one still serves */
#define NEIGHBOUR_ASK_AGAIN 1  /* s between two questions */

struct net_neighbour {
    unsigned int address; /* IPv4, as on the wire; 0: the place is free */
    unsigned int seconds; /* since boot, when it was learnt */
    /* The hardware address as it stands in memory in the lower 48 bits, and NEIGHBOUR_*: one word,
     * so that who reads it sees it whole. */
    unsigned long long word;
};

/* The one place of an address (in host byte order) in the table. */
static inline unsigned int net_neighbour_place(unsigned int address)
{
    return (address ^ address >> 8 ^ address >> 16 ^ address >> 24) % NEIGHBOURS;
}

#endif
