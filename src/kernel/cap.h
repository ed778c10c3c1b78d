/*
 * Self-authenticating capabilities (SOSP '95, section 3.2.1; design section 3): minted when asked
 * for, checked once when a new binding is made from one.
 *
 * Invariant: a capability verifies <=> the kernel minted exactly these bytes since boot and the
 * generation of its resource hasn't moved since.
 */
#ifndef AEGIS_KERNEL_CAP_H
#define AEGIS_KERNEL_CAP_H

#include <stdint.h>

#include "abi/abi.h"
#include "siphash/siphash.h"
#include "kernel/user.h"

/* Takes the key that seals capabilities; once, at boot. */
void cap_init(struct siphash_key key);

/*
 * Checks that *cap names resource index of kind, with all rights, in its present generation.
 * Returns 0, or negated CAPABILITY or RIGHTS. index is a valid number for kind.
 */
long cap_check(const struct aegis_cap *cap, enum aegis_kind kind, uint64_t index, uint32_t rights);

/* The same of a capability in the caller's memory; also ADDRESS. */
long cap_check_user(uaddr_t cap, enum aegis_kind kind, uint64_t index, uint32_t rights);

#endif
