#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/netd/left.h"
#include "apps/netd/netd.h"
#include "apps/netd/ports.h"
#include "libos/net/ipv6.h"
#include "libos/net/service.h"
#include "libos/vm/vm.h"

struct aegis_info world_info;
struct exos exos = {.env = WORLD_NETD};
uint64_t world_now;
struct netd netd;
struct world_binding world_bindings[WORLD_BINDINGS];
struct linger_set world_lingering[2][LINGER_SETS] __attribute__((aligned(AEGIS_PAGE_SIZE)));

static struct aegis_env_info envs[WORLD_ENVS];
static struct aegis_binding_info bindings[WORLD_BINDINGS];
static uint32_t binding_end; /* behind the highest number that was ever bound */
static uint32_t next_serial;

/* ---- environments ---- */

uint32_t world_make(uint32_t owner)
{
    uint32_t env = 1;

    while (env < WORLD_ENVS && envs[env].state != AEGIS_ENV_NONE)
        env++;
    if (env == WORLD_ENVS)
        return 0;
    envs[env] = (struct aegis_env_info){.serial = next_serial++,
                                        .owner = owner,
                                        .maker = envs[owner].serial,
                                        .account = 1,
                                        .state = AEGIS_ENV_LIVE};
    return env;
}

void world_end(uint32_t env)
{
    for (uint32_t child = 1; child < WORLD_ENVS; child++)
        if (envs[child].state != AEGIS_ENV_NONE && envs[child].owner == env)
            envs[child].owner = envs[env].owner;
    for (uint32_t b = WORLD_FIRST; b < binding_end; b++)
        if (bindings[b].owner == env)
            aegis_net_unbind(b);
    envs[env] = (struct aegis_env_info){0};
}

/* ---- bindings ---- */

static bool share_a_family(uint8_t a, uint8_t b)
{
    return a == b || a == NET_BOTH || b == NET_BOTH;
}

static bool is_free(uint32_t owner, uint32_t parent, const struct net_port_range *range)
{
    for (uint32_t b = WORLD_FIRST; b < binding_end; b++) {
        const struct net_port_range *r = &world_bindings[b].range;
        if (bindings[b].owner && bindings[b].owner != owner && bindings[b].parent == parent &&
            r->protocol == range->protocol && share_a_family(r->family, range->family) &&
            r->low <= range->high && range->low <= r->high)
            return false;
    }
    return true;
}

static int64_t bind(uint32_t owner, uint32_t parent, const struct net_port_range *range)
{
    uint32_t b = WORLD_FIRST;

    if (!is_free(owner, parent, range))
        return -AEGIS_E_OVERLAP;
    while (b < WORLD_BINDINGS && bindings[b].owner)
        b++;
    if (b == WORLD_BINDINGS)
        return -AEGIS_E_NO_SLOT;
    binding_end = b < binding_end ? binding_end : b + 1;
    bindings[b].owner = bindings[b].binder = owner;
    bindings[b].parent = parent;
    world_bindings[b] = (struct world_binding){.range = *range};
    return b;
}

bool world_bind(uint32_t owner, bool is_loop, const struct net_port_range *range)
{
    return bind(owner, is_loop ? WORLD_LOOP : WORLD_ROOT, range) >= 0;
}

uint32_t world_next_binding(uint32_t after)
{
    for (uint32_t b = after < WORLD_FIRST ? WORLD_FIRST : after + 1; b < binding_end; b++)
        if (bindings[b].owner)
            return b;
    return 0;
}

/* A filter is the range itself here. */
void net_filter_received(struct net_filter *filter, const struct net_port_range *ports)
{
    memcpy(filter->words, ports, sizeof *ports);
    filter->size = sizeof *ports;
}

void net_filter_sent(struct net_filter *filter, const struct net_port_range *ports)
{
    net_filter_received(filter, ports);
}

int64_t net_bind(const struct aegis_net_binding *request)
{
    struct net_port_range range;

    assert(request->ingress_size == sizeof range);
    memcpy(&range, request->ingress, sizeof range);
    return bind(WORLD_NETD, (uint32_t)AEGIS_CAP_INDEX(request->parent.name), &range);
}

int64_t aegis_net_unbind(uint32_t binding)
{
    assert(binding >= WORLD_FIRST && binding < WORLD_BINDINGS && bindings[binding].owner);
    bindings[binding] = (struct aegis_binding_info){.generation = bindings[binding].generation + 1};
    return 0;
}

/* ---- capabilities ---- */

int64_t aegis_cap_mint(uint32_t kind, uint64_t index, uint32_t rights, struct aegis_cap *capability)
{
    uint64_t generation = kind == AEGIS_KIND_BINDING ? bindings[index].generation : 0;
    uint64_t name = AEGIS_CAP_NAME(kind, rights, index);

    *capability = (struct aegis_cap){name, generation, (name ^ generation) * 0x9e3779b97f4a7c15UL};
    return 0;
}

int64_t aegis_cap_revoke(uint32_t kind, uint64_t index, uint32_t how)
{
    assert(kind == AEGIS_KIND_BINDING && bindings[index].owner == WORLD_NETD);
    world_bindings[index].is_severed = how == AEGIS_REVOKE_SEVER;
    return 0;
}

int64_t aegis_entropy(void *buffer, uint64_t length)
{
    static uint32_t state = 1;

    assert(length == sizeof state);
    state = state * 1664525 + 1013904223;
    memcpy(buffer, &state, sizeof state);
    return 0;
}

/* ---- memory: a capability's index is a page of the tables' ---- */

void *vm_attach(const struct aegis_cap *capability, uint32_t prot)
{
    uint64_t page = AEGIS_CAP_INDEX(capability->name);

    (void)prot;
    return page < sizeof world_lingering / AEGIS_PAGE_SIZE
               ? (uint8_t *)world_lingering + page * AEGIS_PAGE_SIZE
               : NULL;
}

int64_t vm_free(void *region)
{
    (void)region;
    return 0;
}

int64_t vm_set_handler(void *start, size_t pages, vm_handler handler, void *context)
{
    (void)start;
    (void)pages;
    (void)handler;
    (void)context;
    return 0;
}

bool vm_zero_when_gone(void *context, uint64_t address, uint32_t access,
                       struct upcall_light *registers)
{
    (void)context;
    (void)address;
    (void)access;
    (void)registers;
    return false;
}

/* ---- netd's other files ---- */

int64_t arp_page(struct aegis_cap *capability)
{
    return aegis_cap_mint(AEGIS_KIND_PAGE, 0, AEGIS_RIGHT_READ, capability);
}

int64_t discovery_page(struct aegis_cap *capability)
{
    return arp_page(capability);
}

int64_t arp_resolve(uint32_t address)
{
    return (address ^ WORLD_ADDRESS) >> 8 ? -ENETUNREACH : 0;
}

int64_t discovery_resolve(const struct net_ipv6 *address)
{
    return address->words[0] == NET_WIRE32(0xfe800000) ? 0 : -ENETUNREACH;
}

void arp_readdress(void)
{
}

void discovery_tell(const struct net_told *told)
{
    (void)told;
}

void arp_known(uint32_t address, uint8_t mac[6])
{
    (void)address;
    memset(mac, 2, 6);
}

void discovery_known(const struct net_ipv6 *address, uint8_t mac[6])
{
    (void)address;
    memset(mac, 2, 6);
}

bool discovery_own(uint8_t which, struct net_ipv6 *own)
{
    *own = (struct net_ipv6){{NET_WIRE32(0xfe800000), 0, 0, NET_WIRE32(2)}};
    if (which == NET_LINGER_GLOBAL)
        own->words[0] = NET_WIRE32(0x20010db8);
    if (which == NET_LINGER_LOOP)
        *own = (struct net_ipv6){{0, 0, 0, NET_WIRE32(1)}};
    return which <= NET_LINGER_LOOP;
}

bool discovery_is_own(const struct net_ipv6 *address)
{
    struct net_ipv6 own;

    for (uint8_t which = 0; which < (uint8_t)NET_LINGER_LOOP; which++)
        if (discovery_own(which, &own) && !memcmp(&own, address, sizeof own))
            return true;
    return false;
}

/* ---- the beginning ---- */

static void show_tables(void)
{
    const uint64_t pages = sizeof world_lingering[0] / AEGIS_PAGE_SIZE;
    struct aegis_cap cap;

    memset(world_lingering, 0, sizeof world_lingering);
    for (uint64_t i = 0; i < 2 * pages; i++) {
        aegis_cap_mint(AEGIS_KIND_PAGE, i, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &cap);
        assert(left_open(WORLD_FRAMES, i % pages | i / pages << 32, &cap) == 0);
    }
}

void world_begin(void)
{
    if (next_serial)
        ports_take_back();
    next_serial = 1;
    binding_end = WORLD_FIRST;
    world_now = 100 * 1000000000UL;
    memset(envs, 0, sizeof envs);
    memset(bindings, 0, sizeof bindings);
    world_info = (struct aegis_info){.timebase = 1000000000,
                                     .envs = (uintptr_t)envs,
                                     .bindings = (uintptr_t)bindings,
                                     .env_count = WORLD_ENVS,
                                     .binding_count = WORLD_BINDINGS};
    world_info.netifs[0].root = WORLD_ROOT;
    envs[0].serial = 0;
    for (uint32_t env = WORLD_INIT; env <= WORLD_FRAMES; env++)
        world_make(env <= WORLD_AGENT ? env - 1 : WORLD_AGENT);
    bindings[WORLD_ROOT].owner = WORLD_FRAMES;
    bindings[WORLD_LOOP].owner = WORLD_FRAMES;
    bindings[WORLD_LOOP].parent = WORLD_LOOP;
    netd = (struct netd){.address = {.address = WORLD_ADDRESS, .prefix = 24}};
    aegis_cap_mint(AEGIS_KIND_BINDING, WORLD_ROOT, AEGIS_RIGHT_DELEGATE, &netd.root);
    aegis_cap_mint(AEGIS_KIND_BINDING, WORLD_LOOP, AEGIS_RIGHT_DELEGATE, &netd.loop);
    show_tables();
}
