/*
 * Runs of physical pages: found in the exposed page array, without a system call. The kernel hands
 * out the pages freed last, and at first the lowest; runs are looked for from the top, where they
 * last longest.
 */
#include "libos/start/start.h"
#include "libos/vm/internal.h"

uint64_t vm_find_run(uint64_t below, size_t pages)
{
    uint64_t first = aegis_info()->first_ppn;
    uint64_t end = first + aegis_info()->page_count;
    size_t found = 0;

    for (uint64_t ppn = below < end ? below : end; ppn > first;) {
        found = aegis_page(--ppn)->state == AEGIS_PAGE_FREE ? found + 1 : 0;
        if (found == pages)
            return ppn;
    }
    return AEGIS_ANY;
}
