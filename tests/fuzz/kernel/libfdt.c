/*
 * libfdt as the kernel has it, and what that names of the rest, for one clang command: its warnings
 * are its authors', and it reads fields at any address, byte by byte.
 */
#pragma clang diagnostic ignored "-Wsign-compare"
#pragma clang attribute push(__attribute__((no_sanitize("alignment"))), apply_to = function)
#include "fdt.c"
#include "fdt_addresses.c"
#include "fdt_ro.c"
#include "fdt_rw.c"
#include "fdt_wip.c"
#pragma clang attribute pop
