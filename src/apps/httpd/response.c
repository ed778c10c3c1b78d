#include "httpd/response.h"

#include <stdio.h>
#include <string.h>

#include "httpd/date.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {431, "Request Header Fields Too Large"},
    {501, "Not Implemented"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

/* What is formatted for each answer is put together by these: printf takes 15 times as long. */
static void add_bytes(struct http_answer *a, const char *bytes, size_t size)
{
    size_t room = sizeof a->head - a->head_size - 1;

    size = size < room ? size : room;
    memcpy(a->head + a->head_size, bytes, size);
    a->head_size += size;
    a->head[a->head_size] = 0;
}

static void add(struct http_answer *a, const char *text)
{
    add_bytes(a, text, strlen(text));
}
#define ADD(a, literal) add_bytes(a, literal, sizeof(literal) - 1)

static void add_number(struct http_answer *a, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;

    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    add_bytes(a, at, (size_t)(digits + sizeof digits - at));
}

static void add_date(struct http_answer *a, int64_t seconds)
{
    char date[HTTP_DATE_SIZE];

    http_date_write(seconds, date);
    add_bytes(a, date, HTTP_DATE_SIZE - 1);
}

static void begin(struct http_answer *a, int status, bool closes, int64_t now)
{
    a->status = status;
    a->closes = closes;
    a->head_size = 0;
    a->body = NULL;
    a->body_size = 0;
    ADD(a, "HTTP/1.1 ");
    add_number(a, (uint64_t)status);
    ADD(a, " ");
    add(a, reason_of(status));
    ADD(a, "\r\nDate: ");
    add_date(a, now);
    ADD(a, "\r\n");
    if (closes)
        ADD(a, "Connection: close\r\n");
}

/*
 * The last field, and the end. Its blanks make the head as long as the body lies behind a multiple
 * of eight: so both are copied one behind the other, to where they are sent from, by words.
 */
static void end_head(struct http_answer *a)
{
    static const char name[] = "Server:        ", value[] = "Aegis-V\r\n\r\n";
    size_t before = a->head_size + strlen("Server:") + strlen(value);
    size_t blanks = ((uintptr_t)a->body - before) % 8;

    add_bytes(a, name, strlen("Server:") + (blanks ? blanks : 8));
    ADD(a, value);
}

/* Whether a list of entity tags, or "*", names this one. `weak` tags match where that is asked for
 * (RFC 9110, section 8.8.3.2). */
static bool names_tag(struct http_span list, const char *etag, bool weak)
{
    size_t size = strlen(etag), at = 0;

    if (list.size == 1 && list.text[0] == '*')
        return true;
    while (at < list.size) {
        bool is_weak = list.size - at > 2 && !memcmp(list.text + at, "W/", 2);
        at += is_weak ? 2 : 0;
        const char *open = list.text + at;
        if (at == list.size || *open != '"')
            return false;
        const char *close = memchr(open + 1, '"', list.size - at - 1);
        if (!close)
            return false;
        size_t length = (size_t)(close + 1 - open);
        if ((weak || !is_weak) && length == size && !memcmp(open, etag, size))
            return true;
        at += length;
        while (at < list.size && strchr(" \t,", list.text[at]))
            at++;
    }
    return false;
}

static bool has_conditions(const struct http_request *r)
{
    return r->if_match.text || r->if_unmodified_since.text || r->if_none_match.text ||
           r->if_modified_since.text;
}

/* Preconditions in the order of RFC 9110, section 13.2.2. Returns 0, 304 or 412. */
static int check_conditions(const struct http_request *r, const struct http_file *f, int64_t now)
{
    if (r->if_match.text) {
        if (!names_tag(r->if_match, f->etag, false))
            return 412;
    } else if (r->if_unmodified_since.text) {
        int64_t since =
            http_date_read(r->if_unmodified_since.text, r->if_unmodified_since.size, now);
        if (since >= 0 && f->modified > since)
            return 412;
    }
    if (r->if_none_match.text)
        return names_tag(r->if_none_match, f->etag, true) ? 304 : 0;
    if (r->if_modified_since.text) {
        int64_t since = http_date_read(r->if_modified_since.text, r->if_modified_since.size, now);
        if (since >= 0 && f->modified <= since)
            return 304;
    }
    return 0;
}

/* Whether the Range field is to be looked at: there is none that says of which file, or it is this
 * one. */
static bool is_ranged(const struct http_request *r, const struct http_file *f, int64_t now)
{
    const struct http_span *field = &r->if_range;

    if (!r->range.text || r->method != HTTP_GET)
        return false;
    if (!field->text)
        return true;
    if (field->size && (field->text[0] == '"' || field->text[0] == 'W'))
        return field->size == strlen(f->etag) && !memcmp(field->text, f->etag, field->size);
    return http_date_read(field->text, field->size, now) == f->modified;
}

/* Digits at *at: their number, at most `most`; -1: there are none. */
static int64_t take_number(const char **at, const char *end, int64_t most)
{
    int64_t number = -1;

    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        number = (number < 0 ? 0 : number) * 10 + (**at - '0');
        number = number > most ? most : number;
    }
    return number;
}

/*
 * One range of bytes: 206 with *first and *count, 416, or 200 if the field says something else
 * (several ranges, another unit), which may be ignored (RFC 9110, section 14.2).
 */
static int read_range(struct http_span range, size_t size, size_t *first, size_t *count)
{
    const char *at = range.text + strlen("bytes="), *end = range.text + range.size;
    const int64_t whole = (int64_t)size;

    if (range.size < strlen("bytes=-1") || memcmp(range.text, "bytes=", strlen("bytes=")) != 0)
        return 200;
    int64_t low = take_number(&at, end, whole);
    if (at == end || *at++ != '-')
        return 200;
    int64_t high = take_number(&at, end, whole);
    if (at != end || (low < 0 && high < 0) || (low >= 0 && high >= 0 && high < low))
        return 200;
    if (low < 0) { /* the last so many */
        low = whole - high;
        high = high ? whole - 1 : -1;
    } else if (high < 0 || high >= whole) {
        high = whole - 1;
    }
    if (low > high)
        return 416;
    *first = (size_t)low;
    *count = (size_t)(high - low + 1);
    return 206;
}

static void add_validators(struct http_answer *a, const struct http_file *f)
{
    ADD(a, "ETag: ");
    add(a, f->etag);
    ADD(a, "\r\nLast-Modified: ");
    add_date(a, f->modified);
    ADD(a, "\r\n");
}

static void add_part(struct http_answer *a, size_t first, size_t count, size_t size)
{
    ADD(a, "Content-Range: bytes ");
    add_number(a, first);
    ADD(a, "-");
    add_number(a, first + count - 1);
    ADD(a, "/");
    add_number(a, size);
    ADD(a, "\r\n");
}

/*
 * Heads of whole files, as they were answered last over connections that stay: the same for a
 * second. A file of other contents has another tag, and another place in the table or another date.
 */
static struct head {
    struct http_file file; /* whose it is */
    int64_t now;
    size_t size;
    char text[HTTP_ANSWER_HEAD];
} heads[16];

static struct head *head_of(const struct http_file *f)
{
    return &heads[(uintptr_t)f / sizeof *f % (sizeof heads / sizeof *heads)];
}

/* Tags are sixteen digits in quotes: the first quote and fifteen digits by words, and the last one.
 */
static bool is_same_tag(const char a[HTTP_ETAG_SIZE], const char b[HTTP_ETAG_SIZE])
{
    uint64_t x[2], y[2];

    memcpy(x, __builtin_assume_aligned(a, 8), sizeof x);
    memcpy(y, __builtin_assume_aligned(b, 8), sizeof y);
    return x[0] == y[0] && x[1] == y[1] && a[16] == b[16];
}
_Static_assert(offsetof(struct http_file, etag) % 8 == 0, "is_same_tag");

/* Answers as it was done last; false if that isn't known any more. */
static bool answer_again(struct http_answer *a, const struct http_request *r,
                         const struct http_file *f, int64_t now)
{
    const struct head *h = head_of(f);

    if (h->now != now || h->file.bytes != f->bytes || h->file.size != f->size ||
        h->file.type != f->type || h->file.modified != f->modified ||
        !is_same_tag(h->file.etag, f->etag))
        return false;
    memcpy(a->head, h->text, h->size + 1);
    a->head_size = h->size;
    a->status = 200;
    a->closes = false;
    a->body = f->bytes;
    a->body_size = r->method == HTTP_HEAD ? 0 : f->size;
    return true;
}

static void remember(const struct http_answer *a, const struct http_file *f, int64_t now)
{
    struct head *h = head_of(f);

    h->file = *f;
    h->now = now;
    h->size = a->head_size;
    memcpy(h->text, a->head, a->head_size + 1);
}

void http_answer_file(struct http_answer *answer, const struct http_request *r,
                      const struct http_file *file, int64_t now)
{
    size_t first = 0, count = file->size;
    bool is_plain = !has_conditions(r) && !r->range.text && r->keep_alive;
    if (is_plain && answer_again(answer, r, file, now))
        return;
    int status = check_conditions(r, file, now);

    if (status == 412) {
        http_answer_error(answer, r, status, now);
        return;
    }
    if (!status)
        status = is_ranged(r, file, now) ? read_range(r->range, file->size, &first, &count) : 200;
    if (status == 416) {
        http_answer_error(answer, r, status, now);
        answer->head_size -= 2; /* before the empty line */
        ADD(answer, "Content-Range: bytes */");
        add_number(answer, file->size);
        ADD(answer, "\r\n\r\n");
        return;
    }
    begin(answer, status, !r->keep_alive, now);
    add_validators(answer, file);
    if (status != 304) {
        ADD(answer, "Accept-Ranges: bytes\r\nContent-Type: ");
        add(answer, file->type);
        ADD(answer, "\r\nContent-Length: ");
        add_number(answer, count);
        ADD(answer, "\r\n");
        if (status == 206)
            add_part(answer, first, count, file->size);
        answer->body = (const char *)file->bytes + first;
        answer->body_size = r->method == HTTP_HEAD ? 0 : count;
    }
    end_head(answer);
    if (is_plain)
        remember(answer, file, now);
}

void http_answer_error(struct http_answer *answer, const struct http_request *r, int status,
                       int64_t now)
{
    begin(answer, status, !r || !r->keep_alive, now);
    int size = snprintf(answer->text, sizeof answer->text, "%d %s\n", status, reason_of(status));
    if (status == 405)
        ADD(answer, "Allow: GET, HEAD\r\n");
    ADD(answer, "Content-Type: text/plain\r\nContent-Length: ");
    add_number(answer, (uint64_t)size);
    ADD(answer, "\r\n");
    answer->body = answer->text;
    end_head(answer);
    answer->body_size = r && r->method == HTTP_HEAD ? 0 : (size_t)size;
}
