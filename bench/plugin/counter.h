/*
 * The file through which the counting plugin shows its counts to the host, mapped shared by both,
 * in the host's byte order. The plugin creates it; readers check magic.
 */
#ifndef BENCH_PLUGIN_COUNTER_H
#define BENCH_PLUGIN_COUNTER_H

#include <stdint.h>

#define COUNTER_MAGIC  0x746e756f63676561UL /* "aegcount" in little-endian order */
#define COUNTER_PLACES (1U << 18)

struct counter {
    uint64_t magic;
    volatile uint64_t
        instructions;            /* that the guest began since the machine was made; plugin only */
    volatile uint64_t low, high; /* virtual addresses that are counted, end not included; looked at
                                    when an instruction is translated. The host may change them. */

    /*
     * With profile=on, how often each instruction ran, by its virtual address: one place each time
     * that it is translated, so an address may stand in several. Beyond COUNTER_PLACES only
     * `instructions` counts on.
     */
    volatile uint64_t used; /* places filled */
    struct {
        uint64_t address;
        volatile uint64_t count;
    } places[];
};

#endif
