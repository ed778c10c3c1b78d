/* Services, hosts files, resolv.conf, and addresses as text beside the C library's. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include "libos/net/inet6.h"
#include "libos/net/names.h"

static void services_have_names_and_numbers(void **state)
{
    (void)state;
    assert_int_equal(names_port("http"), 80);
    assert_int_equal(names_port("HTTP"), -1);
    assert_int_equal(names_port(""), -1);
    assert_string_equal(names_service(53, true), "domain");
    assert_null(names_service(80, true));
    assert_string_equal(names_service(80, false), "http");
    assert_int_equal(names_number("65535", 65535), 65535);
    static const char *const bad[] = {
        "", "65536", "-1", "1x", " 1", "0x10", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(names_number(bad[i], 65535), -1);
}

static const char hosts[] = "# comment\n"
                            "127.0.0.1\tlocalhost loop # here\n"
                            "10.0.0.7  printer  Printer.example\r\n"
                            "nonsense printer\n"
                            "10.0.0.8 # nobody\n"
                            "::1 localhost\n"
                            "10.0.0.9 printer";

static void hosts_files_are_searched_line_by_line(void **state)
{
    (void)state;
    const char *at = hosts, *end = hosts + sizeof hosts - 1;
    struct names_host host;
    assert_true(names_next_host(&at, end, "PRINTER", &host));
    assert_memory_equal(host.address, "\12\0\0\7", 4);
    assert_true(names_next_host(&at, end, "printer", &host));
    assert_memory_equal(host.address, "\12\0\0\x9", 4);
    assert_false(names_next_host(&at, end, "printer", &host));
    at = hosts;
    assert_true(names_next_host(&at, end, "localhost", &host) && host.size == 4);
    assert_true(names_next_host(&at, end, "localhost", &host) && host.size == 16);
    assert_false(names_next_host(&at, end, "localhost", &host));
    at = hosts;
    assert_false(names_next_host(&at, end, "here", &host));
    at = hosts;
    assert_false(names_next_host(&at, end, "print", &host));
    at = hosts;
    assert_true(names_next_name(&at, end, (const uint8_t *)"\12\0\0\7", 4, &host));
    assert_int_equal(host.name_size, 7);
    assert_memory_equal(host.name, "printer", 7);
    at = hosts;
    assert_false(names_next_name(&at, end, (const uint8_t *)"\12\0\0\x8", 4, &host));
}

static void servers_are_taken_as_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *text, *servers; /* as text again, each with its port */
    } rows[] = {
        {"nameserver 1.2.3.4\n", "1.2.3.4#53 "},
        {"# nameserver 9.9.9.9\nsearch a.b\nnameserver ::1\n nameserver\t[1.2.3.4]:5353 # x\n"
         "nameserver 8.8.8.8\nnameserver 7.7.7.7",
         "::1#53 1.2.3.4#5353 8.8.8.8#53 "},
        {"nameserver [1.2.3.4]\nnameserver [1.2.3.4]:0\nnameserver 1.2.3\nnameserver 5.6.7.8",
         "5.6.7.8#53 "},
        {"nameserver [2001:db8::1]:99\nnameserver fe80::1%1\nnameserver 1.2.3.4 5.6.7.8",
         "2001:db8::1#99 1.2.3.4#53 "},
        {"nameserver\nnameservers 1.2.3.4\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct names_server servers[3];
        char said[200] = "";
        size_t count = names_servers(rows[i].text, strlen(rows[i].text), servers, 3);
        for (size_t j = 0; j < count; j++) {
            char text[INET6_ADDRSTRLEN];
            inet_ntop(servers[j].size == 4 ? AF_INET : AF_INET6, servers[j].address, text,
                      sizeof text);
            snprintf(said + strlen(said), sizeof said - strlen(said), "%s#%u ", text,
                     servers[j].port);
        }
        assert_string_equal(said, rows[i].servers);
    }
}

static void the_last_list_of_domains_counts(void **state)
{
    (void)state;
    static char longer[300] = "search ";
    char list[NAMES_SEARCH_MAX];
    const char *const rows[][2] = {
        {"", ""},
        {"searches a\n", ""},
        {"domain a.b\nsearch  c.d\te # f\n", "c.d e"},
        {"search c.d e\ndomain a.b\n", "a.b"},
        {"search a\nsearch\n", ""},
        {longer, ""},
    };
    for (size_t i = 0; i < sizeof longer - 8; i++)
        longer[7 + i] = i % 64 == 63 ? ' ' : 'a';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        names_search(rows[i][0], strlen(rows[i][0]), list);
        assert_string_equal(list, rows[i][1]);
    }
    longer[7 + 255] = 0; /* as long as fits */
    names_search(longer, strlen(longer), list);
    assert_int_equal(strlen(list), 255);
}

static void compare(const char *text)
{
    uint8_t ours[16], theirs[16];
    bool read = inet6_read(text, ours);
    if (read != (inet_pton(AF_INET6, text, theirs) == 1))
        fail_msg("\"%s\": %d", text, read);
    if (read)
        assert_memory_equal(ours, theirs, 16);
}

static void ipv6_is_read_as_the_c_library_does(void **state)
{
    (void)state;
    static const char *const rows[] = {"::",
                                       "::1",
                                       "1::",
                                       "1:2:3:4:5:6:7:8",
                                       "1:2:3:4:5:6:7::",
                                       "::2:3:4:5:6:7:8",
                                       "1:2:3:4:5:6:7:8:9",
                                       "1:2:3:4:5:6:7",
                                       "::ffff:1.2.3.4",
                                       "1:2:3:4:5:6:1.2.3.4",
                                       "1:2:3:4:5:6:7:1.2.3.4",
                                       "::1.2.3",
                                       "1.2.3.4",
                                       "::1.2.3.4:5",
                                       "1::2::3",
                                       ":::",
                                       ":1",
                                       "1:",
                                       "",
                                       ":",
                                       "12345::",
                                       "g::",
                                       "fe80::1%eth0",
                                       "ABCD:ef01::",
                                       "::00001",
                                       "1:2:3:4::5:6:7:8",
                                       "1:2:3:4::6:7:8",
                                       "::1.2.3.256",
                                       " ::1",
                                       "::1 ",
                                       "64:ff9b::192.0.2.33"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        compare(rows[i]);
    srandom(5);
    for (int i = 0; i < 100000; i++) {
        char text[24];
        size_t size = (size_t)random() % sizeof text;
        for (size_t j = 0; j < size; j++)
            text[j] = ":::::1234fF.0g"[random() % 14];
        text[size] = 0;
        compare(text);
    }
}

static void compare_parts(const char *text)
{
    uint8_t ours[4], theirs[4];
    const char *end = inet4_read_parts(text, ours);
    bool read = end && (!*end || *end == ' ');

    if (read != (inet_aton(text, (struct in_addr *)theirs) == 1))
        fail_msg("\"%s\": %d", text, read);
    if (read)
        assert_memory_equal(ours, theirs, 4);
    read = inet4_read(text, ours);
    if (read != (inet_pton(AF_INET, text, theirs) == 1))
        fail_msg("\"%s\", plain: %d", text, read);
    if (read)
        assert_memory_equal(ours, theirs, 4);
}

static void ipv4_is_read_as_the_c_library_does(void **state)
{
    (void)state;
    static const char *const rows[] = {"1.2.3.4",
                                       "127.1",
                                       "1.2.65536",
                                       "1.2.65535",
                                       "1.16777216",
                                       "4294967295",
                                       "4294967296",
                                       "0x7f000001",
                                       "0X7F.1",
                                       "0177.1",
                                       "08",
                                       "0x",
                                       "0xg",
                                       "0",
                                       "00.0.0.0",
                                       "1.2.3.0400",
                                       "1.2.3.4.5",
                                       "1.2.3.4 x",
                                       "01.2.3.4",
                                       "1.2.3.00",
                                       "0.0.0.0",
                                       "1.2.3.4.",
                                       "256.1",
                                       "99999999999999999999999",
                                       "0x100000000",
                                       "040000000000",
                                       "",
                                       ".",
                                       "1..2",
                                       "-1"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        compare_parts(rows[i]);
    srandom(6);
    for (int i = 0; i < 100000; i++) {
        char text[20];
        size_t size = (size_t)random() % sizeof text;
        for (size_t j = 0; j < size; j++)
            text[j] = "....0000123789xXaF "[random() % 19];
        text[size] = 0;
        compare_parts(text);
    }
}

static void ipv6_is_written_as_the_c_library_does(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t address[16], back[16];
        char ours[INET6_TEXT], theirs[INET6_ADDRSTRLEN];
        for (int j = 0; j < 16; j++)
            address[j] = random() % 3 ? 0 : (uint8_t)random();
        address[0] |= (uint8_t)(i % 2); /* else glibc writes some as IPv4's, which are history */
        inet6_write(address, ours);
        inet_ntop(AF_INET6, address, theirs, sizeof theirs);
        if (i % 2)
            assert_string_equal(ours, theirs);
        assert_true(inet6_read(ours, back));
        assert_memory_equal(address, back, 16);
    }
    char text[INET6_TEXT];
    uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7};
    inet6_write(mapped, text);
    assert_string_equal(text, "::ffff:10.0.0.7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_have_names_and_numbers),
        cmocka_unit_test(hosts_files_are_searched_line_by_line),
        cmocka_unit_test(servers_are_taken_as_they_stand),
        cmocka_unit_test(the_last_list_of_domains_counts),
        cmocka_unit_test(ipv4_is_read_as_the_c_library_does),
        cmocka_unit_test(ipv6_is_read_as_the_c_library_does),
        cmocka_unit_test(ipv6_is_written_as_the_c_library_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
