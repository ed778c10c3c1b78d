/*
 * The example's collector: objects are what they were made, whichever barrier finds the stores, and
 * aren't without one.
 */
#include <string.h>

#include "examples/apps/gc.h"
#include "test.h"

#define LISTS 40
#define DEEP  200 /* objects of a list at most */
#define STEPS 30000

static struct gc_object *roots[LISTS];
static struct {
    size_t length;
    uint64_t values[DEEP], others[DEEP]; /* from the list's end; 0: no other */
} model[LISTS];
static uint64_t seed;

static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static struct gc_object *nth(size_t list, size_t from_end)
{
    struct gc_object *o = roots[list];
    for (size_t i = model[list].length - 1; i > from_end; i--)
        o = o->next;
    return o;
}

/* Pushes an object, or stores a new one into some object that is probably old. False: memory is
 * full. */
static bool step(struct gc *gc, uint64_t number)
{
    size_t list = any(LISTS), length = model[list].length;
    struct gc_object *new = gc_new(gc);
    if (!new)
        return false;
    new->value = number;
    if (length == DEEP || (length && any(3))) {
        size_t i = any(length);
        nth(list, i)->other = new;
        model[list].others[i] = number;
    } else {
        new->next = roots[list];
        roots[list] = new;
        model[list].values[length] = number;
        model[list].length++;
    }
    return true;
}

/* How many objects aren't what they were made. */
static size_t wrong(void)
{
    size_t count = 0;
    for (size_t list = 0; list < LISTS; list++) {
        struct gc_object *o = roots[list];
        for (size_t i = model[list].length; i-- > 0; o = o->next) {
            count += o->value != model[list].values[i];
            count += (o->other ? o->other->value : 0) != model[list].others[i];
        }
    }
    return count;
}

static size_t run(enum gc_barrier barrier, struct gc_counts *counts)
{
    size_t found = 0;
    memset(roots, 0, sizeof roots);
    memset(model, 0, sizeof model);
    seed = 5;
    struct gc *gc = gc_make(barrier, 4, 300, roots, LISTS);
    CHECK(gc);
    for (uint64_t i = 1; i <= STEPS && step(gc, i); i++)
        if (i % 1000 == 0)
            found += wrong();
    *counts = *gc_counts(gc);
    gc_free(gc);
    return found;
}

int main(void)
{
    struct gc_counts protecting, dirty, none;
    CHECK_EQ(run(GC_PROTECT, &protecting), 0);
    CHECK_EQ(run(GC_DIRTY, &dirty), 0);
    CHECK(run(GC_NONE, &none) > 0); /* the barrier is what makes it right */
    CHECK(protecting.collections > 20 && protecting.collections == dirty.collections);
    /* But for those since the last collection each fault has had a page scanned. */
    CHECK(protecting.faults >= protecting.scanned && protecting.faults - protecting.scanned < 300);
    /* Both find the same, but for the page that the collector itself goes on to fill. */
    CHECK(dirty.scanned >= protecting.scanned &&
          dirty.scanned - protecting.scanned <= dirty.collections);
    CHECK(dirty.scanned < dirty.pages);
    CHECK_EQ(none.scanned, 0);
    return 0;
}
