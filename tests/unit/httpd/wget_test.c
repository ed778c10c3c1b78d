/* What wget reads: addresses, and heads of answers. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <stdio.h>

#include "apps/wget/reply.h"

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port, *path;
    } rows[] = {
        {"http://a.test/", "a.test", "80", "/"},
        {"a.test", "a.test", "80", "/"},
        {"HTTP://a:8080?q#f", "a", "8080", "/?q"},
        {"1.2.3.4:7/x/y#z", "1.2.3.4", "7", "/x/y"},
        {"http://[::1]/x", "::1", "80", "/x"},
        {"[fec0::2]:8080", "fec0::2", "8080", "/"},
        {"[::1]x/", NULL, NULL, NULL},
        {"[::1", NULL, NULL, NULL},
        {"[]/", NULL, NULL, NULL},
        {"[:/]:8/", NULL, NULL, NULL},
        {"a/b://c", NULL, NULL, NULL},
        {"https://a/", NULL, NULL, NULL},
        {"http://", NULL, NULL, NULL},
        {"http:///x", NULL, NULL, NULL},
        {"http://a:/", NULL, NULL, NULL},
        {"http://a:b/", NULL, NULL, NULL},
        {"http://a:123456/", NULL, NULL, NULL},
        {"http://u@a/", NULL, NULL, NULL},
        {"http://a/b c", NULL, NULL, NULL},
        {"http://a/\r\nX: y", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct url url;
        if (url_read(rows[i].text, &url) != (rows[i].host != NULL))
            fail_msg("%s", rows[i].text);
        if (!rows[i].host)
            continue;
        assert_string_equal(url.host, rows[i].host);
        assert_string_equal(url.port, rows[i].port);
        assert_string_equal(url.path, rows[i].path);
    }
    struct url base, next;
    assert_true(url_read("a:81/x", &base) && url_follow(&base, "/y?z", &next));
    assert_string_equal(next.port, "81");
    assert_string_equal(next.path, "/y?z");
    assert_true(url_follow(&base, "http://b/", &next));
    assert_string_equal(next.host, "b");
    assert_false(url_follow(&base, "//b/", &next) || url_follow(&base, "y", &next) ||
                 url_follow(&base, "ftp://b/", &next) || url_follow(&base, "/y\nz", &next) ||
                 url_follow(&base, "", &next));
}

static void heads(void **state)
{
    (void)state;
    static const struct {
        int status; /* -1: none; 0: more has to come */
        int64_t length;
        const char *head;
    } rows[] = {
        {200, 5, "HTTP/1.1 200 OK\r\nContent-Length: 5 \r\n\r\n"},
        {404, -1, "HTTP/1.0 404\n\n"},
        {200, 5, "HTTP/1.0 200 \r\ncontent-LENGTH:5\r\nContent-Length:5\r\n\r\n"},
        {0, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"},
        {0, 0, ""},
        {-1, 0, "HTTP/2 200 OK\r\n\r\n"},
        {-1, 0, "HTTP/1.1 20 OK\r\n\r\n"},
        {-1, 0, "HTTP/1.1 2000\r\n\r\n"},
        {-1, 0, "HTTP/1.1 099 OK\r\n\r\n"},
        {-1, 0, "\r\n"},
        {-1, 0, "nonsense\n"},
        {-1, 0, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"},
        {-1, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"},
        {-1, 0, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"},
        {-1, 0, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {-1, 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply reply;
        size_t size = strlen(rows[i].head);
        char *copy = malloc(size ? size : 1);
        memcpy(copy, rows[i].head, size);
        int head = reply_read(copy, size, &reply);
        free(copy);
        if (head != (rows[i].status > 0 ? (int)size : rows[i].status))
            fail_msg("%d: %s", head, rows[i].head);
        assert_true(rows[i].status <= 0 ||
                    (reply.status == rows[i].status && reply.length == rows[i].length));
    }
    struct reply reply;
    const char *moved = "HTTP/1.1 301 Moved\r\nLocation:\t/there \r\n\r\n";
    assert_true(reply_read(moved, strlen(moved), &reply) > 0);
    assert_string_equal(reply.location, "/there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
