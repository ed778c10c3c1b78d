#include <errno.h>
#include <string.h>

#include "asking.h"
#include "libos/net/handler.h"
#include "libos/net/headers.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "netd.h"

#define FRAME_LEAST 60 /* without frame check sequence, IEEE 802.3 */

/* handlers/arp.c, as ashc compiled it. */
extern const char netd_arp_image[], netd_arp_image_end[];

static struct asking askings[NEIGHBOURS];
static volatile struct net_neighbour *neighbours;
static uint8_t *own_address; /* the handler's */

static uint32_t seconds_now(void)
{
    return (uint32_t)(time_now() / aegis_info()->timebase);
}

int64_t arp_begin(uint32_t binding)
{
    struct net_handler arp;
    int64_t status = net_handler_open(&arp, netd_arp_image, netd_arp_image_end);

    if (status < 0)
        return status;
    uint8_t *own = net_handler_map(&arp, ".data"); /* its struct own */
    neighbours = net_handler_map(&arp, "neighbours");
    memcpy(own, netd.mac, sizeof netd.mac);
    own_address = own + sizeof netd.mac;
    net_put32(own_address, netd.address.address);
    discovery_open(&arp);
    int64_t handler = net_handler_load(&arp);
    return handler < 0 ? handler : aegis_handler_bind((uint32_t)handler, binding);
}

/*
 * The place is another's, or free: it begins anew. The word is emptied before the address changes,
 * so that nobody takes the old answer for the new address.
 */
static void begin_anew(volatile struct net_neighbour *n, uint32_t wire)
{
    __atomic_store_n(&n->word, 0, __ATOMIC_SEQ_CST);
    n->address = wire;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void arp_readdress(void)
{
    net_put32(own_address, netd.address.address);
    for (size_t place = 0; place < NEIGHBOURS; place++)
        begin_anew(&neighbours[place], 0);
}

int64_t arp_page(struct aegis_cap *capability)
{
    int64_t ppn = vm_page_at((const void *)(uintptr_t)neighbours);
    return ppn < 0 ? ppn
                   : aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)ppn, AEGIS_RIGHT_READ, capability);
}

void arp_known(uint32_t address, uint8_t mac[6])
{
    uint32_t mask = netd.address.prefix ? UINT32_MAX << (32 - netd.address.prefix) : 0;
    uint32_t hop = (address ^ netd.address.address) & mask ? netd.address.gateway : address;
    const volatile struct net_neighbour *n = &neighbours[net_neighbour_place(hop)];
    uint64_t word = n->address == __builtin_bswap32(hop) ? n->word : 0;

    memcpy(mac, &word, 6);
}

static void ask(uint32_t address)
{
    static const uint8_t kind[] = {0, 1, 8, 0, 6, 4, 0, ARP_REQUEST}; /* Ethernet and IPv4 */
    uint8_t frame[FRAME_LEAST] = {0};

    memset(frame + ETH_DESTINATION, 0xff, 6);
    memcpy(frame + ETH_SOURCE, netd.mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_ARP);
    memcpy(frame + ARP_HARDWARE, kind, sizeof kind);
    memcpy(frame + ARP_SENDER, netd.mac, 6);
    net_put32(frame + ARP_SENDER + 6, netd.address.address);
    net_put32(frame + ARP_TARGET + 6, address);
    net_send_copy(&netd.arp, frame, sizeof frame, time_after(ASK_PATIENCE));
}

int64_t arp_resolve(uint32_t address)
{
    uint32_t mask = netd.address.prefix ? UINT32_MAX << (32 - netd.address.prefix) : 0;
    uint32_t place = net_neighbour_place(address), now = seconds_now();
    volatile struct net_neighbour *n = &neighbours[place];
    uint32_t wire = __builtin_bswap32(address);

    if (((address ^ netd.address.address) & mask) || address == netd.address.address || !address)
        return -ENETUNREACH;
    if (n->address != wire) {
        begin_anew(n, wire);
        askings[place] = (struct asking){.times = 0};
    }
    int64_t due = asking_due(&askings[place], &n->word, n->seconds, now);
    if (due <= 0)
        return due;
    ask(address);
    return 0;
}
