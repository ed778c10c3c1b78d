#include "examples/apps/gc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "libos/vm/vm.h"

#define IN_PAGE (AEGIS_PAGE_SIZE / sizeof(struct gc_object))

struct space {
    struct gc_object *first;
    size_t used, size; /* objects */
};

struct gc {
    enum gc_barrier barrier;
    struct space young, old;
    struct gc_object **roots;
    size_t root_count;
    uint8_t *stored; /* of GC_PROTECT: old pages that were stored to */
    struct gc_counts counts;
};

/* The first store to an old page since the collection: from now on it is written to freely. */
static bool on_store(void *context, uint64_t address, uint32_t access, struct upcall_light *at)
{
    struct gc *gc = context;
    size_t page = (address - (uint64_t)gc->old.first) / AEGIS_PAGE_SIZE;
    (void)access, (void)at;
    gc->stored[page] = 1;
    gc->counts.faults++;
    return vm_protect(&gc->old.first[page * IN_PAGE], 1, VM_READ_WRITE) == 0;
}

/* Where an object is after the collection: a young one that is reached becomes old. */
static struct gc_object *move(struct gc *gc, struct gc_object *o)
{
    if (o < gc->young.first || o >= gc->young.first + gc->young.size)
        return o;
    if (!o->moved) {
        struct gc_object *to = &gc->old.first[gc->old.used++];
        *to = *o;
        o->moved = to;
    }
    return o->moved;
}

static void scan(struct gc *gc, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        gc->old.first[i].next = move(gc, gc->old.first[i].next);
        gc->old.first[i].other = move(gc, gc->old.first[i].other);
    }
}

static bool was_stored_to(const struct gc *gc, size_t page)
{
    if (gc->barrier == GC_PROTECT)
        return gc->stored[page];
    return gc->barrier == GC_DIRTY && vm_dirty(&gc->old.first[page * IN_PAGE]);
}

static size_t pages(const struct gc *gc)
{
    return (gc->old.used + IN_PAGE - 1) / IN_PAGE;
}

/* The collector's own stores meet no barrier; what it has left is watched again. */
static void watch(struct gc *gc)
{
    if (gc->barrier == GC_PROTECT) {
        memset(gc->stored, 0, pages(gc));
        vm_protect(gc->old.first, pages(gc), AEGIS_PROT_READ);
    } else if (gc->barrier == GC_DIRTY) {
        vm_clean(gc->old.first, pages(gc));
    }
}

static void collect(struct gc *gc)
{
    size_t before = gc->old.used, count = pages(gc), done;

    gc->counts.collections++;
    gc->counts.pages += count;
    if (gc->barrier == GC_PROTECT && count)
        vm_protect(gc->old.first, count, VM_READ_WRITE);
    for (size_t i = 0; i < gc->root_count; i++)
        gc->roots[i] = move(gc, gc->roots[i]);
    for (size_t page = 0; page < count; page++)
        if (was_stored_to(gc, page)) {
            size_t end = (page + 1) * IN_PAGE;
            gc->counts.scanned++;
            scan(gc, page * IN_PAGE, end < before ? end : before);
        }
    for (done = before; done < gc->old.used;) { /* what has become old may point to more */
        size_t end = gc->old.used;
        scan(gc, done, end);
        done = end;
    }
    memset(gc->young.first, 0, gc->young.used * sizeof(struct gc_object));
    gc->young.used = 0;
    watch(gc);
}

struct gc_object *gc_new(struct gc *gc)
{
    if (gc->young.used == gc->young.size) {
        if (gc->old.size - gc->old.used < gc->young.size)
            return NULL; /* all of the young ones may be reached */
        collect(gc);
    }
    return &gc->young.first[gc->young.used++];
}

static bool make_space(struct space *space, size_t count)
{
    void *at = mmap(NULL, count * AEGIS_PAGE_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return false;
    *space = (struct space){.first = at, .size = count * IN_PAGE};
    return true;
}

struct gc *gc_make(enum gc_barrier barrier, size_t young, size_t old, struct gc_object **roots,
                   size_t count)
{
    struct gc *gc = calloc(1, sizeof *gc);
    if (!gc)
        return NULL;
    *gc = (struct gc){.barrier = barrier, .roots = roots, .root_count = count};
    gc->stored = calloc(old, 1);
    if (gc->stored && make_space(&gc->young, young) && make_space(&gc->old, old) &&
        (barrier != GC_PROTECT || vm_set_handler(gc->old.first, old, on_store, gc) == 0))
        return gc;
    gc_free(gc);
    return NULL;
}

void gc_free(struct gc *gc)
{
    if (gc->young.first)
        munmap(gc->young.first, gc->young.size * sizeof(struct gc_object));
    if (gc->old.first)
        munmap(gc->old.first, gc->old.size * sizeof(struct gc_object));
    free(gc->stored);
    free(gc);
}

const struct gc_counts *gc_counts(const struct gc *gc)
{
    return &gc->counts;
}
