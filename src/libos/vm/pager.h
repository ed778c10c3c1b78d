/*
 * Giving memory back: which pages, where their contents go, and what was taken by force.
 *
 * When the program's owner asks for pages (upcall.h, upcall_set_revoke), vm gives those that can do
 * without: of regions that a pager keeps the contents of, and what madvise(MADV_FREE) has declared
 * discardable and nobody has written to since. It gives the same when a fault finds no page free.
 * It runs between any two instructions of the program. What isn't given in time is taken by force,
 * any page: a touch of one that was lost is SIGBUS, unless the program has a handler for that.
 */
#ifndef EXOS_VM_PAGER_H
#define EXOS_VM_PAGER_H

#include "libos/vm/vm.h"

/*
 * Keeps the contents of pages that aren't there. Both are called on an upcall's stack: they must
 * not wait, allocate, or touch the region itself but at page.
 */
struct vm_pager {
    /* Keep the page at address, which goes when this returns 0; negative: it can't go. */
    int64_t (*evict)(void *context, uint64_t address, const void *page);
    /* Put what was kept into page, which is zero: 0, 1 if nothing was kept, or negative: it is
     * lost. */
    int64_t (*refill)(void *context, uint64_t address, void *page);
    void *context;
};

/*
 * Have pager keep the contents of whole pages in regions of kind VM_ZERO; NULL: nobody, for which
 * all of them have to be there again (vm_touch). *pager is the caller's, and stays. Returns 0, or
 * ALIGNMENT, INVALID (a hole), NO_PAGE.
 */
int64_t vm_set_pager(void *start, size_t pages, const struct vm_pager *pager);

/*
 * The choice of the next page to give: its address, or 0 if there is none; for each it may ask
 * vm_may_give. NULL: vm's own, a clock over the referenced bits. Runs in upcalls.
 */
typedef uint64_t (*vm_policy)(void);
vm_policy vm_set_policy(vm_policy policy);
uint64_t vm_clock(void);

/* Whether the page at an address is there and can go. */
bool vm_may_give(uint64_t address);

/* Give up to count pages now; returns how many. For handlers that a program sets by
 * upcall_set_revoke, which come in place of vm's own. */
size_t vm_give(size_t count);

/*
 * Pages that were taken by force and not reported yet, by their addresses: up to most go to
 * addresses; returns how many there are in all. They stay lost until they are touched and a handler
 * has agreed to zeros, unmapped, or dropped. Also mends page tables that the program has brought
 * itself (table.h). Begins to work with the first revocation.
 */
size_t vm_lost(uint64_t *addresses, size_t most);

/*
 * Asked when a page is touched that was taken by force: true: it is zero now, and the program goes
 * on; false, or without a handler: SIGBUS. Runs as a light upcall. Returns the one before.
 */
typedef bool (*vm_lost_handler)(uint64_t address);
vm_lost_handler vm_set_lost(vm_lost_handler handler);

#endif
