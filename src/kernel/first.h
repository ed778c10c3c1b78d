/* The first application: the program `init` of the initial RAM disk, which gets everything. */
#ifndef AEGIS_KERNEL_FIRST_H
#define AEGIS_KERNEL_FIRST_H

struct board;

/* Loads it as environment FIRST_ENV; refuses to boot if that can't be. */
void first_load(const struct board *board);

#endif
