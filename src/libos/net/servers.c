#include "libos/net/servers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/net/dns.h"
#include "libos/net/ipv6.h"
#include "libos/net/resolve.h"
#include "libos/net/service.h"
#include "libos/time/time.h"

#define FILE_MAX 65536 /* bytes: of longer files the beginning counts */

_Static_assert(NAMES_SEARCH_MAX == NET_SEARCH_MAX, "what netd tells fits");

static const uint8_t default_server[4] = {10, 0, 2, 3}; /* QEMU's user network */

char *servers_load(const char *path, size_t *size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = file < 0 ? NULL : malloc(FILE_MAX);
    ssize_t got = 0;

    *size = 0;
    while (text && *size < FILE_MAX && (got = read(file, text + *size, FILE_MAX - *size)) > 0)
        *size += (size_t)got;
    if (file >= 0)
        close(file);
    return text;
}

static void add(struct servers *s, const void *address, uint8_t size)
{
    if (s->count == SERVERS_MAX)
        return;
    struct names_server *server = &s->list[s->count++];
    *server = (struct names_server){.size = size, .port = DNS_PORT};
    memcpy(server->address, address, size);
}

static void add_told(struct servers *s)
{
    struct net_told told;

    if (!net_ipv6_told(&told))
        return;
    for (int i = 0; i < NET_SERVERS && told.servers[i]; i++)
        add(s, &told.servers[i], sizeof told.servers[i]);
    if (!s->search[0])
        memcpy(s->search, told.search, sizeof s->search);
}

static void add_routers(struct servers *s, const struct net_host *host)
{
    const struct net_ipv6_page *page = net_ipv6_look();

    for (int i = 0; page && i < NET_SERVERS; i++) {
        const struct net_ipv6_server *server = &page->servers[i];
        if (server->until <= time_now() / aegis_info()->timebase || s->count == SERVERS_MAX)
            continue;
        add(s, &server->address, sizeof server->address);
        if (net_ipv6_is_link_local(&server->address))
            s->list[s->count - 1].zone = host->netif + 1U;
    }
}

void servers_find(struct servers *s)
{
    size_t size;
    char *text = servers_load(RESOLVE_SERVERS, &size);
    const struct net_host *host;

    memset(s, 0, sizeof *s);
    if (text) {
        s->count = names_servers(text, size, s->list, SERVERS_MAX);
        names_search(text, size, s->search);
    }
    free(text);
    if (!s->count && (host = net_service())) {
        add_told(s);
        add_routers(s, host);
    }
    if (!s->count)
        add(s, default_server, sizeof default_server);
}
