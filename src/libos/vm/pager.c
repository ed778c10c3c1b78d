/* Which pages go when somebody asks for them, and how. */
#include "libos/vm/pager.h"

#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/fault.h"
#include "libos/vm/internal.h"

static vm_policy policy;

/* Pages that are being filled: an upcall may come while the contents are half there. */
struct filling {
    uint64_t va;
    struct filling *next;
};
static struct filling *volatile filling;

static bool is_filling(uint64_t va)
{
    const struct filling *f = filling;
    while (f && f->va != va)
        f = f->next;
    return f;
}

/*
 * What a region says a page is to have it must have when it comes back: one that was protected by
 * its PTE alone (VM_MIXED) stays.
 */
bool vm_may_give(uint64_t va)
{
    const struct vm_region *r = vm_find(va);
    if (r->kind != VM_ZERO || r->flags & VM_LOCKED || r->inherit == VM_SHARE || r->table ||
        !(r->pager || r->flags & VM_DISCARDABLE) || !vm_is_shown(va) || is_filling(va))
        return false;
    uint64_t pte = vm_pte((void *)va);
    if (!(pte & AEGIS_PTE_VALID) || AEGIS_PTE_PROT(pte) != r->prot)
        return false;
    const volatile struct aegis_page *page = aegis_page(AEGIS_PTE_PPN(pte));
    return page->owner == exos.env && !page->pins && page->refs == 1 &&
           (r->pager || !(pte & AEGIS_PTE_DIRTY));
}

/*
 * The clock: a page that was referenced since the hand passed last is spared once. Clearing the bit
 * clears D, too: of what is only discardable D is clear already, and a pager is given each page.
 */
uint64_t vm_clock(void)
{
    static uint64_t hand;
    bool again = false;

    for (unsigned rounds = 0; rounds < 3; hand = 0, rounds++) {
        again = false;
        for (const struct vm_region *r = vm_find_next(hand); r; r = vm_find_next(r->end)) {
            if (!(r->pager || r->flags & VM_DISCARDABLE))
                continue;
            uint64_t va = hand > r->start ? hand : r->start;
            for (; (va = vm_next_present(va, r->end)) < r->end; va += AEGIS_PAGE_SIZE) {
                struct aegis_map_op clean = {.va = va, .change = AEGIS_MAP_CLEAN};
                if (!vm_may_give(va))
                    continue;
                hand = va + AEGIS_PAGE_SIZE;
                if (!vm_referenced((void *)va) || aegis_map_batch(0, &clean, 1) < 0)
                    return va;
                again = true;
            }
        }
        if (rounds && !again)
            break;
    }
    return 0;
}

vm_policy vm_set_policy(vm_policy new)
{
    vm_policy before = policy;
    policy = new;
    return before;
}

static bool give_page(uint64_t va)
{
    const struct vm_region *r = vm_find(va);
    uint64_t ppn = AEGIS_PTE_PPN(vm_pte((void *)va));

    if (r->pager && r->pager->evict(r->pager->context, va, (const void *)va) < 0)
        return false;
    vm_note_given(va, va + AEGIS_PAGE_SIZE);
    return aegis_unmap(0, va, 1) == 0 && aegis_page_free(ppn) == 0;
}

size_t vm_give(size_t count)
{
    size_t given = 0;
    /* One that a policy names although it can't go ends this: it would name it for ever. */
    for (uint64_t va; given < count && (va = policy ? policy() : vm_clock()) && vm_may_give(va);
         given++)
        if (!give_page(va))
            break;
    return given;
}

int64_t vm_page_for_fault(void)
{
    int64_t ppn = aegis_page_alloc(AEGIS_ANY);
    if (ppn >= 0)
        return ppn;
    bool none = ppn == -AEGIS_E_NO_PAGE || ppn == -AEGIS_E_QUOTA;
    return none && !exos_held && vm_give(1) ? aegis_page_alloc(AEGIS_ANY) : ppn;
}

int64_t vm_pager_refill(const struct vm_region *r, uint64_t va)
{
    const struct vm_pager *pager = r->pager;
    struct vm_region writable = *r;
    writable.prot |= VM_READ_WRITE;
    struct filling this = {va, filling};
    filling = &this;
    int64_t status = vm_fill_zero(&writable, va), kept = 0;
    if (status == 0)
        kept = pager->refill(pager->context, va, (void *)va);
    filling = this.next;
    if (status < 0)
        return status;
    status = kept;
    if (status >= 0)
        return writable.prot == r->prot ? 0 : aegis_protect(0, va, 1, r->prot);
    vm_release(va, va + AEGIS_PAGE_SIZE);
    return -AEGIS_E_DEVICE;
}

/* How many pages the program may have in the end, what vm takes to note what is there included. */
static uint64_t goal;

static void give_what_is_left(void)
{
    uint64_t pages;
    while ((pages = aegis_env(exos.env)->pages) > goal && vm_give(pages - goal))
        ;
}

static void give_when_asked(enum aegis_kind kind, uint32_t count)
{
    (void)count;
    if (kind == AEGIS_KIND_PAGE && !exos_held_back(EXOS_HELD_PAGES))
        give_what_is_left();
}

/* Before anybody's handler: from now on pages may be taken, and it has to be known from where. */
static void asked(enum aegis_kind kind, uint32_t count)
{
    uint64_t pages = aegis_env(exos.env)->pages;
    if (kind != AEGIS_KIND_PAGE)
        return;
    goal = pages > count ? pages - count : 0;
    vm_begin_tracking();
}

void vm_pager_init(void)
{
    exos_held_hooks[EXOS_HELD_PAGES] = give_what_is_left;
    upcall_revoke_first = asked;
    upcall_set_revoke(give_when_asked);
}
