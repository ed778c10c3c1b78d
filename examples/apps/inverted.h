/*
 * An inverted page table: an entry for each page of memory instead of one for each address, found
 * by hashing the address. Its size follows the memory that a program has, however far apart the
 * addresses lie; the hardware's table, four levels' pages for each place, is a cache of it
 * (libos/vm/table.h).
 */
#ifndef EXAMPLES_INVERTED_H
#define EXAMPLES_INVERTED_H

#include "libos/vm/table.h"

/* A table for up to pages pages; NULL and errno (ENOMEM, EINVAL) if there is no memory for it. */
const struct vm_table *inverted_make(size_t pages);

/* Not before what it is the table of is unmapped. */
void inverted_free(const struct vm_table *table);

#endif
