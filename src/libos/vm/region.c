/*
 * Regions: a list ordered by address. Each knows its pages by number, so that freeing needs no look
 * into page tables. Invariant: regions lie in [VM_BASE, VM_END), and between two of them is at
 * least one unmapped page.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/vm/internal.h"
#include "libos/vm/vm.h"

#define UNMAP_MOST 512 /* pages that one unmap takes */

enum region_kind { OWN, RESERVED, FOREIGN };

struct region {
    struct region *next;
    uint64_t start;
    size_t pages;
    enum region_kind kind;
    uint64_t ppn[]; /* of OWN: its pages */
};

static struct region *regions;

static uint64_t region_end(const struct region *r)
{
    return r->start + r->pages * AEGIS_PAGE_SIZE;
}

/* Puts a new region of that many pages into the lowest gap that holds it. NULL: no addresses or no
 * memory. */
static struct region *insert(size_t pages, enum region_kind kind)
{
    if (pages == 0 || pages > (VM_END - VM_BASE) / AEGIS_PAGE_SIZE - 1) {
        errno = EINVAL;
        return NULL;
    }
    uint64_t need = (pages + 1) * AEGIS_PAGE_SIZE, start = VM_BASE;
    struct region **at = &regions;
    while (*at && (*at)->start - start < need) {
        start = region_end(*at) + AEGIS_PAGE_SIZE;
        at = &(*at)->next;
    }
    struct region *r = VM_END - start < need
                           ? NULL
                           : malloc(sizeof *r + (kind == OWN ? pages * sizeof *r->ppn : 0));
    if (!r) {
        errno = ENOMEM;
        return NULL;
    }
    *r = (struct region){.next = *at, .start = start, .pages = pages, .kind = kind};
    *at = r;
    return r;
}

static void forget(struct region *r)
{
    struct region **at = &regions;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    free(r);
}

/* Unmaps and frees the first count pages, unless one is pinned, which the kernel won't take. */
static int64_t release(struct region *r, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (aegis_page(r->ppn[i])->pins)
            return -AEGIS_E_PINNED;
    for (size_t done = 0; done < count; done += UNMAP_MOST) {
        size_t n = count - done < UNMAP_MOST ? count - done : UNMAP_MOST;
        int64_t status = aegis_unmap(0, r->start + done * AEGIS_PAGE_SIZE, n);
        if (status < 0)
            return status;
    }
    for (size_t i = 0; i < count; i++)
        aegis_page_free(r->ppn[i]);
    return 0;
}

/*
 * The kernel clears a page unless its last owner was this program, whose own bytes it may hold
 * then: those are cleared here, through a mapping that can be written for as long as that takes.
 * The pages are those from number first on, or any if that is AEGIS_ANY.
 */
static int64_t fill(struct region *r, uint64_t first, uint32_t prot, size_t *mapped)
{
    for (*mapped = 0; *mapped < r->pages; ++*mapped) {
        int64_t ppn = aegis_page_alloc(first == AEGIS_ANY ? AEGIS_ANY : first + *mapped);
        if (ppn < 0)
            return ppn;
        uint64_t va = r->start + *mapped * AEGIS_PAGE_SIZE;
        int64_t status = vm_map(0, va, (uint64_t)ppn, VM_READ_WRITE, NULL);
        if (status < 0) {
            aegis_page_free((uint64_t)ppn);
            return status;
        }
        r->ppn[*mapped] = (uint64_t)ppn;
        memset((void *)va, 0, AEGIS_PAGE_SIZE);
    }
    return prot == VM_READ_WRITE ? 0 : aegis_protect(0, r->start, r->pages, prot);
}

void *vm_alloc(size_t pages, uint32_t prot)
{
    struct region *r = insert(pages, OWN);
    if (!r)
        return NULL;
    size_t mapped;
    int64_t status = fill(r, AEGIS_ANY, prot, &mapped);
    if (status == 0)
        return (void *)r->start;
    release(r, mapped);
    forget(r);
    errno = aegis_errno(status);
    return NULL;
}

/* A page of a run may go to somebody else, or to a page table of our own, before we have it: then
 * the next run is tried. */
void *vm_alloc_run(size_t pages)
{
    uint64_t below = AEGIS_ANY;
    struct region *r = insert(pages, OWN);
    if (!r)
        return NULL;
    int64_t status = -AEGIS_E_IN_USE;
    while (status == -AEGIS_E_IN_USE) {
        uint64_t first = vm_find_run(below, pages);
        size_t mapped;
        if (first == AEGIS_ANY)
            break;
        status = fill(r, first, VM_READ_WRITE, &mapped);
        if (status == 0)
            return (void *)r->start;
        release(r, mapped);
        below = first + mapped;
    }
    forget(r);
    errno = ENOMEM;
    return NULL;
}

void *vm_reserve(size_t pages)
{
    struct region *r = insert(pages, RESERVED);
    return r ? (void *)r->start : NULL;
}

void *vm_attach(const struct aegis_cap *capability, uint32_t prot)
{
    struct region *r = insert(1, FOREIGN);
    if (!r)
        return NULL;
    int64_t status = vm_map(0, r->start, AEGIS_CAP_INDEX(capability->name), prot, capability);
    if (status == 0)
        return (void *)r->start;
    forget(r);
    errno = aegis_errno(status);
    return NULL;
}

static struct region *find(uint64_t address)
{
    struct region *r = regions;
    while (r && address >= region_end(r))
        r = r->next;
    return r && address >= r->start ? r : NULL;
}

int64_t vm_free(void *address)
{
    if (!address)
        return 0;
    struct region *r = find((uint64_t)address);
    if (!r || r->start != (uint64_t)address)
        return -AEGIS_E_INVALID;
    if (r->kind == OWN) {
        int64_t status = release(r, r->pages);
        if (status < 0)
            return status;
    } else if (r->kind == FOREIGN) {
        aegis_unmap(0, r->start,
                    1); /* fails if its owner freed it and so took it from us already */
    }
    forget(r);
    return 0;
}

int64_t vm_page_at(const void *address)
{
    struct region *r = find((uint64_t)address);
    return r && r->kind == OWN ? (int64_t)r->ppn[((uint64_t)address - r->start) / AEGIS_PAGE_SIZE]
                               : -AEGIS_E_INVALID;
}
