/* lwIP's few needs: time, sums, random numbers. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/lwip/hooks.h"
#include "libos/net/lwip/lwip.h"
#include "libos/start/start.h"
#include "libos/time/time.h"
#include "lwip/sys.h"
#include "siphash/siphash.h"

_Noreturn void net_lwip_fail(const char *what, int line, const char *file)
{
    fprintf(stderr, "lwIP: %s (%s:%d)\n", what, file, line);
    abort();
}

u32_t sys_now(void)
{
    return (u32_t)(time_to_ns(time_now()) / 1000000);
}

unsigned net_lwip_random(void)
{
    unsigned number = 0;
    aegis_entropy(&number, sizeof number);
    return number;
}

/* A clock of four microseconds, and a keyed hash of both ends. */
u32_t net_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                   u16_t remote_port)
{
    static struct siphash_key key;
    static bool has_key;
    struct {
        struct net_ipv6 local, remote;
        u16_t local_port, remote_port;
        u32_t gap;
    } ends = {.local_port = local_port, .remote_port = remote_port};

    net_lwip_read_address(local, &ends.local);
    net_lwip_read_address(remote, &ends.remote);
    if (!has_key)
        has_key = aegis_entropy(&key, sizeof key) >= 0;
    return (u32_t)siphash(&key, &ends, sizeof ends) + (u32_t)(time_to_ns(time_now()) / 4000);
}
