/* Physical pages: owners, the free list, donation, pins, and who may see what a page held before.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "invariants.h"
#include "random.h"
#include "world.h"

#define FIRST FIRST_ENV

static uint32_t a, b; /* children of FIRST */

static int boot(void **state)
{
    (void)state;
    world_boot(NULL, 0);
    a = world_child("a");
    b = world_child("b");
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

static void fill(uint64_t ppn, int byte)
{
    memset(ppn_to_virt(ppn), byte, PAGE_SIZE);
}

static bool is_filled(uint64_t ppn, int byte)
{
    const uint8_t *at = ppn_to_virt(ppn);

    for (size_t i = 0; i < PAGE_SIZE; i++)
        if (at[i] != byte)
            return false;
    return true;
}

static uint64_t alloc_as(uint32_t env, uint64_t ppn)
{
    world_call_as(env);
    long got = call_page_alloc(ppn);
    assert_true(got > 0);
    return (uint64_t)got;
}

static void free_as(uint32_t env, uint64_t ppn)
{
    world_call_as(env);
    assert_int_equal(call_page_free(ppn), 0);
}

static void every_page_of_the_board_is_the_kernels_or_free(void **state)
{
    (void)state;
    struct board board = {.memory = {{host_base, host_base + host_size}}, .memory_count = 1};

    assert_true(first_ppn == board.memory[0].start >> 12 && page_count == WORLD_SIZE >> 12);
    assert_true(info->pages != 0 && info->page_count == page_count);
    /* Firmware, image, tables, device tree, initial RAM disk are nobody's to have. */
    world_call_as(FIRST);
    assert_int_equal(call_page_alloc(host_base >> 12), -AEGIS_E_IN_USE);
    assert_int_equal(call_page_alloc(image_to_phys(kernel_start) >> 12), -AEGIS_E_IN_USE);
    assert_int_equal(call_page_alloc(virt_to_phys(pages) >> 12), -AEGIS_E_IN_USE);
    assert_int_equal(call_page_alloc(virt_to_phys(env_infos) >> 12), -AEGIS_E_IN_USE);
    assert_int_equal(call_page_alloc((host_base + WORLD_SIZE - 1) >> 12), -AEGIS_E_IN_USE);
    assert_int_equal(call_page_free(virt_to_phys(pages) >> 12), -AEGIS_E_OWNER);
    check_invariants(NULL);
}

static void page_numbers_outside_of_memory_are_refused(void **state)
{
    (void)state;
    const uint64_t bad[] = {
        0,         first_ppn - 1,          first_ppn + page_count, UINT64_MAX - 1,
        1UL << 52, first_ppn + (1UL << 52)};

    world_call_as(a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(call_page_alloc(bad[i]), -AEGIS_E_RANGE);
        assert_int_equal(call_page_free(bad[i]), -AEGIS_E_RANGE);
        assert_int_equal(call_page_give(bad[i], 0), -AEGIS_E_RANGE);
    }
    assert_int_equal(call_page_free(AEGIS_ANY), -AEGIS_E_RANGE);
}

static void a_page_reaches_another_owner_cleared(void **state)
{
    (void)state;
    uint64_t ppn = alloc_as(a, AEGIS_ANY);

    assert_true(is_filled(ppn, 0)); /* what the firmware left there is nobody's to read */
    fill(ppn, 0x5a);
    free_as(a, ppn);
    assert_true(alloc_as(a, ppn) == ppn && is_filled(ppn, 0x5a)); /* its own bytes: not cleared */
    free_as(a, ppn);
    assert_true(alloc_as(b, ppn) == ppn && is_filled(ppn, 0));
    fill(ppn, 0xb5);
    free_as(b, ppn);
    assert_true(alloc_as(a, ppn) == ppn && is_filled(ppn, 0));
    free_as(a, ppn);
}

static void a_given_page_keeps_its_bytes_for_the_new_owner_alone(void **state)
{
    (void)state;
    uint64_t ppn = alloc_as(FIRST, AEGIS_ANY);

    fill(ppn, 0x11);
    assert_int_equal(call_page_give(ppn, a), 0);
    assert_true(is_filled(ppn, 0x11));
    world_call_as(a);
    fill(ppn, 0x22);
    free_as(a, ppn);
    assert_true(alloc_as(FIRST, ppn) == ppn && is_filled(ppn, 0)); /* a's bytes are not FIRST's */
    assert_int_equal(call_page_give(ppn, 0), 0);                   /* to itself */
    assert_true(page_of(ppn)->owner == FIRST);
    free_as(FIRST, ppn);
}

static void a_number_used_again_is_another_environment(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint32_t c = world_child("c");
    uint64_t ppn = alloc_as(c, AEGIS_ANY), spare = alloc_as(FIRST, AEGIS_ANY);

    fill(ppn, 0xcc);
    world_call_as(FIRST);
    world_end(c);
    assert_int_equal(call_env_free(c), 0);
    free_as(FIRST, spare); /* the root's place among those that "d" is made of */
    assert_true(world_child("d") == c);
    assert_true(alloc_as(c, ppn) == ppn && is_filled(ppn, 0));
    world_call_as(FIRST);
    world_end(c);
    assert_int_equal(call_env_free(c), 0);
    check_invariants(NULL);
}

/* Registers and page tables of one that ended are not for its creator to read. */
static void pages_that_carried_an_environment_come_back_cleared(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { /* a number's first user, and its second */
        world_call_as(FIRST);
        uint32_t c = world_child("c");
        uint64_t page = virt_to_phys(env_table[c]) >> 12;
        uint64_t root = virt_to_phys(env_table[c]->root) >> 12;
        world_end(c);
        assert_int_equal(call_env_free(c), 0);
        assert_true(alloc_as(FIRST, page) == page && is_filled(page, 0));
        assert_true(alloc_as(FIRST, root) == root && is_filled(root, 0));
        free_as(FIRST, page);
        free_as(FIRST, root);
    }
}

/* The root of one that ended holds zeros, is kept for the next table, and taken by others last. */
static void pages_that_are_known_to_be_clear_are_kept_for_tables(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint32_t c = world_child("c");
    uint64_t root = virt_to_phys(env_table[c]->root) >> 12;
    world_end(c);
    assert_int_equal(call_env_free(c), 0);
    assert_true(is_filled(root, 0) && page_of(root)->last == 0);
    assert_true(page_find_clear() == page_of(root) && page_find_free() != page_of(root));
    check_invariants(NULL);

    assert_true(alloc_as(FIRST, root) == root && page_find_clear() != page_of(root));
    fill(root, 0xcc);
    free_as(FIRST, root);
    assert_true(page_find_free() == page_of(root) && page_of(root)->last != 0);
    check_invariants(NULL);
}

static void capabilities_go_stale_whenever_the_owner_changes(void **state)
{
    (void)state;
    uint64_t ppn = alloc_as(FIRST, AEGIS_ANY), before = page_of(ppn)->generation;

    assert_int_equal(call_page_give(ppn, a), 0);
    assert_true(page_of(ppn)->generation > before);
    before = page_of(ppn)->generation;
    free_as(a, ppn);
    assert_true(page_of(ppn)->generation > before);
    before = page_of(ppn)->generation;
    alloc_as(a, ppn);
    assert_true(page_of(ppn)->generation >= before); /* never back */
    free_as(a, ppn);
}

static void what_is_mapped_pinned_or_no_data_is_not_given_away(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint64_t ppn = world_page();
    struct aegis_page *page = page_of(ppn);

    page_pin(page);
    assert_int_equal(call_page_free(ppn), -AEGIS_E_PINNED);
    assert_int_equal(call_page_give(ppn, a), -AEGIS_E_PINNED);
    page_unpin(page);
    world_map(0x10000, ppn, AEGIS_PROT_READ);
    assert_int_equal(call_page_free(ppn), -AEGIS_E_STATE);
    assert_int_equal(call_page_give(ppn, a), -AEGIS_E_STATE);
    assert_int_equal(call_unmap(0, 0x10000, 1), 0);
    world_call_as(a);
    assert_int_equal(call_page_free(ppn), -AEGIS_E_OWNER);
    assert_int_equal(call_page_give(ppn, 0), -AEGIS_E_OWNER);
    world_call_as(FIRST);
    uint64_t root = virt_to_phys(env_table[FIRST]->root) >> 12;
    assert_int_equal(call_page_free(root), -AEGIS_E_STATE);
    assert_int_equal(call_page_free(virt_to_phys(env_table[FIRST]) >> 12), -AEGIS_E_STATE);
    for (unsigned int s = 0; s <= AEGIS_PAGE_WINDOW; s++) {
        if (s == AEGIS_PAGE_DATA)
            continue;
        page->state = (uint8_t)s;
        assert_int_equal(call_page_free(ppn), -AEGIS_E_STATE);
    }
    page->state = AEGIS_PAGE_DATA;
    free_as(FIRST, ppn);
}

static void a_page_is_given_only_to_oneself_and_ones_own(void **state)
{
    (void)state;
    uint64_t ppn = alloc_as(a, AEGIS_ANY);

    assert_int_equal(call_page_give(ppn, b), -AEGIS_E_OWNER);
    assert_int_equal(call_page_give(ppn, FIRST), -AEGIS_E_OWNER);
    assert_int_equal(call_page_give(ppn, 900), -AEGIS_E_OWNER);
    assert_int_equal(call_page_give(ppn, ENV_COUNT), -AEGIS_E_RANGE);
    assert_int_equal(call_page_give(ppn, UINT32_MAX), -AEGIS_E_RANGE);
    free_as(a, ppn);
    world_call_as(FIRST);
    uint32_t c = world_child("c");
    assert_int_equal(call_env_end(c, 0), 0);
    ppn = world_page();
    assert_int_equal(call_page_give(ppn, c), -AEGIS_E_STATE); /* ending: it would never be freed */
    while (!env_end_step(env_table[c]))
        ;
    assert_int_equal(call_page_give(ppn, c), -AEGIS_E_STATE);
    assert_int_equal(call_env_free(c), 0);
    assert_int_equal(call_page_give(ppn, c), -AEGIS_E_OWNER);
    free_as(FIRST, ppn);
}

/* Owner by page index, 0 for free, and UINT32_MAX for the kernel's and for those that environments
 * stand on. */
static uint32_t *model;

static void check_model(void)
{
    for (uint64_t i = 0; i < page_count; i++) {
        bool fixed = model[i] == UINT32_MAX;
        assert_true(fixed || pages[i].owner == model[i]);
        assert_true(fixed || pages[i].state == (model[i] ? AEGIS_PAGE_DATA : AEGIS_PAGE_FREE));
    }
}

/* Mostly of a few pages, so that the same ones are met again and again. */
static uint64_t random_ppn(void)
{
    uint64_t last = first_ppn + page_count;

    return random_below(8) ? last - 40 + random_below(30)
                           : first_ppn - 2 + random_below(page_count + 4);
}

static long expect_donation(uint64_t ppn, uint32_t self)
{
    if (!page_valid(ppn))
        return -AEGIS_E_RANGE;
    return model[ppn - first_ppn] == self ? 0 : -AEGIS_E_OWNER;
}

static void step(void)
{
    const uint32_t envs[] = {FIRST, a, b};
    uint32_t self = envs[random_below(3)], other = envs[random_below(3)];
    uint64_t ppn = random_ppn();
    long want, got;

    world_call_as(self);
    switch (random_below(4)) {
    case 0:
        got = call_page_alloc(AEGIS_ANY);
        assert_true(got > 0 && model[(uint64_t)got - first_ppn] == 0);
        model[(uint64_t)got - first_ppn] = self;
        break;
    case 1:
        want = !page_valid(ppn)              ? -AEGIS_E_RANGE
               : model[ppn - first_ppn] != 0 ? -AEGIS_E_IN_USE
                                             : (long)ppn;
        assert_int_equal(call_page_alloc(ppn), want);
        if (want > 0)
            model[ppn - first_ppn] = self;
        break;
    case 2:
        want = expect_donation(ppn, self);
        /* A page of its own that carries an environment or a table. */
        if (want && page_valid(ppn) && page_of(ppn)->owner == self)
            want = -AEGIS_E_STATE;
        assert_int_equal(call_page_free(ppn), want);
        if (!want)
            model[ppn - first_ppn] = 0;
        break;
    default:
        want = expect_donation(ppn, self);
        if (want && page_valid(ppn) && page_of(ppn)->owner == self)
            want = -AEGIS_E_STATE;
        if (!want && other != self && self != FIRST)
            want = -AEGIS_E_OWNER;
        assert_int_equal(call_page_give(ppn, other), want);
        if (!want)
            model[ppn - first_ppn] = other;
    }
}

static void a_random_history_agrees_with_an_array_of_owners(void **state)
{
    (void)state;
    model = calloc(page_count, sizeof(*model));
    for (uint64_t i = 0; i < page_count; i++)
        model[i] = pages[i].state == AEGIS_PAGE_FREE ? 0 : UINT32_MAX;
    seed_random(4);
    for (int i = 0; i < 4000; i++) {
        step();
        if (i % 8 == 0)
            check_model(), check_invariants(NULL);
    }
    for (uint64_t i = 0; i < page_count; i++)
        if (model[i] != 0 && model[i] != UINT32_MAX)
            free_as(model[i], first_ppn + i);
    check_invariants(NULL);
    free(model);
}

static void the_last_page_is_had_and_then_none(void **state)
{
    (void)state;
    uint64_t all = info->free_pages, count = 0;
    long got;

    world_call_as(b);
    for (; (got = call_page_alloc(AEGIS_ANY)) > 0; count++)
        ;
    assert_int_equal(got, -AEGIS_E_NO_PAGE);
    assert_true(count == all && info->free_pages == 0 && page_find_free() == NULL);
    check_invariants(NULL);
    world_call_as(FIRST);
    world_end(b);
    assert_true(info->free_pages == all + 2);
    check_invariants(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_of_the_board_is_the_kernels_or_free),
        cmocka_unit_test(page_numbers_outside_of_memory_are_refused),
        cmocka_unit_test(a_page_reaches_another_owner_cleared),
        cmocka_unit_test(a_given_page_keeps_its_bytes_for_the_new_owner_alone),
        cmocka_unit_test(a_number_used_again_is_another_environment),
        cmocka_unit_test(pages_that_carried_an_environment_come_back_cleared),
        cmocka_unit_test(pages_that_are_known_to_be_clear_are_kept_for_tables),
        cmocka_unit_test(capabilities_go_stale_whenever_the_owner_changes),
        cmocka_unit_test(what_is_mapped_pinned_or_no_data_is_not_given_away),
        cmocka_unit_test(a_page_is_given_only_to_oneself_and_ones_own),
        cmocka_unit_test(a_random_history_agrees_with_an_array_of_owners),
        cmocka_unit_test(the_last_page_is_had_and_then_none),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
