/*
 * The control console (virtio-console), for the one program that owns it. Bytes may be lost or be
 * noise while nobody, or somebody new, listens at the host's end: a protocol on it has to bear that
 * (src/control).
 */
#ifndef EXOS_CONSOLE_CONSOLE_H
#define EXOS_CONSOLE_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "abi/abi.h"

/* Take bytes that are there; returns how many (0: none), or a negated error. Doesn't wait. */
int64_t console_read(void *bytes, size_t size);

/* Holds while bytes wait to be read: for aegis_wait. */
struct aegis_predicate console_readable(void);

/*
 * Send all bytes, waiting for room until deadline (rdtime ticks). Returns how many were taken:
 * fewer at the deadline; or a negated error.
 */
int64_t console_write(const void *bytes, size_t size, uint64_t deadline);

/* Wait until the device has taken all that was written, or until deadline. Returns whether it has.
 */
int console_drain(uint64_t deadline);

#endif
