/* Rows of group vm that only ExOS has: what the hardware noted in a PTE, read by its owner. */
#include <stdlib.h>
#include <sys/mman.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"
#include "libos/vm/vm.h"

static uint64_t run_dirty(uint64_t n)
{
    static volatile char *page;
    uint64_t clean = 0;
    if (!page)
        page = vm_alloc(1, VM_READ_WRITE);
    if (!page)
        exit(1);
    *page = 1;
    uint64_t total = COUNT_LOOP(n, {
        const void *at = (const void *)page;
        __asm__ volatile("" : "+r"(at)); /* as if it were another page each time */
        clean |= !vm_dirty(at);
    });
    if (clean)
        exit(1);
    return total;
}

const struct row exos_vm_rows[] = {{"vm", "dirty", 100, run_dirty}, {0}};
