/* The addresses of this machine's interfaces, as BSD has them. */
#ifndef EXOS_IFADDRS_H
#define EXOS_IFADDRS_H

#include <net/if.h>
#include <sys/socket.h>

struct ifaddrs {
    struct ifaddrs *ifa_next;
    char *ifa_name;         /* "net0", "lo" (net/if.h) */
    unsigned int ifa_flags; /* IFF_* */
    struct sockaddr *ifa_addr, *ifa_netmask;
    union {
        struct sockaddr *ifu_broadaddr; /* with IFF_BROADCAST, of AF_INET */
        struct sockaddr *ifu_dstaddr;   /* none */
    } ifa_ifu;
    void *ifa_data; /* NULL */
};
#define ifa_broadaddr ifa_ifu.ifu_broadaddr
#define ifa_dstaddr   ifa_ifu.ifu_dstaddr

/* A list of all addresses that may be used, one an entry, for freeifaddrs. Returns 0, or -1 with
 * errno ENOMEM. Where nobody tells the machine its addresses, the list has those of "lo" alone. */
int getifaddrs(struct ifaddrs **list);
void freeifaddrs(struct ifaddrs *list);

#endif
