/* SipHash-2-4 (Aumasson and Bernstein, INDOCRYPT 2012). */
#ifndef AEGIS_SIPHASH_H
#define AEGIS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

/* From now on siphash_words rotates by Zbb's instruction, which the hart has: a third fewer
 * instructions. */
void siphash_use_zbb(void);

/* The 64-bit code of length bytes under key. */
uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length);

/* The same of 16 bytes, given as two little-endian words: what a capability needs. */
uint64_t siphash_words(const struct siphash_key *key, uint64_t first, uint64_t second);

#endif
