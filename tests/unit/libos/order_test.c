/* The order of destinations: the examples of RFC 6724, 10.2, and what QEMU's user network makes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "libos/net/order.h"

static struct net_way way(const char *destination, const char *source)
{
    struct net_way w = {.is_usable = source};
    assert_int_equal(inet_pton(AF_INET6, destination, &w.destination), 1);
    assert_int_equal(inet_pton(AF_INET6, source ? source : "::", &w.source), 1);
    return w;
}

static void destinations_come_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *first, *its_source, *second, *its_other;
    } rows[] = {
        {"2001:db8:1::1", "2001:db8:1::2", "::ffff:198.51.100.121", "::ffff:169.254.13.78"},
        {"::ffff:198.51.100.121", "::ffff:198.51.100.117", "2001:db8:1::1", "fe80::1"},
        {"2001:db8:1::1", "2001:db8:1::2", "::ffff:10.1.2.3", "::ffff:10.1.2.4"},
        {"fe80::1", "fe80::2", "2001:db8:1::1", "2001:db8:1::2"},
        {"2001:db8:1::1", "2001:db8:1::2", "2002:c633:6401::1", "2002:c633:6401::2"},
        {"::1", "::1", "::ffff:127.0.0.1", "::ffff:127.0.0.1"},
        {"::ffff:1.2.3.4", "::ffff:10.0.2.15", "2001:db8:1::1", NULL},
        /* its prefix is site-local, which leads nowhere else */
        {"::ffff:1.2.3.4", "::ffff:10.0.2.15", "2001:db8:1::1", "fec0::5054:ff:fe12:3456"},
        {"::ffff:10.0.2.2", "::ffff:10.0.2.15", "fec0::2", "fec0::5054:ff:fe12:3456"},
        {"2001:db8:1::1", "2001:db8:1::2", "fd00::1", "fd00::2"},
        {"::ffff:1.2.3.4", "::ffff:10.0.2.15", "fd00::1", "fd00::2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_way a = way(rows[i].first, rows[i].its_source);
        struct net_way b = way(rows[i].second, rows[i].its_other);
        if (!net_way_before(&a, &b) || net_way_before(&b, &a))
            fail_msg("%s and %s", rows[i].first, rows[i].second);
        assert_false(net_way_before(&a, &a));
    }
}

static void equals_stay_in_their_order(void **state)
{
    (void)state;
    struct net_way a = way("2001:db8:1::1", "2001:db8:1::9"),
                   b = way("2001:db8:7::1", "2001:db8:1::9");
    struct net_way c = way("::ffff:1.2.3.4", NULL), d = way("::ffff:1.2.3.5", NULL);
    assert_false(net_way_before(&a, &b) || net_way_before(&b, &a));
    assert_false(net_way_before(&c, &d) || net_way_before(&d, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destinations_come_in_order),
        cmocka_unit_test(equals_stay_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
