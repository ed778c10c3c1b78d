/*
 * Memory that the library chooses an address for. What vm_free takes back together has one number,
 * however protection has cut it since; an unmapped page is behind each, so that running over an end
 * faults.
 */
#include <errno.h>

#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/internal.h"

static uint32_t next_allocation(void)
{
    static uint32_t last;
    return ++last ? last : ++last;
}

/* A new region like *model, at the lowest addresses that hold it; its beginning, or a negated
 * error. */
static int64_t place(size_t pages, struct vm_region model)
{
    if (pages == 0 || pages > (VM_SHARED_BASE - VM_BASE) / AEGIS_PAGE_SIZE - 1)
        return -AEGIS_E_RANGE;
    int64_t status = vm_window_open(); /* while there is memory: vm_free looks there */
    if (status < 0)
        return status;
    exos_hold();
    status = vm_index_need(1);
    if (status == 0) {
        model.start = vm_find_gap(pages * AEGIS_PAGE_SIZE);
        model.end = model.start + pages * AEGIS_PAGE_SIZE;
        model.allocation = next_allocation();
        status = model.start ? (int64_t)vm_insert(&model)->start : -AEGIS_E_NO_PAGE;
    }
    exos_release();
    return status;
}

static void *pointer(int64_t start)
{
    if (start >= 0)
        return (void *)start;
    errno = start == -AEGIS_E_RANGE ? EINVAL : aegis_errno(start);
    return NULL;
}

static void forget(uint64_t start)
{
    exos_hold();
    vm_remove(vm_find(start));
    exos_release();
}

/*
 * Pages from number first on, or any if that is AEGIS_ANY, cleared through a mapping that can be
 * written for as long as that takes: the kernel clears a page unless its last owner was this
 * program, whose own bytes it may hold then.
 */
static int64_t fill(uint64_t start, size_t pages, uint64_t first, uint32_t prot, size_t *mapped)
{
    static const struct vm_region writable = {.prot = VM_READ_WRITE};
    for (*mapped = 0; *mapped < pages; ++*mapped) {
        uint64_t va = start + *mapped * AEGIS_PAGE_SIZE;
        int64_t status =
            first == AEGIS_ANY ? vm_fill_zero(&writable, va) : vm_fill_with(va, first + *mapped);
        if (status < 0)
            return status;
    }
    for (size_t done = 0; prot != VM_READ_WRITE && done < pages; done += AEGIS_MAP_MAX) {
        size_t n = pages - done < AEGIS_MAP_MAX ? pages - done : AEGIS_MAP_MAX;
        int64_t status = aegis_protect(0, start + done * AEGIS_PAGE_SIZE, n, prot);
        if (status < 0)
            return status;
    }
    return 0;
}

/* Whether so many pages could be had at all: or getting them one by one ends in nothing, slowly. */
static bool there_are(size_t pages)
{
    return pages <= aegis_info()->free_pages;
}

void *vm_alloc(size_t pages, uint32_t prot)
{
    size_t mapped;
    if (pages && pages < VM_SHARED_BASE / AEGIS_PAGE_SIZE && !there_are(pages))
        return pointer(-AEGIS_E_NO_PAGE);
    int64_t start = place(pages, (struct vm_region){.kind = VM_RESIDENT,
                                                    .prot = (uint8_t)prot,
                                                    .inherit = VM_COPY,
                                                    .flags = VM_LOCKED});
    if (start < 0)
        return pointer(start);
    int64_t status = fill((uint64_t)start, pages, AEGIS_ANY, prot, &mapped);
    if (status == 0)
        return (void *)start;
    vm_release((uint64_t)start, (uint64_t)start + mapped * AEGIS_PAGE_SIZE);
    forget((uint64_t)start);
    return pointer(status);
}

/* A page of a run may go to somebody else, or to a page table of our own, before we have it: then
 * the next run is tried. */
void *vm_alloc_run(size_t pages)
{
    uint64_t below = AEGIS_ANY;
    int64_t start = place(pages, (struct vm_region){.kind = VM_RESIDENT,
                                                    .prot = VM_READ_WRITE,
                                                    .inherit = VM_NOTHING,
                                                    .flags = VM_LOCKED});
    if (start < 0)
        return pointer(start);
    int64_t status = -AEGIS_E_IN_USE;
    while (status == -AEGIS_E_IN_USE) {
        uint64_t first = vm_find_run(below, pages);
        size_t mapped;
        if (first == AEGIS_ANY)
            break;
        status = fill((uint64_t)start, pages, first, VM_READ_WRITE, &mapped);
        if (status == 0)
            return (void *)start;
        vm_release((uint64_t)start, (uint64_t)start + mapped * AEGIS_PAGE_SIZE);
        below = first + mapped;
    }
    forget((uint64_t)start);
    return pointer(-AEGIS_E_NO_PAGE);
}

void *vm_alloc_stack(size_t pages)
{
    return pointer(place(
        pages, (struct vm_region){.kind = VM_STACK, .prot = VM_READ_WRITE, .inherit = VM_COPY}));
}

void *vm_reserve(size_t pages)
{
    return pointer(place(
        pages,
        (struct vm_region){.kind = VM_RESERVED, .prot = VM_READ_WRITE, .inherit = VM_NOTHING}));
}

void *vm_attach(const struct aegis_cap *capability, uint32_t prot)
{
    int64_t start = place(
        1, (struct vm_region){.kind = VM_FOREIGN, .prot = (uint8_t)prot, .inherit = VM_NOTHING});
    if (start < 0)
        return pointer(start);
    int64_t status =
        vm_map(0, (uint64_t)start, AEGIS_CAP_INDEX(capability->name), prot, capability);
    if (status == 0)
        return (void *)start;
    forget((uint64_t)start);
    return pointer(status);
}

int64_t vm_free(void *address)
{
    if (!address)
        return 0;
    const struct vm_region *r = vm_find((uint64_t)address), *before;
    uint64_t start = r->start, end = r->end;
    uint32_t allocation = r->allocation;
    before = vm_find(start - 1);
    if (start != (uint64_t)address || !allocation || before->allocation == allocation)
        return -AEGIS_E_INVALID;
    while ((r = vm_behind(r)) && r->allocation == allocation)
        end = r->end;
    int64_t status = vm_release(start, end);
    if (status < 0)
        return status;
    exos_hold();
    for (r = vm_find(start); r && r->start < end; r = vm_find_next(start))
        vm_remove((struct vm_region *)r);
    exos_release();
    return 0;
}

int64_t vm_page_at(const void *address)
{
    int64_t status = vm_window_open();
    if (status < 0)
        return status;
    uint64_t pte = vm_find((uint64_t)address)->kind == VM_NOWHERE ? 0 : vm_pte(address);
    return pte & AEGIS_PTE_VALID && aegis_page(AEGIS_PTE_PPN(pte))->owner == exos.env
               ? (int64_t)AEGIS_PTE_PPN(pte)
               : -AEGIS_E_INVALID;
}

int64_t vm_declare(uint64_t start, size_t pages, enum vm_kind kind, uint32_t prot,
                   enum vm_inherit inherit)
{
    uint64_t end = start + pages * AEGIS_PAGE_SIZE;
    struct vm_region model = {.start = start,
                              .end = end,
                              .kind = (uint8_t)kind,
                              .prot = (uint8_t)prot,
                              .inherit = (uint8_t)inherit,
                              .allocation = next_allocation()};
    if (start % AEGIS_PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (pages == 0 || pages > AEGIS_EXPOSED_BASE / AEGIS_PAGE_SIZE || start < AEGIS_PAGE_SIZE ||
        end > AEGIS_EXPOSED_BASE)
        return -AEGIS_E_RANGE;
    exos_hold();
    const struct vm_region *next = vm_find_next(start);
    int64_t status = next && next->start < end ? -AEGIS_E_IN_USE : vm_index_need(1);
    if (status == 0)
        vm_insert(&model);
    exos_release();
    return status < 0 ? status : vm_window_show(start);
}

void *vm_shared_alloc(size_t pages)
{
    static uint64_t next;
    size_t mapped;

    if (pages == 0 || pages > VM_SHARED_MOST)
        return pointer(-AEGIS_E_RANGE);
    if (!next) /* a place of its own for each program, so that who inherits from two rarely has to
                  move */
        next = VM_SHARED_BASE + exos.env % VM_SHARED_PLACES * VM_SHARED_PLACE;
    for (unsigned tries = 0; tries < VM_SHARED_PLACES; tries++) {
        uint64_t start = next;
        next += pages * AEGIS_PAGE_SIZE;
        if (next > VM_END) {
            next = VM_SHARED_BASE;
            continue;
        }
        int64_t status = vm_declare(start, pages, VM_RESIDENT, VM_READ_WRITE, VM_SHARE);
        if (status == -AEGIS_E_IN_USE)
            continue;
        if (status == 0)
            status = fill(start, pages, AEGIS_ANY, VM_READ_WRITE, &mapped);
        if (status < 0)
            vm_free((void *)start);
        return pointer(status < 0 ? status : (int64_t)start);
    }
    return pointer(-AEGIS_E_NO_PAGE);
}

int64_t vm_shared_adopt(void *address, size_t pages)
{
    return vm_declare((uint64_t)address, pages, VM_RESIDENT, VM_READ_WRITE, VM_SHARE);
}
