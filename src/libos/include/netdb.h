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

/* ---- what there was before getaddrinfo ---- */

struct hostent {
    char *h_name;       /* canonical */
    char **h_aliases;   /* none */
    int h_addrtype;     /* AF_INET, AF_INET6 */
    int h_length;       /* of an address */
    char **h_addr_list; /* as on the wire; NULL is behind the last one */
};
#define h_addr h_addr_list[0]

struct servent {
    char *s_name;
    char **s_aliases; /* none */
    int s_port;       /* as on the wire */
    char *s_proto;    /* "tcp" or "udp" */
};

struct protoent {
    char *p_name;
    char **p_aliases; /* none */
    int p_proto;      /* IPPROTO_* */
};

/* Why a host isn't found; of the process. */
#define HOST_NOT_FOUND 1
#define TRY_AGAIN      2
#define NO_RECOVERY    3
#define NO_DATA        4
#define NO_ADDRESS     NO_DATA
#define h_errno        (*exos_h_errno())
int *exos_h_errno(void);

/*
 * Hosts by name (of IPv4, or of a family) or by address. NULL with h_errno if there is none. What
 * is returned is the process's, until its next such call: threads use getaddrinfo.
 */
struct hostent *gethostbyname(const char *name);
struct hostent *gethostbyname2(const char *name, int family);
struct hostent *gethostbyaddr(const void *address, socklen_t size, int family);
const char *hstrerror(int error);
void herror(const char *text); /* on stderr */

/* Services by name, or by port (as on the wire), of "tcp", "udp" or (NULL) any; NULL if there is
 * none. The process's, likewise. */
struct servent *getservbyname(const char *name, const char *protocol);
struct servent *getservbyport(int port, const char *protocol);

/* Protocols; NULL if there is none. */
struct protoent *getprotobyname(const char *name);
struct protoent *getprotobynumber(int number);

#endif
