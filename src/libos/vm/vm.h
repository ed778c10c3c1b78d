/*
 * Virtual memory: pages by their physical numbers, mappings, regions, the heap.
 *
 * Everything here is made from page_alloc, table_insert, map, unmap and page_free; a program may
 * use those beside it, at addresses outside [VM_BASE, VM_END) and above the heap. Results are >= 0
 * or a negated enum aegis_error.
 *
 *   exos.upper    the heap, growing up
 *   0x1000000000  VM_BASE: regions, lowest address first, a guard page behind each
 *   0x3f00000000  VM_END
 *   0x3f7fffe000  EXOS_START_ADDRESS: the start block; below it the stack
 */
#ifndef EXOS_VM_VM_H
#define EXOS_VM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"

#define VM_BASE 0x1000000000UL
#define VM_END  0x3f00000000UL

#define VM_READ_WRITE (AEGIS_PROT_READ | AEGIS_PROT_WRITE)

/* Bytes to whole pages, rounded up. */
static inline uint64_t vm_pages(uint64_t bytes)
{
    return bytes / AEGIS_PAGE_SIZE + (bytes % AEGIS_PAGE_SIZE != 0);
}

/*
 * Map page ppn at va in env (0: this one), donating the page tables that are missing, two pages
 * each. Errors: aegis_map's, NO_PAGE.
 */
int64_t vm_map(uint32_t env, uint64_t va, uint64_t ppn, uint32_t prot,
               const struct aegis_cap *capability);

/*
 * New memory: pages pages with protection prot, at an address that the library chooses. The bytes
 * are zero. The region is the library's until vm_free. Returns NULL and sets errno (ENOMEM, EINVAL)
 * on failure.
 */
void *vm_alloc(size_t pages, uint32_t prot);

/*
 * The same, readable and writable, in pages that are consecutive in physical memory too, as the
 * kernel wants a handler's maps. ENOMEM also if there is enough memory, but in pieces.
 */
void *vm_alloc_run(size_t pages);

/* Addresses without memory, to map pages into by hand; vm_free gives them back once nothing is
 * mapped. */
void *vm_reserve(size_t pages);

/* Map somebody else's page, shown by its capability, in a region of its own. NULL and errno on
 * failure. */
void *vm_attach(const struct aegis_cap *capability, uint32_t prot);

/*
 * Undo vm_alloc, vm_alloc_run, vm_reserve or vm_attach, whose result `region` is; NULL does
 * nothing. Pages of one's own are freed. Returns 0, or PINNED while a device or the kernel uses a
 * page (then nothing has changed), or INVALID for an address that is no region's.
 */
int64_t vm_free(void *region);

/* The physical page at an address in a vm_alloc or vm_alloc_run region, or a negated error (INVALID
 * elsewhere). */
int64_t vm_page_at(const void *address);

#endif
