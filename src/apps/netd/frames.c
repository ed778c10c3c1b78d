/* The process that has the interface's root binding, and with it what nobody takes. */
#include <stdio.h>
#include <string.h>

#include "apps/netd/handlers/answer.h"
#include "libos/net/handler.h"
#include "libos/net/ipv6.h"
#include "netd.h"

/* handlers/answer.c, as ashc compiled it. */
extern const char netd_answer_image[], netd_answer_image_end[];

/* The root binding that this process was given; -1: none. */
static int64_t find_root(void)
{
    for (uint32_t n = 0; n < aegis_info()->netif_count; n++)
        if (aegis_binding(aegis_info()->netifs[n].root)->owner == exos.env)
            return aegis_info()->netifs[n].root;
    return -1;
}

/* Has the handler answer in the name of our address. */
static int64_t answer_begin(uint32_t root)
{
    struct net_handler answer;
    int64_t status = net_handler_open(&answer, netd_answer_image, netd_answer_image_end);

    if (status < 0)
        return status;
    volatile struct answer_own *own = net_handler_map(&answer, ".data");
    for (size_t i = 0; i < sizeof netd.mac; i++)
        own->mac[i] = netd.mac[i];
    own->address = __builtin_bswap32(netd.address.address);
    own->identifier[0] = NET_WIRE32(net_ipv6_identifier(netd.mac) >> 32);
    own->identifier[1] = NET_WIRE32(net_ipv6_identifier(netd.mac));
    int64_t handler = net_handler_load(&answer);
    return handler < 0 ? handler : aegis_handler_bind((uint32_t)handler, root);
}

int frames_run(void)
{
    int64_t root = find_root();

    if (root < 0) {
        fprintf(stderr, "netd: only the agent can start it: no root binding\n");
        return 1;
    }
    netd.netif = aegis_binding((uint32_t)root)->netif;
    for (size_t i = 0; i < sizeof netd.mac; i++)
        netd.mac[i] = aegis_info()->netifs[netd.netif].mac[i];
    int64_t status = answer_begin((uint32_t)root);
    if (status < 0) {
        netd_complain("no answers to pings", status);
        return 1;
    }
    if (exos.start)
        __atomic_store_n(&exos.start->ready, 1, __ATOMIC_RELEASE);
    for (;;)
        aegis_wait(NULL, 0, AEGIS_FOREVER);
}
