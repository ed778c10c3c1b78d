/*
 * Any bytes as a client's: heads end where they end however they come, what is read lies in them,
 * and each answer is one, about a part of the file.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apps/httpd/date.h"
#include "apps/httpd/known.h"
#include "apps/httpd/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(struct http_span s, const char *head, size_t size)
{
    assert(!s.text || (s.text >= head && s.text + s.size <= head + size));
}

static void check_answer(const struct http_request *r)
{
    static const char bytes[] = "the bytes of the file";
    const struct http_file file = {"text/plain", bytes, sizeof bytes, 784111777,
                                   "\"0123456789abcdef\""};
    struct http_answer a;

    http_answer_file(&a, r, &file, 1700000000);
    assert(a.head_size < sizeof a.head && !memcmp(a.head + a.head_size - 4, "\r\n\r\n", 4));
    assert(strlen(a.head) == a.head_size);
    assert(a.status == 200 || a.status == 206 || a.status == 304 || a.status == 412 ||
           a.status == 416);
    if (a.status == 200 || a.status == 206)
        assert(a.body >= bytes && a.body + a.body_size <= bytes + sizeof bytes);
    else
        assert(a.body_size == 0 || a.body == a.text);
}

/* A head that was read before, perhaps as part of other bytes, asks for the same again. */
static void check_known(const char *head, size_t size, const struct http_request *r)
{
    static const struct http_file files[61];
    const struct http_file *file = files;
    const struct known *known = known_find(head, size);

    for (const char *at = r->path; *at; at++)
        file = &files[((size_t)(file - files) * 31 + (unsigned char)*at) % 61];
    if (known)
        assert(known->file == file && known->request->method == r->method && r->keep_alive &&
               !r->body && !r->range.text && !r->if_match.text && !r->if_none_match.text);
    known_keep(head, size, r, file);
}

static void check_head(const char *head, size_t size)
{
    struct http_request r;
    size_t end = http_head_size(head, size, 0);

    assert(end <= size);
    for (size_t at = 0; end && at < end; at += 1 + end / 16)
        assert(http_head_size(head, at, 0) == 0 && http_head_size(head, end, at) == end);
    int status = http_read(head, end ? end : size, &r);
    if (status && status != 405)
        return;
    assert(r.path[0] == '/' && strlen(r.path) <= HTTP_PATH_MAX && r.body <= HTTP_BODY_MAX);
    const struct http_span spans[] = {r.range,         r.if_range,          r.if_match,
                                      r.if_none_match, r.if_modified_since, r.if_unmodified_since};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        check_span(spans[i], head, size);
    check_answer(&r);
    if (end && !status)
        check_known(head, end, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char begin[] = "GET / HTTP/1.1\r\nHost: a\r\n";
    char *plain = malloc(size ? size : 1), *behind = malloc(sizeof begin + size);
    char text[HTTP_DATE_SIZE];

    memcpy(plain, data, size);
    check_head(plain, size);
    int64_t date = http_date_read(plain, size, 1700000000);
    if (date >= 0) {
        http_date_write(date, text);
        assert(http_date_read(text, strlen(text), 0) == date);
    }
    memcpy(behind, begin, sizeof begin - 1);
    memcpy(behind + sizeof begin - 1, data, size);
    check_head(behind, sizeof begin - 1 + size);
    free(plain);
    free(behind);
    return 0;
}
