/*
 * An independent walk over everything that page.h, map.h, env.h and ring.h promise: it reads PTEs
 * as the Privileged Architecture defines them, and uses no function of map.c.
 */
#ifndef AEGIS_TESTS_INVARIANTS_H
#define AEGIS_TESTS_INVARIANTS_H

#include <stddef.h>
#include <stdint.h>

/* One valid leaf PTE of an environment's own part of its address space. */
struct leaf {
    uint32_t env;
    uint32_t location; /* page index of the table << 9 | slot */
    uint64_t va;
    uint64_t pte;
    uint64_t page; /* index */
};

#define LEAVES_MAX 16384
extern struct leaf leaves[LEAVES_MAX];
extern size_t leaf_count;

/*
 * Fails the test that calls it, with what is wrong, unless all invariants hold; fills leaves.
 * extra, if not NULL, counts pins by page index that the test itself took.
 */
void check_invariants(const uint16_t *extra);

#endif
