/* To which neighbour a datagram of IPv4 goes. */
#include <errno.h>
#include <string.h>

#include "libos/net/asked.h"
#include "libos/net/neighbour.h"
#include "libos/net/service.h"
#include "libos/net/service_internal.h"
#include "libos/time/time.h"

/* What the page says of an address now, or 0. Of an old answer KNOWN isn't set. */
static inline uint64_t look_up(uint32_t address)
{
    const volatile struct net_neighbour *n = &net_here.neighbours[net_neighbour_place(address)];
    uint64_t word = n->word;
    uint64_t seconds = time_now() / aegis_info()->timebase;

    /* The address is read behind the word: netd changes it only while the word says nothing. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (n->address != address || !(word & NEIGHBOUR_KNOWN))
        return 0;
    return seconds - n->seconds < NEIGHBOUR_FRESH ? word : word & ~NEIGHBOUR_KNOWN;
}

static uint64_t look_up_at(const void *address)
{
    return look_up(*(const uint32_t *)address);
}

static const volatile unsigned long long *place_of(const void *address)
{
    return &net_here.neighbours[net_neighbour_place(*(const uint32_t *)address)].word;
}

static int resolve(uint32_t address, uint64_t *word, uint64_t deadline)
{
    const struct net_asked asked = {.order = {NETD_RESOLVE, __builtin_bswap32(address)},
                                    .address = &address,
                                    .place = place_of,
                                    .look_up = look_up_at};

    return net_await_neighbour(&asked, word, deadline);
}

/* What isn't in the table, or not any more. */
static __attribute__((noinline)) int find_hop(uint32_t address, uint32_t hop, uint8_t mac[6],
                                              uint64_t deadline)
{
    uint32_t first = address & 0xff; /* of its bytes */
    uint64_t word;

    if (address == UINT32_MAX ||
        (~net_here.mask && address == (net_here.address | ~net_here.mask))) {
        memset(mac, 0xff, 6);
        return 0;
    }
    if (!hop || address == net_here.address || first == 127 || first >> 4 == 14) {
        errno = ENETUNREACH;
        return -1;
    }
    if (resolve(hop, &word, deadline))
        return -1;
    memcpy(mac, &word, 6);
    return 0;
}

static inline uint32_t hop_to(uint32_t address)
{
    return (address ^ net_here.address) & net_here.mask ? net_here.gateway : address;
}

bool net_try_hop(uint32_t address, uint8_t mac[6])
{
    uint64_t word = look_up(hop_to(address));

    if (__builtin_expect(!(word & NEIGHBOUR_KNOWN), 0) || (address & 0xf0) == 0xe0 ||
        (address & 0xff) == 127 || address == UINT32_MAX)
        return false;
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) /* its first bytes in memory */
        mac[i] = (uint8_t)(word >> 8 * i);
    return true;
}

int net_next_hop(uint32_t address, uint8_t mac[6], uint64_t deadline)
{
    return net_try_hop(address, mac) ? 0 : find_hop(address, hop_to(address), mac, deadline);
}
