/* Faults on purpose (panic=NAME in the boot arguments), so that a test sees each guard of the
 * kernel hold. */
#ifndef AEGIS_KERNEL_FAULT_H
#define AEGIS_KERNEL_FAULT_H

#include <stddef.h>

/* Commits the fault of that name, or refuses to boot if there is none. */
_Noreturn void fault_commit(const char *name, size_t length);

#endif
