/* Questions to name servers, and what is believed of the answers. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "libos/net/dns.h"

#define HEADER "\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
#define ASKED  "\7example\3com\0\0\1\0\1"
#define A      "\0\1\0\1\0\0\0\x3c\0\4"
#define CNAME  "\0\5\0\1\0\0\0\x3c"

static struct dns_answer answer;

/* In memory of its own size. */
static enum dns_result read_for(const char *name, enum dns_type type, const char *message,
                                size_t size)
{
    uint8_t question[DNS_QUESTION_MAX], *copy = malloc(size ? size : 1);
    size_t asked = dns_ask(question, 0x1234, name, type);
    assert_true(asked > 0);
    memcpy(copy, message, size);
    memset(&answer, 0, sizeof answer);
    enum dns_result result = dns_read(copy, size, question, asked, &answer);
    free(copy);
    return result;
}

#define READ(text) read_for("example.com", DNS_A, text, sizeof(text) - 1)

static void a_question_is_as_rfc_1035_has_it(void **state)
{
    (void)state;
    uint8_t message[DNS_QUESTION_MAX];
    static const char wanted[] = "\xab\xcd\1\0\0\1\0\0\0\0\0\0" ASKED;
    assert_int_equal(dns_ask(message, 0xabcd, "example.com", DNS_A), sizeof wanted - 1);
    assert_memory_equal(message, wanted, sizeof wanted - 1);
    assert_int_equal(dns_ask(message, 0xabcd, "example.com.", DNS_A), sizeof wanted - 1);
    assert_memory_equal(message, wanted, sizeof wanted - 1);
}

static void what_is_no_name_is_not_asked_for(void **state)
{
    (void)state;
    uint8_t message[DNS_QUESTION_MAX];
    char name[300];
    static const char *const bad[] = {"", ".", "a..b", ".a", "a.."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(dns_ask(message, 1, bad[i], DNS_A), 0);
    memset(name, 'a', sizeof name);
    name[64] = 0;
    assert_int_equal(dns_ask(message, 1, name, DNS_A), 0);
    name[63] = 0;
    assert_int_equal(dns_ask(message, 1, name, DNS_A), 12 + 65 + 4);
    memset(name, 'a', sizeof name);
    for (size_t i = 63; i < sizeof name; i += 64)
        name[i] = '.';
    name[253] = 0; /* four labels: 253 characters, 255 bytes on the wire */
    assert_int_equal(dns_ask(message, 1, name, DNS_A), DNS_QUESTION_MAX);
    name[253] = 'a';
    name[254] = 0;
    assert_int_equal(dns_ask(message, 1, name, DNS_A), 0);
}

static void addresses_are_found(void **state)
{
    (void)state;
    assert_int_equal(READ(HEADER ASKED "\xc0\x0c" A "\1\2\3\4"), DNS_FOUND);
    assert_int_equal(answer.count, 1);
    assert_memory_equal(answer.addresses[0], "\1\2\3\4", 4);
    assert_string_equal(answer.name, "example.com");
    assert_false(answer.is_cut);
    assert_int_equal(READ("\x12\x34\x83\x80\0\1\0\1\0\0\0\0" ASKED "\xc0\x0c" A "\1\2\3\4"),
                     DNS_FOUND);
    assert_true(answer.is_cut);
    assert_int_equal(READ("\x12\x34\x83\x80\0\1\0\0\0\0\0\0" ASKED), DNS_NO_DATA);
    assert_true(answer.is_cut);
    /* the case of letters means nothing, nor do records of others */
    assert_int_equal(READ("\x12\x34\x81\x80\0\1\0\3\0\0\0\0"
                          "\7eXAMPLE\3Com\0\0\1\0\1"
                          "\5other\xc0\x14" A "\5\5\5\5"
                          "\7ExamplE\3coM\0" A "\1\2\3\4"
                          "\xc0\x0c" A "\5\6\7\x8"),
                     DNS_FOUND);
    assert_int_equal(answer.count, 2);
    assert_memory_equal(answer.addresses[0], "\1\2\3\4", 4);
    assert_memory_equal(answer.addresses[1], "\5\6\7\x8", 4);
    static const char six[] = HEADER "\7example\3com\0\0\x1c\0\1"
                                     "\xc0\x0c\0\x1c\0\1\0\0\0\0\0\x10"
                                     "0123456789abcdef";
    assert_int_equal(read_for("example.com", DNS_AAAA, six, sizeof six - 1), DNS_FOUND);
    assert_memory_equal(answer.addresses[0], "0123456789abcdef", 16);
}

static void aliases_are_followed_in_any_order_and_not_for_ever(void **state)
{
    (void)state;
    assert_int_equal(READ("\x12\x34\x81\x80\0\1\0\3\0\0\0\0" ASKED "\1b\xc0\x14" A "\1\2\3\4"
                          "\1a\xc0\x14" CNAME "\0\4\1b\xc0\x14"
                          "\xc0\x0c" CNAME "\0\4\1a\xc0\x14"),
                     DNS_FOUND);
    assert_string_equal(answer.name, "b.com");
    assert_memory_equal(answer.addresses[0], "\1\2\3\4", 4);
    assert_int_equal(READ("\x12\x34\x81\x80\0\1\0\2\0\0\0\0" ASKED "\1a\xc0\x14" CNAME
                          "\0\2\xc0\x0c"
                          "\xc0\x0c" CNAME "\0\4\1a\xc0\x14"),
                     DNS_NO_DATA);
    /* another's alias is not ours */
    assert_int_equal(READ("\x12\x34\x81\x80\0\1\0\2\0\0\0\0" ASKED "\1x\xc0\x14" CNAME
                          "\0\4\1b\xc0\x14"
                          "\1b\xc0\x14" A "\6\6\6\6"),
                     DNS_NO_DATA);
}

static void what_isnt_our_answer_is_none(void **state)
{
    (void)state;
    static const char good[] = HEADER ASKED "\xc0\x0c" A "\1\2\3\4";
    static const size_t matters[] = {0, 1, 2, 5, 13, 20, 22, 26, 28};
    for (size_t i = 0; i < sizeof matters / sizeof *matters; i++) {
        char bad[sizeof good];
        memcpy(bad, good, sizeof good);
        bad[matters[i]] ^= i == 2 ? (char)0x80 : 1;
        if (READ(bad) != DNS_OTHER)
            fail_msg("byte %zu", matters[i]);
    }
    for (size_t size = 0; size < sizeof HEADER ASKED - 1; size++)
        assert_int_equal(read_for("example.com", DNS_A, good, size), DNS_OTHER);
    for (size_t size = sizeof HEADER ASKED - 1; size < sizeof good - 1; size++)
        assert_int_equal(read_for("example.com", DNS_A, good, size), DNS_NO_DATA);
}

static void the_servers_codes_are_told_apart(void **state)
{
    (void)state;
    char message[] = HEADER ASKED;
    message[7] = 0;
    assert_int_equal(READ(message), DNS_NO_DATA);
    message[3] = '\x83';
    assert_int_equal(READ(message), DNS_NO_NAME);
    message[3] = '\x82';
    assert_int_equal(READ(message), DNS_FAILED);
    message[3] = '\x85';
    assert_int_equal(READ(message), DNS_FAILED);
}

static void pointers_lead_nowhere_but_back(void **state)
{
    (void)state;
    static const char *const rows[] = {"\xc0\x1d", "\xc0\x1e", "\xc0\xff",    "\xff\xff",
                                       "\x80\0",   "\x40\0",   "\1a\xc0\x1d", "\xc0"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char message[100];
        size_t size = sizeof HEADER ASKED - 1, length = strlen(rows[i]);
        memcpy(message, HEADER ASKED, size);
        memcpy(message + size, rows[i], length + 1);
        assert_int_equal(read_for("example.com", DNS_A, message, size + length), DNS_NO_DATA);
        memcpy(message + size + length, A "\1\2\3\4", 14);
        assert_int_equal(read_for("example.com", DNS_A, message, size + length + 14), DNS_NO_DATA);
    }
}

static void a_chain_of_pointers_makes_no_name_longer_than_255_bytes(void **state)
{
    (void)state;
    char message[700] = HEADER ASKED;
    size_t at = sizeof HEADER ASKED - 1, before = 12;
    message[7] = 10;
    for (int i = 0; i < 10; i++) { /* records of no interest, whose names grow by 32 bytes each */
        size_t here = at;
        message[at++] = 31;
        memset(message + at, 'a', 31);
        at += 31;
        message[at++] = (char)(0xc0 | before >> 8);
        message[at++] = (char)before;
        memcpy(message + at, A "\1\2\3\4", 14);
        at += 14;
        before = here;
    }
    assert_int_equal(read_for("example.com", DNS_A, message, at), DNS_NO_DATA);
}

static void lists_of_names_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size, most;
        const char *text;
    } rows[] = {
        {"\1A\1b\0\2cd\xc0\2", 11, 100, "a.b cd.b"},
        {"\1a\0\1b\0", 6, 4, "a b"},
        {"\1a\0\1b\0", 6, 3, ""},
        {"\1a\0\0\2* \0\1b\0", 11, 100, "a b"}, /* the root, and what no host is called */
        {"\1a\0\1b", 5, 100, ""},
        {"\1a\xc0\2", 4, 100, ""},
        {"", 0, 100, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *list = malloc(rows[i].most);
        uint8_t *bytes = malloc(rows[i].size + 1);
        memcpy(bytes, rows[i].bytes, rows[i].size);
        dns_list(bytes, rows[i].size, list, rows[i].most);
        assert_string_equal(list, rows[i].text);
        free(bytes);
        free(list);
    }
}

static void names_of_addresses(void **state)
{
    (void)state;
    char text[DNS_NAME_MAX];
    dns_reverse((const uint8_t *)"\12\0\2\17", 4, text);
    assert_string_equal(text, "15.2.0.10.in-addr.arpa");
    dns_reverse((const uint8_t *)"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x1f", 16, text);
    assert_string_equal(text,
                        "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    static const char named[] = HEADER "\1"
                                       "1\1"
                                       "2\1"
                                       "3\1"
                                       "4\7in-addr\4arpa\0\0\x0c\0\1"
                                       "\xc0\x0c\0\x0c\0\1\0\0\0\0\0\x0a\2ns\5local\0";
    assert_int_equal(read_for("1.2.3.4.in-addr.arpa", DNS_PTR, named, sizeof named - 1), DNS_FOUND);
    assert_string_equal(answer.name, "ns.local");
    static const char strange[] = HEADER "\1"
                                         "1\1"
                                         "2\1"
                                         "3\1"
                                         "4\7in-addr\4arpa\0\0\x0c\0\1"
                                         "\xc0\x0c\0\x0c\0\1\0\0\0\0\0\x0a\2n\n\5local\0";
    assert_int_equal(read_for("1.2.3.4.in-addr.arpa", DNS_PTR, strange, sizeof strange - 1),
                     DNS_NO_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_as_rfc_1035_has_it),
        cmocka_unit_test(what_is_no_name_is_not_asked_for),
        cmocka_unit_test(addresses_are_found),
        cmocka_unit_test(aliases_are_followed_in_any_order_and_not_for_ever),
        cmocka_unit_test(what_isnt_our_answer_is_none),
        cmocka_unit_test(the_servers_codes_are_told_apart),
        cmocka_unit_test(pointers_lead_nowhere_but_back),
        cmocka_unit_test(a_chain_of_pointers_makes_no_name_longer_than_255_bytes),
        cmocka_unit_test(lists_of_names_are_read_whole_or_not_at_all),
        cmocka_unit_test(names_of_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
