/* An address by DHCP: when netd's process asks and hears (dhcp.h), and who is told of it. */
#include <stdio.h>
#include <string.h>

#include "dhcp.h"
#include "libos/gate/gate.h"
#include "libos/net/headers.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "netd.h"

_Static_assert(DHCP_SERVERS == NET_SERVERS && DHCP_SEARCH_MAX == NET_SEARCH_MAX, "what is told");

static struct dhcp client;
static uint32_t root; /* binding that it asks by */
static bool is_on, is_known;

/* The device reads a question in place, from one page. */
static struct {
    uint8_t gap[NET_FRAME_LEAD];
    uint8_t frame[DHCP_FRAME];
} question __attribute__((aligned(1024)));
static struct {
    uint8_t gap[NET_FRAME_LEAD];
    uint8_t frame[AEGIS_FRAME_MAX];
} answer __attribute__((aligned(8)));

static uint64_t now_ms(void)
{
    return time_to_ns(time_now()) / 1000000;
}

/* The page that netd reads, with what the lease says of names; *cap: READ. */
static bool show_names(const struct dhcp_lease *lease, struct aegis_cap *cap)
{
    static union {
        struct net_told told;
        uint8_t page[AEGIS_PAGE_SIZE];
    } shown __attribute__((aligned(AEGIS_PAGE_SIZE)));

    for (int i = 0; i < NET_SERVERS; i++)
        shown.told.servers[i] = __builtin_bswap32(lease->dns[i]);
    memcpy(shown.told.search, lease->search, sizeof shown.told.search);
    int64_t ppn = vm_page_at(&shown);
    return ppn >= 0 && aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)ppn, AEGIS_RIGHT_READ, cap) == 0;
}

static void tell_netd(const struct dhcp_lease *lease)
{
    struct aegis_cap cap = {0};

    if (!show_names(lease, &cap))
        fprintf(stderr, "netd: nobody is told of name servers\n");
    const uint64_t words[GATE_WORDS] = {
        NETD_ADDRESS,   (uint64_t)lease->address << 32 | lease->router,
        lease->prefix,  cap.name,
        cap.generation, cap.mac};
    if (!frames_ask(words))
        fprintf(stderr, "netd: nobody takes the address\n");
}

static void print(const struct dhcp_lease *l)
{
    printf("netd: %u.%u.%u.%u/%u by DHCP, for %u s\n", (unsigned)(l->address >> 24),
           (unsigned)(l->address >> 16 & 255), (unsigned)(l->address >> 8 & 255),
           (unsigned)(l->address & 255), (unsigned)l->prefix, (unsigned)l->seconds);
}

static void have(void)
{
    static struct dhcp_lease told;
    const struct dhcp_lease *l = &client.lease;

    if (is_known && told.address == l->address && told.router == l->router &&
        told.prefix == l->prefix && !memcmp(told.dns, l->dns, sizeof told.dns) &&
        !strcmp(told.search, l->search))
        return; /* the same for longer */
    told = *l;
    tell_netd(l);
    frames_address(l->address, l->prefix);
    print(l);
    is_known = true;
    if (exos.start)
        __atomic_store_n(&exos.start->ready, 1, __ATOMIC_RELEASE);
}

static void lost(void)
{
    const struct dhcp_lease none = {0};

    frames_address(0, 0);
    tell_netd(&none);
    is_known = false;
    puts("netd: the address is lost");
}

static void act(enum dhcp_event event, const struct dhcp_out *out)
{
    if (out->size) {
        struct aegis_frame_out frame = {.address = out->frame, .length = out->size};
        aegis_net_send(root, &frame, 1); /* one that gets lost is sent again */
    }
    if (event == DHCP_HAVE)
        have();
    else if (event == DHCP_LOST)
        lost();
}

void lease_begin(uint32_t by)
{
    root = by;
    is_on = true;
    dhcp_begin(&client, netd.mac, now_ms());
}

void lease_tick(void)
{
    struct dhcp_out out = {.frame = question.frame};
    uint32_t random = 0;

    if (!is_on || now_ms() < client.due)
        return;
    aegis_entropy(&random, sizeof random);
    enum dhcp_event event = dhcp_tick(&client, now_ms(), random, &out);
    act(event, &out);
}

bool lease_take(const uint8_t *frame, size_t length)
{
    const uint8_t *udp = frame + ETH_SIZE + IPV4_LEAST;
    struct dhcp_out out = {.frame = question.frame};

    if (!is_on || length < ETH_SIZE + IPV4_LEAST + UDP_SIZE || length > sizeof answer.frame ||
        net_get16(frame + ETH_TYPE) != ETH_TYPE_IPV4 || frame[IPV4_FIRST] != NET_IPV4_PLAIN ||
        frame[IPV4_PROTOCOL] != IPV4_UDP ||
        net_get16(frame + IPV4_FRAGMENT) & IPV4_MORE_OR_OFFSET ||
        net_get16(udp + UDP_DESTINATION) != DHCP_CLIENT)
        return false;
    memcpy(answer.frame, frame, length);
    enum dhcp_event event = dhcp_receive(&client, answer.frame, length, now_ms(), &out);
    act(event, &out);
    return true;
}

uint64_t lease_due(void)
{
    uint64_t now = now_ms();

    if (!is_on || client.due == UINT64_MAX)
        return AEGIS_FOREVER;
    return time_after(client.due > now ? (client.due - now) * 1000000 : 0);
}
