/*
 * How fields and sets are written, in the listings of atoms and of the trie.
 */
#ifndef DPFC_PRINT_H
#define DPFC_PRINT_H

#include "tools/dpfc/dpflift.h"

/* "[12:2]": two bytes at offset 12; "base[16:2]": counted from that base; "len", of width 0: the
 * frame's length. A mask that leaves bits out is written behind; one of none asks only whether the
 * bytes are there. */
void print_field(FILE *out, const char *base, unsigned offset, unsigned width, uint64_t mask);

/* "0x7", "0x7-0x9" */
void print_interval(FILE *out, uint64_t low, uint64_t high);

#endif
