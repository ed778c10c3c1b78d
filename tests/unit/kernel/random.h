/* A repeatable stream of numbers, the same on every machine. */
#ifndef AEGIS_TESTS_RANDOM_H
#define AEGIS_TESTS_RANDOM_H

#include <stdint.h>

void seed_random(uint64_t seed);

/* The next number, below n, which isn't 0. */
uint64_t random_below(uint64_t n);

#endif
