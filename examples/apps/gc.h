/*
 * A generational collector of objects of one size: what is young is collected often, and what it
 * survives it is old by. Old objects may point to young ones only where something was stored since
 * the last collection; the barrier that finds out where costs stores nothing, since the hardware
 * does it: old pages are protected and a store's fault is noted (Appel and Li, "Virtual Memory
 * Primitives for User Programs", ASPLOS 1991), or their dirty bits are read (libos/vm/vm.h).
 */
#ifndef EXAMPLES_GC_H
#define EXAMPLES_GC_H

#include <stddef.h>
#include <stdint.h>

enum gc_barrier {
    GC_PROTECT, /* a fault for the first store to each page */
    GC_DIRTY,   /* a look at each page's PTE, at the collection */
    GC_NONE,    /* nothing: what goes wrong then */
};

struct gc_object {
    struct gc_object *next, *other; /* NULL, or objects */
    uint64_t value;
    struct gc_object *moved; /* the collector's */
};

struct gc; /* opaque */

struct gc_counts {
    uint64_t collections, faults;
    uint64_t scanned; /* old pages looked at for pointers, in all collections */
    uint64_t pages;   /* that there were then, likewise */
};

/*
 * Memory for young and old objects of those many pages each. roots[0 .. count - 1], the caller's,
 * are where reachable objects are reached from. NULL: no memory. gc_free undoes it.
 */
struct gc *gc_make(enum gc_barrier barrier, size_t young, size_t old, struct gc_object **roots,
                   size_t count);
void gc_free(struct gc *gc);

/*
 * A new object of zeros. It may collect: other pointers to objects than roots, and those in
 * objects, are not good afterwards. NULL: the old ones fill their memory.
 */
struct gc_object *gc_new(struct gc *gc);

const struct gc_counts *gc_counts(const struct gc *gc);

#endif
