/* What the files of proc/ share; not for programs. */
#ifndef EXOS_PROC_INTERNAL_H
#define EXOS_PROC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "image/elf.h"

/* Find a program of the initial RAM disk and read it. Returns 0, or a negated PROC_*_ERROR. */
int64_t proc_find_program(const char *name, struct elf_program *program);

/*
 * Give env size bytes of memory at va (any alignment), which begin with `filled` bytes of data and
 * go on with zeros; whole pages, that belong to env then, with protection prot.
 */
int64_t proc_fill(uint32_t env, uint64_t va, uint64_t size, const void *data, uint64_t filled,
                  uint32_t prot);

#endif
