/* A program that gives netd each order about what isn't its own (tests/guest/ports.c). */
#ifndef GUEST_HOSTILE_H
#define GUEST_HOSTILE_H

#include <stdint.h>

/*
 * As a child that has netd's capability, and nothing else of what its parent has: a port of TCP's,
 * open on both interfaces, by netd's binding. Returns 0 if each order was refused as it has to be,
 * else the number of the row, from 1.
 */
int hostile_run(uint32_t binding);

#endif
