/* Page-table pages: donated, and from then on out of everybody's reach until the environment ends.
 */
#include "libos/vm/vm.h"
#include "test.h"

#define VA 0x2800000000UL

static void errors(void)
{
    uint64_t table = test_page(), links = test_page(), mapped = test_page();
    uint64_t kernel = aegis_info()->first_ppn; /* the firmware's */
    CHECK_ERROR(aegis_table_insert(0, VA, 2, table, links), RANGE);
    CHECK_ERROR(aegis_table_insert(0, VA, UINT32_MAX, table, links), RANGE);
    CHECK_ERROR(aegis_table_insert(0, VA, 0, table, links), NO_TABLE);
    CHECK_ERROR(aegis_table_insert(0, VA, 1, table, UINT64_MAX), RANGE);
    CHECK_ERROR(aegis_table_insert(0, VA, 1, UINT64_MAX, links), RANGE);
    CHECK_ERROR(aegis_table_insert(0, VA, 1, kernel, links), OWNER);
    CHECK_ERROR(aegis_table_insert(0, VA, 1, table, kernel), OWNER);
    CHECK_ERROR(aegis_table_insert(0, VA, 1, table, table), STATE);
    CHECK_ERROR(aegis_table_insert(exos.parent, VA, 1, table, links), OWNER);
    CHECK_OK(vm_map(0, 0x2000000000, mapped, AEGIS_PROT_READ, NULL));
    CHECK_ERROR(aegis_table_insert(0, VA, 1, mapped, links), STATE);
    CHECK_ERROR(aegis_table_insert(0, VA, 1, table, mapped), STATE);
    CHECK_OK(aegis_unmap(0, 0x2000000000, 1));
    CHECK_OK(aegis_page_free(mapped));
    CHECK_OK(aegis_page_free(table));
    CHECK_OK(aegis_page_free(links));
}

/* Neither a table nor its page of links can be mapped, freed, given or donated again. */
static void check_out_of_reach(uint64_t page)
{
    uint64_t spare = test_page();
    CHECK_EQ(aegis_page(page)->state, AEGIS_PAGE_PTABLE);
    CHECK_ERROR(vm_map(0, 0x2000000000, page, AEGIS_PROT_READ, NULL), STATE);
    CHECK_ERROR(vm_map(0, 0x2000000000, page, VM_READ_WRITE, NULL), STATE);
    CHECK_ERROR(aegis_page_free(page), STATE);
    CHECK_ERROR(aegis_page_give(page, exos.env), STATE);
    CHECK_ERROR(aegis_table_insert(0, VA + (1UL << 30), 1, page, spare), STATE);
    CHECK_ERROR(aegis_table_insert(0, VA + (1UL << 30), 1, spare, page), STATE);
    CHECK_ERROR(aegis_env_create(page, spare, "0123456789abcde"), STATE);
    CHECK_ERROR(aegis_env_create(spare, page, "0123456789abcde"), STATE);
    CHECK_OK(aegis_page_free(spare));
}

static void donating(void)
{
    uint64_t pages[4], data = test_page();
    for (int i = 0; i < 4; i++)
        pages[i] = test_page();
    CHECK_OK(aegis_table_insert(0, VA + 0x5000, 1, pages[0], pages[1]));
    CHECK_ERROR(aegis_table_insert(0, VA, 1, pages[2], pages[3]), IN_USE);
    CHECK_ERROR(aegis_map(0, VA, data, VM_READ_WRITE, NULL), NO_TABLE);
    CHECK_OK(aegis_table_insert(0, VA, 0, pages[2], pages[3]));
    for (int i = 0; i < 4; i++)
        check_out_of_reach(pages[i]);
    CHECK_OK(aegis_map(0, VA, data, VM_READ_WRITE, NULL));
    *(volatile int *)VA = 1;
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_page_free(data));
}

/* A page mapped at many places: reverse links find them all when it is freed by its owner's end. */
static void many_mappings_of_one_page(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    uint64_t mine = (uint64_t)vm_page_at(raw.data);
    for (uint64_t i = 0; i < 600; i++)
        CHECK_OK(vm_map(raw.env, 0x40000000 + i * AEGIS_PAGE_SIZE, mine, VM_READ_WRITE, NULL));
    CHECK_EQ(aegis_page(mine)->refs, 602);
    CHECK_OK(aegis_unmap(raw.env, 0x40000000 + 100 * AEGIS_PAGE_SIZE,
                         450)); /* over a table's end: 2 MiB */
    CHECK_EQ(aegis_page(mine)->refs, 152);
    raw_start(&raw, 0);
    struct aegis_predicate ended = aegis_when_ended(raw.env);
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    CHECK_EQ(aegis_page(mine)->refs, 1);
    raw_finish(&raw);
}

/* Somebody else's page vanishes from here when its owner gives it up by ending. */
static void mappings_vanish_with_the_page(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    uint64_t page = test_page();
    CHECK_OK(aegis_page_give(page, raw.env));
    /* No capability, no mapping: that the other is one's child doesn't help for one's own
     * addresses. */
    CHECK_ERROR(vm_map(0, 0x2000000000, page, AEGIS_PROT_READ, NULL), OWNER);
    raw_start(&raw, 0);
    raw_finish(&raw);
}

int main(void)
{
    errors();
    donating();
    many_mappings_of_one_page();
    mappings_vanish_with_the_page();
    return 0;
}
