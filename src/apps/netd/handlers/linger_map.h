/* Looking for a connection that was left to netd (linger.h): BPF alone. */
#ifndef NETD_HANDLERS_LINGER_MAP_H
#define NETD_HANDLERS_LINGER_MAP_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "apps/netd/handlers/linger.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, LINGER_SETS);
    __type(key, __u32);
    __type(value, struct linger_set);
} lingering SEC(".maps");

/* Whether a segment is one of such a connection's; its time is looked at behind this. */
static __always_inline bool lingers6(const __u32 remote[4], const __u32 local[4], __u32 ports)
{
    __u32 place = linger_place(remote[3], ports), now = bpf_ktime_get_ns() / 1000000000;
    const struct linger_set *set = bpf_map_lookup_elem(&lingering, &place);

    if (!set)
        return false;
#pragma unroll
    for (int way = 0; way < LINGER_WAYS; way++) {
        const struct linger_entry *e = &set->entries[way];
        __u32 differs = e->ports ^ ports;
        for (int i = 0; i < 4; i++)
            differs |= (e->remote[i] ^ remote[i]) | (e->local[i] ^ local[i]);
        if (!differs && e->until > now)
            return true;
    }
    return false;
}

static __always_inline bool lingers(__u32 remote, __u32 local, __u32 ports)
{
    const __u32 from[4] = {0, 0, bpf_htonl(0xffff), remote};
    const __u32 to[4] = {0, 0, bpf_htonl(0xffff), local};

    return lingers6(from, to, ports);
}

#endif
