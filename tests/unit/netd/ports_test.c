/* Ports and connections that programs leave, among programs of which one is hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>

#include "apps/netd/netd.h"
#include "libos/net/headers.h"
#include "libos/net/service.h"
#include "world.h"

static int begin(void **state)
{
    (void)state;
    world_begin();
    return 0;
}

static int64_t take(uint32_t env, uint8_t protocol, uint8_t family, uint16_t port)
{
    struct port_wanted wanted = {protocol, family, port, 1};
    struct aegis_cap cap = {0};
    int64_t status = port_take(env, &wanted, &cap);

    return status ? status : (int64_t)AEGIS_CAP_INDEX(cap.name);
}

static void who_has_dhcps_port_could_say_what_the_machine_is(void **state)
{
    uint32_t program = world_make(WORLD_AGENT);

    (void)state;
    assert_int_equal(take(program, IPV4_UDP, NET_IPV4, 68), -EACCES);
    assert_int_equal(take(program, IPV4_UDP, NET_BOTH, 68), -EACCES);
    assert_int_equal(take(program, IPV4_UDP, NET_IPV6, 546), -EACCES);
    assert_true(take(program, IPV4_TCP, NET_IPV4, 68) >= 0);
    assert_true(take(program, IPV4_UDP, NET_IPV4, 67) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_has_dhcps_port_could_say_what_the_machine_is, begin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
