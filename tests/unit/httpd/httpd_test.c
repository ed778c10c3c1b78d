/* What httpd reads of requests, and what it answers. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <stdio.h>

#include "apps/httpd/date.h"
#include "apps/httpd/known.h"
#include "apps/httpd/request.h"
#include "apps/httpd/response.h"

#define NOW 1700000000 /* Tue, 14 Nov 2023 22:13:20 GMT */

static struct http_request r;

/* In memory of its own size. */
static int read_head(const char *text)
{
    static char *copy;
    size_t size = strlen(text);
    free(copy);
    copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    memset(&r, 0xa5, sizeof r);
    return http_read(copy, size, &r);
}

#define LINES(first, rest) first " HTTP/1.1\r\nHost: a\r\n" rest "\r\n"

static void a_head_ends_with_an_empty_line_however_it_comes(void **state)
{
    (void)state;
    static const char *const heads[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "\r\n\r\nGET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\n\n",
                                        "\nGET / HTTP/1.1\nHost: a\r\n\n"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char text[100];
        size_t size = strlen(heads[i]), seen = 0;
        snprintf(text, sizeof text, "%sGET /next", heads[i]);
        assert_int_equal(http_head_size(text, strlen(text), 0), size);
        for (size_t at = 0; at < size; at++) { /* byte by byte, as a slow client sends it */
            assert_int_equal(http_head_size(text, at, seen), 0);
            seen = at;
        }
        assert_int_equal(http_head_size(text, size, seen), size);
    }
    assert_int_equal(http_too_long("GET /aaaaaaaa", 13), 414);
    assert_int_equal(http_too_long("\r\nGET / HTTP/1.1\r\nA: b", 23), 431);
}

static void heads_have_the_status_that_they_deserve(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *head;
    } rows[] = {
        {0, LINES("GET /", "")},
        {0, LINES("HEAD /a?b", "Content-Length: 0\r\n")},
        {0, "GET / HTTP/1.0\r\n\r\n"},
        {0, "\r\nGET / HTTP/1.1\nhOST: a\n\n"},
        {0, LINES("GET http://host:80/a", "")},
        {0, LINES("GET /", "Empty:\r\nX: \t a b\t \r\n")},
        {0, LINES("GET /", "Content-Length: 5\r\nContent-Length: 5\r\n")},
        {0, LINES("GET /", "Content-Length: 1048576\r\n")},
        {0, "GET / HTTP/1.9\r\nHost:\r\n\r\n"},
        {400, ""},
        {400, "\r\n\r\n"},
        {400, "GET\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET / \r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
        {400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/11\r\nHost: a\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/x.1\r\nHost: a\r\n\r\n"},
        {400, LINES("GET a", "")},
        {400, LINES("GET *", "")},
        {400, LINES("GET /%", "")},
        {400, LINES("GET /%4", "")},
        {400, LINES("GET /%4g", "")},
        {400, LINES("GET /%00", "")},
        {400, LINES("GET /a#b", "")},
        {400, LINES("GET /\x80", "")},
        {400, LINES("GET /\ta", "")},
        {400, LINES("GET /", "No colon\r\n")},
        {400, LINES("GET /", "Blank : before\r\n")},
        {400, LINES("GET /", ": nameless\r\n")},
        {400, LINES("GET /", "A: b\r\n goes on\r\n")},
        {400, LINES("GET /", "A: b\x01\r\n")},
        {400, LINES("GET /", "A: b\rc\r\n")},
        {400, LINES("GET /", "Content-Length: 5\r\nContent-Length: 6\r\n")},
        {400, LINES("GET /", "Content-Length: -1\r\n")},
        {400, LINES("GET /", "Content-Length: 1 1\r\n")},
        {400, LINES("GET /", "Content-Length:\r\n")},
        {400, LINES("GET /", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
        {405, LINES("POST /", "")},
        {405, LINES("OPTIONS *", "")},
        {405, LINES("CONNECT a:1", "")},
        {413, LINES("GET /", "Content-Length: 1048577\r\n")},
        {413, LINES("GET /", "Content-Length: 99999999999999999999999999999\r\n")},
        {501, LINES("get /", "")},
        {501, LINES("FETCH /", "")},
        {501, LINES("GET /", "Transfer-Encoding: chunked\r\n")},
        {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = read_head(rows[i].head);
        if (status != rows[i].status)
            fail_msg("%d, not %d: %s", status, rows[i].status, rows[i].head);
    }
    char head[2 * HTTP_PATH_MAX];
    for (int more = 0; more < 2; more++) {
        snprintf(head, sizeof head, "GET /%0*d HTTP/1.0\r\n\r\n", HTTP_PATH_MAX - 1 + more, 0);
        assert_int_equal(read_head(head), more ? 414 : 0);
    }
}

static void what_a_request_says_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_head(LINES("HEAD /a%20b/%C3%A4?c=d",
                        "RANGE:bytes=1-2 \r\nIf-None-Match: \"x\"\r\nContent-Length: 7\r\n")),
        0);
    assert_int_equal(r.method, HTTP_HEAD);
    assert_string_equal(r.path, "/a b/\xc3\xa4");
    assert_int_equal(r.range.size, 9);
    assert_memory_equal(r.range.text, "bytes=1-2", 9);
    assert_int_equal(r.if_none_match.size, 3);
    assert_null(r.if_match.text);
    assert_int_equal(r.body, 7);
    assert_int_equal(read_head(LINES("GET http://a", "")), 0);
    assert_string_equal(r.path, "/");
    assert_int_equal(read_head(LINES("GET HTTP://a?q", "")), 0);
    assert_string_equal(r.path, "/");
}

static void connections_stay_as_asked_for(void **state)
{
    (void)state;
    static const struct {
        bool keeps;
        const char *head;
    } rows[] = {
        {true, LINES("GET /", "")},
        {false, LINES("GET /", "Connection: close\r\n")},
        {false, LINES("GET /", "Connection: keep-alive , Close\r\n")},
        {true, LINES("GET /", "Connection: closed,upgrade\r\n")},
        {false, "GET / HTTP/1.0\r\n\r\n"},
        {true, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(read_head(rows[i].head), 0);
        assert_int_equal(r.keep_alive, rows[i].keeps);
    }
}

static void dates_are_written_and_read(void **state)
{
    (void)state;
    char text[HTTP_DATE_SIZE];
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Thu, 29 Feb 2024 23:59:60 GMT", 1709251200},
        {"Friday, 01-Jan-99 00:00:00 GMT", 915148800},
        {"Tuesday, 01-Jan-60 00:00:00 GMT", 2840140800},
        {"Wed, 29 Feb 2023 00:00:00 GMT", -1},
        {"Sun, 31 Jun 1994 00:00:00 GMT", -1},
        {"Sun, 00 Jun 1994 00:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
        {"Sun, 06 Nov 1969 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"", -1},
        {"now", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (http_date_read(rows[i].text, strlen(rows[i].text), NOW) != rows[i].seconds)
            fail_msg("\"%s\" is %lld", rows[i].text,
                     (long long)http_date_read(rows[i].text, strlen(rows[i].text), NOW));
    http_date_write(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    for (int64_t second = 0; second < 253402300800; second += 86399 * 61) { /* to the year 9999 */
        http_date_write(second, text);
        assert_int_equal(http_date_read(text, strlen(text), NOW), second);
    }
}

/* ---- answers ---- */

static const struct http_file file = {.type = "text/plain",
                                      .bytes = "0123456789",
                                      .size = 10,
                                      .modified = 784111777,
                                      .etag = "\"0123456789abcdef\""};
static struct http_answer answer;

static int ask(const char *fields)
{
    char head[1000];
    snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_int_equal(read_head(head), 0);
    http_answer_file(&answer, &r, &file, NOW);
    assert_true(answer.head_size < sizeof answer.head);
    assert_memory_equal(answer.head + answer.head_size - 4, "\r\n\r\n", 4);
    assert_int_equal(strlen(answer.head), answer.head_size);
    return answer.status;
}

static void expect(const char *body, const char *line)
{
    assert_int_equal(answer.body_size, strlen(body));
    if (*body)
        assert_memory_equal(answer.body, body, answer.body_size);
    if (line && !strstr(answer.head, line))
        fail_msg("no \"%s\" in %s", line, answer.head);
}

static void a_file_is_answered_whole(void **state)
{
    (void)state;
    assert_int_equal(ask(""), 200);
    expect("0123456789", "\r\nContent-Length: 10\r\n");
    const char *last = strstr(answer.head, "Server:");
    assert_non_null(last);
    answer.head[last - answer.head] = 0;
    assert_string_equal(
        answer.head,
        "HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
        "ETag: \"0123456789abcdef\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Accept-Ranges: bytes\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n");
    r.method = HTTP_HEAD;
    http_answer_file(&answer, &r, &file, NOW);
    expect("", "\r\nContent-Length: 10\r\n");
}

/* With blanks in its last field. */
static void the_head_is_aligned_as_the_page_is(void **state)
{
    (void)state;
    static char bytes[32] __attribute__((aligned(8)));
    assert_int_equal(ask(""), 200);
    for (size_t at = 0; at < 16; at++) {
        struct http_file moved = file;
        moved.bytes = bytes + at;
        http_answer_file(&answer, &r, &moved, NOW);
        assert_ptr_equal(answer.body, bytes + at);
        assert_int_equal((answer.head_size - at) % 8, 0);
        const char *field = strstr(answer.head, "\r\nServer: ");
        assert_non_null(field);
        field += strlen("\r\nServer: ");
        size_t blanks = strspn(field, " ");
        assert_true(blanks < 8);
        assert_string_equal(field + blanks, "Aegis-V\r\n\r\n");
    }
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        int status;
        const char *body, *line;
    } rows[] = {
        {"bytes=0-0", 206, "0", "Content-Range: bytes 0-0/10\r\nContent-"},
        {"bytes=2-5", 206, "2345", "Content-Length: 4\r\n"},
        {"bytes=7-", 206, "789", "Content-Range: bytes 7-9/10"},
        {"bytes=7-100", 206, "789", NULL},
        {"bytes=7-99999999999999999999999999", 206, "789", NULL},
        {"bytes=-3", 206, "789", NULL},
        {"bytes=-99", 206, "0123456789", NULL},
        {"bytes=10-", 416, "416 Range Not Satisfiable\n", "Content-Range: bytes */10\r\n\r\n"},
        {"bytes=-0", 416, "416 Range Not Satisfiable\n", NULL},
        {"bytes=5-2", 200, "0123456789", NULL},
        {"bytes=0-1,3-4", 200, "0123456789", NULL},
        {"lines=0-1", 200, "0123456789", NULL},
        {"bytes=", 200, "0123456789", NULL},
        {"bytes=-", 200, "0123456789", NULL},
        {"bytes=a-b", 200, "0123456789", NULL},
        {"bytes=1", 200, "0123456789", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char field[100];
        snprintf(field, sizeof field, "Range: %s\r\n", rows[i].field);
        int status = ask(field);
        if (status != rows[i].status)
            fail_msg("%s: %d", rows[i].field, status);
        expect(rows[i].body, NULL);
        if (rows[i].line && !strstr(answer.head, rows[i].line) &&
            i) /* the order of fields is ours */
            fail_msg("%s: %s", rows[i].field, answer.head);
    }
}

static void conditions(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        int status;
    } rows[] = {
        {"If-None-Match: \"0123456789abcdef\"\r\n", 304},
        {"If-None-Match: W/\"0123456789abcdef\"\r\n", 304},
        {"If-None-Match: \"x\", \"0123456789abcdef\"\r\n", 304},
        {"If-None-Match: *\r\n", 304},
        {"If-None-Match: \"x\"\r\n", 200},
        {"If-None-Match: 0123456789abcdef\r\n", 200},
        {"If-None-Match: \"0123456789abcdef\r\n", 200},
        {"If-None-Match: W/\r\n", 200},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 304},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 200},
        {"If-Modified-Since: yesterday\r\n", 200},
        {"If-Match: \"0123456789abcdef\"\r\n", 200},
        {"If-Match: *\r\n", 200},
        {"If-Match: W/\"0123456789abcdef\"\r\n", 412},
        {"If-Match: \"x\"\r\n", 412},
        {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200},
        {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 412},
        {"If-Match: \"0123456789abcdef\"\r\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
         200},
        {"Range: bytes=1-1\r\nIf-Range: \"0123456789abcdef\"\r\n", 206},
        {"Range: bytes=1-1\r\nIf-Range: W/\"0123456789abcdef\"\r\n", 200},
        {"Range: bytes=1-1\r\nIf-Range: \"x\"\r\n", 200},
        {"Range: bytes=1-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 206},
        {"Range: bytes=1-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n", 200},
        {"Range: bytes=1-1\r\nIf-None-Match: *\r\n", 304},
        {"Range: bytes=99-\r\nIf-Match: \"x\"\r\n", 412},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = ask(rows[i].fields);
        if (status != rows[i].status)
            fail_msg("%d: %s", status, rows[i].fields);
        assert_true(status != 304 || (!answer.body_size && !strstr(answer.head, "Content-Length")));
    }
}

static void errors(void **state)
{
    (void)state;
    http_answer_error(&answer, NULL, 400, NOW);
    assert_true(answer.closes && strstr(answer.head, "\r\nConnection: close\r\n"));
    assert_int_equal(read_head(LINES("POST /", "")), 405);
    http_answer_error(&answer, &r, 405, NOW);
    assert_true(!answer.closes && strstr(answer.head, "\r\nAllow: GET, HEAD\r\n"));
    assert_int_equal(read_head(LINES("HEAD /", "")), 0);
    http_answer_error(&answer, &r, 404, NOW);
    expect("", "Content-Length: 14\r\n");
    http_answer_error(&answer, NULL, 431, NOW); /* the longest text fits */
    expect("431 Request Header Fields Too Large\n",
           "HTTP/1.1 431 Request Header Fields Too Large\r\n");
}

/* Reads a head, has it kept as a file's, and tells what is known of it then. */
static const struct known *keep(const char *head, const struct http_file *file)
{
    assert_int_equal(read_head(head), 0);
    known_keep(head, strlen(head), &r, file);
    return known_find(head, strlen(head));
}

static void heads_that_were_read_before_are_known(void **state)
{
    (void)state;
    static const struct http_file a, b;
    static const char *const others[] = {LINES("GET /a", "Range: bytes=0-1\r\n"),
                                         LINES("GET /a", "If-Match: *\r\n"),
                                         LINES("GET /a", "If-None-Match: *\r\n"),
                                         LINES("GET /a", "If-Range: \"a\"\r\n"),
                                         LINES("GET /a", "If-Modified-Since: x\r\n"),
                                         LINES("GET /a", "If-Unmodified-Since: x\r\n"),
                                         LINES("GET /a", "Connection: close\r\n"),
                                         LINES("GET /a", "Content-Length: 4\r\n"),
                                         "GET /a HTTP/1.0\r\n\r\n"};
    const char get[] = LINES("GET /a", ""), head[] = LINES("HEAD /a", "");

    assert_null(known_find(get, sizeof get - 1));
    assert_ptr_equal(keep(get, &a)->file, &a);
    assert_int_equal(keep(get, &a)->request->method, HTTP_GET);
    assert_ptr_equal(keep(LINES("GET /b", ""), &b)->file, &b);
    assert_int_equal(keep(head, &b)->request->method, HTTP_HEAD);
    assert_ptr_equal(keep(get, &a)->file, &a);
    for (size_t size = 0; size < sizeof get - 1; size++)
        assert_null(known_find(get, size)); /* less than all of it */
    for (size_t i = 0; i < sizeof get - 1; i++) {
        char other[sizeof get];
        memcpy(other, get, sizeof other);
        other[i] ^= 1;
        assert_null(known_find(other, sizeof get - 1));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(keep(others[i], &a));
    char large[KNOWN_HEAD_MAX + 2];
    for (int more = 0; more <= 1; more++) {
        snprintf(large, sizeof large, "GET /l HTTP/1.1\r\nHost: %0*d\r\n\r\n",
                 KNOWN_HEAD_MAX + more - 27, 0);
        assert_int_equal(strlen(large), KNOWN_HEAD_MAX + more);
        assert_true((keep(large, &a) != NULL) == !more);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_ends_with_an_empty_line_however_it_comes),
        cmocka_unit_test(heads_have_the_status_that_they_deserve),
        cmocka_unit_test(what_a_request_says_is_read),
        cmocka_unit_test(connections_stay_as_asked_for),
        cmocka_unit_test(dates_are_written_and_read),
        cmocka_unit_test(a_file_is_answered_whole),
        cmocka_unit_test(the_head_is_aligned_as_the_page_is),
        cmocka_unit_test(ranges),
        cmocka_unit_test(conditions),
        cmocka_unit_test(errors),
        cmocka_unit_test(heads_that_were_read_before_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
