/*
 * The window on one's own PTEs: what the hardware notes in them is read without a system call, and
 * nothing else of the kernel's is.
 */
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA  0x2000000000UL /* nothing is there, in a GiB without tables */
#define GIB (1UL << 30)
#define MIB (1UL << 20)

static uint64_t pte(uint64_t va)
{
    return *(const volatile uint64_t *)AEGIS_WINDOW_PTE(va);
}

/* The window's table of level 1, then those of level 0 for the GiB of va and for the level-1 PTEs.
 */
static uint64_t tables[3];

static void donate(int i, uint64_t va, uint32_t level)
{
    tables[i] = test_page();
    CHECK_OK(aegis_table_insert(0, va, level, tables[i], AEGIS_NO_PAGE));
    CHECK_EQ(aegis_page(tables[i])->state, AEGIS_PAGE_PTABLE);
}

static void made_of_donated_pages(void)
{
    uint64_t page = test_page(), links = test_page(), value;
    CHECK(!upcall_probe((const volatile uint64_t *)AEGIS_WINDOW_PTE(VA), &value));
    CHECK_ERROR(aegis_table_insert(0, AEGIS_WINDOW_PTE(VA), 0, page, AEGIS_NO_PAGE), NO_TABLE);
    CHECK_ERROR(aegis_table_insert(0, AEGIS_WINDOW_BASE, 1, page, links), RANGE);
    CHECK_ERROR(aegis_table_insert(0, AEGIS_WINDOW_BASE, 2, page, AEGIS_NO_PAGE), RANGE);
    CHECK_ERROR(aegis_table_insert(0, VA, 1, page, AEGIS_NO_PAGE), RANGE);
    donate(0, AEGIS_WINDOW_BASE, 1);
    CHECK_ERROR(aegis_table_insert(0, AEGIS_WINDOW_BASE + MIB, 1, page, AEGIS_NO_PAGE), IN_USE);
    CHECK_EQ(pte(VA), 0); /* without a table of its own, all of it reads as zero */
    CHECK_EQ(pte(AEGIS_USER_END - AEGIS_PAGE_SIZE), 0);
    donate(1, AEGIS_WINDOW_PTE(VA), 0);
    CHECK_ERROR(aegis_table_insert(0, AEGIS_WINDOW_PTE(VA), 0, page, AEGIS_NO_PAGE), IN_USE);
    donate(2, AEGIS_WINDOW_PTE(AEGIS_WINDOW_PTE(VA)), 0);
    CHECK_EQ(pte(VA), 0);
    CHECK_EQ(pte(AEGIS_WINDOW_PTE(VA)), 0);
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_page_free(links));
}

static void shows_what_is_mapped(void)
{
    uint64_t page = test_page();
    CHECK_OK(vm_map(0, VA, page, VM_READ_WRITE, NULL));
    CHECK_EQ(AEGIS_PTE_PPN(pte(VA)), page);
    CHECK_EQ(AEGIS_PTE_PROT(pte(VA)), VM_READ_WRITE);
    CHECK(pte(VA) & AEGIS_PTE_VALID);
    CHECK_EQ(pte(VA + AEGIS_PAGE_SIZE), 0);
    CHECK_EQ(pte(VA + 2 * MIB), 0);
    /* The level-1 PTE leads to a table: valid, no protection. */
    uint64_t above = pte(AEGIS_WINDOW_PTE(VA));
    CHECK((above & AEGIS_PTE_VALID) && AEGIS_PTE_PROT(above) == 0);
    CHECK_EQ(aegis_page(AEGIS_PTE_PPN(above))->state, AEGIS_PAGE_PTABLE);
    CHECK_OK(aegis_protect(0, VA, 1, AEGIS_PROT_READ));
    CHECK_EQ(AEGIS_PTE_PROT(pte(VA)), AEGIS_PROT_READ);
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_EQ(pte(VA), 0);
    CHECK_OK(aegis_page_free(page));
}

static void accessed_and_dirty(void)
{
    uint64_t page = test_page();
    struct aegis_map_op clean = {.va = VA, .change = AEGIS_MAP_CLEAN};
    CHECK_OK(vm_map(0, VA, page, VM_READ_WRITE, NULL));
    CHECK_EQ(pte(VA) & (AEGIS_PTE_ACCESSED | AEGIS_PTE_DIRTY), 0);
    (void)*(volatile uint64_t *)VA;
    CHECK_EQ(pte(VA) & (AEGIS_PTE_ACCESSED | AEGIS_PTE_DIRTY), AEGIS_PTE_ACCESSED);
    *(volatile uint64_t *)VA = 1;
    CHECK_EQ(pte(VA) & (AEGIS_PTE_ACCESSED | AEGIS_PTE_DIRTY),
             AEGIS_PTE_ACCESSED | AEGIS_PTE_DIRTY);
    CHECK_OK(aegis_map_batch(0, &clean, 1));
    CHECK_EQ(pte(VA) & (AEGIS_PTE_ACCESSED | AEGIS_PTE_DIRTY), 0);
    *(volatile uint64_t *)VA = 2; /* no translation is cached that would write without noting it */
    CHECK(pte(VA) & AEGIS_PTE_DIRTY);
    CHECK_OK(aegis_map_batch(0, &clean, 1));
    CHECK_OK(aegis_entropy((void *)VA, 8)); /* the kernel's writes on its behalf count too */
    CHECK(pte(VA) & AEGIS_PTE_DIRTY);
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_page_free(page));
}

/* Nothing in it can be written, executed, remapped, or named to the kernel. */
static void only_read_by_its_owner(void)
{
    uint64_t at = AEGIS_WINDOW_PTE(VA), page = test_page();
    struct aegis_map_op op = {.va = at, .ppn = page, .prot = AEGIS_PROT_READ};
    struct aegis_predicate zero = {
        .word = (const volatile uint64_t *)at, .mask = UINT64_MAX, .op = AEGIS_WAKE_EQ};
    CHECK_ERROR(aegis_protect(0, at & ~0xfffUL, 1, VM_READ_WRITE), RANGE);
    CHECK_ERROR(aegis_unmap(0, at & ~0xfffUL, 1), RANGE);
    CHECK_ERROR(aegis_map(0, at & ~0xfffUL, page, AEGIS_PROT_READ, NULL), RANGE);
    op.va &= ~0xfffUL;
    CHECK_ERROR(aegis_map_batch(0, &op, 1), RANGE);
    CHECK_ERROR(aegis_entropy((void *)at, 8), ADDRESS);
    CHECK_ERROR(aegis_log((const char *)at, 8), ADDRESS);
    CHECK_ERROR(aegis_wait(&zero, 1, 0), ADDRESS);
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(aegis_page_free(tables[i]), STATE);
        CHECK_ERROR(aegis_map(0, VA + GIB, tables[i], AEGIS_PROT_READ, NULL), STATE);
    }
    CHECK_OK(aegis_page_free(page));
}

static void tables_come_and_go(void)
{
    uint64_t pages[4], data = test_page();
    for (int i = 0; i < 4; i++)
        pages[i] = test_page();
    uint64_t va = VA + 64 * MIB; /* its level-1 table is there since shows_what_is_mapped */
    CHECK_ERROR(aegis_table_remove(0, va, 0), NO_TABLE);
    CHECK_ERROR(aegis_table_remove(0, va, 2), RANGE);
    CHECK_ERROR(aegis_table_remove(0, AEGIS_EXPOSED_BASE, 0), RANGE);
    CHECK_ERROR(aegis_table_remove(0, VA, 1), STATE);
    CHECK_OK(aegis_table_insert(0, va, 0, pages[0], pages[1]));
    CHECK_OK(aegis_map(0, va, data, VM_READ_WRITE, NULL));
    CHECK_EQ(AEGIS_PTE_PPN(pte(va)), data);
    CHECK_ERROR(aegis_table_remove(0, va, 0), STATE);
    CHECK_OK(aegis_unmap(0, va, 1));
    CHECK_OK(aegis_table_remove(0, va, 0));
    CHECK_ERROR(aegis_map(0, va, data, VM_READ_WRITE, NULL), NO_TABLE);
    CHECK_EQ(pte(va), 0);
    CHECK_EQ(pte(AEGIS_WINDOW_PTE(va)), 0);
    /* In another GiB, that the window doesn't show yet: table, entry, then the window's part. */
    va = VA + GIB;
    CHECK_OK(aegis_table_insert(0, va, 1, pages[0], pages[1]));
    CHECK_OK(aegis_table_insert(0, va, 0, pages[2], pages[3]));
    CHECK_OK(aegis_map(0, va, data, AEGIS_PROT_READ, NULL));
    CHECK_EQ(pte(va), 0);
    uint64_t shown = test_page();
    CHECK_OK(aegis_table_insert(0, AEGIS_WINDOW_PTE(va), 0, shown, AEGIS_NO_PAGE));
    CHECK_EQ(AEGIS_PTE_PPN(pte(va)), data);
    CHECK_OK(aegis_unmap(0, va, 1));
    CHECK_OK(aegis_table_remove(0, va, 0));
    CHECK_OK(aegis_table_remove(0, va, 1));
    CHECK_EQ(pte(va), 0);
    CHECK_OK(aegis_table_remove(0, AEGIS_WINDOW_PTE(va), 0));
    CHECK_ERROR(aegis_table_remove(0, AEGIS_WINDOW_PTE(va), 0), NO_TABLE);
    for (int i = 0; i < 4; i++)
        CHECK_OK(aegis_page_free(pages[i]));
    CHECK_OK(aegis_page_free(shown));
    CHECK_OK(aegis_page_free(data));
}

static void the_window_goes(void)
{
    uint64_t value;
    CHECK_ERROR(aegis_table_remove(0, AEGIS_WINDOW_BASE, 1), STATE);
    CHECK_OK(aegis_table_remove(0, AEGIS_WINDOW_PTE(VA), 0));
    CHECK_OK(aegis_table_remove(0, AEGIS_WINDOW_PTE(AEGIS_WINDOW_PTE(VA)), 0));
    CHECK_EQ(pte(VA), 0);
    CHECK_OK(aegis_table_remove(0, AEGIS_WINDOW_BASE, 1));
    CHECK(!upcall_probe((const volatile uint64_t *)AEGIS_WINDOW_PTE(VA), &value));
    for (int i = 0; i < 3; i++)
        CHECK_OK(aegis_page_free(tables[i]));
}

/* An environment that ends with a window: all its pages come back (the runner counts). */
static void a_window_at_the_end(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    CHECK_OK(aegis_table_insert(raw.env, AEGIS_WINDOW_BASE, 1, test_page(), AEGIS_NO_PAGE));
    CHECK_OK(
        aegis_table_insert(raw.env, AEGIS_WINDOW_PTE(RAW_CODE), 0, test_page(), AEGIS_NO_PAGE));
    raw_start(&raw, 0);
    raw_finish(&raw);
}

int main(void)
{
    /* The library would make the window when it is first looked at. */
    upcall_set_light(UPCALL_LOAD_PAGE, NULL);
    upcall_set_light(UPCALL_STORE_PAGE, NULL);
    made_of_donated_pages();
    shows_what_is_mapped();
    accessed_and_dirty();
    only_read_by_its_owner();
    tables_come_and_go();
    the_window_goes();
    a_window_at_the_end();
    return 0;
}
