/*
 * The debugger's interface (design section 8): where aegisctl post and aegisctl symbols find what
 * they print, in the memory of a machine that runs or has panicked. Layouts are in abi/layouts.def.
 *
 * Invariant: a row of post.codes has a size <=> that interface, binding or handler has compiled
 * code, and then says where it lies.
 */
#ifndef AEGIS_KERNEL_POST_H
#define AEGIS_KERNEL_POST_H

#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/code.h"

extern struct aegis_post post;

/* Says where the exposed pages and the page tables are. Once, at boot, when all that is there. */
void post_init(void);

/* Makes the table for count pieces of a kind. Only at boot. */
void post_code_init(enum aegis_code_kind kind, uint32_t count);

/*
 * Notes that number's code of a kind lies in code, and begins at entry; with entry NULL, that it
 * has none. name is a handler's, or NULL. number is below the count that post_code_init was given.
 */
void post_code(enum aegis_code_kind kind, uint32_t number, const struct code *code,
               const void *entry, uint32_t owner, const char *name);

#endif
