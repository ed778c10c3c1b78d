/*
 * The file through which the counting plugin shows its count to the host: one page, mapped shared
 * by both, in the host's byte order. The plugin creates it; readers map it read-only and check
 * magic.
 */
#ifndef BENCH_PLUGIN_COUNTER_H
#define BENCH_PLUGIN_COUNTER_H

#include <stdint.h>

#define COUNTER_MAGIC 0x746e756f63676561UL /* "aegcount" in little-endian order */

struct counter {
    uint64_t magic;
    volatile uint64_t
        instructions; /* that the guest began since the machine was made; plugin only */
};

#endif
