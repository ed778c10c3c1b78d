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

static void add_routers(struct servers *s, const struct net_host *host)
{
    const struct net_ipv6_page *page = net_ipv6_look();

    if (!page || page->server_until <= time_now() / aegis_info()->timebase)
        return;
    add(s, &page->server, sizeof page->server);
    if (s->count && net_ipv6_is_link_local(&page->server))
        s->list[s->count - 1].zone = host->netif + 1U;
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
        if (host->dns)
            add(s, &host->dns, sizeof host->dns);
        add_routers(s, host);
    }
    if (!s->count)
        add(s, default_server, sizeof default_server);
}
