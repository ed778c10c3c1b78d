/* Runs of pages by name, and megapages made of them. */
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA       0x2000000000UL
#define MEGABYTE (AEGIS_MEGAPAGE * (uint64_t)AEGIS_PAGE_SIZE)
#define MEGA(p)  ((p) | AEGIS_MAP_MEGA)

/* The first of count free pages, aligned to count; exposed names are all that it takes to find it.
 */
static uint64_t find_run(uint64_t count)
{
    const volatile struct aegis_info *info = aegis_info();
    uint64_t end = info->first_ppn + info->page_count;
    for (uint64_t first = (info->first_ppn + count - 1) / count * count; first + count <= end;
         first += count) {
        uint64_t n = 0;
        while (n < count && aegis_page(first + n)->state == AEGIS_PAGE_FREE)
            n++;
        if (n == count)
            return first;
    }
    FAIL("no run of %lu free pages", (unsigned long)count);
}

static void free_run(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        CHECK_OK(aegis_page_free(first + i));
}

static void all_or_none(void)
{
    uint64_t first = find_run(8), free = aegis_info()->free_pages;
    CHECK_EQ(aegis_page_alloc(first + 5), first + 5);
    CHECK_ERROR(aegis_page_alloc_run(first, 8), IN_USE);
    CHECK_EQ(aegis_info()->free_pages, free - 1);
    CHECK_OK(aegis_page_alloc_run(first, 5));
    for (int i = 0; i < 6; i++)
        CHECK(aegis_page(first + i)->owner == exos.env);
    CHECK_ERROR(aegis_page_alloc_run(first, 1), IN_USE);
    CHECK_ERROR(aegis_page_alloc_run(first + 6, 0), RANGE);
    CHECK_ERROR(aegis_page_alloc_run(first + 6, AEGIS_MEGAPAGE + 1), RANGE);
    CHECK_ERROR(aegis_page_alloc_run(0, 1), RANGE);
    CHECK_ERROR(aegis_page_alloc_run(UINT64_MAX, 2), RANGE);
    CHECK_ERROR(aegis_page_alloc_run(aegis_info()->first_ppn + aegis_info()->page_count - 1, 2),
                RANGE);
    CHECK_ERROR(aegis_page_alloc_run(aegis_info()->first_ppn, 1), IN_USE); /* the firmware's */
    free_run(first, 6);
    CHECK_EQ(aegis_info()->free_pages, free);
}

/* Registers that the psABI keeps are kept by the stub, though the call restarts itself. */
static void cleared_before_a_new_owner(uint64_t first)
{
    CHECK_OK(aegis_page_alloc_run(first, AEGIS_MEGAPAGE));
    CHECK_OK(aegis_map(0, VA, first, MEGA(AEGIS_PROT_READ), NULL));
    for (uint64_t i = 0; i < MEGABYTE / 8; i++)
        if (((volatile uint64_t *)VA)[i])
            FAIL("word %lu is not zero", (unsigned long)i);
    CHECK_OK(aegis_unmap(0, VA, AEGIS_MEGAPAGE));
}

static void mapping_a_megapage(uint64_t first)
{
    CHECK_ERROR(aegis_map(0, VA + AEGIS_PAGE_SIZE, first, MEGA(VM_READ_WRITE), NULL), ALIGNMENT);
    CHECK_ERROR(aegis_map(0, VA, first + 1, MEGA(VM_READ_WRITE), NULL), ALIGNMENT);
    CHECK_ERROR(aegis_map(0, VA, first, MEGA(AEGIS_PROT_WRITE), NULL), INVALID);
    CHECK_ERROR(aegis_map(0, VA + (8UL << 30), first, MEGA(VM_READ_WRITE), NULL), NO_TABLE);
    CHECK_OK(aegis_map(0, VA, first, MEGA(VM_READ_WRITE), NULL));
    CHECK_ERROR(aegis_map(0, VA, first, MEGA(VM_READ_WRITE), NULL), IN_USE);
    CHECK_ERROR(aegis_map(0, VA + AEGIS_PAGE_SIZE, first, VM_READ_WRITE, NULL), IN_USE);
    for (uint64_t i = 0; i < AEGIS_MEGAPAGE; i++) {
        *(volatile uint64_t *)(VA + i * AEGIS_PAGE_SIZE) = i;
        CHECK_EQ(aegis_page(first + i)->refs, 1);
    }
    /* A page of it at an address of its own shows the same memory. */
    CHECK_OK(vm_map(0, VA + MEGABYTE, first + 77, AEGIS_PROT_READ, NULL));
    CHECK_EQ(*(volatile uint64_t *)(VA + MEGABYTE), 77);
    CHECK_EQ(aegis_page(first + 77)->refs, 2);
    CHECK_OK(aegis_unmap(0, VA + MEGABYTE, 1));
    CHECK_ERROR(aegis_page_free(first + 77), STATE);
    CHECK_ERROR(aegis_page_give(first + 77, 0), STATE);
    /* Calls read and write memory in it. */
    CHECK_OK(aegis_entropy((void *)(VA + 5 * AEGIS_PAGE_SIZE - 4), 8));
    CHECK(*(volatile uint32_t *)(VA + 5 * AEGIS_PAGE_SIZE) != 5);
}

static void protecting_a_megapage(void)
{
    CHECK_ERROR(aegis_protect(0, VA, 1, AEGIS_PROT_READ), ALIGNMENT);
    CHECK_ERROR(aegis_protect(0, VA + AEGIS_PAGE_SIZE, 511, AEGIS_PROT_READ), ALIGNMENT);
    CHECK_ERROR(aegis_unmap(0, VA, 511), ALIGNMENT);
    CHECK_OK(aegis_protect(0, VA, AEGIS_MEGAPAGE, AEGIS_PROT_READ));
    CHECK_ERROR(aegis_entropy((void *)VA, 8), ADDRESS);
    CHECK_EQ(*(volatile uint64_t *)(VA + 9 * AEGIS_PAGE_SIZE), 9);
    struct aegis_map_op op = {.va = VA, .change = AEGIS_MAP_PROTECT, .prot = VM_READ_WRITE};
    CHECK_OK(aegis_map_batch(0, &op, 1));
    *(volatile uint64_t *)VA = 1;
    op.va = VA + AEGIS_PAGE_SIZE;
    CHECK_ERROR(aegis_map_batch(0, &op, 1), ALIGNMENT);
    CHECK_OK(aegis_unmap(0, VA, AEGIS_MEGAPAGE));
    uint64_t value;
    CHECK(!upcall_probe((const volatile uint64_t *)VA, &value));
    CHECK_ERROR(aegis_unmap(0, VA, AEGIS_MEGAPAGE), NO_TABLE);
}

/* A megapage goes from everybody's space when its owner ends. */
static void shared_until_the_owner_ends(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    uint64_t first = find_run(AEGIS_MEGAPAGE);
    CHECK_OK(aegis_page_alloc_run(first, AEGIS_MEGAPAGE));
    CHECK_OK(aegis_page_give(first + 1, raw.env));
    CHECK_ERROR(aegis_map(0, VA, first, MEGA(VM_READ_WRITE), NULL), OWNER); /* one is another's */
    CHECK_ERROR(aegis_map(raw.env, VA, first + AEGIS_MEGAPAGE, MEGA(VM_READ_WRITE), NULL), OWNER);
    for (uint64_t i = 0; i < AEGIS_MEGAPAGE; i++)
        if (i != 1)
            CHECK_OK(aegis_page_give(first + i, raw.env));
    CHECK_ERROR(aegis_map(0, VA, first, MEGA(VM_READ_WRITE), NULL),
                OWNER); /* a capability is for a page */
    uint64_t table = test_page(), links = test_page();
    CHECK_OK(aegis_table_insert(raw.env, VA, 1, table, links));
    CHECK_OK(aegis_map(raw.env, VA, first, MEGA(VM_READ_WRITE), NULL));
    CHECK_EQ(aegis_page(first + 300)->refs, 1);
    raw_start(&raw, 0);
    raw_finish(&raw);
    CHECK_EQ(aegis_page(first + 300)->state, AEGIS_PAGE_FREE);
    CHECK_EQ(aegis_page(first + 300)->refs, 0);
    for (uint64_t i = 0; i < AEGIS_MEGAPAGE; i++)
        if (aegis_page(first + i)->state != AEGIS_PAGE_FREE)
            FAIL("page %lu of the run is in state %u of env %u", (unsigned long)i,
                 aegis_page(first + i)->state, aegis_page(first + i)->owner);
    cleared_before_a_new_owner(first);
    free_run(first, AEGIS_MEGAPAGE);
}

int main(void)
{
    uint64_t page = test_page();
    all_or_none();
    CHECK_OK(vm_map(0, VA + MEGABYTE, page, VM_READ_WRITE, NULL)); /* brings the level-1 table */
    CHECK_OK(aegis_unmap(0, VA + MEGABYTE, 1));
    CHECK_OK(aegis_page_free(page));
    uint64_t first = find_run(AEGIS_MEGAPAGE);
    CHECK_OK(aegis_page_alloc_run(first, AEGIS_MEGAPAGE));
    mapping_a_megapage(first);
    protecting_a_megapage();
    free_run(first, AEGIS_MEGAPAGE);
    shared_until_the_owner_ends();
    return 0;
}
