#include "asking.h"

#include <errno.h>

int64_t asking_due(struct asking *a, volatile unsigned long long *place, uint32_t learnt,
                   uint32_t now)
{
    uint64_t word = *place;

    if (!(word & NEIGHBOUR_WANTED))
        a->times = 0;
    if (word & NEIGHBOUR_KNOWN && now - learnt < NEIGHBOUR_FRESH)
        return 0;
    if (word & NEIGHBOUR_WANTED && now - a->asked < NEIGHBOUR_ASK_AGAIN)
        return 0;
    if (word & NEIGHBOUR_KNOWN && a->times >= ASKING_DOUBTS) {
        __atomic_store_n(place, 0, __ATOMIC_SEQ_CST);
        a->times = 0;
    }
    if (a->times >= ASKING_MOST) {
        a->times = 0; /* who asks after this begins anew */
        return -EHOSTUNREACH;
    }
    a->times++;
    a->asked = now;
    /* The handler may fill the place between the load and the store, with what was just asked for:
     * then the mark stays until the next answer, and what it knew is known. */
    __atomic_fetch_or(place, NEIGHBOUR_WANTED, __ATOMIC_SEQ_CST);
    return 1;
}
