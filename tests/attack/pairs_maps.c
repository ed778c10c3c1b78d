/* The errors of calls about page tables and mappings; a batch of one gets what the call itself
 * gets. */
#include "attack.h"
#include "libos/vm/vm.h"

#define NO_TABLE_VA (FREE_VA + (1UL << 30))
#define TAKEN_VA    (FREE_VA + AEGIS_PAGE_SIZE)

static uint64_t beyond(void)
{
    return aegis_info()->first_ppn + aegis_info()->page_count;
}

/* Addresses that are not an application's to map. */
static const uint64_t kernels[] = {
    AEGIS_EXPOSED_BASE, AEGIS_WINDOW_BASE,  AEGIS_USER_END,     1UL << 47,
    0xffffffc000000000, 0xffffffff80200000, 0xfffffffffffff000,
};
#define KERNELS (sizeof kernels / sizeof *kernels)

static int64_t insert(uint64_t va, uint32_t level, uint64_t table, uint64_t links)
{
    return aegis_table_insert(0, va, level, table, links);
}

int64_t table_insert_RANGE(void)
{
    uint64_t table = test_page(), links = test_page();
    for (size_t i = 0; i < KERNELS; i++)
        if (kernels[i] != AEGIS_WINDOW_BASE)
            CHECK_ERROR(insert(kernels[i], 1, table, links), RANGE);
    CHECK_ERROR(insert(AEGIS_WINDOW_BASE, 1, table, links), RANGE); /* it has no links */
    CHECK_ERROR(insert(NO_TABLE_VA, 0, beyond(), links), RANGE);
    CHECK_ERROR(insert(NO_TABLE_VA, 1, table, AEGIS_NO_PAGE), RANGE);
    CHECK_ERROR(aegis_table_insert(UINT32_MAX, NO_TABLE_VA, 1, table, links), RANGE);
    int64_t result = insert(NO_TABLE_VA, 2, table, links);
    CHECK_OK(aegis_page_free(table));
    CHECK_OK(aegis_page_free(links));
    return result;
}

int64_t table_insert_OWNER(void)
{
    uint64_t table = test_page(), links = test_page(), theirs = page_of_victim(AEGIS_PAGE_DATA);
    CHECK_ERROR(insert(NO_TABLE_VA, 1, theirs, links), OWNER);
    CHECK_ERROR(insert(NO_TABLE_VA, 1, table, theirs), OWNER);
    CHECK_ERROR(insert(NO_TABLE_VA, 1, page_in_state(AEGIS_PAGE_KERNEL), links), OWNER);
    int64_t result = aegis_table_insert(VICTIM, NO_TABLE_VA, 1, table, links);
    CHECK_OK(aegis_page_free(table));
    CHECK_OK(aegis_page_free(links));
    return result;
}

/* A table that is mapped, and so writable, would be a page table of one's own making. */
int64_t table_insert_STATE(void)
{
    uint64_t table = page_at(FREE_VA, VM_READ_WRITE), links = test_page();
    CHECK_ERROR(insert(NO_TABLE_VA, 1, links, links), STATE);
    CHECK_ERROR(insert(NO_TABLE_VA, 1, links, table), STATE);
    int64_t result = insert(NO_TABLE_VA, 1, table, links);
    page_gone(FREE_VA, table);
    CHECK_OK(aegis_page_free(links));
    return result;
}

int64_t table_insert_PINNED(void)
{
    uint64_t table = page_at(FREE_VA, VM_READ_WRITE), links = test_page();
    CHECK_OK(aegis_upcall_bind((struct aegis_upcall_page *)FREE_VA, AEGIS_PROGRAM_BASE));
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    CHECK_ERROR(insert(NO_TABLE_VA, 1, links, table), PINNED);
    int64_t result = insert(NO_TABLE_VA, 1, table, links);
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    CHECK_OK(aegis_page_free(table));
    CHECK_OK(aegis_page_free(links));
    return result;
}

static int64_t insert_at(uint64_t va, uint32_t level)
{
    uint64_t table = test_page(), links = test_page();
    int64_t result = insert(va, level, table, links);
    CHECK_OK(aegis_page_free(table));
    CHECK_OK(aegis_page_free(links));
    return result;
}

int64_t table_insert_NO_TABLE(void)
{
    return insert_at(NO_TABLE_VA, 0);
}

int64_t table_insert_IN_USE(void)
{
    CHECK_ERROR(insert_at(FREE_VA, 1), IN_USE);
    return insert_at(FREE_VA, 0);
}

int64_t table_remove_RANGE(void)
{
    CHECK_ERROR(aegis_table_remove(0, FREE_VA, 2), RANGE);
    CHECK_ERROR(aegis_table_remove(0, AEGIS_EXPOSED_BASE, 1), RANGE);
    CHECK_ERROR(aegis_table_remove(UINT32_MAX, FREE_VA, 0), RANGE);
    return aegis_table_remove(0, 0xffffffff80200000, 1);
}

int64_t table_remove_OWNER(void)
{
    return aegis_table_remove(VICTIM, AEGIS_PROGRAM_BASE, 0);
}

int64_t table_remove_STATE(void)
{
    CHECK_ERROR(aegis_table_remove(0, AEGIS_PROGRAM_BASE, 1), STATE);
    CHECK_ERROR(aegis_table_remove(0, FREE_VA, 1), STATE);
    return aegis_table_remove(0, AEGIS_PROGRAM_BASE, 0);
}

int64_t table_remove_NO_TABLE(void)
{
    CHECK_ERROR(aegis_table_remove(0, NO_TABLE_VA, 0), NO_TABLE);
    return aegis_table_remove(0, NO_TABLE_VA, 1);
}

/* The three calls about mappings, and the same change as a batch of one. */
static int64_t map(uint32_t env, uint64_t va, uint64_t ppn, uint32_t prot,
                   const struct aegis_cap *cap)
{
    return aegis_map(env, va, ppn, prot, cap);
}

static int64_t map_in_batch(uint32_t env, uint64_t va, uint64_t ppn, uint32_t prot,
                            const struct aegis_cap *cap)
{
    const struct aegis_map_op op = {
        .va = va, .ppn = ppn, .capability = cap, .change = AEGIS_MAP_INSERT, .prot = prot};
    return aegis_map_batch(env, &op, 1);
}
typedef int64_t mapper(uint32_t, uint64_t, uint64_t, uint32_t, const struct aegis_cap *);

static int64_t range(mapper *m)
{
    uint64_t page = test_page();
    for (size_t i = 0; i < KERNELS; i++)
        CHECK_ERROR(m(0, kernels[i], page, VM_READ_WRITE, NULL), RANGE);
    CHECK_ERROR(m(0, FREE_VA, UINT64_MAX, VM_READ_WRITE, NULL), RANGE);
    CHECK_ERROR(m(0, FREE_VA, 0, VM_READ_WRITE, NULL), RANGE);       /* no memory is there */
    CHECK_ERROR(m(0, FREE_VA, 0x10000, VM_READ_WRITE, NULL), RANGE); /* the UART's registers */
    CHECK_ERROR(m(0, FREE_VA, page | 1UL << 44, VM_READ_WRITE, NULL), RANGE); /* reserved bits */
    CHECK_ERROR(m(UINT32_MAX, FREE_VA, page, VM_READ_WRITE, NULL), RANGE);
    CHECK_OK(aegis_page_free(page));
    return m(0, FREE_VA, beyond(), VM_READ_WRITE, NULL);
}

static int64_t alignment(mapper *m)
{
    uint64_t page = test_page();
    CHECK_ERROR(m(0, FREE_VA, page, VM_READ_WRITE | AEGIS_MAP_MEGA, NULL), ALIGNMENT);
    int64_t result = m(0, FREE_VA + 1, page, VM_READ_WRITE, NULL);
    CHECK_OK(aegis_page_free(page));
    return page % AEGIS_MEGAPAGE ? result : 0;
}

static int64_t owner(mapper *m)
{
    uint64_t page = test_page();
    CHECK_ERROR(m(0, FREE_VA, page_of_victim(AEGIS_PAGE_DATA), AEGIS_PROT_READ, NULL), OWNER);
    CHECK_ERROR(m(0, FREE_VA, page_of_victim(AEGIS_PAGE_ENV), AEGIS_PROT_READ, NULL), OWNER);
    CHECK_ERROR(m(0, FREE_VA, page_of_victim(AEGIS_PAGE_RING), AEGIS_PROT_READ, NULL), OWNER);
    CHECK_ERROR(m(0, FREE_VA, page_in_state(AEGIS_PAGE_FREE), AEGIS_PROT_READ, NULL), OWNER);
    CHECK_ERROR(m(0, FREE_VA, page_in_state(AEGIS_PAGE_KERNEL), AEGIS_PROT_READ, NULL), OWNER);
    CHECK_ERROR(m(0, FREE_VA, page_in_state(AEGIS_PAGE_CODE), AEGIS_PROT_EXEC, NULL), OWNER);
    int64_t result = m(VICTIM, FREE_VA, page, VM_READ_WRITE, NULL);
    CHECK_OK(aegis_page_free(page));
    return result;
}

/* One's own page tables and state. */
static int64_t state(mapper *m)
{
    const volatile struct aegis_info *info = aegis_info();
    int64_t result = 0;
    for (uint64_t i = 0; i < info->page_count; i++) {
        const volatile struct aegis_page *page = aegis_page(info->first_ppn + i);
        if (page->owner != exos.env || page->state == AEGIS_PAGE_DATA)
            continue;
        CHECK_ERROR(m(0, FREE_VA, info->first_ppn + i, VM_READ_WRITE, NULL), STATE);
        result = m(0, FREE_VA, info->first_ppn + i, AEGIS_PROT_READ, NULL);
    }
    return result;
}

static int64_t invalid(mapper *m)
{
    static const uint32_t wrong[] = {0, 2, 6, 16, 0x80000000, UINT32_MAX};
    uint64_t page = test_page();
    int64_t result = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQ(result = m(0, FREE_VA, page, wrong[i], NULL), -AEGIS_E_INVALID);
    CHECK_OK(aegis_page_free(page));
    return result;
}

static int64_t no_table(mapper *m)
{
    uint64_t page = test_page();
    int64_t result = m(0, NO_TABLE_VA, page, VM_READ_WRITE, NULL);
    CHECK_OK(aegis_page_free(page));
    return result;
}

static int64_t in_use(mapper *m)
{
    uint64_t page = test_page();
    int64_t result = m(0, AEGIS_PROGRAM_BASE, page, VM_READ_WRITE, NULL);
    CHECK_OK(aegis_page_free(page));
    return result;
}

static int64_t address(mapper *m)
{
    uint64_t page = page_of_victim(AEGIS_PAGE_DATA);
    for (size_t i = 1; i < bad_address_count; i++)
        CHECK_ERROR(
            m(0, FREE_VA, page, AEGIS_PROT_READ, (const struct aegis_cap *)bad_addresses[i]),
            ADDRESS);
    return m(0, FREE_VA, page, AEGIS_PROT_READ, (const struct aegis_cap *)(AEGIS_USER_END - 8));
}

/* The right one for another page of the victim's. */
static int64_t capability(mapper *m)
{
    const struct aegis_cap *cap = &exos.start->caps[ATTACK_CAP_VICTIM_PAGE];
    struct aegis_cap forged = *cap;
    uint64_t index = AEGIS_CAP_INDEX(cap->name);
    forged.mac ^= 1;
    CHECK_ERROR(m(0, FREE_VA, index, AEGIS_PROT_READ, &forged), CAPABILITY);
    CHECK_ERROR(m(0, FREE_VA, index, AEGIS_PROT_READ, &exos.start->caps[ATTACK_CAP_VICTIM_ENV]),
                CAPABILITY);
    return m(0, FREE_VA, page_of_victim(AEGIS_PAGE_RING), AEGIS_PROT_READ, cap);
}

static int64_t rights(mapper *m)
{
    const struct aegis_cap *cap = &exos.start->caps[ATTACK_CAP_VICTIM_PAGE];
    uint64_t index = AEGIS_CAP_INDEX(cap->name);
    CHECK_ERROR(m(0, FREE_VA, index, AEGIS_PROT_READ | AEGIS_PROT_EXEC, cap), RIGHTS);
    return m(0, FREE_VA, index, VM_READ_WRITE, cap);
}

#define BOTH(name, error)                                                                          \
    int64_t map_##error(void)                                                                      \
    {                                                                                              \
        return name(map);                                                                          \
    }                                                                                              \
    int64_t map_batch_##error(void)                                                                \
    {                                                                                              \
        return name(map_in_batch);                                                                 \
    }
BOTH(range, RANGE)
BOTH(alignment, ALIGNMENT)
BOTH(owner, OWNER)
BOTH(state, STATE)
BOTH(invalid, INVALID)
BOTH(no_table, NO_TABLE)
BOTH(in_use, IN_USE)
BOTH(address, ADDRESS)
BOTH(capability, CAPABILITY)
BOTH(rights, RIGHTS)

int64_t protect_RANGE(void)
{
    for (size_t i = 0; i < KERNELS; i++)
        CHECK_ERROR(aegis_protect(0, kernels[i], 1, AEGIS_PROT_READ), RANGE);
    CHECK_ERROR(aegis_protect(0, AEGIS_PROGRAM_BASE, 0, AEGIS_PROT_READ), RANGE);
    CHECK_ERROR(aegis_protect(0, AEGIS_PROGRAM_BASE, UINT64_MAX, AEGIS_PROT_READ), RANGE);
    CHECK_ERROR(aegis_protect(0, AEGIS_EXPOSED_BASE - AEGIS_PAGE_SIZE, 2, AEGIS_PROT_READ), RANGE);
    return aegis_protect(0, FREE_VA, AEGIS_MAP_MAX + 1, AEGIS_PROT_READ);
}

int64_t protect_ALIGNMENT(void)
{
    return aegis_protect(0, FREE_VA + 8, 1, AEGIS_PROT_READ);
}

int64_t protect_OWNER(void)
{
    return aegis_protect(VICTIM, DESK->victim_va, 1, VM_READ_WRITE);
}

int64_t protect_INVALID(void)
{
    CHECK_ERROR(aegis_protect(0, AEGIS_PROGRAM_BASE, 1, AEGIS_PROT_WRITE), INVALID);
    CHECK_ERROR(aegis_protect(0, AEGIS_PROGRAM_BASE, 1, UINT32_MAX), INVALID);
    return aegis_protect(0, AEGIS_PROGRAM_BASE, 1, 0);
}

int64_t protect_NO_TABLE(void)
{
    return aegis_protect(0, NO_TABLE_VA, 1, AEGIS_PROT_READ);
}

int64_t protect_ADDRESS(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    int64_t result = aegis_protect(0, FREE_VA, 2, AEGIS_PROT_READ);
    *(volatile uint64_t *)FREE_VA = 1; /* the first of them is as it was */
    page_gone(FREE_VA, page);
    return result;
}

/* What a capability didn't give can't be had afterwards. */
int64_t protect_RIGHTS(void)
{
    const struct aegis_cap *cap = &exos.start->caps[ATTACK_CAP_VICTIM_PAGE];
    const struct aegis_map_op op = {
        .va = FREE_VA, .change = AEGIS_MAP_PROTECT, .prot = VM_READ_WRITE};
    CHECK_OK(aegis_map(0, FREE_VA, AEGIS_CAP_INDEX(cap->name), AEGIS_PROT_READ, cap));
    CHECK_ERROR(aegis_map_batch(0, &op, 1), RIGHTS);
    int64_t result = aegis_protect(0, FREE_VA, 1, VM_READ_WRITE);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    return result;
}

int64_t unmap_RANGE(void)
{
    for (size_t i = 0; i < KERNELS; i++)
        CHECK_ERROR(aegis_unmap(0, kernels[i], 1), RANGE);
    CHECK_ERROR(aegis_unmap(0, AEGIS_PROGRAM_BASE, 0), RANGE);
    return aegis_unmap(0, AEGIS_PROGRAM_BASE, 1UL << 52);
}

int64_t unmap_ALIGNMENT(void)
{
    return aegis_unmap(0, AEGIS_PROGRAM_BASE + 1, 1);
}

int64_t unmap_OWNER(void)
{
    return aegis_unmap(VICTIM, DESK->victim_va, 1);
}

int64_t unmap_NO_TABLE(void)
{
    return aegis_unmap(0, NO_TABLE_VA, 1);
}

int64_t unmap_ADDRESS(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    int64_t result = aegis_unmap(0, FREE_VA, 2);
    *(volatile uint64_t *)FREE_VA = 1; /* and nothing was unmapped */
    page_gone(FREE_VA, page);
    return result;
}

/* An environment that ends: between its last step and the look at it, it is ENDING. */
static uint32_t ending(void)
{
    uint32_t child = child_make();
    CHECK_OK(aegis_env_end(child, 0));
    return child;
}

static void ended(uint32_t child)
{
    struct aegis_predicate over = aegis_when_ended(child);
    CHECK_EQ(aegis_wait(&over, 1, AEGIS_FOREVER), 0);
    CHECK_OK(aegis_env_free(child));
}

int64_t protect_STATE(void)
{
    uint32_t child = ending();
    int64_t result = aegis_protect(child, AEGIS_PROGRAM_BASE, 1, AEGIS_PROT_READ);
    ended(child);
    return result;
}

int64_t unmap_STATE(void)
{
    uint32_t child = ending();
    int64_t result = aegis_unmap(child, AEGIS_PROGRAM_BASE, 1);
    ended(child);
    return result;
}
