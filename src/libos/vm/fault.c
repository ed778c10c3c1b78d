/*
 * Page faults: what the address means decides (index.c), and what its PTE says.
 *
 * A light handler (upcall/upcall.h): it runs on the exception stack, on which there are neither
 * threads nor signals, and may fault itself: the window of PTEs comes when it is first looked at,
 * and notes may be copies that are due since a fork.
 */
#include "libos/vm/fault.h"

#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/internal.h"
#include "libos/vm/pager.h"

#define KIND(kind) (1U << (kind))
#define FILLED     (KIND(VM_ZERO) | KIND(VM_STACK)) /* absent pages are zeros */

EXOS_HOT int64_t (*vm_cow_handler)(uint64_t va, uint32_t prot);
EXOS_HOT uint64_t vm_heap_filled;

/* What was found out about an address that a look at it now wouldn't show. */
static struct {
    enum vm_reason why; /* LOST or NO_MEMORY */
    uint64_t page;
    int64_t error; /* the kernel's, of NO_MEMORY */
} failed;

static bool decline(enum vm_reason why, uint64_t va, int64_t error)
{
    failed.why = why;
    failed.page = va & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    failed.error = error;
    return false;
}

enum vm_reason vm_why(uint64_t address, int64_t *error)
{
    uint64_t page = address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    const struct vm_region *r = vm_find(address), *above = vm_find_next(address);
    bool has_failed = failed.page == page && failed.page;

    *error = 0;
    if (has_failed && failed.why == VM_NO_MEMORY) { /* a look at the PTE may need a page, too */
        *error = failed.error;
        return failed.why;
    }
    bool present = r->kind != VM_NOWHERE && vm_pte((void *)address) & AEGIS_PTE_VALID;
    if (has_failed && !present) {
        *error = failed.error;
        return failed.why;
    }
    if (r->kind == VM_NOWHERE) /* a stack overflows below its region */
        return above && above->kind == VM_STACK && above->start - address <= VM_GUARD ? VM_OVERFLOW
                                                                                      : VM_UNMAPPED;
    if (present || r->prot == 0)
        return VM_FORBIDDEN;
    /* What was there from the beginning, or at once, and isn't: somebody has taken it. */
    if (r->kind == VM_IMAGE || r->kind == VM_RESIDENT)
        return VM_LOST;
    return KIND(r->kind) & FILLED ? VM_FORBIDDEN : VM_UNMAPPED;
}

/* volatile: or the compiler makes it a call of memset, which takes twice as long. */
static void clear_page(uint64_t va)
{
    for (volatile uint64_t *at = (volatile uint64_t *)va, *end = at + AEGIS_PAGE_SIZE / sizeof *at;
         at < end; at += 32)
#define FOUR(n) at[n] = 0, at[(n) + 1] = 0, at[(n) + 2] = 0, at[(n) + 3] = 0
        FOUR(0), FOUR(4), FOUR(8), FOUR(12), FOUR(16), FOUR(20), FOUR(24), FOUR(28);
#undef FOUR
}

/* Maps ppn, writable for now, and clears it: unless its last owner was another, whose bytes the
 * kernel has cleared, it may hold this program's own. IN_USE: an upcall has been quicker. */
static int64_t map_cleared(uint64_t va, int64_t ppn, uint32_t prot)
{
    int64_t status = vm_map(0, va, (uint64_t)ppn, prot, NULL);
    if (status == 0)
        clear_page(va);
    else
        aegis_page_free((uint64_t)ppn);
    return status;
}

int64_t vm_fill_with(uint64_t va, uint64_t ppn)
{
    int64_t taken = aegis_page_alloc(ppn);
    return taken < 0 ? taken : map_cleared(va, taken, VM_READ_WRITE);
}

int64_t vm_fill_zero(const struct vm_region *r, uint64_t va)
{
    bool writable = r->prot & AEGIS_PROT_WRITE;
    int64_t ppn = vm_page_for_fault();
    if (ppn < 0)
        return ppn;
    int64_t status = vm_note_coming(va);
    if (status < 0) {
        aegis_page_free((uint64_t)ppn);
        return status;
    }
    status = map_cleared(va, ppn, writable ? r->prot : VM_READ_WRITE);
    if (status == -AEGIS_E_IN_USE) /* or its gibibyte wasn't seen in the window */
        return vm_window_show(va);
    if (status < 0) {
        vm_note_not_come(va);
        return status;
    }
    vm_heap_filled += r == &vm_heap;
    return writable ? 0 : aegis_protect(0, va, 1, r->prot);
}

bool vm_zero_when_gone(void *context, uint64_t address, uint32_t access, struct upcall_light *at)
{
    (void)context;
    (void)at;
    const struct vm_region *r = vm_find(address);
    return r->prot & access && vm_fill_zero(r, address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1)) >= 0;
}

/* Asks the region's own handler, and has the next store to a page like this one go there at once.
 */
static bool ask(const struct vm_region *r, uint64_t va, uint32_t access, struct upcall_light *at)
{
    if (!(r->flags & VM_MAY_COW))
        vm_quick = (struct vm_quick){.start = r->start,
                                     .size = r->end - r->start,
                                     .handler = r->handler,
                                     .context = r->context};
    return r->handler(r->context, va, access, at);
}

/* Nothing is mapped, and something could be. */
static bool come(const struct vm_region *r, uint64_t va, uint32_t access, struct upcall_light *at)
{
    int64_t status;
    va &= ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    if (!r->table && vm_is_lost(va))
        return decline(VM_LOST, va, 0);
    if (r->table)
        status = vm_table_refill(r, va);
    else if (r->pager)
        status = vm_pager_refill(r, va);
    else
        status = vm_fill_zero(r, va);
    if (status == -AEGIS_E_ADDRESS) /* the table has nothing there */
        return r->handler && ask(r, va, access, at);
    if (status == -AEGIS_E_DEVICE) /* the pager couldn't */
        return decline(VM_LOST, va, 0);
    return status < 0 ? decline(VM_NO_MEMORY, va, status) : true;
}

static bool nowhere(uint64_t va, uint32_t access)
{
    if (access != AEGIS_PROT_READ || va < AEGIS_WINDOW_BASE || va >= AEGIS_USER_END ||
        vm_window_is_open())
        return false;
    int64_t status = vm_window_open();
    return status < 0 ? decline(VM_NO_MEMORY, va, status) : true;
}

/* Without a look at the PTE: a fork's child has no window yet. If nothing is there, that is told.
 */
static int64_t copy(const struct vm_region *r, uint64_t va)
{
    int64_t status = vm_cow_handler(va & ~(uint64_t)(AEGIS_PAGE_SIZE - 1), r->prot);
    bool none = status == -AEGIS_E_NO_PAGE || status == -AEGIS_E_QUOTA;
    return none && !exos_held && vm_give(1)
               ? vm_cow_handler(va & ~(uint64_t)(AEGIS_PAGE_SIZE - 1), r->prot)
               : status;
}

static __attribute__((noinline)) bool resolve(struct upcall_light *at)
{
    static const uint8_t accesses[] = {[UPCALL_FETCH_PAGE - UPCALL_FETCH_PAGE] = AEGIS_PROT_EXEC,
                                       [UPCALL_LOAD_PAGE - UPCALL_FETCH_PAGE] = AEGIS_PROT_READ,
                                       [UPCALL_STORE_PAGE - UPCALL_FETCH_PAGE] = AEGIS_PROT_WRITE};
    uint64_t va = at->frame->value;
    uint32_t access = accesses[at->frame->cause - UPCALL_FETCH_PAGE];
    const struct vm_region *r = vm_find(va);

    if (r->kind == VM_NOWHERE)
        return nowhere(va, access);
    if (vm_cow_handler && r->flags & VM_MAY_COW && access == AEGIS_PROT_WRITE && r->prot & access) {
        int64_t status = copy(r, va);
        if (status != -AEGIS_E_ADDRESS)
            return status < 0 ? decline(VM_NO_MEMORY, va, status) : true;
    }
    /* Where all pages that are there have r->prot, one that it allows to access isn't there: no
     * need for a window. */
    bool filled = r->prot & access && (KIND(r->kind) & FILLED || r->table);
    if (filled && !(r->flags & VM_MIXED))
        return come(r, va, access, at);
    uint64_t pte = vm_pte((const void *)va);
    if (pte & AEGIS_PTE_VALID) {
        if (AEGIS_PTE_PROT(pte) & access)
            return true; /* an upcall that came between has mended it */
    } else if (filled) {
        return come(r, va, access, at);
    }
    return r->handler && ask(r, va, access, at);
}

#define PTE_WRITE ((uint64_t)AEGIS_PROT_WRITE << 1)

/* First what has to be quick: a store to a page that is there and protected, in a region whose
 * handler was asked before. */
bool vm_fault(struct upcall_light *at)
{
    uint64_t va = at->frame->value;

    if (va - vm_quick.start < vm_quick.size && at->frame->cause == UPCALL_STORE_PAGE &&
        (vm_pte((const void *)va) & (AEGIS_PTE_VALID | PTE_WRITE)) == AEGIS_PTE_VALID)
        return vm_quick.handler(vm_quick.context, va, AEGIS_PROT_WRITE, at);
    return resolve(at);
}

void vm_init(uint64_t upper)
{
    uint64_t top = (uint64_t)__builtin_frame_address(0);

    vm_last = &vm_nowhere;
    vm_heap_init(upper);
    vm_first_stack.end = (top + AEGIS_PAGE_SIZE - 1) & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    vm_first_stack.start = vm_first_stack.end - VM_STACK_LIMIT;
    upcall_set_light(UPCALL_FETCH_PAGE, vm_fault);
    upcall_set_light(UPCALL_LOAD_PAGE, vm_fault);
    upcall_set_light(UPCALL_STORE_PAGE, vm_fault);
    vm_pager_init();
}
