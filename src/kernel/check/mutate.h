/* A way to break each invariant: what a bug of the kernel would leave, so that a test sees the walk
 * find it. The files of mutate*.c have one function for each row of invariants.def. */
#ifndef AEGIS_KERNEL_CHECK_MUTATE_H
#define AEGIS_KERNEL_CHECK_MUTATE_H

#include "kernel/check/internal.h"

/* Each breaks its invariant and returns true, or returns false if there is nothing yet to break it
 * with. */
#define AEGIS_INVARIANT(name, sentence) bool break_##name(void);
#include "kernel/check/invariants.def"
#undef AEGIS_INVARIANT

/* An application's page that something maps, and nothing pins; or NULL. */
struct aegis_page *mutate_mapped_page(void);

#endif
