#include "hostile.h"

#include <errno.h>
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/linger.h"
#include "libos/net/service.h"

#define OWN      0x0a00020fUL /* 10.0.2.15 */
#define LOOPBACK 0x7f000001UL
#define PEER     0x0a000202U
#define TCP      ((uint64_t)IPV4_TCP << 16)
#define UDP      ((uint64_t)IPV4_UDP << 16)
#define AS_FIN   ((uint64_t)60 << 40 | (uint64_t)NET_LINGER_FIN_WAIT_1 << 32)

/* The error of an order; 0 if it was obeyed. */
static int refused(const uint64_t order[GATE_WORDS])
{
    uint64_t words[GATE_WORDS];

    memcpy(words, order, sizeof words);
    return net_ask(words) ? errno : 0;
}

/* To leave a connection of a binding's in the name of an address. */
static int refused_linger(uint64_t binding, uint64_t own, uint32_t peer)
{
    const struct net_ipv6 mapped = net_ipv6_mapped(__builtin_bswap32(peer));
    uint64_t words[GATE_WORDS] = {NETD_LINGER, AS_FIN | binding, 1UL << 32 | 2, own << 32 | 80};

    memcpy(&words[4], &mapped, sizeof mapped);
    return refused(words);
}

static int give_orders(uint64_t theirs, uint64_t mine)
{
    const volatile struct aegis_binding_info *binding = aegis_binding((uint32_t)theirs);
    const uint64_t cap = AEGIS_CAP_NAME(AEGIS_KIND_BINDING, AEGIS_RIGHT_DELEGATE, theirs);
    const struct row {
        uint64_t words[GATE_WORDS];
        int error;
    } rows[] = {
        {{NETD_TAKE, TCP | 4020}, EADDRINUSE},
        {{NETD_TAKE, UDP | 68}, EACCES},
        {{NETD_TAKE, UDP | 546 | 2UL << 24}, EACCES},
        {{NETD_TAKE, TCP | 255UL << 24}, EPROTONOSUPPORT},
        {{NETD_TAKE, TCP | UINT64_MAX << NETD_MORE_BIT}, EPROTONOSUPPORT},
        {{NETD_LOOP, theirs}, EINVAL},
        {{NETD_LOOP, mine | 1UL << 32}, EINVAL},
        {{NETD_LEAVE, theirs}, EINVAL},
        {{NETD_LEAVE, mine | 1UL << 32}, EINVAL},
        {{NETD_LEAVE, UINT32_MAX}, EINVAL},
        {{NETD_RESOLVE, 0x08080808}, ENETUNREACH},
        {{NETD_RESOLVE6}, ENETUNREACH},
        {{NETD_ADDRESS, OWN << 32, 24}, EPERM},
        {{NETD_ADDRESS, 0, 33}, EPERM},
        {{NETD_LINGERS, 0, cap, 0, 0}, EPERM},
        {{NETD_JOIN, cap, binding->generation, 0, exos.env}, EINVAL},
        {{NETD_JOIN, cap, binding->generation, 0, exos.parent}, EINVAL},
        {{NETD_ORDERS}, ENOSYS},
        {{UINT64_MAX}, ENOSYS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (refused(rows[i].words) != rows[i].error)
            return (int)i + 1;
    return 0;
}

static int leave_connections(uint64_t theirs, uint64_t mine)
{
    const struct row {
        uint64_t binding, own;
        uint32_t peer;
        int error;
    } rows[] = {
        {theirs, OWN, PEER, EINVAL},     {mine, OWN + 1, PEER, EINVAL},
        {mine, LOOPBACK, PEER, EINVAL},  {mine, LOOPBACK, LOOPBACK, EINVAL}, /* not open there */
        {mine, OWN, 0xe0000001, EINVAL}, {mine, OWN, UINT32_MAX, EINVAL},
        {UINT32_MAX, OWN, PEER, EINVAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (refused_linger(rows[i].binding, rows[i].own, rows[i].peer) != rows[i].error)
            return (int)i + 41;
    return 0;
}

int hostile_run(uint32_t binding)
{
    uint64_t take[GATE_WORDS] = {NETD_TAKE, TCP | 4021};

    if (!net_service() || net_ask(take))
        return 80;
    uint64_t mine = AEGIS_CAP_INDEX(take[2]);
    int row = give_orders(binding, mine);

    return row ? row : leave_connections(binding, mine);
}
