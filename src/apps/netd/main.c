#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apps/program.h"
#include "libos/net/filter.h"
#include "libos/net/service.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "netd.h"

#define RING_SLOTS 32 /* for what comes while the handler may not run */

const char program_name[] = "netd";
const char program_usage[] =
    "netd [frames] ip=ADDRESS/PREFIX[,GATEWAY] | ip=dhcp  (the agent starts it)";

struct netd netd;

static void about(uint64_t words[GATE_WORDS])
{
    struct aegis_cap page;

    if (!netd.address.address || arp_page(&page)) {
        words[0] = (uint64_t)-ENETDOWN;
        return;
    }
    words[1] = (uint64_t)netd.address.address << 32 | netd.address.gateway;
    words[2] = (uint64_t)netd.dns << 32 | (uint64_t)netd.is_leased << NETD_LEASED_BIT |
               (uint64_t)netd.netif << 8 | netd.address.prefix;
    words[3] = page.name;
    words[4] = page.generation;
    words[5] = page.mac;
}

/* Who has the interface's root binding has the say over what the machine is there. */
static bool has_root(uint32_t env)
{
    return aegis_binding(aegis_info()->netifs[netd.netif].root)->owner == env;
}

static int64_t readdress(uint32_t caller, const uint64_t words[GATE_WORDS])
{
    const struct net_address new = {.address = (uint32_t)(words[1] >> 32),
                                    .gateway = (uint32_t)words[1],
                                    .prefix = (uint8_t)words[2]};

    if (!has_root(caller))
        return -EPERM;
    if ((uint32_t)words[2] > 32)
        return -EINVAL;
    if (new.address != netd.address.address)
        ports_take_back();
    netd.dns = (uint32_t)(words[2] >> 32);
    netd.address = new;
    arp_readdress();
    return 0;
}

static void about_ipv6(uint64_t words[GATE_WORDS])
{
    struct aegis_cap page;

    if (discovery_page(&page)) {
        words[0] = (uint64_t)-ENETDOWN;
        return;
    }
    words[3] = page.name;
    words[4] = page.generation;
    words[5] = page.mac;
}

static void take(uint32_t caller, uint64_t words[GATE_WORDS])
{
    uint64_t family = words[1] >> 24 & 0xff, more = words[1] >> NETD_MORE_BIT;
    struct port_wanted wanted = {.protocol = (uint8_t)(words[1] >> 16),
                                 .family = (uint8_t)family, /* and NET_REUSES */
                                 .port = (uint16_t)words[1],
                                 .count = (uint16_t)(more + 1)};
    struct aegis_cap binding = {0};

    if ((family & NET_FAMILIES) > NET_BOTH || family > (NET_FAMILIES | NET_REUSES) ||
        more >= NETD_BLOCK) {
        words[0] = (uint64_t)-EPROTONOSUPPORT;
        return;
    }
    words[0] = (uint64_t)port_take(caller, &wanted, &binding);
    words[1] = wanted.port;
    words[2] = binding.name;
    words[3] = binding.generation;
    words[4] = binding.mac;
}

static void take_loop(uint32_t caller, uint64_t words[GATE_WORDS])
{
    struct aegis_cap binding = {0};

    words[0] = (uint64_t)(words[1] > UINT32_MAX ? -EINVAL
                                                : port_loop(caller, (uint32_t)words[1], &binding));
    words[2] = binding.name;
    words[3] = binding.generation;
    words[4] = binding.mac;
}

/* The handler has seen what is here, or was not allowed to run: others will ask again. */
static void forget_frames(void)
{
    net_release_to(&netd.arp, net_head(&netd.arp));
}

static void serve(uint32_t caller, uint64_t words[GATE_WORDS])
{
    enum netd_order order = words[0] < NETD_ORDERS ? (enum netd_order)words[0] : NETD_ORDERS;

    forget_frames();
    words[0] = 0;
    switch (order) {
    case NETD_ABOUT:
        about(words);
        return;
    case NETD_TAKE:
        take(caller, words);
        return;
    case NETD_LOOP:
        take_loop(caller, words);
        return;
    case NETD_FIND:
        words[0] = (uint64_t)port_find((uint8_t)(words[1] >> 16), (uint16_t)words[1]);
        return;
    case NETD_LEAVE:
        words[0] =
            (uint64_t)(words[1] > UINT32_MAX ? -EINVAL : port_leave(caller, (uint32_t)words[1]));
        return;
    case NETD_RESOLVE:
        words[0] = (uint64_t)(words[1] > UINT32_MAX ? -EINVAL : arp_resolve((uint32_t)words[1]));
        return;
    case NETD_ABOUT6:
        about_ipv6(words);
        return;
    case NETD_RESOLVE6:
        words[0] = (uint64_t)discovery_resolve((const struct net_ipv6 *)&words[1]);
        return;
    case NETD_ADDRESS:
        words[0] = (uint64_t)readdress(caller, words);
        return;
    case NETD_LINGER:
        words[0] = (uint64_t)port_linger(caller, words);
        return;
    case NETD_LINGERS:
        words[0] = (uint64_t)(has_root(caller)
                                  ? left_open(caller, words[1],
                                              &(struct aegis_cap){words[2], words[3], words[4]})
                                  : -EPERM);
        return;
    case NETD_JOIN:
        words[0] = (uint64_t)port_join(caller, &(struct aegis_cap){words[1], words[2], words[3]},
                                       words[4]);
        return;
    case NETD_ORDERS:
        words[0] = (uint64_t)-ENOSYS;
    }
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
