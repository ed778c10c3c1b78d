/* Ports among groups of programs: who takes all he gets leaves some to others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "quota.h"

/* Lets a group take all it gets; how many ports. */
static uint32_t hoard(const struct quota *most, struct quota *used, bool has_loop)
{
    struct quota own = {.ports = 0};

    while (used->ports < most->ports && quota_allows(most, used, &own)) {
        quota_count(&own, has_loop);
        quota_count(used, has_loop);
    }
    return own.ports;
}

static void one_gets_half_and_the_last_eighth_is_for_all(void **state)
{
    const struct quota most = {1024, 4096};
    struct quota used = {.ports = 0};

    (void)state;
    assert_int_equal(hoard(&most, &used, false), 512);
    assert_int_equal(hoard(&most, &used, false), 384);
    for (int i = 0; i < 8; i++) /* of the reserve */
        assert_int_equal(hoard(&most, &used, false), QUOTA_FEW);
    assert_int_equal(hoard(&most, &used, false), 0); /* there are no more places */
}

static void where_there_are_few_bindings_they_count(void **state)
{
    const struct quota most = {1024, 256};
    struct quota used = {.ports = 0};

    (void)state;
    assert_int_equal(hoard(&most, &used, true), 32);
    assert_int_equal(used.bindings, 128);
    assert_int_equal(hoard(&most, &used, true), 24);
    assert_int_equal(hoard(&most, &used, true), QUOTA_FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_gets_half_and_the_last_eighth_is_for_all),
        cmocka_unit_test(where_there_are_few_bindings_they_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
