/* POSIX net/if.h: network interfaces by name and number. The numbers are sin6_scope_id's. */
#ifndef EXOS_NET_IF_H
#define EXOS_NET_IF_H

#define IF_NAMESIZE 16
#define IFNAMSIZ    IF_NAMESIZE

/* ifa_flags of ifaddrs.h */
#define IFF_UP        0x1
#define IFF_BROADCAST 0x2
#define IFF_LOOPBACK  0x8
#define IFF_RUNNING   0x40
#define IFF_MULTICAST 0x1000

struct if_nameindex {
    unsigned if_index;
    char *if_name;
};

/* The number of "net0" and so on, from 1 on, or of "lo", the loop interface, behind them. 0 with
 * errno ENODEV if there is none of that name. */
unsigned if_nametoindex(const char *name);

/* The other way round, into name, of IF_NAMESIZE; returns it, or NULL with errno ENXIO. */
char *if_indextoname(unsigned index, char *name);

/* All of them, and behind them one of number 0 and name NULL: for if_freenameindex. NULL with errno
 * ENOBUFS without memory. */
struct if_nameindex *if_nameindex(void);
void if_freenameindex(struct if_nameindex *list);

#endif
