/* What a page fault asks of the other files of vm/. They run on the exception stack; see fault.c.
 */
#ifndef EXOS_VM_FAULT_H
#define EXOS_VM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "libos/vm/vm.h"

#define VM_GUARD (1UL << 20) /* bytes below a stack in which a fault is its overflow */

/* A page of this program's, as page_alloc gives it; if none is free, after the pager has given up
 * what it can. A negated error: NO_PAGE, QUOTA. */
int64_t vm_page_for_fault(void);

/* Whether a page was taken by force from va; not if the program's handler is content with zeros. */
bool vm_is_lost(uint64_t va);

/* Note that one comes, before it does, as it may be taken at once; or that it doesn't after all. 0,
 * or NO_PAGE, QUOTA. */
int64_t vm_note_coming(uint64_t va);
void vm_note_not_come(uint64_t va);

/* A page at va, which the region's own table, or its pager, knows. ADDRESS: they don't. */
int64_t vm_table_refill(const struct vm_region *r, uint64_t va);
int64_t vm_pager_refill(const struct vm_region *r, uint64_t va);

/*
 * fork: resolve a store to a page at va of a region with VM_MAY_COW, which is to have prot: 0,
 * ADDRESS if nothing is mapped, or a negated error. NULL until there was a fork.
 */
extern int64_t (*vm_cow_handler)(uint64_t va, uint32_t prot);

#endif
