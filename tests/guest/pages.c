/* Pages and mappings: each named error of the calls about them, and that a call that fails changes
 * nothing. */
#include <string.h>

#include "libos/vm/vm.h"
#include "test.h"

#define VA     0x2000000000UL /* nothing is there */
#define KERNEL 1              /* pages of the kernel: the exposed array says which */

static uint64_t page_in_state(enum aegis_page_state state)
{
    const volatile struct aegis_info *info = aegis_info();
    for (uint64_t i = 0; i < info->page_count; i++)
        if (aegis_page(info->first_ppn + i)->state == state)
            return info->first_ppn + i;
    FAIL("no page in state %d", (int)state);
}

static uint64_t page_of_parent(void)
{
    const volatile struct aegis_info *info = aegis_info();
    for (uint64_t i = 0; i < info->page_count; i++)
        if (aegis_page(info->first_ppn + i)->owner == exos.parent &&
            aegis_page(info->first_ppn + i)->state == AEGIS_PAGE_DATA)
            return info->first_ppn + i;
    FAIL("no page of the parent's");
}

static uint64_t beyond(void)
{
    return aegis_info()->first_ppn + aegis_info()->page_count;
}

static void allocating(void)
{
    uint64_t free = page_in_state(AEGIS_PAGE_FREE);
    CHECK_EQ(aegis_page_alloc(free), free);
    CHECK_EQ(aegis_page(free)->owner, exos.env);
    CHECK_EQ(aegis_page(free)->state, AEGIS_PAGE_DATA);
    CHECK_ERROR(aegis_page_alloc(free), IN_USE);
    CHECK_ERROR(aegis_page_alloc(page_in_state(AEGIS_PAGE_KERNEL)), IN_USE);
    CHECK_ERROR(aegis_page_alloc(page_of_parent()), IN_USE);
    CHECK_ERROR(aegis_page_alloc(beyond()), RANGE);
    CHECK_ERROR(aegis_page_alloc(0), RANGE);
    CHECK_ERROR(aegis_page_alloc(UINT64_MAX - 1), RANGE);
    CHECK_ERROR(aegis_page_alloc(1UL << 52), RANGE);
    CHECK_OK(aegis_page_free(free));
    CHECK_EQ(aegis_page(free)->state, AEGIS_PAGE_FREE);
    CHECK_EQ(aegis_page(free)->owner, 0);
}

static void freeing(void)
{
    uint64_t page = test_page();
    CHECK_ERROR(aegis_page_free(beyond()), RANGE);
    CHECK_ERROR(aegis_page_free(UINT64_MAX), RANGE);
    CHECK_ERROR(aegis_page_free(page_in_state(AEGIS_PAGE_KERNEL)), OWNER);
    CHECK_ERROR(aegis_page_free(page_in_state(AEGIS_PAGE_FREE)), OWNER);
    CHECK_ERROR(aegis_page_free(page_of_parent()), OWNER);
    CHECK_OK(vm_map(0, VA, page, VM_READ_WRITE, NULL));
    CHECK_ERROR(aegis_page_free(page), STATE);
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_page_free(page));
    CHECK_ERROR(aegis_page_free(page), OWNER);
}

/* What an application wrote never reaches another owner; its own old bytes may come back to it. */
static void pages_are_cleared_for_others(void)
{
    char *window = vm_reserve(1);
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    uint64_t page = test_page();
    CHECK_OK(vm_map(0, (uint64_t)window, page, VM_READ_WRITE, NULL));
    memset(window, 0x77, AEGIS_PAGE_SIZE);
    CHECK_OK(aegis_unmap(0, (uint64_t)window, 1));
    CHECK_OK(aegis_page_give(page, raw.env)); /* now it counts as the other's bytes */
    raw_start(&raw, 0);
    raw_finish(&raw);
    CHECK_EQ(aegis_page(page)->state, AEGIS_PAGE_FREE);
    CHECK_EQ(aegis_page_alloc(page), page);
    CHECK_OK(vm_map(0, (uint64_t)window, page, AEGIS_PROT_READ, NULL));
    for (size_t i = 0; i < AEGIS_PAGE_SIZE; i++)
        CHECK_EQ(window[i], 0);
    CHECK_OK(aegis_unmap(0, (uint64_t)window, 1));
    CHECK_OK(aegis_page_free(page));
    vm_free(window);
}

/* The pages that held another environment's registers and page tables are cleared as well. */
static void kernel_objects_leave_nothing(void)
{
    struct raw raw;
    char *window = vm_reserve(1);
    raw_create(&raw, "fill", blob_fill, blob_fill_end);
    const volatile struct aegis_info *info = aegis_info();
    uint64_t pages[32], count = 0;
    for (uint64_t i = 0; i < info->page_count && count < 32; i++)
        if (aegis_page(info->first_ppn + i)->owner == raw.env)
            pages[count++] = info->first_ppn + i;
    CHECK(count >= 7); /* environment, root, two pairs of tables, code */
    raw_start(&raw, 0x4141414141414141);
    raw_finish(&raw);
    for (uint64_t i = 0; i < count; i++) {
        CHECK_EQ(aegis_page_alloc(pages[i]), pages[i]);
        CHECK_OK(vm_map(0, (uint64_t)window, pages[i], AEGIS_PROT_READ, NULL));
        for (size_t word = 0; word < AEGIS_PAGE_SIZE / 8; word++)
            CHECK_EQ(((uint64_t *)window)[word], 0);
        CHECK_OK(aegis_unmap(0, (uint64_t)window, 1));
        CHECK_OK(aegis_page_free(pages[i]));
    }
    vm_free(window);
}

static void giving(void)
{
    struct raw raw;
    uint64_t page = test_page();
    raw_create(&raw, "end", blob_end, blob_end_end);
    CHECK_ERROR(aegis_page_give(beyond(), raw.env), RANGE);
    CHECK_ERROR(aegis_page_give(page, aegis_info()->env_count), RANGE);
    CHECK_ERROR(aegis_page_give(page, UINT32_MAX), RANGE);
    CHECK_ERROR(aegis_page_give(page, exos.parent), OWNER);
    CHECK_ERROR(aegis_page_give(page_in_state(AEGIS_PAGE_KERNEL), raw.env), OWNER);
    CHECK_ERROR(aegis_page_give(page_of_parent(), raw.env), OWNER);
    CHECK_OK(vm_map(0, VA, page, AEGIS_PROT_READ, NULL));
    CHECK_ERROR(aegis_page_give(page, raw.env), STATE);
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_page_give(page, raw.env));
    CHECK_EQ(aegis_page(page)->owner, raw.env);
    uint64_t own = test_page();
    CHECK_OK(aegis_page_give(
        own, 0)); /* to oneself: nothing happens, above all not that it is nobody's */
    CHECK_EQ(aegis_page(own)->owner, exos.env);
    CHECK_OK(aegis_page_free(own));
    CHECK_ERROR(aegis_page_give(page, raw.env), OWNER);
    CHECK_ERROR(aegis_page_free(page), OWNER);
    raw_start(&raw, 0);
    raw_finish(&raw);
    CHECK_EQ(aegis_page(page)->owner, 0);
}

static void mapping(void)
{
    uint64_t page = test_page(), other = test_page();
    CHECK_OK(vm_map(0, VA, other, VM_READ_WRITE, NULL)); /* so that the tables are there */
    CHECK_ERROR(aegis_map(0, VA, page, VM_READ_WRITE, NULL), IN_USE);
    CHECK_ERROR(aegis_map(0, VA + 1, page, VM_READ_WRITE, NULL), ALIGNMENT);
    CHECK_ERROR(aegis_map(0, VA + 0x1000, beyond(), VM_READ_WRITE, NULL), RANGE);
    CHECK_ERROR(aegis_map(0, VA + 0x1000, 0, VM_READ_WRITE, NULL), RANGE);
    CHECK_ERROR(aegis_map(0, VA + 0x1000, UINT64_MAX, VM_READ_WRITE, NULL), RANGE);
    CHECK_ERROR(aegis_map(0, VA + (512 << 12), page, VM_READ_WRITE, NULL), NO_TABLE);
    CHECK_ERROR(aegis_map(0, VA + (1UL << 30), page, VM_READ_WRITE, NULL), NO_TABLE);
    CHECK_ERROR(aegis_map(exos.parent, VA, page, VM_READ_WRITE, NULL), OWNER);
    CHECK_ERROR(aegis_map(aegis_info()->env_count, VA, page, VM_READ_WRITE, NULL), RANGE);
    CHECK_ERROR(aegis_map(0, VA + 0x1000, page_of_parent(), AEGIS_PROT_READ, NULL), OWNER);
    CHECK_ERROR(aegis_map(0, VA + 0x1000, page_in_state(AEGIS_PAGE_KERNEL), AEGIS_PROT_READ, NULL),
                OWNER);
    CHECK_ERROR(aegis_map(0, VA + 0x1000, page_in_state(AEGIS_PAGE_FREE), AEGIS_PROT_READ, NULL),
                OWNER);
    CHECK_EQ(aegis_page(page)->refs, 0);
    CHECK_OK(aegis_map(0, VA + 0x1000, page, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_map(0, VA + 0x2000, page, AEGIS_PROT_READ, NULL));
    CHECK_EQ(aegis_page(page)->refs, 2);
    *(volatile uint64_t *)(VA + 0x1000) = 99;
    CHECK_EQ(*(volatile uint64_t *)(VA + 0x2000), 99);
    CHECK_OK(aegis_unmap(0, VA, 3));
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_page_free(other));
}

/* Addresses that are not an application's to map: exposed pages, the PTE window, beyond, the
 * kernel's half. */
static const uint64_t no_addresses[] = {
    AEGIS_EXPOSED_BASE, AEGIS_EXPOSED_BASE + 0x1000, AEGIS_WINDOW_BASE,  AEGIS_USER_END,
    1UL << 47,          0xffffffc000000000,          0xffffffff80200000, 0xfffffffffffff000,
};

static void addresses_out_of_range(void)
{
    uint64_t page = test_page(), table = test_page(), links = test_page();
    for (size_t i = 0; i < sizeof no_addresses / sizeof *no_addresses; i++) {
        uint64_t va = no_addresses[i];
        CHECK_ERROR(aegis_map(0, va, page, AEGIS_PROT_READ, NULL), RANGE);
        CHECK_ERROR(aegis_protect(0, va, 1, AEGIS_PROT_READ), RANGE);
        CHECK_ERROR(aegis_unmap(0, va, 1), RANGE);
        CHECK_ERROR(aegis_table_insert(0, va, 0, table, links), RANGE);
        CHECK_ERROR(aegis_table_insert(0, va, 1, table, links), RANGE);
    }
    /* Ranges that begin well and run into them, or around the end of all addresses. */
    uint64_t last = AEGIS_EXPOSED_BASE - AEGIS_PAGE_SIZE;
    CHECK_ERROR(aegis_unmap(0, last, 2), RANGE);
    CHECK_ERROR(aegis_protect(0, last, 2, AEGIS_PROT_READ), RANGE);
    CHECK_ERROR(aegis_unmap(0, VA, UINT64_MAX), RANGE);
    CHECK_ERROR(aegis_unmap(0, VA, UINT64_MAX >> 12), RANGE);
    CHECK_ERROR(aegis_unmap(0, VA, (UINT64_MAX >> 12) + 1), RANGE);
    CHECK_ERROR(aegis_protect(0, VA, 1UL << 52, AEGIS_PROT_READ), RANGE);
    CHECK_ERROR(aegis_unmap(0, VA, 0), RANGE);
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_page_free(table));
    CHECK_OK(aegis_page_free(links));
}

static void protections(void)
{
    uint64_t page = test_page();
    static const uint32_t bad[] = {
        0, AEGIS_PROT_WRITE, AEGIS_PROT_WRITE | AEGIS_PROT_EXEC, 16, 33, 0x80, UINT32_MAX};
    CHECK_OK(vm_map(0, VA, page, VM_READ_WRITE, NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ERROR(aegis_map(0, VA + 0x1000, page, bad[i], NULL), INVALID);
        CHECK_ERROR(aegis_protect(0, VA, 1, bad[i]), INVALID);
    }
    CHECK_ERROR(aegis_protect(0, VA, 2, AEGIS_PROT_READ), ADDRESS);
    CHECK_ERROR(aegis_protect(0, VA + 0x1000, 1, AEGIS_PROT_READ), ADDRESS);
    CHECK_ERROR(aegis_protect(0, VA + (1UL << 30), 1, AEGIS_PROT_READ), NO_TABLE);
    CHECK_ERROR(aegis_protect(0, VA + 8, 1, AEGIS_PROT_READ), ALIGNMENT);
    CHECK_OK(aegis_protect(0, VA, 1, AEGIS_PROT_READ));
    CHECK_OK(aegis_protect(0, VA, 1, VM_READ_WRITE));
    *(volatile uint32_t *)VA = 0x00008067; /* ret */
    CHECK_OK(aegis_protect(0, VA, 1, AEGIS_PROT_READ | AEGIS_PROT_EXEC));
    __asm__ volatile("fence.i");
    ((void (*)(void))VA)();
    CHECK_ERROR(aegis_unmap(0, VA, 2), ADDRESS);
    CHECK_ERROR(aegis_unmap(0, VA + (1UL << 30), 1), NO_TABLE);
    CHECK_ERROR(aegis_unmap(0, VA + 8, 1), ALIGNMENT);
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_page_free(page));
}

int main(void)
{
    allocating();
    freeing();
    pages_are_cleared_for_others();
    kernel_objects_leave_nothing();
    giving();
    mapping();
    addresses_out_of_range();
    protections();
    return 0;
}
