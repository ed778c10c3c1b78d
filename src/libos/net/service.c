/* Finding netd, asking it, and what it says of the machine. */
#include "libos/net/service.h"

#include <errno.h>
#include <string.h>

#include "libos/gate/gate.h"
#include "libos/net/directory.h"
#include "libos/net/service_internal.h"
#include "libos/proc/part.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define PATIENCE 5000000000UL /* ns for netd to begin to serve, or to end with another's call */

uint32_t net_renewals;

struct net_host net_here;
const struct net_host *net_service_known;
static struct aegis_cap netd; /* CALL */
static const volatile struct net_directory *directory;
static uint32_t gate; /* its place among this program's gates, while net_here.neighbours */

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

bool net_look(struct aegis_cap *page)
{
    uint64_t words[GATE_WORDS] = {NETD_ABOUT};

    if (net_ask(words))
        return false;
    uint32_t prefix = words[2] & 0xff, netif = words[2] >> 8 & 0xffff;
    if (prefix > 32 || netif >= aegis_info()->netif_count)
        return false;
    *page = (struct aegis_cap){words[3], words[4], words[5]};
    net_here.address = __builtin_bswap32((uint32_t)(words[1] >> 32));
    net_here.gateway = __builtin_bswap32((uint32_t)words[1]);
    net_here.mask = prefix ? __builtin_bswap32(UINT32_MAX << (32 - prefix)) : 0;
    net_here.is_leased = words[2] >> NETD_LEASED_BIT & 1;
    net_here.netif = (uint16_t)netif;
    for (size_t i = 0; i < sizeof net_here.mac; i++)
        net_here.mac[i] = aegis_info()->netifs[netif].mac[i];
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

    if (!net_look(&page))
        return false;
    const volatile struct net_neighbour *old = net_here.neighbours, *new = net_attach(&page);
    if (!new)
        return false;
    net_here.neighbours = new;
    vm_free((void *)(uintptr_t)old);
    return true;
}

const struct net_host *net_service_begin(void)
{
    if (net_here.neighbours)
        return net_service_known = &net_here;
    if (find_netd() && open_gate()) {
        if (introduce())
            return net_service_known = &net_here;
        aegis_gate_unbind(gate);
    }
    errno = ENETDOWN;
    return NULL;
}

/* A fork's child has neither its parent's gates nor the page of neighbours: it asks for its own. */
static void in_child(void)
{
    net_here.neighbours = NULL;
    net_service_known = NULL;
    directory = NULL;
}

static const struct exos_part net_part = {.name = "net", .in_child = in_child};
EXOS_PART(60, net_part);
