/* Mappings: each call's errors by name, and what a page, a table and a cached translation are
 * afterwards. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "invariants.h"
#include "world.h"

#define FIRST FIRST_ENV
#define R     AEGIS_PROT_READ
#define W     AEGIS_PROT_WRITE
#define X     AEGIS_PROT_EXEC
#define AT    0x10000UL
#define ARGS  0x20000UL /* memory for arguments */
#define MOST  512       /* pages that protect and unmap take in one call */

static uint32_t a, b;
static struct aegis_cap *args;

static int boot(void **state)
{
    (void)state;
    world_boot(NULL, 0);
    args = world_memory(ARGS, 1);
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

static int as_first(void **state)
{
    (void)state;
    world_call_as(FIRST);
    return 0;
}

static int check_after(void **state)
{
    (void)state;
    check_invariants(NULL);
    return 0;
}

static uint64_t pte_at(uint32_t env, uint64_t va)
{
    check_invariants(NULL);
    for (size_t i = 0; i < leaf_count; i++)
        if (leaves[i].env == env && leaves[i].va == va)
            return leaves[i].pte;
    return 0;
}

/* A mapping for the length of one test. */
static uint64_t mapped(uint64_t va, uint32_t prot)
{
    uint64_t ppn = world_page();

    world_map(va, ppn, prot);
    return ppn;
}

static void unmapped(uint64_t va, uint64_t ppn)
{
    assert_int_equal(call_unmap(0, va, 1), 0);
    assert_int_equal(call_page_free(ppn), 0);
}

static void protection_means_what_it_says(void **state)
{
    (void)state;
    /* By AEGIS_PROT_*: V, U and what the specification calls R 2, W 4, X 8; 0: no meaning. */
    static const uint64_t bits[8] = {
        [R] = 0x13, [R | W] = 0x17, [X] = 0x19, [R | X] = 0x1b, [R | W | X] = 0x1f};

    for (uint32_t prot = 0; prot < 8; prot++)
        assert_true(map_bits(prot) == bits[prot]);
    for (unsigned int bit = 3; bit < 32; bit++)
        assert_true(map_bits(1u << bit | R) == 0);
    uint64_t ppn = mapped(AT, R | X);
    assert_true(pte_at(FIRST, AT) == (ppn << 10 | 0x11b)); /* 0x100: the owner's own */
    unmapped(AT, ppn);
}

static void map_refuses_by_name(void **state)
{
    (void)state;
    uint64_t ppn = mapped(AT, R), table = world_page(), links = world_page(), free_one;
    uint64_t root = virt_to_phys(env_table[FIRST]->root) >> 12;

    free_one = page_ppn(page_find_free());
    assert_int_equal(call_table_insert(0, 1UL << 32, 1, table, links), 0);
    world_call_as(a);
    uint64_t as_page =
        world_page(); /* its owner's owner is the caller, but the page is a's alone */
    world_call_as(b);
    uint64_t bs_page = world_page();
    world_call_as(FIRST);
    const struct {
        uint32_t env;
        uint64_t va, ppn;
        uint32_t prot;
        uint64_t cap;
        long error;
    } rows[] = {
        {0, AT + 1, ppn, R, 0, -AEGIS_E_ALIGNMENT},
        {0, AT + 2048, ppn, R, 0, -AEGIS_E_ALIGNMENT},
        {0, AEGIS_EXPOSED_BASE, ppn, R, 0, -AEGIS_E_RANGE},
        {0, AEGIS_USER_END, ppn, R, 0, -AEGIS_E_RANGE},
        {0, 0xffffffc000000000, ppn, R, 0, -AEGIS_E_RANGE},
        {0, 0UL - PAGE_SIZE, ppn, R, 0, -AEGIS_E_RANGE},
        {0, AT + PAGE_SIZE, first_ppn - 1, R, 0, -AEGIS_E_RANGE},
        {0, AT + PAGE_SIZE, first_ppn + page_count, R, 0, -AEGIS_E_RANGE},
        {0, AT + PAGE_SIZE, UINT64_MAX, R, 0, -AEGIS_E_RANGE},
        {0, AT + PAGE_SIZE, ppn | 1UL << 44, R, 0, -AEGIS_E_RANGE},
        {ENV_COUNT, AT + PAGE_SIZE, ppn, R, 0, -AEGIS_E_RANGE},
        {UINT32_MAX, AT + PAGE_SIZE, ppn, R, 0, -AEGIS_E_RANGE},
        {900, AT + PAGE_SIZE, ppn, R, 0, -AEGIS_E_OWNER},
        {0, AT + PAGE_SIZE, ppn, 0, 0, -AEGIS_E_INVALID},
        {0, AT + PAGE_SIZE, ppn, W, 0, -AEGIS_E_INVALID},
        {0, AT + PAGE_SIZE, ppn, W | X, 0, -AEGIS_E_INVALID},
        {0, AT + PAGE_SIZE, ppn, R | 32, 0, -AEGIS_E_INVALID},
        {0, AT + PAGE_SIZE, ppn, AEGIS_MAP_INHERIT, 0, -AEGIS_E_INVALID},
        {0, AT + PAGE_SIZE, ppn, R | AEGIS_MAP_INHERIT | AEGIS_MAP_MEGA, 0, -AEGIS_E_INVALID},
        {0, AT + PAGE_SIZE, as_page, R, 0, -AEGIS_E_OWNER},
        {a, AT, bs_page, R, 0, -AEGIS_E_OWNER},
        {0, AT + PAGE_SIZE, first_ppn, R, 0, -AEGIS_E_OWNER},
        {0, AT + PAGE_SIZE, free_one, R, 0, -AEGIS_E_OWNER},
        {0, AT + PAGE_SIZE, root, R, 0, -AEGIS_E_STATE},
        {0, AT + PAGE_SIZE, table, R, 0, -AEGIS_E_STATE},
        {0, AT + PAGE_SIZE, links, R, 0, -AEGIS_E_STATE},
        {0, AT + PAGE_SIZE, as_page, R, 1, -AEGIS_E_ADDRESS},
        {0, AT + PAGE_SIZE, as_page, R, ARGS, -AEGIS_E_CAPABILITY},
        {0, 2UL << 30, ppn, R, 0, -AEGIS_E_NO_TABLE},
        {0, 1UL << 32, ppn, R, 0, -AEGIS_E_NO_TABLE}, /* level 1 is there, level 0 not */
        {0, AT, ppn, R, 0, -AEGIS_E_IN_USE},
        {a, AT, as_page, R, 0, -AEGIS_E_NO_TABLE}, /* env owns it: no capability needed */
        {a, AT, as_page, R | AEGIS_MAP_INHERIT, 0, -AEGIS_E_OWNER}, /* its affair */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        long result = call_map(rows[i].env, rows[i].va, rows[i].ppn, rows[i].prot, rows[i].cap);
        if (result != rows[i].error)
            fail_msg("row %zu: %ld instead of %ld", i, result, rows[i].error);
    }
    assert_true(pte_at(FIRST, AT + PAGE_SIZE) == 0 && page_of(ppn)->refs == 1);
    unmapped(AT, ppn);
}

/* a mints for its page; FIRST maps it with what it was given. */
static void anothers_page_needs_its_capability(void **state)
{
    (void)state;
    world_call_as(a);
    uint64_t ppn = world_page();
    struct aegis_cap *there = world_memory(ARGS, 1);

    for (uint32_t has = 1; has < 8; has++) { /* AEGIS_RIGHT_* of pages are AEGIS_PROT_* */
        world_call_as(a);
        assert_int_equal(call_cap_mint(AEGIS_KIND_PAGE, ppn, has, ARGS), 0);
        *args = *there;
        world_call_as(FIRST);
        for (uint32_t prot = 1; prot < 8; prot++) {
            long want = !map_bits(prot) ? -AEGIS_E_INVALID : prot & ~has ? -AEGIS_E_RIGHTS : 0;
            assert_int_equal(call_map(0, AT, ppn, prot, ARGS), want);
            if (want)
                continue;
            /* What was given stays the bound: taking away is free, getting back is not. */
            uint32_t less = prot & (R | X);
            if (map_bits(less))
                assert_int_equal(call_protect(0, AT, 1, less), 0);
            assert_int_equal(call_protect(0, AT, 1, R | W | X),
                             map_bits(less) && less == (R | W | X) ? 0 : -AEGIS_E_RIGHTS);
            assert_int_equal(call_unmap(0, AT, 1), 0);
        }
    }
    world_call_as(a);
    assert_int_equal(call_page_free(ppn), 0);
    assert_true(call_page_alloc(ppn) == (long)ppn); /* a new generation */
    world_call_as(FIRST);
    assert_int_equal(call_map(0, AT, ppn, R, ARGS), -AEGIS_E_CAPABILITY);
}

static void table_insert_refuses_by_name(void **state)
{
    (void)state;
    uint64_t t = world_page(), l = world_page(), used = mapped(AT, R), held = world_page();
    const uint64_t far = 3UL << 30;

    world_call_as(a);
    uint64_t as_page = world_page();
    world_call_as(FIRST);
    page_pin(page_of(held));
    const struct {
        uint32_t env;
        uint64_t va;
        uint32_t level;
        uint64_t table, links;
        long error;
    } rows[] = {
        {0, far, 2, t, l, -AEGIS_E_RANGE},
        {0, far, UINT32_MAX, t, l, -AEGIS_E_RANGE}, /* + 1 would be 0 */
        {0, AEGIS_EXPOSED_BASE, 1, t, l, -AEGIS_E_RANGE},
        {0, AEGIS_EXPOSED_BASE + (2 << 20), 0, t, l, -AEGIS_E_RANGE},
        {0, 0xffffffc000000000, 0, t, l, -AEGIS_E_RANGE},
        {0, UINT64_MAX, 1, t, l, -AEGIS_E_RANGE},
        {0, far, 1, first_ppn - 1, l, -AEGIS_E_RANGE},
        {0, far, 1, t, UINT64_MAX, -AEGIS_E_RANGE},
        {ENV_COUNT, far, 1, t, l, -AEGIS_E_RANGE},
        {900, far, 1, t, l, -AEGIS_E_OWNER},
        {0, far, 1, as_page, l, -AEGIS_E_OWNER},
        {0, far, 1, t, as_page, -AEGIS_E_OWNER},
        {0, far, 1, t, t, -AEGIS_E_STATE},
        {0, far, 1, used, l, -AEGIS_E_STATE},
        {0, far, 1, t, used, -AEGIS_E_STATE},
        {0, far, 1, held, l, -AEGIS_E_PINNED},
        {0, far, 1, t, held, -AEGIS_E_PINNED},
        {0, far, 0, t, l, -AEGIS_E_NO_TABLE},
        {0, AT, 0, t, l, -AEGIS_E_IN_USE},
        {0, AT, 1, t, l, -AEGIS_E_IN_USE},
        {0, AEGIS_EXPOSED_BASE - 1, 1, t, l, 0}, /* va is rounded */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        long result =
            call_table_insert(rows[i].env, rows[i].va, rows[i].level, rows[i].table, rows[i].links);
        if (result != rows[i].error)
            fail_msg("row %zu: %ld instead of %ld", i, result, rows[i].error);
    }
    page_unpin(page_of(held));
    unmapped(AT, used);
}

static void a_table_begins_empty_and_nobody_writes_to_it(void **state)
{
    (void)state;
    uint64_t table = world_page(), links = world_page();

    memset(ppn_to_virt(table), 0xff, PAGE_SIZE); /* entries that would map everything */
    memset(ppn_to_virt(links), 0xff, PAGE_SIZE);
    assert_int_equal(call_table_insert(a, 5UL << 30, 1, table, links), 0);
    for (size_t i = 0; i < PTES; i++)
        assert_true(((uint64_t *)ppn_to_virt(table))[i] == 0);
    assert_true(page_of(table)->owner == a && page_of(links)->owner == a);
    world_call_as(a);
    assert_int_equal(call_map(0, AT, table, R | W, 0), -AEGIS_E_STATE);
    assert_int_equal(call_page_free(table), -AEGIS_E_STATE);
    assert_int_equal(call_page_give(links, 0), -AEGIS_E_STATE);
}

/* Ten pages at the border of two level-0 tables, the last of them read-only. */
#define RUN (0x200000UL - 5 * PAGE_SIZE)

static void ranges_are_all_or_nothing(void **state)
{
    (void)state;
    uint64_t ppn[10];

    for (uint64_t i = 0; i < 10; i++)
        ppn[i] = mapped(RUN + i * PAGE_SIZE, i == 9 ? R : R | W);
    assert_int_equal(call_protect(0, RUN, 11, R), -AEGIS_E_ADDRESS);
    assert_int_equal(call_unmap(0, RUN, 11), -AEGIS_E_ADDRESS);
    assert_int_equal(call_unmap(0, RUN - PAGE_SIZE, 2), -AEGIS_E_ADDRESS);
    assert_int_equal(call_unmap(0, 0x400000 - PAGE_SIZE, 2), -AEGIS_E_ADDRESS);
    for (uint64_t i = 0; i < 10; i++)
        assert_true(pte_at(FIRST, RUN + i * PAGE_SIZE) ==
                    (ppn[i] << 10 | (i == 9 ? 0x113 : 0x117)));
    assert_int_equal(call_protect(0, RUN, 10, R | X), 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_true(pte_at(FIRST, RUN + i * PAGE_SIZE) == (ppn[i] << 10 | 0x11b));
    assert_int_equal(call_unmap(0, RUN, 10), 0);
    for (uint64_t i = 0; i < 10; i++) {
        assert_true(pte_at(FIRST, RUN + i * PAGE_SIZE) == 0 && page_of(ppn[i])->refs == 0);
        assert_int_equal(call_page_free(ppn[i]), 0);
    }
}

static void ranges_are_refused_by_name(void **state)
{
    (void)state;
    uint64_t ppn = mapped(AT, R);
    static const struct {
        uint32_t env;
        uint64_t va, count;
        long error;
    } rows[] = {
        {0, AT + 1, 1, -AEGIS_E_ALIGNMENT},
        {0, AT, 0, -AEGIS_E_RANGE},
        {0, AT, MOST + 1, -AEGIS_E_RANGE},
        {0, AT, UINT64_MAX, -AEGIS_E_RANGE},
        {0, AT, 1UL << 52, -AEGIS_E_RANGE}, /* pages that wrap when counted in bytes */
        {0, AT, (1UL << 52) + 1, -AEGIS_E_RANGE},
        {0, AEGIS_EXPOSED_BASE, 1, -AEGIS_E_RANGE},
        {0, AEGIS_EXPOSED_BASE - PAGE_SIZE, 2, -AEGIS_E_RANGE},
        {0, AEGIS_USER_END, 1, -AEGIS_E_RANGE},
        {0, 0UL - PAGE_SIZE, 1, -AEGIS_E_RANGE},
        {0, 0UL - PAGE_SIZE, 2, -AEGIS_E_RANGE},
        {ENV_COUNT, AT, 1, -AEGIS_E_RANGE},
        {900, AT, 1, -AEGIS_E_OWNER},
        {0, 6UL << 30, 1, -AEGIS_E_NO_TABLE},
        {0, AT + PAGE_SIZE, 1, -AEGIS_E_ADDRESS},
        {0, AT, MOST, -AEGIS_E_ADDRESS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        long unmap = call_unmap(rows[i].env, rows[i].va, rows[i].count);
        long protect = call_protect(rows[i].env, rows[i].va, rows[i].count, R);
        if (unmap != rows[i].error || protect != rows[i].error)
            fail_msg("row %zu: %ld, %ld instead of %ld", i, unmap, protect, rows[i].error);
    }
    assert_int_equal(call_protect(0, AT, 1, 0), -AEGIS_E_INVALID);
    assert_int_equal(call_protect(0, AT, 1, W), -AEGIS_E_INVALID);
    world_call_as(a);
    assert_int_equal(call_unmap(FIRST, AT, 1), -AEGIS_E_OWNER);
    assert_int_equal(call_protect(FIRST, AT, 1, R), -AEGIS_E_OWNER);
    world_call_as(FIRST);
    unmapped(AT, ppn);
}

static void dirty_and_accessed_outlive_protect(void **state)
{
    (void)state;
    uint64_t ppn = mapped(AT, R | W), byte = 1;

    assert_true(user_write(AT, &byte, 1));
    assert_true(pte_at(FIRST, AT) == (ppn << 10 | 0x1d7));
    assert_int_equal(call_protect(0, AT, 1, R), 0);
    assert_true(pte_at(FIRST, AT) == (ppn << 10 | 0x1d3));
    unmapped(AT, ppn);
}

static void a_fault_is_mended_only_if_the_entry_allows_the_access(void **state)
{
    (void)state;
    static const uint64_t causes[] = {CAUSE_LOAD_PAGE_FAULT, CAUSE_STORE_PAGE_FAULT,
                                      CAUSE_FETCH_PAGE_FAULT};
    static const uint32_t prots[] = {R, R | W, X, R | X, R | W | X};
    uint64_t ppn = mapped(AT, R);
    const struct env *env = env_table[FIRST];

    for (size_t p = 0; p < 5; p++) {
        assert_int_equal(call_protect(0, AT, 1, prots[p]), 0);
        for (size_t c = 0; c < 3; c++) {
            uint32_t need = c == 0 ? R : c == 1 ? W : X;
            uint64_t *entry = map_entry(env, AT, 0, NULL), before;
            *entry &= ~(uint64_t)(PTE_A | PTE_D);
            before = *entry;
            bool may = (prots[p] & need) == need;
            assert_true(map_mend_fault(env, AT + 5, causes[c]) == may);
            assert_true(*entry == (!may     ? before
                                   : c == 1 ? before | PTE_A | PTE_D
                                            : before | PTE_A));
        }
    }
    assert_false(map_mend_fault(env, AT + PAGE_SIZE, CAUSE_LOAD_PAGE_FAULT));
    assert_false(map_mend_fault(env, 7UL << 30, CAUSE_LOAD_PAGE_FAULT));
    assert_false(map_mend_fault(env, AEGIS_USER_END, CAUSE_LOAD_PAGE_FAULT));
    assert_false(map_mend_fault(env, UINT64_MAX, CAUSE_STORE_PAGE_FAULT));
    assert_false(map_mend_fault(env, AEGIS_EXPOSED_BASE, CAUSE_STORE_PAGE_FAULT));
    unmapped(AT, ppn);
}

static void one_page_mapped_many_times_is_found_everywhere(void **state)
{
    (void)state;
    uint64_t ppn = world_page();

    for (uint64_t i = 0; i < 40; i++)
        world_map(AT + (i * 37 % 600) * PAGE_SIZE, ppn, i % 3 ? R : R | W);
    check_invariants(NULL);
    assert_true(page_of(ppn)->refs == 40);
    for (uint64_t i = 0; i < 40; i += 2)
        assert_int_equal(call_unmap(0, AT + (i * 37 % 600) * PAGE_SIZE, 1), 0);
    check_invariants(NULL);
    map_remove_all(page_of(ppn));
    check_invariants(NULL);
    assert_true(page_of(ppn)->refs == 0);
    assert_int_equal(call_page_free(ppn), 0);
}

static uint64_t forgotten; /* address whose translations went last */
static uint64_t forgotten_asid;

static void note(uint64_t va, uint64_t asid)
{
    forgotten = va;
    forgotten_asid = asid;
}

/* The caller may not write any more where it has the page, whatever the child's address is. */
static void sharing_as_private_forgets_the_callers_translation(void **state)
{
    (void)state;
    const uint64_t there = 99UL << 30; /* where the child has no tables yet */
    uint64_t ppn = mapped(AT, R | W);

    for (uint32_t level = 2; level-- > 0;)
        assert_int_equal(call_table_insert(a, there, level, AEGIS_ANY, AEGIS_ANY), 0);
    host_on_sfence = note;
    assert_int_equal(call_map_share(a, there, 1, AEGIS_SHARE_PRIVATE, AT), 1);
    host_on_sfence = NULL;
    assert_true(forgotten == AT && forgotten_asid == env_table[FIRST]->asid);
    assert_true((pte_at(FIRST, AT) & 0xe) == 0x2 && (pte_at(a, there) & 0xe) == 0x2);
    assert_int_equal(call_unmap(a, there, 1), 0);
    unmapped(AT, ppn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, as_first, check_after)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(protection_means_what_it_says),
        TEST(map_refuses_by_name),
        TEST(anothers_page_needs_its_capability),
        TEST(table_insert_refuses_by_name),
        TEST(a_table_begins_empty_and_nobody_writes_to_it),
        TEST(ranges_are_all_or_nothing),
        TEST(ranges_are_refused_by_name),
        TEST(dirty_and_accessed_outlive_protect),
        TEST(a_fault_is_mended_only_if_the_entry_allows_the_access),
        TEST(one_page_mapped_many_times_is_found_everywhere),
        TEST(sharing_as_private_forgets_the_callers_translation),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
