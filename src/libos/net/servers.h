/* Which name servers there are, and the domains in which names without a dot are looked for. */
#ifndef EXOS_NET_SERVERS_H
#define EXOS_NET_SERVERS_H

#include "libos/net/names.h"

#define SERVERS_MAX 6

struct servers {
    size_t count; /* 1 at least */
    struct names_server list[SERVERS_MAX];
    char search[NAMES_SEARCH_MAX]; /* as names_search has it */
};

/*
 * Those of /etc/resolv.conf; where that has none, those that DHCP tells of, and behind them those
 * that routers do (RFC 8106, 5.3.1); or the one that QEMU's user network has.
 */
void servers_find(struct servers *servers);

/* A file's text, for free, with *size; NULL: there is none. */
char *servers_load(const char *path, size_t *size);

#endif
