/* Asking for names: files of the archive first, then a name server. What netdb.h is made of. */
#ifndef EXOS_NET_RESOLVE_H
#define EXOS_NET_RESOLVE_H

#include "libos/net/dns.h"

#define RESOLVE_HOSTS   "/etc/hosts"
#define RESOLVE_SERVERS "/etc/resolv.conf"

struct resolve_address {
    uint8_t size; /* 4 or 16 */
    uint8_t bytes[16];
    uint32_t zone; /* sin6_scope_id */
};

#define RESOLVE_MAX (2 * DNS_ADDRESSES_MAX)
struct resolved {
    char name[DNS_NAME_MAX]; /* canonical */
    size_t count;
    struct resolve_address addresses[RESOLVE_MAX];
};

/*
 * The addresses of a name: of IPv4 if `four`, of IPv6 if `six`, in that order. Returns 0 or an
 * EAI_* (netdb.h).
 */
int resolve_name(const char *name, bool four, bool six, struct resolved *result);

/* The name of an address, in text of DNS_NAME_MAX. The same. */
int resolve_address(const struct resolve_address *address, char *text);

#endif
