/* What the files of vm/ and start/ share; not for programs. */
#ifndef EXOS_VM_INTERNAL_H
#define EXOS_VM_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* The heap begins at upper, a multiple of the page size. Called once, before any malloc. */
void vm_heap_init(uint64_t upper);

/* The highest run of so many free pages that lies below a page number: its first page, or
 * AEGIS_ANY. Somebody else may take one of them at any time. */
uint64_t vm_find_run(uint64_t below, size_t pages);

#endif
