/*
 * What group disk needs of a system: disk_aegis.c implements it on the kernel's calls,
 * peers/linux/disk.c on Linux's. Reads go to the first disk as it is, past any cache of the
 * system's. What can't be done ends the program with a sentence.
 */
#ifndef BENCH_GUEST_DISK_PORT_H
#define BENCH_GUEST_DISK_PORT_H

#include <stdint.h>

#define DEPTH_MOST 32 /* reads under way */

/* Opens the disk for loads of this depth, with a read's bytes at most; returns its size in bytes.
 */
uint64_t port_disk_open(uint64_t depth, uint64_t length);

/* Begins read number slot (below depth) of length bytes at offset, into memory of its own. */
void port_disk_start(uint64_t slot, uint64_t offset, uint64_t length);

/* Waits until one has ended, without an error, and returns its slot. */
uint64_t port_disk_wait(void);

/* n reads of 4 KiB, one at a time, by the shortest way that the system has: each from 17 blocks
 * behind the last one. */
void port_disk_reads(uint64_t n);

/* Does nothing for so many milliseconds. */
void port_rest(uint64_t milliseconds);

void port_print(const char *line);

#endif
