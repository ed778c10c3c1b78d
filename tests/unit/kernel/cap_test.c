/* Capabilities: exactly the bytes that the kernel minted verify, for what they name, until it
 * changes hands. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "kernel/cap.h"
#include "random.h"
#include "world.h"

#define FIRST FIRST_ENV
#define AT    0x10000UL

/* Memory of each environment for arguments, and the host's view of it. */
static uint32_t a, b;
static struct aegis_cap *mine, *as, *bs;

static int boot(void **state)
{
    (void)state;
    world_boot(NULL, 0);
    mine = world_memory(AT, 1);
    a = world_child("a");
    b = world_child("b");
    world_call_as(a);
    as = world_memory(AT, 1);
    world_call_as(b);
    bs = world_memory(AT, 1);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

#define ALL_PAGE (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE | AEGIS_RIGHT_EXEC)

static struct aegis_cap mint_page(uint64_t ppn, uint32_t rights)
{
    assert_int_equal(call_cap_mint(AEGIS_KIND_PAGE, ppn, rights, AT), 0);
    return *mine;
}

static void what_was_minted_verifies_for_what_it_names(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint64_t ppn = world_page();
    struct aegis_cap cap = mint_page(ppn, ALL_PAGE);

    assert_true(AEGIS_CAP_KIND(cap.name) == AEGIS_KIND_PAGE);
    assert_true(AEGIS_CAP_INDEX(cap.name) == ppn);
    assert_true(AEGIS_CAP_RIGHTS(cap.name) == ALL_PAGE);
    assert_true(cap.generation == page_of(ppn)->generation);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn, ALL_PAGE), 0);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn, 0), 0);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn + 1, 0), -AEGIS_E_CAPABILITY);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_ENV, a, 0), -AEGIS_E_CAPABILITY);
    /* Whoever has the bytes has the right: they pass through anybody's memory. */
    world_call_as(b);
    *bs = cap;
    assert_int_equal(cap_check_user(AT, AEGIS_KIND_PAGE, ppn, AEGIS_RIGHT_WRITE), 0);
    assert_int_equal(cap_check_user(AT + PAGE_SIZE - 8, AEGIS_KIND_PAGE, ppn, 0), -AEGIS_E_ADDRESS);
    assert_int_equal(cap_check_user(UINT64_MAX, AEGIS_KIND_PAGE, ppn, 0), -AEGIS_E_ADDRESS);
}

static void one_bit_changed_anywhere_is_a_forgery(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint64_t ppn = world_page();
    const struct aegis_cap cap = mint_page(ppn, AEGIS_RIGHT_READ);

    for (unsigned int bit = 0; bit < 8 * sizeof(cap); bit++) {
        struct aegis_cap forged = cap;
        ((uint8_t *)&forged)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* Also asked for what the changed bytes would name, where that is a page. */
        uint64_t named = AEGIS_CAP_INDEX(forged.name);
        if (page_valid(named))
            assert_int_equal(cap_check(&forged, AEGIS_KIND_PAGE, named, 0), -AEGIS_E_CAPABILITY);
        assert_int_equal(cap_check(&forged, AEGIS_KIND_PAGE, ppn, AEGIS_RIGHT_READ),
                         -AEGIS_E_CAPABILITY);
        assert_int_equal(cap_check(&forged, AEGIS_KIND_PAGE, ppn, AEGIS_CAP_RIGHTS(forged.name)),
                         -AEGIS_E_CAPABILITY);
    }
    assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn, AEGIS_RIGHT_READ), 0);
    assert_int_equal(cap_check(&(struct aegis_cap){0, 0, 0}, AEGIS_KIND_CONSOLE, 0, 0),
                     -AEGIS_E_CAPABILITY);
}

/* Two devices with the same number and generation: only the kind tells them apart. */
static void a_capability_for_one_kind_is_none_for_another(void **state)
{
    (void)state;
    world_call_as(FIRST);
    assert_int_equal(call_cap_mint(AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ, AT), 0);
    assert_int_equal(cap_check(mine, AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ), 0);
    assert_int_equal(cap_check(mine, AEGIS_KIND_MACHINE, 0, 0), -AEGIS_E_CAPABILITY);
}

static void guesses_and_mixtures_are_forgeries(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint64_t one = world_page(), other = world_page();
    struct aegis_cap x = mint_page(one, ALL_PAGE), y = mint_page(other, AEGIS_RIGHT_READ);
    struct aegis_cap mixed = {y.name, x.generation, x.mac};

    assert_int_equal(cap_check(&mixed, AEGIS_KIND_PAGE, other, 0), -AEGIS_E_CAPABILITY);
    mixed = (struct aegis_cap){x.name, x.generation, y.mac};
    assert_int_equal(cap_check(&mixed, AEGIS_KIND_PAGE, one, 0), -AEGIS_E_CAPABILITY);
    for (int i = 0; i < 10000; i++) {
        mixed.mac = random_below(UINT64_MAX);
        assert_int_equal(cap_check(&mixed, AEGIS_KIND_PAGE, one, 0), -AEGIS_E_CAPABILITY);
    }
}

static void rights_that_it_lacks_are_refused_by_that_name(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint64_t ppn = world_page();

    for (uint32_t has = 1; has <= ALL_PAGE; has++) {
        struct aegis_cap cap = mint_page(ppn, has);
        for (uint32_t wants = 0; wants <= ALL_PAGE; wants++)
            assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn, wants),
                             wants & ~has ? -AEGIS_E_RIGHTS : 0);
    }
}

static void a_capability_ends_with_its_generation(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint64_t ppn = world_page();
    struct aegis_cap cap = mint_page(ppn, ALL_PAGE);

    assert_int_equal(call_page_give(ppn, a), 0);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn, 0), -AEGIS_E_CAPABILITY);
    world_call_as(a);
    assert_int_equal(call_page_free(ppn), 0);
    world_call_as(FIRST);
    assert_true(call_page_alloc(ppn) == (long)ppn);
    /* The page is FIRST's again, and its old capability is as stale as before. */
    assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn, 0), -AEGIS_E_CAPABILITY);
    struct aegis_cap again = mint_page(ppn, ALL_PAGE);
    assert_int_equal(cap_check(&again, AEGIS_KIND_PAGE, ppn, ALL_PAGE), 0);
    assert_true(again.mac != cap.mac);
}

static void an_environments_capability_ends_with_it(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint32_t c = world_child("c");

    assert_int_equal(call_cap_mint(AEGIS_KIND_ENV, c, AEGIS_RIGHT_CONTROL, AT), 0);
    struct aegis_cap cap = *mine;
    assert_int_equal(cap_check(&cap, AEGIS_KIND_ENV, c, AEGIS_RIGHT_CONTROL), 0);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_ENV, c, AEGIS_RIGHT_CALL), -AEGIS_E_RIGHTS);
    world_end(c);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_ENV, c, 0), -AEGIS_E_CAPABILITY);
    assert_int_equal(call_env_free(c), 0);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_ENV, c, 0), -AEGIS_E_CAPABILITY);
    assert_true(world_child("d") == c);
    assert_int_equal(cap_check(&cap, AEGIS_KIND_ENV, c, 0), -AEGIS_E_CAPABILITY);
    world_end(c);
    assert_int_equal(call_env_free(c), 0);
}

/* What minting refuses: who asks, for what, and with which error. */
static void minting_is_for_owners_of_what_exists(void **state)
{
    (void)state;
    world_call_as(a);
    uint64_t as_page = world_page();
    world_call_as(FIRST);
    uint64_t page = world_page();
    const struct {
        uint32_t caller, kind;
        uint64_t index;
        uint32_t rights;
        uint64_t at;
        long error;
    } rows[] = {
        {FIRST, AEGIS_KIND_NONE, 0, 1, AT, -AEGIS_E_INVALID},
        {FIRST, AEGIS_KIND_COUNT, 0, 1, AT, -AEGIS_E_INVALID},
        {FIRST, UINT32_MAX, 0, 1, AT, -AEGIS_E_INVALID},
        {FIRST, AEGIS_KIND_PAGE, 0, 1, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_PAGE, first_ppn + page_count, 1, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_PAGE, page | 1UL << 40, 1, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_PAGE, UINT64_MAX, 1, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_PAGE, as_page, 1, AT, -AEGIS_E_OWNER},
        {FIRST, AEGIS_KIND_PAGE, first_ppn, 1, AT, -AEGIS_E_OWNER},
        {FIRST, AEGIS_KIND_PAGE, page, 0, AT, -AEGIS_E_RIGHTS},
        {FIRST, AEGIS_KIND_PAGE, page, AEGIS_RIGHT_CALL, AT, -AEGIS_E_RIGHTS},
        {FIRST, AEGIS_KIND_PAGE, page, AEGIS_RIGHTS_ALL, AT, -AEGIS_E_RIGHTS},
        {FIRST, AEGIS_KIND_PAGE, page, 1u << 16, AT, -AEGIS_E_RIGHTS},
        {FIRST, AEGIS_KIND_PAGE, page, ALL_PAGE, 0, -AEGIS_E_ADDRESS},
        {FIRST, AEGIS_KIND_PAGE, page, ALL_PAGE, AT + PAGE_SIZE - 16, -AEGIS_E_ADDRESS},
        {FIRST, AEGIS_KIND_PAGE, page, ALL_PAGE, AEGIS_EXPOSED_BASE, -AEGIS_E_ADDRESS},
        {FIRST, AEGIS_KIND_PAGE, page, ALL_PAGE, AT, 0},
        {FIRST, AEGIS_KIND_ENV, 0, AEGIS_RIGHT_CONTROL, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_ENV, ENV_COUNT, AEGIS_RIGHT_CONTROL, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_ENV, 900, AEGIS_RIGHT_CONTROL, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_ENV, a, AEGIS_RIGHT_READ, AT, -AEGIS_E_RIGHTS},
        {FIRST, AEGIS_KIND_ENV, a, AEGIS_RIGHT_CONTROL, AT, 0},
        {a, AEGIS_KIND_ENV, a, AEGIS_RIGHT_CALL, AT, 0},
        {a, AEGIS_KIND_ENV, b, AEGIS_RIGHT_CALL, AT, -AEGIS_E_OWNER},
        {a, AEGIS_KIND_ENV, FIRST, AEGIS_RIGHT_CALL, AT, -AEGIS_E_OWNER},
        {FIRST, AEGIS_KIND_BINDING, 0, AEGIS_RIGHT_DELEGATE, AT, 0}, /* the loop interface */
        {a, AEGIS_KIND_BINDING, 0, AEGIS_RIGHT_DELEGATE, AT, -AEGIS_E_OWNER},
        {FIRST, AEGIS_KIND_BINDING, 1, AEGIS_RIGHT_DELEGATE, AT, -AEGIS_E_RANGE},
        {FIRST, AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_WRITE, AT, 0},
        {FIRST, AEGIS_KIND_CONSOLE, 1, AEGIS_RIGHT_WRITE, AT, -AEGIS_E_RANGE},
        {a, AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_WRITE, AT, -AEGIS_E_OWNER},
        {FIRST, AEGIS_KIND_MACHINE, 0, AEGIS_RIGHT_CONTROL, AT, 0},
        {FIRST, AEGIS_KIND_MACHINE, 0, AEGIS_RIGHT_READ, AT, -AEGIS_E_RIGHTS},
        {b, AEGIS_KIND_MACHINE, 0, AEGIS_RIGHT_CONTROL, AT, -AEGIS_E_OWNER},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct aegis_cap *out = rows[i].caller == FIRST ? mine : rows[i].caller == a ? as : bs;
        world_call_as(rows[i].caller);
        memset(out, 0xee, sizeof(*out));
        long result = call_cap_mint(rows[i].kind, rows[i].index, rows[i].rights, rows[i].at);
        if (result != rows[i].error)
            fail_msg("row %zu: %ld instead of %ld", i, result, rows[i].error);
        if (result == 0)
            assert_int_equal(cap_check(out, rows[i].kind, rows[i].index, rows[i].rights), 0);
        else
            assert_true(out->name == 0xeeeeeeeeeeeeeeee && out->mac == 0xeeeeeeeeeeeeeeee);
    }
}

static void without_a_device_there_is_the_loop_interface_alone(void **state)
{
    (void)state;
    struct aegis_net_binding request = {
        .parent.name = AEGIS_CAP_NAME(AEGIS_KIND_BINDING, AEGIS_RIGHT_DELEGATE, 1)};

    world_call_as(FIRST);
    memcpy(mine, &request, sizeof(request));
    assert_int_equal(call_net_bind(AT), -AEGIS_E_NO_DEVICE);
    request.parent.name = AEGIS_CAP_NAME(AEGIS_KIND_BINDING, AEGIS_RIGHT_DELEGATE, 0);
    memcpy(mine, &request, sizeof(request));
    assert_int_equal(call_net_bind(AT), -AEGIS_E_CAPABILITY); /* it has no MAC */
}

static void another_key_makes_all_capabilities_worthless(void **state)
{
    (void)state;
    world_call_as(FIRST);
    uint64_t ppn = world_page();
    struct aegis_cap cap = mint_page(ppn, ALL_PAGE);

    cap_init((struct siphash_key){1, 2});
    assert_int_equal(cap_check(&cap, AEGIS_KIND_PAGE, ppn, 0), -AEGIS_E_CAPABILITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_minted_verifies_for_what_it_names),
        cmocka_unit_test(one_bit_changed_anywhere_is_a_forgery),
        cmocka_unit_test(a_capability_for_one_kind_is_none_for_another),
        cmocka_unit_test(guesses_and_mixtures_are_forgeries),
        cmocka_unit_test(rights_that_it_lacks_are_refused_by_that_name),
        cmocka_unit_test(a_capability_ends_with_its_generation),
        cmocka_unit_test(an_environments_capability_ends_with_it),
        cmocka_unit_test(minting_is_for_owners_of_what_exists),
        cmocka_unit_test(without_a_device_there_is_the_loop_interface_alone),
        cmocka_unit_test(another_key_makes_all_capabilities_worthless),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
