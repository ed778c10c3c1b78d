/*
 * Unpredictable bytes: one seed from virtio-rng and the device tree's rng-seed at boot; from it the
 * key of capabilities, the seed of hash tables, and a generator for applications.
 */
#ifndef AEGIS_KERNEL_ENTROPY_H
#define AEGIS_KERNEL_ENTROPY_H

#include <stddef.h>

#include "siphash/siphash.h"

/* Mixes bytes from a source into the pool. */
void entropy_add(const void *bytes, size_t length);

/* Refuses to boot if too little came in; afterwards entropy_key and calls serve. */
void entropy_ready(void);

/* 64 unpredictable bits, as the call entropy gives. */
uint64_t entropy_word(void);

/* A key of its own for each use; uses are small numbers. */
struct siphash_key entropy_key(unsigned int use);
enum { ENTROPY_CAPABILITIES = 1, ENTROPY_HASH_TABLES, ENTROPY_APPLICATIONS };

#endif
