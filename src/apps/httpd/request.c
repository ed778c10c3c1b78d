#include "httpd/request.h"

#include <string.h>
#include <strings.h>

enum fault {
    BAD_REQUEST = 400,
    NOT_ALLOWED = 405,
    BODY_TOO_LARGE = 413,
    TARGET_TOO_LONG = 414,
    HEAD_TOO_LARGE = 431,
    NOT_IMPLEMENTED = 501,
    VERSION_UNKNOWN = 505
};

/* What is known of the fields beside what struct http_request has. */
struct fields {
    bool has_length, has_coding, closes, keeps;
    unsigned hosts;
    int minor; /* of the version */
};

static size_t empty_lines(const char *bytes, size_t size)
{
    size_t at = 0;
    while (at < size &&
           (bytes[at] == '\n' || (bytes[at] == '\r' && at + 1 < size && bytes[at + 1] == '\n')))
        at += bytes[at] == '\n' ? 1 : 2;
    return at;
}

size_t http_head_size(const char *bytes, size_t size, size_t seen)
{
    size_t begin = empty_lines(bytes, size);
    const char *end = bytes + size;
    const char *at = bytes + (seen > begin + 3 ? seen - 3 : begin);

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        size_t left = (size_t)(end - at);
        if (left >= 1 && at[0] == '\n')
            return (size_t)(at + 1 - bytes);
        if (left >= 2 && at[0] == '\r' && at[1] == '\n')
            return (size_t)(at + 2 - bytes);
    }
    return 0;
}

int http_too_long(const char *head, size_t size)
{
    size_t at = empty_lines(head, size);
    return memchr(head + at, '\n', size - at) ? HEAD_TOO_LARGE : TARGET_TOO_LONG;
}

/* RFC 9110, section 5.6.2. */
static bool is_token(char c)
{
    static const bool tokens[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
        ['#'] = true,         ['$'] = true,         ['%'] = true,         ['&'] = true,
        ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true,
        ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true,
        ['|'] = true,         ['~'] = true};

    return tokens[(unsigned char)c];
}

/* The line at *at, without its end; *at moves behind that. The head ends with an empty one. */
static struct http_span next_line(const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    struct http_span line = {*at, (size_t)((newline ? newline : end) - *at)};

    *at = newline ? newline + 1 : end;
    if (line.size && line.text[line.size - 1] == '\r')
        line.size--;
    return line;
}

/* What stands before the next space of *line, which moves behind it. */
static struct http_span next_word(struct http_span *line)
{
    struct http_span word = {line->text, 0};

    while (word.size < line->size && line->text[word.size] != ' ')
        word.size++;
    size_t gone = word.size + (word.size < line->size);
    line->text += gone;
    line->size -= gone;
    return word;
}

static inline bool is(struct http_span span, const char *text, size_t size)
{
    return span.size == size && !strncasecmp(span.text, text, size);
}
#define IS(span, literal) is(span, literal, sizeof(literal) - 1)

/* Names of methods are told apart by case. Returns a status. */
static int read_method(struct http_span word, struct http_request *r)
{
    static const char *const others[] = {"POST",  "PUT",     "DELETE", "OPTIONS",
                                         "TRACE", "CONNECT", "PATCH"};

    if (!word.size)
        return BAD_REQUEST;
    for (size_t i = 0; i < word.size; i++)
        if (!is_token(word.text[i]))
            return BAD_REQUEST;
    r->method = HTTP_GET;
    if (word.size == 3 && !memcmp(word.text, "GET", 3))
        return 0;
    if (word.size == 4 && !memcmp(word.text, "HEAD", 4)) {
        r->method = HTTP_HEAD;
        return 0;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (word.size == strlen(others[i]) && !memcmp(word.text, others[i], word.size))
            return NOT_ALLOWED;
    return NOT_IMPLEMENTED;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_visible(unsigned char c)
{
    return c > ' ' && c < 0x7f;
}

/* The path of a target in origin form, or in absolute form (RFC 9112, section 3.2). */
static int read_target(struct http_span word, struct http_request *r)
{
    size_t at = 0, size = 0;

    for (size_t i = 0; i < word.size; i++)
        if (!is_visible((unsigned char)word.text[i]) || word.text[i] == '#')
            return BAD_REQUEST;
    if (word.size > 7 && !strncasecmp(word.text, "http://", 7))
        for (at = 7; at < word.size && word.text[at] != '/' && word.text[at] != '?';)
            at++;
    if (at == word.size || (at && word.text[at] == '?'))
        r->path[size++] = '/'; /* an absolute one without a path */
    else if (word.text[at] != '/')
        return BAD_REQUEST;
    for (; at < word.size && word.text[at] != '?'; at++) {
        unsigned char c = (unsigned char)word.text[at];
        if (c == '%') {
            int high = word.size - at > 2 ? hex(word.text[at + 1]) : -1;
            int low = high >= 0 ? hex(word.text[at + 2]) : -1;
            if (low < 0 || !(high << 4 | low))
                return BAD_REQUEST;
            c = (unsigned char)(high << 4 | low);
            at += 2;
        }
        if (size == HTTP_PATH_MAX)
            return TARGET_TOO_LONG;
        r->path[size++] = (char)c;
    }
    r->path[size] = 0;
    return word.size ? 0 : BAD_REQUEST;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1". */
static int read_version(struct http_span word, struct fields *f)
{
    if (word.size != 8 || memcmp(word.text, "HTTP/", 5) != 0 || !is_digit(word.text[5]) ||
        word.text[6] != '.' || !is_digit(word.text[7]))
        return BAD_REQUEST;
    f->minor = word.text[7] - '0';
    return word.text[5] == '1' ? 0 : VERSION_UNKNOWN;
}

/* Malformed is worse than unknown; a method that isn't allowed is told at the end. */
static int read_request_line(struct http_span line, struct http_request *r, struct fields *f)
{
    const char *end = line.text + line.size;
    struct http_span method = next_word(&line), target = next_word(&line),
                     version = next_word(&line);
    int by_method = read_method(method, r);
    int by_version = version.text + version.size == end ? read_version(version, f) : BAD_REQUEST;

    if (by_method == BAD_REQUEST || by_version)
        return by_version ? by_version : by_method;
    if (by_method == NOT_IMPLEMENTED)
        return by_method;
    if (by_method == NOT_ALLOWED) { /* its target may be "*" or an authority */
        strcpy(r->path, "/");
        return by_method;
    }
    return read_target(target, r);
}

static int read_length(struct http_span value, struct http_request *r, struct fields *f)
{
    uint64_t length = 0;

    if (!value.size)
        return BAD_REQUEST;
    for (size_t i = 0; i < value.size; i++) {
        if (!is_digit(value.text[i]))
            return BAD_REQUEST;
        if (length <= HTTP_BODY_MAX) /* beyond, only its being digits matters */
            length = length * 10 + (uint64_t)(value.text[i] - '0');
    }
    if (f->has_length && length != r->body)
        return BAD_REQUEST;
    f->has_length = true;
    r->body = length;
    return 0;
}

/* The options of "Connection: a, b". */
static void read_connection(struct http_span value, struct fields *f)
{
    while (value.size) {
        const char *comma = memchr(value.text, ',', value.size);
        struct http_span option = {value.text, comma ? (size_t)(comma - value.text) : value.size};
        size_t gone = option.size + (comma != NULL);
        value.text += gone;
        value.size -= gone;
        while (option.size && (*option.text == ' ' || *option.text == '\t'))
            option.text++, option.size--;
        while (option.size &&
               (option.text[option.size - 1] == ' ' || option.text[option.size - 1] == '\t'))
            option.size--;
        f->closes |= IS(option, "close");
        f->keeps |= IS(option, "keep-alive");
    }
}

static int use_field(struct http_span name, struct http_span value, struct http_request *r,
                     struct fields *f)
{
    static const struct {
        const char *name;
        size_t size, to; /* in struct http_request */
    } kept[] = {
#define KEPT(name, member) {name, sizeof(name) - 1, offsetof(struct http_request, member)}
        KEPT("range", range),
        KEPT("if-range", if_range),
        KEPT("if-match", if_match),
        KEPT("if-none-match", if_none_match),
        KEPT("if-modified-since", if_modified_since),
        KEPT("if-unmodified-since", if_unmodified_since),
#undef KEPT
    };

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (is(name, kept[i].name, kept[i].size))
            *(struct http_span *)((char *)r + kept[i].to) = value;
    f->hosts += IS(name, "host");
    f->has_coding |= IS(name, "transfer-encoding");
    if (IS(name, "connection"))
        read_connection(value, f);
    return IS(name, "content-length") ? read_length(value, r, f) : 0;
}

/* "Name: value"; no blank before the colon, and no line that goes on (RFC 9112, section 5). */
static int read_field(struct http_span line, struct http_request *r, struct fields *f)
{
    struct http_span name = {line.text, 0}, value;

    while (name.size < line.size && is_token(line.text[name.size]))
        name.size++;
    if (!name.size || name.size == line.size || line.text[name.size] != ':')
        return BAD_REQUEST;
    value = (struct http_span){line.text + name.size + 1, line.size - name.size - 1};
    while (value.size && (*value.text == ' ' || *value.text == '\t'))
        value.text++, value.size--;
    while (value.size && (value.text[value.size - 1] == ' ' || value.text[value.size - 1] == '\t'))
        value.size--;
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return BAD_REQUEST;
    }
    return use_field(name, value, r, f);
}

int http_read(const char *head, size_t size, struct http_request *r)
{
    const char *at = head + empty_lines(head, size), *end = head + size;
    struct fields f = {0};
    struct http_span line;

    memset(r, 0, offsetof(struct http_request, path));
    memset(&r->keep_alive, 0, sizeof *r - offsetof(struct http_request, keep_alive));
    int status = read_request_line(next_line(&at, end), r, &f), error = 0;
    if (status && status != NOT_ALLOWED)
        return status;
    while ((line = next_line(&at, end)).size && !error)
        error = read_field(line, r, &f);
    if (error)
        return error;
    if ((f.minor >= 1 && f.hosts != 1) || f.hosts > 1 || (f.has_coding && f.has_length))
        return BAD_REQUEST;
    if (f.has_coding)
        return NOT_IMPLEMENTED;
    if (r->body > HTTP_BODY_MAX)
        return BODY_TOO_LARGE;
    r->keep_alive = !f.closes && (f.minor >= 1 || f.keeps);
    return status;
}
