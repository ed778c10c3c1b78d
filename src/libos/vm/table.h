/*
 * Page tables of a program's own: any structure that says which of its pages belongs where. The
 * hardware's table is then a cache of what it says, filled by faults, as a software TLB would be
 * (Engler, Kaashoek and O'Toole, SOSP 1995, section 5.1 and 6.2); without one the hardware's table
 * is what vm itself looks at (vm_pte). examples/apps/inverted.c is one.
 */
#ifndef EXOS_VM_TABLE_H
#define EXOS_VM_TABLE_H

#include "libos/vm/vm.h"

#define VM_PAGE_LOST UINT64_MAX /* the page of an entry was taken by force */

/*
 * All run on the exception stack: they must not wait, allocate, or fault in what has a table. va is
 * a multiple of the page size, ppn a page of the program's own.
 */
struct vm_table {
    /* The page at va; false if there is none. */
    bool (*lookup)(void *state, uint64_t va, uint64_t *ppn);
    /* Note a page where there was none, or another. 0 or a negated enum aegis_error. */
    int64_t (*insert)(void *state, uint64_t va, uint64_t ppn);
    void (*remove)(void *state, uint64_t va);
    /* The lowest entry at or above *va, whose address goes there; false if there is none. */
    bool (*walk)(void *state, uint64_t *va, uint64_t *ppn);
    void *state;
};

/*
 * Have table say what is mapped in a range of whole pages, of kind VM_ZERO and not yet touched
 * (mmap). A touch of what it doesn't know takes a new page of zeros, and inserts that. A fork's
 * child gets nothing of it. *table is the caller's, and stays until the range is unmapped. Returns
 * 0, or ALIGNMENT, INVALID (a hole, or something is there already), NO_PAGE.
 */
int64_t vm_set_table(void *start, size_t pages, const struct vm_table *table);

/*
 * Have the hardware's table forget what is in a range of regions with tables of their own, which
 * stays there, and give back the page tables that serve the range and are empty then, whatever the
 * regions; so also what munmap has left. Returns how many pages were forgotten.
 */
size_t vm_flush(void *start, size_t pages);

#endif
