#include <stdio.h>
#include <string.h>

#include "apps/program.h"
#include "libos/net/service.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "netd.h"
#include "orders.h"

#define RING_SLOTS 32 /* for what comes while the handler may not run */

const char program_name[] = "netd";
const char program_usage[] =
    "netd [frames] ip=ADDRESS/PREFIX[,GATEWAY] | ip=dhcp  (the agent starts it)";

struct netd netd;

/* The handler has seen what is here, or was not allowed to run: others will ask again. */
static void forget_frames(void)
{
    net_release_to(&netd.arp, net_head(&netd.arp));
}

static void serve(uint32_t caller, uint64_t words[GATE_WORDS])
{
    forget_frames();
    orders_serve(caller, words);
}

int64_t netd_complain(const char *what, int64_t status)
{
    fprintf(stderr, "netd: %s: %s: %s\n", what, aegis_error_name(status), aegis_strerror(status));
    return status;
}

/* The binding of ARP frames: there is one, or will be; whoever started netd sees to that. */
static uint32_t find_arp(void)
{
    uint64_t seen = 0;

    for (;; net_wait_binding(&seen, AEGIS_FOREVER))
        for (uint32_t b = 0; b < aegis_info()->binding_count; b++)
            if (aegis_binding(b)->owner == exos.env)
                return b;
}

/* The ring comes last: with it whoever made the binding knows that requests are answered. */
static int64_t begin(void)
{
    uint32_t arp = find_arp();

    netd.netif = aegis_binding(arp)->netif;
    for (size_t i = 0; i < sizeof netd.mac; i++)
        netd.mac[i] = aegis_info()->netifs[netd.netif].mac[i];
    int64_t status = arp_begin(arp);
    if (status == 0)
        status = net_open(&netd.arp, arp, RING_SLOTS);
    if (status == 0)
        discovery_begin();
    return status < 0 ? netd_complain("no answers to ARP", status) : status;
}

int main(int argc, char **argv)
{
    bool is_frames = argc == 3 && !strcmp(argv[1], "frames");
    const char *address = argc == 2 + is_frames ? argv[argc - 1] : "";

    take_help(argc, argv);
    netd.is_leased = !strcmp(address, "ip=" NET_DHCP);
    if (!netd.is_leased &&
        (strncmp(address, "ip=", 3) || !net_parse_address(address + 3, &netd.address)))
        return usage();
    if (is_frames)
        return frames_run();
    if (!exos.start || exos.start->cap_count < 1) {
        fprintf(stderr, "netd: only the agent can start it: no capability for an interface\n");
        return 1;
    }
    netd.root = exos.start->caps[0];
    if (exos.start->cap_count > 1)
        netd.loop = exos.start->caps[1];
    if (begin() < 0)
        return 1;
    gate_serve(serve, NULL);
    return 1; /* it didn't begin */
}
