/* Copies between the kernel and applications: all or nothing, by what the page tables allow, over
 * any border. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "kernel/user.h"
#include "random.h"
#include "world.h"

#define RW (AEGIS_PROT_READ | AEGIS_PROT_WRITE)

/* Six pages that straddle a level-0 and a level-1 table's end, physically in reverse order. */
#define AT    (0x40000000UL - 3 * PAGE_SIZE)
#define PAGES 6
static uint8_t *memory[PAGES]; /* the host's address of each */

#define LAST (AEGIS_EXPOSED_BASE - PAGE_SIZE) /* the highest page that applications map */

static int boot(void **state)
{
    uint64_t ppn[PAGES];

    (void)state;
    world_boot(NULL, 0);
    for (int i = PAGES - 1; i >= 0; i--)
        ppn[i] = world_page();
    for (int i = 0; i < PAGES; i++) {
        world_map(AT + (uint64_t)i * PAGE_SIZE, ppn[i], RW);
        memory[i] = ppn_to_virt(ppn[i]);
        for (size_t n = 0; n < PAGE_SIZE; n++)
            memory[i][n] = (uint8_t)random_below(256);
    }
    world_map(LAST, world_page(), RW);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

static uint64_t *entry_of(uint64_t va)
{
    return map_entry(this_hart->env, va, 0, NULL);
}

static void a_copy_runs_over_page_and_table_borders(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        size_t at = random_below(PAGES * PAGE_SIZE);
        size_t length = random_below(PAGES * PAGE_SIZE - at + 1);
        uint8_t *copy = malloc(length); /* exact: the sanitizer sees a byte too many */
        assert_true(user_read(copy, AT + at, length));
        for (size_t n = 0; n < length; n++)
            assert_int_equal(copy[n], memory[(at + n) / PAGE_SIZE][(at + n) % PAGE_SIZE]);
        for (size_t n = 0; n < length; n++)
            copy[n] = (uint8_t)~copy[n];
        uint8_t before = memory[0][0], after = memory[PAGES - 1][PAGE_SIZE - 1];
        assert_true(user_write(AT + at, copy, length));
        for (size_t n = 0; n < length; n++)
            assert_int_equal(copy[n], memory[(at + n) / PAGE_SIZE][(at + n) % PAGE_SIZE]);
        assert_true(at == 0 || memory[0][0] == before);
        assert_true(at + length == PAGES * PAGE_SIZE || memory[PAGES - 1][PAGE_SIZE - 1] == after);
        free(copy);
    }
}

static void what_runs_into_an_unmapped_page_is_refused_whole(void **state)
{
    (void)state;
    uint8_t bytes[2 * PAGE_SIZE], before[PAGE_SIZE];

    memset(bytes, 0x77, sizeof(bytes));
    memcpy(before, memory[PAGES - 1], PAGE_SIZE);
    assert_false(user_write(AT + (PAGES - 1) * PAGE_SIZE, bytes, PAGE_SIZE + 1));
    assert_memory_equal(memory[PAGES - 1], before, PAGE_SIZE);
    assert_false(user_writable(AT + (PAGES - 1) * PAGE_SIZE, PAGE_SIZE + 1));
    assert_false(user_read(bytes, AT + (PAGES - 1) * PAGE_SIZE, PAGE_SIZE + 1));
    assert_false(user_read(bytes, AT - 1, 2));
    assert_false(user_write(AT - 1, bytes, 2));
    assert_false(user_read(bytes, 0, 1));              /* no table at all */
    assert_false(user_read(bytes, AT - (1 << 21), 1)); /* no level-0 table */
}

static void a_page_that_is_only_read_is_not_written(void **state)
{
    (void)state;
    uint8_t bytes[64] = {1}, before[PAGE_SIZE];

    assert_int_equal(call_protect(0, AT + PAGE_SIZE, 1, AEGIS_PROT_READ), 0);
    memcpy(before, memory[0], PAGE_SIZE);
    assert_true(user_read(bytes, AT + PAGE_SIZE - 32, 64));
    assert_false(user_writable(AT + PAGE_SIZE - 32, 64));
    assert_false(user_write(AT + PAGE_SIZE - 32, bytes, 64));
    assert_memory_equal(memory[0], before, PAGE_SIZE);
    assert_int_equal(call_protect(0, AT + PAGE_SIZE, 1, AEGIS_PROT_EXEC), 0);
    assert_false(user_read(bytes, AT + PAGE_SIZE, 1)); /* nor one that is only executed read */
    assert_non_null(user_at(this_hart->env, AT + PAGE_SIZE, PTE_X));
    assert_int_equal(call_protect(0, AT + PAGE_SIZE, 1, RW), 0);
    assert_null(user_at(this_hart->env, AT + PAGE_SIZE, PTE_X));
}

static void an_access_leaves_the_marks_that_hardware_would(void **state)
{
    (void)state;
    uint8_t byte;
    uint64_t *entry = entry_of(AT);

    *entry &= ~(uint64_t)(PTE_A | PTE_D);
    assert_true(user_read(&byte, AT, 1));
    assert_true((*entry & (PTE_A | PTE_D)) == PTE_A);
    *entry &= ~(uint64_t)PTE_A;
    assert_true(user_write(AT, &byte, 1));
    assert_true((*entry & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
    uint64_t before = *entry;
    assert_true(user_read(&byte, AT, 1));
    assert_true(*entry == before);
}

static void the_end_of_the_space_is_no_way_round(void **state)
{
    (void)state;
    uint8_t bytes[16];

    assert_true(user_read(bytes, LAST + PAGE_SIZE - 1, 1));
    assert_true(user_write(LAST + PAGE_SIZE - 16, bytes, 16));
    assert_false(user_write(LAST + PAGE_SIZE - 8, bytes, 16)); /* the next page is exposed */
    assert_false(user_read(bytes, AEGIS_USER_END - 1, 1));     /* nothing is there */
    assert_false(user_read(bytes, AEGIS_USER_END - 1, 2));
    assert_false(user_read(bytes, AEGIS_USER_END, 1));
    assert_false(user_read(bytes, AEGIS_USER_END, 0));
    assert_false(user_read(bytes, AT, SIZE_MAX)); /* a length that wraps */
    assert_false(user_read(bytes, AT, (size_t)0 - AT));
    assert_false(user_read(bytes, AT, (size_t)0 - AT + 1));
    assert_false(user_writable(AT, SIZE_MAX));
    assert_false(user_write(UINT64_MAX, bytes, 1));
    assert_false(user_write(UINT64_MAX, bytes, 2));
    assert_true(user_read(bytes, AT, 0) && user_write(AT, bytes, 0));
}

static void the_kernels_half_is_out_of_reach(void **state)
{
    (void)state;
    uint8_t bytes[16];

    /* A gigapage, as the physical map has; even with U it is not the application's. */
    this_hart->env->root[pte_index(PHYSMAP_BASE + host_base, ROOT_LEVEL)] =
        pte_make(host_base >> PAGE_SHIFT, PTE_V | PTE_R | PTE_W | PTE_U);
    assert_false(user_read(bytes, PHYSMAP_BASE + host_base, 1));
    assert_false(user_write(PHYSMAP_BASE + host_base, bytes, 1));
    /* Sign extension is all that tells this one from the user's half. */
    assert_false(user_read(bytes, (PHYSMAP_BASE + host_base) & 0x7fffffffff, 1));
    /* Nor where the tables below are an application's. */
    uint64_t *root = this_hart->env->root;
    root[300] = root[pte_index(AT, ROOT_LEVEL)];
    uint64_t va = 300UL << 30 | (AT & ((1UL << 30) - 1));
    assert_null(user_at(this_hart->env, va, PTE_R));
    assert_null(user_at(this_hart->env, va | 0xffffff8000000000, PTE_R));
    /* An entry without U, wherever it is. */
    uint64_t *entry = entry_of(AT);
    *entry &= ~(uint64_t)PTE_U;
    assert_false(user_read(bytes, AT, 1));
    *entry |= PTE_U;
}

static void exposed_pages_are_read_and_never_written(void **state)
{
    (void)state;
    struct aegis_info copy;
    struct aegis_page page;

    assert_true(user_read(&copy, AEGIS_EXPOSED_BASE, sizeof(copy)));
    assert_memory_equal(&copy, info, sizeof(copy));
    assert_true(copy.version == AEGIS_ABI_VERSION && copy.page_count == page_count);
    for (uint64_t i = 0; i < page_count; i += 97) {
        assert_true(user_read(&page, copy.pages + i * sizeof(page), sizeof(page)));
        assert_memory_equal(&page, &pages[i], sizeof(page));
    }
    assert_false(user_writable(AEGIS_EXPOSED_BASE, 1));
    assert_false(user_write(AEGIS_EXPOSED_BASE, &copy, 8));
    assert_false(user_write(copy.pages, &page, sizeof(page)));
    assert_false(user_write(copy.envs, &page, 8));
    assert_false(user_write(copy.slots, &page, 8));
    assert_false(user_write(copy.bindings, &page, 8));
    assert_false(user_write(copy.initrd, &page, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_runs_over_page_and_table_borders),
        cmocka_unit_test(what_runs_into_an_unmapped_page_is_refused_whole),
        cmocka_unit_test(a_page_that_is_only_read_is_not_written),
        cmocka_unit_test(an_access_leaves_the_marks_that_hardware_would),
        cmocka_unit_test(the_end_of_the_space_is_no_way_round),
        cmocka_unit_test(the_kernels_half_is_out_of_reach),
        cmocka_unit_test(exposed_pages_are_read_and_never_written),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
