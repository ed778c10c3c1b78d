#include "kernel/map.h"

#include <string.h>

#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/env.h"
#include "kernel/print.h"
#include "kernel/user.h"

#define SLOT_BITS 9

/* A list node in the page of reverse links: the neighbours of one PTE on its page's list. */
struct link {
    uint32_t next;
    uint32_t previous;
};

static struct link *link_of(uint32_t location)
{
    struct link *links = page_memory(&pages[pages[location >> SLOT_BITS].links]);

    return &links[location & (PTES - 1)];
}

static pte_t *pte_of(uint32_t location)
{
    pte_t *table = page_memory(&pages[location >> SLOT_BITS]);

    return &table[location & (PTES - 1)];
}

static uint32_t location_of(const struct aegis_page *table, const pte_t *entry)
{
    return (uint32_t)(table - pages) << SLOT_BITS | ((uintptr_t)entry / sizeof(pte_t) & (PTES - 1));
}

uint64_t map_bits(uint32_t prot)
{
    static const uint8_t bits[8] = {
        [AEGIS_PROT_READ] = PTE_R,
        [AEGIS_PROT_READ | AEGIS_PROT_WRITE] = PTE_R | PTE_W,
        [AEGIS_PROT_EXEC] = PTE_X,
        [AEGIS_PROT_READ | AEGIS_PROT_EXEC] = PTE_R | PTE_X,
        [AEGIS_PROT_READ | AEGIS_PROT_WRITE | AEGIS_PROT_EXEC] = PTE_R | PTE_W | PTE_X,
    };

    return prot < 8 && bits[prot] ? bits[prot] | PTE_U | PTE_V : 0;
}

void map_flush(const struct env *env, uint64_t va)
{
    sfence_page(va, env->asid);
}

void map_init_root(struct aegis_page *page)
{
    pte_t *root = page_memory(page);

    memset(root, 0, PAGE_SIZE / 2);
    memcpy(root + PTES / 2, kernel_root + PTES / 2, PAGE_SIZE / 2);
    root[EXPOSED_INDEX] = kernel_root[EXPOSED_INDEX];
    page->state = AEGIS_PAGE_PTABLE;
}

void map_insert_table(pte_t *entry, struct aegis_page *table, struct aegis_page *links)
{
    memset(page_memory(table), 0, PAGE_SIZE);
    table->state = AEGIS_PAGE_PTABLE;
    links->state = AEGIS_PAGE_PTABLE;
    table->links = (uint32_t)(links - pages);
    *entry = pte_make(page_ppn(table), PTE_V);
}

pte_t *map_entry(const struct env *env, uint64_t va, unsigned int level, struct aegis_page **table)
{
    pte_t *entries = env->root;

    for (unsigned int l = ROOT_LEVEL; l > level; l--) {
        pte_t entry = entries[pte_index(va, l)];
        if (!(entry & PTE_V) || (entry & PTE_LEAF))
            return NULL;
        entries = ppn_to_virt(pte_ppn(entry));
    }
    if (table)
        *table = page_of(virt_to_phys(entries) >> PAGE_SHIFT);
    return &entries[pte_index(va, level)];
}

void map_insert(struct aegis_page *table, pte_t *entry, struct aegis_page *page, uint64_t bits)
{
    uint32_t location = location_of(table, entry);

    *link_of(location) = (struct link){.next = page->links, .previous = NO_PAGE};
    if (page->links != NO_PAGE)
        link_of(page->links)->previous = location;
    page->links = location;
    page->refs++;
    if (bits & PTE_W)
        page->writers++;
    *entry = pte_make(page_ppn(page), bits);
}

void map_remove(struct aegis_page *table, pte_t *entry)
{
    struct aegis_page *page = page_of(pte_ppn(*entry));
    struct link link = *link_of(location_of(table, entry));

    if (link.previous == NO_PAGE)
        page->links = link.next;
    else
        link_of(link.previous)->next = link.next;
    if (link.next != NO_PAGE)
        link_of(link.next)->previous = link.previous;
    page->refs--;
    if (*entry & PTE_W)
        page->writers--;
    *entry = 0;
}

void map_remove_all(struct aegis_page *page)
{
    if (page->links == NO_PAGE)
        return;
    while (page->links != NO_PAGE)
        map_remove(&pages[page->links >> SLOT_BITS], pte_of(page->links));
    /* Which address each PTE served isn't kept, so all of them go: pages are taken by force rarely.
     */
    sfence_all();
}

bool map_mend_fault(const struct env *env, uint64_t va, uint64_t cause)
{
    uint64_t need = cause == CAUSE_STORE_PAGE_FAULT   ? PTE_W
                    : cause == CAUSE_FETCH_PAGE_FAULT ? PTE_X
                                                      : PTE_R;
    pte_t *entry;

    if (va >= AEGIS_USER_END)
        return false;
    entry = map_entry(env, va, 0, NULL);
    if (!entry || (*entry & (PTE_V | PTE_U | need)) != (PTE_V | PTE_U | need))
        return false;
    *entry |= need == PTE_W ? PTE_A | PTE_D : PTE_A;
    map_flush(env, va);
    return true;
}

/* A range of whole pages in the part of the address space that is the application's to map. */
static long check_range(uint64_t va, uint64_t count)
{
    if (va % PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    if (va >= AEGIS_EXPOSED_BASE || count == 0 || count > (AEGIS_EXPOSED_BASE - va) / PAGE_SIZE)
        return -AEGIS_E_RANGE;
    return 0;
}

long call_table_insert(uint32_t number, uint64_t va, uint32_t level, uint64_t table, uint64_t links)
{
    struct env *env;
    long error = env_target(number, &env);

    if (!error && level > 1)
        error = -AEGIS_E_RANGE;
    if (!error)
        error = check_range(va & ~(uint64_t)(PAGE_SIZE - 1), 1);
    if (!error)
        error = page_check_donation(table, this_hart->env->number);
    if (!error)
        error = page_check_donation(links, this_hart->env->number);
    if (!error && table == links)
        error = -AEGIS_E_STATE;
    if (error)
        return error;
    pte_t *entry = map_entry(env, va, level + 1, NULL);
    if (!entry)
        return -AEGIS_E_NO_TABLE;
    if (*entry & PTE_V)
        return -AEGIS_E_IN_USE;

    if (env != this_hart->env) {
        page_move(page_of(table), env->number);
        page_move(page_of(links), env->number);
    }
    map_insert_table(entry, page_of(table), page_of(links));
    return 0;
}

/* Whether the caller may map page into env with the PTE bits: by ownership, or by the capability at
 * cap. */
static long check_page(const struct env *env, uint64_t ppn, uint64_t bits, uaddr_t cap)
{
    struct aegis_page *page;
    uint32_t rights = (bits & PTE_R ? AEGIS_RIGHT_READ : 0) |
                      (bits & PTE_W ? AEGIS_RIGHT_WRITE : 0) |
                      (bits & PTE_X ? AEGIS_RIGHT_EXEC : 0);

    if (!page_valid(ppn))
        return -AEGIS_E_RANGE;
    page = page_of(ppn);
    if (page->owner != this_hart->env->number && page->owner != env->number) {
        if (!cap)
            return -AEGIS_E_OWNER;
        long error = cap_check_user(cap, AEGIS_KIND_PAGE, ppn, rights);
        if (error)
            return error;
    }
    if (env_infos[page->owner].state == AEGIS_ENV_ENDING) /* it is being taken back */
        return -AEGIS_E_STATE;
    return page_is_memory(page) ? 0 : -AEGIS_E_STATE;
}

long call_map(uint32_t number, uint64_t va, uint64_t ppn, uint32_t prot, uaddr_t cap)
{
    struct env *env;
    struct aegis_page *table;
    uint64_t bits = map_bits(prot);
    long error = env_target(number, &env);

    if (!error)
        error = check_range(va, 1);
    if (!error && !bits)
        error = -AEGIS_E_INVALID;
    if (!error)
        error = check_page(env, ppn, bits, cap);
    if (error)
        return error;
    pte_t *entry = map_entry(env, va, 0, &table);
    if (!entry)
        return -AEGIS_E_NO_TABLE;
    if (*entry & PTE_V)
        return -AEGIS_E_IN_USE;
    map_insert(table, entry, page_of(ppn), bits);
    return 0;
}

/*
 * Finds the level-0 table of va and checks that the next *count entries, but not beyond the table's
 * end, are mapped; lowers *count to those.
 */
static long check_mapped(const struct env *env, uint64_t va, uint64_t *count, pte_t **entries,
                         struct aegis_page **table)
{
    size_t left = PTES - pte_index(va, 0);

    *entries = map_entry(env, va, 0, table);
    if (!*entries)
        return -AEGIS_E_NO_TABLE;
    if (*count > left)
        *count = left;
    for (size_t i = 0; i < *count; i++)
        if (!((*entries)[i] & PTE_V))
            return -AEGIS_E_ADDRESS;
    return 0;
}

/*
 * Write access to a page of somebody else can't be regained without its capability, which protect
 * isn't given: only what the entry has, or what ownership gives.
 */
static bool may_have(const struct env *env, pte_t entry, uint64_t bits)
{
    const struct aegis_page *page = page_of(pte_ppn(entry));
    uint64_t more = bits & PTE_LEAF & ~entry;

    return !more || page->owner == this_hart->env->number || page->owner == env->number;
}

long call_protect(uint32_t number, uint64_t va, uint64_t count, uint32_t prot)
{
    struct env *env;
    struct aegis_page *table;
    pte_t *entries;
    uint64_t bits = map_bits(prot), n;
    long error = env_target(number, &env);

    if (!error)
        error = check_range(va, count);
    if (!error && count > AEGIS_MAP_MAX)
        error = -AEGIS_E_RANGE;
    if (!error && !bits)
        error = -AEGIS_E_INVALID;
    if (error)
        return error;
    for (uint64_t done = 0; done < count; done += n) {
        n = count - done;
        error = check_mapped(env, va + done * PAGE_SIZE, &n, &entries, &table);
        for (uint64_t i = 0; !error && i < n; i++)
            if (!may_have(env, entries[i], bits))
                error = -AEGIS_E_RIGHTS;
        if (error)
            return error;
    }

    for (uint64_t done = 0; done < count; done += n) {
        n = count - done;
        check_mapped(env, va + done * PAGE_SIZE, &n, &entries, &table);
        for (uint64_t i = 0; i < n; i++) {
            struct aegis_page *page = page_of(pte_ppn(entries[i]));
            page->writers += (bits & PTE_W ? 1 : 0) - (entries[i] & PTE_W ? 1 : 0);
            entries[i] = (entries[i] & ~(uint64_t)PTE_LEAF) | bits;
            map_flush(env, va + (done + i) * PAGE_SIZE);
        }
    }
    return 0;
}

long call_unmap(uint32_t number, uint64_t va, uint64_t count)
{
    struct env *env;
    struct aegis_page *table;
    pte_t *entries;
    uint64_t n;
    long error = env_target(number, &env);

    if (!error)
        error = check_range(va, count);
    if (!error && count > AEGIS_MAP_MAX)
        error = -AEGIS_E_RANGE;
    if (error)
        return error;
    for (uint64_t done = 0; done < count; done += n) {
        n = count - done;
        error = check_mapped(env, va + done * PAGE_SIZE, &n, &entries, &table);
        if (error)
            return error;
    }

    for (uint64_t done = 0; done < count; done += n) {
        n = count - done;
        check_mapped(env, va + done * PAGE_SIZE, &n, &entries, &table);
        for (uint64_t i = 0; i < n; i++) {
            map_remove(table, &entries[i]);
            map_flush(env, va + (done + i) * PAGE_SIZE);
        }
    }
    return 0;
}
