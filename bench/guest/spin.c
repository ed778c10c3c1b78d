/* Computes for good; a child of sched.c, which looks how far it is at SPIN_COUNT of its start
 * block. */
#include "bench/guest/spin.h"

int main(void)
{
    volatile uint64_t *count = spin_count(exos.start);
    for (*count = 0;; ++*count)
        continue;
}
