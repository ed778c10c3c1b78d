/*
 * Regions in the order of their addresses, found by halving.
 *
 * An exception handler looks regions up while ordinary code changes them. Invariant, at any
 * instruction: all->at[0 .. count - 1] point to whole regions that ascend by start, and of two
 * with the same start, or that overlap, the one found (the last whose start isn't above the
 * address) means what the addresses meant before the change or mean after it. So an insertion first
 * doubles the last pointer and moves the others by one each, a removal moves them down before it
 * lowers count, and a region that is cut keeps its end until the other half stands in the index.
 *
 * Those that change regions hold (upcall/hold.h): no other thread comes between, and no handler
 * changes regions while they do, since they touch no memory that could fault, but for copies due
 * since a fork, which change none.
 */
#include <string.h>

#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/internal.h"

#define FIRST   40 /* regions until vm's notes get pages of their own */
#define TABLES  4  /* pages that a mapping may take for tables: two levels, with their links */
#define NODES   ((VM_NODES_END - VM_NODES) / AEGIS_PAGE_SIZE * IN_PAGE)
#define IN_PAGE (AEGIS_PAGE_SIZE / sizeof(struct vm_region))

struct table {
    uint64_t count;
    struct vm_region *at[];
};

/* app.ld */
extern char __executable_start[], __rodata_start[], __data_start[], __resident_start[],
    __resident_end[], __image_end[];

struct vm_region vm_nowhere;
EXOS_HOT struct vm_region *vm_last;
struct vm_region vm_heap = {
    .kind = VM_ZERO, .prot = VM_READ_WRITE, .inherit = VM_COPY, .start = VM_BASE, .end = VM_BASE};
struct vm_region vm_first_stack = {.kind = VM_STACK,
                                   .prot = VM_READ_WRITE,
                                   .inherit = VM_COPY,
                                   .start = AEGIS_STACK_TOP,
                                   .end = AEGIS_STACK_TOP};

#define IMAGE(first, behind, protection, inherited)                                                \
    {                                                                                              \
        .start = (uint64_t)(first), .end = (uint64_t)(behind), .kind = VM_IMAGE,                   \
        .prot = (protection), .inherit = (inherited)                                               \
    }
static struct vm_region image[] = {
    IMAGE(__executable_start, __rodata_start, AEGIS_PROT_READ | AEGIS_PROT_EXEC, VM_SHARE),
    IMAGE(__rodata_start, __data_start, AEGIS_PROT_READ, VM_SHARE),
    IMAGE(__data_start, __resident_start, VM_READ_WRITE, VM_COPY),
    IMAGE(__resident_start, __resident_end, VM_READ_WRITE, VM_FRESH),
    IMAGE(__resident_end, __image_end, VM_READ_WRITE, VM_COPY),
};
static struct vm_region notes = {.kind = VM_RESIDENT,
                                 .prot = VM_READ_WRITE,
                                 .inherit = VM_COPY,
                                 .start = VM_END,
                                 .end = VM_NOTES_END};

static struct {
    uint64_t count;
    struct vm_region *at[FIRST];
} first = {.count = 8,
           .at = {&vm_first_stack, &image[0], &image[1], &image[2], &image[3], &image[4], &vm_heap,
                  &notes}};
static struct vm_region first_nodes[FIRST];

static struct table *all = (struct table *)&first;
static size_t room = FIRST;           /* pointers that the index has room for */
static struct vm_region *free_nodes;  /* linked through context */
static size_t free_count, nodes_made; /* nodes_made: of those at VM_NODES */
static bool first_nodes_taken;

/* How many regions start at or below address: the last of them is the one to look at. */
static size_t position(uint64_t address)
{
    size_t low = 0, high = all->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (all->at[middle]->start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct vm_region *vm_search(uint64_t address)
{
    size_t n = position(address);
    struct vm_region *r = n ? all->at[n - 1] : &vm_nowhere;
    if (address - r->start >= r->end - r->start)
        return &vm_nowhere;
    return vm_last = r;
}

/* The position of an address that is likely to lie close behind the last one asked for, as for who
 * goes through the regions. */
static size_t position_near(uint64_t address)
{
    static EXOS_HOT size_t last;
    size_t n = last;

    if (n > all->count || (n && all->at[n - 1]->start > address))
        return last = position(address);
    for (int i = 0; i < 2 && n < all->count && all->at[n]->start <= address; i++)
        n++;
    if (n < all->count && all->at[n]->start <= address)
        n = position(address);
    return last = n;
}

struct vm_region *vm_find_next(uint64_t address)
{
    size_t n = position_near(address);

    if (n && all->at[n - 1]->end > address)
        return all->at[n - 1];
    return n < all->count ? all->at[n] : NULL;
}

struct vm_region *vm_region_number(size_t n)
{
    return n < all->count ? all->at[n] : NULL;
}

const struct vm_region *vm_region_at(uint64_t address)
{
    return vm_find(address);
}

const struct vm_region *vm_region_next(uint64_t address)
{
    const struct vm_region *r = vm_find_next(address);
    while (r && r->start == r->end)
        r = vm_find_next(r->end);
    return r;
}

static void put_free(struct vm_region *node)
{
    node->context = free_nodes;
    free_nodes = node;
    free_count++;
}

int64_t vm_note_page(uint64_t va)
{
    int64_t ppn = aegis_page_alloc(AEGIS_ANY);
    if (ppn < 0)
        return ppn;
    int64_t status = vm_map(0, va, (uint64_t)ppn, VM_READ_WRITE, NULL);
    if (status < 0) {
        aegis_page_free((uint64_t)ppn);
        return status;
    }
    memset((void *)va, 0, AEGIS_PAGE_SIZE);
    return 0;
}

/* Twice the room for pointers: a whole copy behind the old one, then the switch. */
static int64_t grow_index(size_t count)
{
    static uint64_t end = VM_INDEX; /* of the pages at VM_INDEX */
    uint64_t bytes = sizeof *all + 2 * (room + count) * sizeof(struct vm_region *);
    bytes = vm_pages(bytes) * AEGIS_PAGE_SIZE;
    if (VM_INDEX + bytes > VM_NODES)
        return -AEGIS_E_NO_PAGE;
    for (; end < VM_INDEX + bytes; end += AEGIS_PAGE_SIZE) {
        int64_t status = vm_note_page(end);
        if (status < 0)
            return status;
    }
    room = (bytes - sizeof *all) / sizeof(struct vm_region *);
    struct table *larger = (struct table *)VM_INDEX;
    if (all != larger) {
        memcpy(larger, all, sizeof *all + all->count * sizeof(struct vm_region *));
        __atomic_store_n(&all, larger, __ATOMIC_RELEASE);
    }
    return 0;
}

static int64_t grow_nodes(void)
{
    if (nodes_made + IN_PAGE > NODES)
        return -AEGIS_E_NO_PAGE;
    uint64_t page = VM_NODES + nodes_made / IN_PAGE * AEGIS_PAGE_SIZE;
    struct vm_region *more = (struct vm_region *)page;
    int64_t status = vm_note_page(page);
    if (status < 0)
        return status;
    nodes_made += IN_PAGE;
    for (size_t i = 0; i < IN_PAGE; i++)
        put_free(&more[i]);
    return 0;
}

int64_t vm_index_need(size_t count)
{
    int64_t status = 0;
    if (!first_nodes_taken)
        for (size_t i = 0; i < FIRST; i++)
            put_free(&first_nodes[i]);
    first_nodes_taken = true;
    while (free_count < count && status == 0)
        status = grow_nodes();
    if (status == 0 && all->count + count > room)
        status = grow_index(count);
    return status;
}

struct vm_region *vm_insert(const struct vm_region *model)
{
    struct vm_region *node = free_nodes;
    free_nodes = node->context;
    free_count--;
    *node = *model;

    size_t n = all->count, place = position(model->start);
    struct vm_region *volatile *at = all->at; /* each step in its order */
    if (n) {
        at[n] = at[n - 1];
        *(volatile uint64_t *)&all->count = n + 1;
        for (size_t i = n; i > place; i--)
            at[i] = at[i - 1];
    }
    at[place] = node;
    *(volatile uint64_t *)&all->count = n + 1;
    return node;
}

/* Whether its node is one of those that regions are made of; the others are where they are. */
static bool may_go(const struct vm_region *r)
{
    return r != &vm_heap && r != &vm_first_stack && r != &notes && (r < image || r > &image[4]);
}

void vm_remove(struct vm_region *region)
{
    size_t n = all->count, place = position(region->start);
    struct vm_region *volatile *at = all->at;
    while (at[place - 1] != region) /* an empty one may start where it does */
        place--;
    for (size_t i = place - 1; i + 1 < n; i++)
        at[i] = at[i + 1];
    *(volatile uint64_t *)&all->count = n - 1;
    if (vm_last == region)
        vm_last = &vm_nowhere;
    vm_forget_short_ways();
    if (may_go(region))
        put_free(region);
}

struct vm_region *vm_behind(const struct vm_region *region)
{
    struct vm_region *next = vm_find_next(region->end);
    return next && next->start == region->end ? next : NULL;
}

/* Cuts the region that holds address inside in two. */
static void cut_at(uint64_t address)
{
    struct vm_region *r = vm_find(address);
    if (r->kind == VM_NOWHERE || r->start == address)
        return;
    struct vm_region half = *r;
    half.start = address;
    vm_insert(&half);
    *(volatile uint64_t *)&r->end = address;
    vm_forget_short_ways();
}

struct vm_region *vm_cut(uint64_t start, uint64_t end)
{
    cut_at(start);
    cut_at(end);
    struct vm_region *r = vm_find_next(start);
    return r && r->start < end ? r : NULL;
}

static bool same_meaning(const struct vm_region *a, const struct vm_region *b)
{
    return a->kind == b->kind && a->prot == b->prot && a->inherit == b->inherit &&
           a->flags == b->flags && a->allocation == b->allocation && a->handler == b->handler &&
           a->context == b->context && a->pager == b->pager && a->table == b->table;
}

void vm_join(uint64_t start, uint64_t end)
{
    struct vm_region *r = vm_find_next(start ? start - 1 : 0);
    while (r && r->start < end) {
        struct vm_region *next = vm_behind(r);
        if (!next) {
            r = vm_find_next(r->end);
        } else if (may_go(next) && may_go(r) && same_meaning(r, next)) {
            *(volatile uint64_t *)&r->end = next->end;
            vm_remove(next);
        } else {
            r = next;
        }
    }
}

bool vm_covered(uint64_t start, uint64_t end)
{
    while (start < end) {
        const struct vm_region *r = vm_find(start);
        if (r->kind == VM_NOWHERE)
            return false;
        start = r->end;
    }
    return true;
}

uint64_t vm_find_gap(uint64_t bytes)
{
    uint64_t at = VM_BASE;
    for (size_t i = position(VM_BASE - 1); i < all->count; i++) {
        const struct vm_region *r = all->at[i];
        if (r->start >= VM_SHARED_BASE)
            break;
        if (r->start - at >= bytes + AEGIS_PAGE_SIZE && r->start > at)
            return at;
        at = r->end + AEGIS_PAGE_SIZE;
    }
    return VM_SHARED_BASE - at >= bytes + AEGIS_PAGE_SIZE ? at : 0;
}
