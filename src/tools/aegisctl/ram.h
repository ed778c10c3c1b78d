/*
 * The memory of a machine, for the debugger's commands. The broker gives QEMU a memfd for it, and
 * leaves in the instance's folder
 *
 *   ram         while the machine runs, a link to that memfd; after an end that wasn't asked for, a
 * sparse copy kernel.elf  a copy of the kernel, with its symbols, since the build may have moved on
 *
 * Nothing here trusts what it reads: a kernel that has died may have left anything.
 */
#ifndef AEGISCTL_RAM_H
#define AEGISCTL_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instance.h"
#include "why.h"

#define RAM_BASE 0x80000000UL /* physical address of its first byte, on QEMU's virt */

struct ram {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t root; /* physical address of the page table that virtual addresses are looked up in; 0:
                      the image's alone */
};

/* Map the memory in a file. The caller ends it with ram_close. */
int ram_open(struct ram *ram, const char *path, struct why *why);
void ram_close(struct ram *ram);

/*
 * Read size bytes at a virtual address of the kernel into to: of its image, or by the page table.
 * Returns whether all of them are there; else what could not be read is zero.
 */
bool ram_read(const struct ram *ram, uint64_t va, void *to, size_t size);

/* The same of an array, in memory that the caller frees; NULL if it isn't there, or is larger than
 * the machine. */
void *ram_copy(const struct ram *ram, uint64_t va, size_t size);

/* Write a sparse copy of an open file. Returns -1 if that fails. */
int ram_save(int fd, const char *path);

#endif
