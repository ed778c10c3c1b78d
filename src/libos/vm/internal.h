/* What the files of vm/ and start/ share; not for programs. */
#ifndef EXOS_VM_INTERNAL_H
#define EXOS_VM_INTERNAL_H

#include <stdint.h>

/* The heap begins at upper, a multiple of the page size. Called once, before any malloc. */
void vm_heap_init(uint64_t upper);

#endif
