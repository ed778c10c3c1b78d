/* Faults on purpose (panic=NAME in the boot arguments), so that a test sees each guard of the
 * kernel hold. */
#ifndef AEGIS_KERNEL_FAULT_H
#define AEGIS_KERNEL_FAULT_H

#include <stddef.h>

/* Commits the fault of that name, or has fault_at_end commit it; refuses to boot if there is none.
 */
void fault_commit(const char *name, size_t length);

/* Where the machine is asked to end: panics if panic=stop. */
void fault_at_end(void);

#endif
