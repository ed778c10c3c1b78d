#include "libos/net/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/gate/gate.h"
#include "libos/net/directory.h"
#include "libos/net/filter.h"
#include "libos/net/ipv6.h"
#include "libos/net/service_internal.h"
#include "libos/proc/part.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"

#define PATIENCE  5000000000UL /* ns for netd to begin to serve, or to end with another's call */
#define ASK_AGAIN 200000000UL  /* ns until netd is asked for a neighbour once more */

uint32_t net_renewals;

static struct net_host host;
const struct net_host *net_service_known;
static struct aegis_cap netd; /* CALL */
static const volatile struct net_directory *directory;
static uint32_t gate; /* its place among this program's gates, while host.neighbours */

/* The first capability of the start block of a kind and with a right. */
static const struct aegis_cap *find_cap(uint64_t kind, uint64_t right)
{
    for (uint32_t i = 0; exos.start && i < exos.start->cap_count && i < EXOS_CAPS_MAX; i++) {
        const struct aegis_cap *cap = &exos.start->caps[i];
        if (AEGIS_CAP_KIND(cap->name) == kind && AEGIS_CAP_RIGHTS(cap->name) == right)
            return cap;
    }
    return NULL;
}

/* Where the agent says that netd is, as long as it lives. */
static bool look_into_directory(void)
{
    const struct aegis_cap *cap = find_cap(AEGIS_KIND_PAGE, AEGIS_RIGHT_READ);
    uint64_t version;

    if (!directory && cap && (directory = vm_attach(cap, AEGIS_PROT_READ)))
        vm_set_handler((void *)(uintptr_t)directory, 1, vm_zero_when_gone, NULL);
    if (!directory || directory->magic != NET_DIRECTORY_MAGIC)
        return false;
    do {
        version = directory->version;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        netd = (struct aegis_cap){directory->netd.name, directory->netd.generation,
                                  directory->netd.mac};
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (version & 1)
            aegis_yield(0);
    } while (version & 1 || version != directory->version);
    return true;
}

static bool find_netd(void)
{
    const struct aegis_cap *cap;

    if (look_into_directory())
        return netd.name;
    cap = find_cap(AEGIS_KIND_ENV, AEGIS_RIGHT_CALL);
    if (cap)
        netd = *cap;
    return cap;
}

static bool has_ended(void)
{
    const volatile struct aegis_env_info *env = aegis_env((uint32_t)AEGIS_CAP_INDEX(netd.name));
    return !netd.name || env->state != AEGIS_ENV_LIVE || env->generation != netd.generation;
}

/* Takes the highest gate that is free: programs number theirs from 0. */
static bool open_gate(void)
{
    int64_t status = -AEGIS_E_IN_USE;

    for (gate = AEGIS_GATES; status == -AEGIS_E_IN_USE && gate > 0;)
        status = aegis_gate_bind(--gate, &netd);
    return status == 0;
}

/* While netd serves somebody else, that gets this program's time. */
static int64_t call(uint64_t words[GATE_WORDS])
{
    uint64_t deadline = time_after(PATIENCE);
    int64_t status;

    while ((status = gate_invoke(gate, words)) == -AEGIS_E_BUSY && time_now() < deadline)
        aegis_yield(0);
    return status;
}

static bool introduce(void);
static bool is_renewing;

/* Goes over to the netd that there is now; false if there is none yet. */
static bool renew(void)
{
    bool done = false;

    if (!directory || !find_netd() || has_ended())
        return false;
    is_renewing = true;
    aegis_gate_unbind(gate);
    if (aegis_gate_bind(gate, &netd) == 0)
        done = introduce();
    net_renewals += done;
    is_renewing = false;
    return done;
}

/* Whether an order can be given to another netd than the one that gave what it is about. */
static bool is_for_any(uint64_t order)
{
    return order != NETD_LOOP && order != NETD_LEAVE && order != NETD_LINGER;
}

int net_ask(uint64_t words[GATE_WORDS])
{
    static bool is_lost; /* netd has ended, and the next one isn't known yet */
    uint64_t order[GATE_WORDS];

    memcpy(order, words, sizeof order);
    int64_t status = is_lost && !is_renewing ? -AEGIS_E_PEER_DIED : call(words);
    if (status < 0 && !is_renewing && (is_lost || has_ended())) {
        is_lost = !renew();
        memcpy(words, order, sizeof order);
        if (!is_lost && is_for_any(*order))
            status = call(words);
    }
    if (status < 0)
        errno = ENETDOWN;
    else if (words[0])
        errno = (int)-words[0];
    return status < 0 || words[0] ? -1 : 0;
}

/* How the machine is now; *page gets the capability for the neighbours. */
static bool look(struct aegis_cap *page)
{
    uint64_t words[GATE_WORDS] = {NETD_ABOUT};

    if (net_ask(words))
        return false;
    uint32_t prefix = words[2] & 0xff, netif = words[2] >> 8 & 0xffff;
    if (prefix > 32 || netif >= aegis_info()->netif_count)
        return false;
    *page = (struct aegis_cap){words[3], words[4], words[5]};
    host.address = __builtin_bswap32((uint32_t)(words[1] >> 32));
    host.gateway = __builtin_bswap32((uint32_t)words[1]);
    host.mask = prefix ? __builtin_bswap32(UINT32_MAX << (32 - prefix)) : 0;
    host.dns = __builtin_bswap32((uint32_t)(words[2] >> 32));
    host.is_leased = words[2] >> NETD_LEASED_BIT & 1;
    host.netif = (uint16_t)netif;
    for (size_t i = 0; i < sizeof host.mac; i++)
        host.mac[i] = aegis_info()->netifs[netif].mac[i];
    return true;
}

/* netd's pages go with it. */
const volatile void *net_attach(const struct aegis_cap *page)
{
    void *at = vm_attach(page, AEGIS_PROT_READ);

    if (at)
        vm_set_handler(at, 1, vm_zero_when_gone, NULL);
    return at;
}

static bool introduce(void)
{
    struct aegis_cap page;

    if (!look(&page))
        return false;
    const volatile struct net_neighbour *old = host.neighbours, *new = net_attach(&page);
    if (!new)
        return false;
    host.neighbours = new;
    vm_free((void *)(uintptr_t)old);
    return true;
}

const struct net_host *net_service_begin(void)
{
    if (host.neighbours)
        return net_service_known = &host;
    if (find_netd() && open_gate()) {
        if (introduce())
            return net_service_known = &host;
        aegis_gate_unbind(gate);
    }
    errno = ENETDOWN;
    return NULL;
}

/* A fork's child has neither its parent's gates nor the page of neighbours: it asks for its own. */
static void in_child(void)
{
    host.neighbours = NULL;
    net_service_known = NULL;
    directory = NULL;
}

static const struct exos_part net_part = {.name = "net", .in_child = in_child};
EXOS_PART(60, net_part);

/* Binds this program's own frames inside the binding that netd has made. */
int net_bind_inside(struct net_lease *lease, const struct aegis_cap *parent, bool is_loop,
                    uint64_t slots)
{
    struct net *net = is_loop ? &lease->loop : &lease->net;
    struct net_filter received, sent;
    struct net_port_range ports = {.protocol = lease->protocol,
                                   .family = lease->family,
                                   .identifier = net_ipv6_identifier(host.mac),
                                   .address = __builtin_bswap32(host.address),
                                   .low = lease->port,
                                   .high = (uint16_t)(lease->port + lease->count - 1),
                                   .peer_port = lease->peer_port,
                                   .peer_address = lease->peer_address,
                                   .is_loop = is_loop};
    struct aegis_net_binding request = {.parent = *parent};

    if (!is_loop)
        memcpy(ports.mac, host.mac, sizeof ports.mac);
    net_filter_received(&received, &ports);
    net_filter_sent(&sent, &ports);
    request.ingress = received.words;
    request.ingress_size = received.size;
    request.egress = sent.words;
    request.egress_size = sent.size;
    int64_t binding = net_bind(&request);
    int64_t status = binding < 0 ? binding : net_open(net, (uint32_t)binding, slots);
    if (status == 0)
        return 0;
    if (binding >= 0)
        aegis_net_unbind((uint32_t)binding);
    errno = status == -AEGIS_E_NO_PAGE ? ENOMEM : ENOBUFS;
    return -1;
}

/* Whether netd still has a binding that it gave a capability for: not if it has ended since. */
static bool is_netds(const struct aegis_cap *parent)
{
    return aegis_binding((uint32_t)AEGIS_CAP_INDEX(parent->name))->generation == parent->generation;
}

void net_give_back(const struct aegis_cap *parent)
{
    uint64_t words[GATE_WORDS] = {NETD_LEAVE, AEGIS_CAP_INDEX(parent->name)};

    if (is_netds(parent))
        net_ask(words);
}

/* For orders about a lease. */
static int ask_of(const struct net_lease *lease, uint64_t words[GATE_WORDS])
{
    if (is_netds(&lease->parents[0]))
        return net_ask(words);
    errno = ENETDOWN;
    return -1;
}

static int take(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t port,
                uint16_t count, uint64_t slots)
{
    uint64_t words[GATE_WORDS] = {NETD_TAKE, (count - 1UL) << NETD_MORE_BIT |
                                                 (uint64_t)family << 24 | (uint64_t)protocol << 16 |
                                                 port};

    struct aegis_cap page;

    if (!net_service() || (host.is_leased && !look(&page)) || net_ask(words))
        return -1;
    struct aegis_cap parent = {words[2], words[3], words[4]};
    *lease = (struct net_lease){.port = (uint16_t)words[1],
                                .count = count,
                                .protocol = protocol,
                                .family = family & NET_FAMILIES,
                                .binding = (uint32_t)AEGIS_CAP_INDEX(parent.name),
                                .parents = {parent}};
    if (net_bind_inside(lease, &parent, false, slots) == 0)
        return 0;
    int error = errno;
    net_give_back(&lease->parents[0]);
    errno = error;
    return -1;
}

int net_lease_family(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t port,
                     uint64_t slots)
{
    return take(lease, protocol, family, port, 1, slots);
}

int net_lease_block(struct net_lease *lease, uint8_t protocol, uint8_t family, uint16_t count,
                    uint64_t slots)
{
    return take(lease, protocol, family, 0, count, slots);
}

int net_lease_loop(struct net_lease *lease, uint64_t slots)
{
    uint64_t words[GATE_WORDS] = {NETD_LOOP, lease->binding};

    if (ask_of(lease, words))
        return -1;
    lease->parents[1] = (struct aegis_cap){words[2], words[3], words[4]};
    return net_bind_inside(lease, &lease->parents[1], true, slots);
}

int net_find_local(uint8_t protocol, uint16_t port)
{
    uint64_t words[GATE_WORDS] = {NETD_FIND, (uint64_t)protocol << 16 | port};

    return net_service() ? net_ask(words) : -1;
}

/* Rings of bindings in which others' lie, so that they can't be undone yet. */
static struct left {
    struct left *next;
    struct net net;
} * left;

static void sweep(void)
{
    for (struct left **at = &left, *l; (l = *at);) {
        if (net_alive(&l->net) && aegis_net_unbind(l->net.binding) < 0) {
            at = &l->next;
            continue;
        }
        net_close(&l->net);
        *at = l->next;
        free(l);
    }
}

/* One that can't be undone stays and is filled by what nobody reads. */
static void close_or_leave(struct net *net)
{
    struct left *l;

    if (!net->ring)
        return;
    if (!net_alive(net) || aegis_net_unbind(net->binding) != -AEGIS_E_IN_USE) {
        net_close(net);
    } else if ((l = malloc(sizeof *l))) {
        *l = (struct left){left, *net};
        left = l;
    }
    *net = (struct net){0};
}

void net_lease_end(struct net_lease *lease)
{
    close_or_leave(&lease->loop);
    close_or_leave(&lease->net);
    net_give_back(&lease->parents[0]);
    sweep();
}

int net_lease_linger(const struct net_lease *lease, const struct net_linger *c)
{
    enum net_linger_own own = net_ipv6_is_loopback(&c->own)     ? NET_LINGER_LOOP
                              : net_ipv6_is_link_local(&c->own) ? NET_LINGER_LINK
                                                                : NET_LINGER_GLOBAL;
    uint32_t address = net_ipv6_is_mapped(&c->own) ? __builtin_bswap32(c->own.words[3]) : 0;
    uint64_t words[GATE_WORDS] = {
        NETD_LINGER, (uint64_t)c->seconds << 40 | (uint64_t)c->state << 32 | lease->binding,
        (uint64_t)c->own_next << 32 | c->peer_next,
        (uint64_t)address << 32 | (uint64_t)(uint8_t)(c->own_port - lease->port) << 24 |
            (uint64_t)own << 16 | c->peer_port};

    memcpy(&words[4], &c->peer, sizeof c->peer);
    return ask_of(lease, words);
}

/* What the page says of an address now, or 0. Of an old answer KNOWN isn't set. */
static inline uint64_t look_up(uint32_t address)
{
    const volatile struct net_neighbour *n = &host.neighbours[net_neighbour_place(address)];
    uint64_t word = n->word;
    uint64_t seconds = time_now() / aegis_info()->timebase;

    /* The address is read behind the word: netd changes it only while the word says nothing. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (n->address != address || !(word & NEIGHBOUR_KNOWN))
        return 0;
    return seconds - n->seconds < NEIGHBOUR_FRESH ? word : word & ~NEIGHBOUR_KNOWN;
}

static int resolve(uint32_t address, uint64_t *word, uint64_t deadline)
{
    for (;;) {
        uint64_t words[GATE_WORDS] = {NETD_RESOLVE, __builtin_bswap32(address)};
        if (net_ask(words))
            return -1;
        uint64_t again = time_after(ASK_AGAIN);
        uint64_t asked = host.neighbours[net_neighbour_place(address)].word;
        do {
            *word = look_up(address);
            if (*word & NEIGHBOUR_MAC_MASK)
                return 0; /* an old one serves while it is asked for anew */
            if (time_now() >= deadline) {
                errno = EAGAIN;
                return -1;
            }
            struct aegis_predicate filled =
                AEGIS_WHEN(host.neighbours[net_neighbour_place(address)].word, NE, asked);
            exos_wait(&filled, 1, again < deadline ? again : deadline);
        } while (time_now() < again);
    }
}

/* What isn't in the table, or not any more. */
static __attribute__((noinline)) int find_hop(uint32_t address, uint32_t hop, uint8_t mac[6],
                                              uint64_t deadline)
{
    uint32_t first = address & 0xff; /* of its bytes */
    uint64_t word;

    if (address == UINT32_MAX || (~host.mask && address == (host.address | ~host.mask))) {
        memset(mac, 0xff, 6);
        return 0;
    }
    if (!hop || address == host.address || first == 127 || first >> 4 == 14) {
        errno = ENETUNREACH;
        return -1;
    }
    if (resolve(hop, &word, deadline))
        return -1;
    memcpy(mac, &word, 6);
    return 0;
}

bool net_knows_hop(uint32_t address)
{
    uint32_t hop = (address ^ host.address) & host.mask ? host.gateway : address;
    return look_up(hop) & NEIGHBOUR_KNOWN;
}

int net_next_hop(uint32_t address, uint8_t mac[6], uint64_t deadline)
{
    uint32_t hop = (address ^ host.address) & host.mask ? host.gateway : address;
    uint64_t word = look_up(hop);

    if (__builtin_expect(!(word & NEIGHBOUR_KNOWN), 0) || (address & 0xf0) == 0xe0 ||
        (address & 0xff) == 127 || address == UINT32_MAX)
        return find_hop(address, hop, mac, deadline);
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) /* its first bytes in memory */
        mac[i] = (uint8_t)(word >> 8 * i);
    return 0;
}
