/* What spin.c and its parent share: a counter in the page of the start block that both see. */
#ifndef BENCH_GUEST_SPIN_H
#define BENCH_GUEST_SPIN_H

#include "libos/start/start.h"

#define SPIN_COUNT 3072 /* bytes from its beginning */

static inline volatile uint64_t *spin_count(struct exos_start *start)
{
    return (volatile uint64_t *)((uint8_t *)start + SPIN_COUNT);
}

#endif
