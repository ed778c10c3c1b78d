/* POSIX netdb.h: names of hosts and services (docs/net.md says where they are looked up). */
#ifndef EXOS_NETDB_H
#define EXOS_NETDB_H

#include <netinet/in.h>
#include <sys/socket.h>

struct addrinfo {
    int ai_flags;
    int ai_family; /* AF_INET, AF_INET6 */
    int ai_socktype;
    int ai_protocol;
    socklen_t ai_addrlen;
    struct sockaddr *ai_addr;
    char *ai_canonname; /* of the first, if AI_CANONNAME was asked for; else NULL */
    struct addrinfo *ai_next;
};

#define AI_PASSIVE     0x01 /* without a node: for bind */
#define AI_CANONNAME   0x02
#define AI_NUMERICHOST 0x04
#define AI_V4MAPPED    0x08 /* AF_INET6, and there are only IPv4 addresses: those, mapped */
#define AI_ALL         0x10 /* with that: both */
#define AI_ADDRCONFIG  0x20 /* IPv6 only if the machine has a global address */
#define AI_NUMERICSERV 0x400

#define NI_NUMERICHOST 1
#define NI_NUMERICSERV 2
#define NI_NOFQDN      4 /* the same without it: no domain is ours */
#define NI_NAMEREQD    8
#define NI_DGRAM       16
#define NI_MAXHOST     256
#define NI_MAXSERV     32

#define EAI_BADFLAGS (-1)
#define EAI_NONAME   (-2)
#define EAI_AGAIN    (-3)
#define EAI_FAIL     (-4)
#define EAI_FAMILY   (-6)
#define EAI_SOCKTYPE (-7)
#define EAI_SERVICE  (-8)
#define EAI_MEMORY   (-10)
#define EAI_SYSTEM   (-11)
#define EAI_OVERFLOW (-12)

/*
 * The addresses of a node (NULL: this machine) and a service (NULL: port 0): *result, for
 * freeaddrinfo. hints NULL: any family and type. Returns 0 or an EAI_*. Waits for name servers up
 * to some seconds.
 */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result);
void freeaddrinfo(struct addrinfo *list);

/* The other way round; host or service may be NULL, or of size 0. */
int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                char *service, socklen_t service_size, int flags);

/* A sentence for an EAI_*; never NULL. */
const char *gai_strerror(int error);

#endif
