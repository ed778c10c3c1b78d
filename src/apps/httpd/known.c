#include "httpd/known.h"

#include <string.h>

#define PLACES    16
#define PATH_AT   8 /* a head's bytes from here on tell most of them apart: "GET /abc" is before */
#define GOLDEN    0x9e3779b97f4a7c15UL
#define TOP_SHIFT 60 /* 4 bits */
_Static_assert(PLACES == 1 << (64 - TOP_SHIFT), "place_of");

static const struct http_request requests[] = {
    [HTTP_GET] = {.method = HTTP_GET, .keep_alive = true},
    [HTTP_HEAD] = {.method = HTTP_HEAD, .keep_alive = true},
};

static struct place {
    struct known known;
    size_t size; /* 0: free */
    char head[KNOWN_HEAD_MAX];
} places[PLACES];

static struct place *place_of(const char *head, size_t size)
{
    uint64_t word;

    memcpy(&word, head + PATH_AT, sizeof word);
    return &places[((word ^ size) * GOLDEN) >> TOP_SHIFT];
}

const struct known *known_find(const char *head, size_t size)
{
    if (size < PATH_AT + sizeof(uint64_t) || size > KNOWN_HEAD_MAX)
        return NULL;
    const struct place *p = place_of(head, size);
    return p->size == size && !memcmp(p->head, head, size) ? &p->known : NULL;
}

static bool is_plain(const struct http_request *r)
{
    return r->keep_alive && !r->body && !r->range.text && !r->if_range.text && !r->if_match.text &&
           !r->if_none_match.text && !r->if_modified_since.text && !r->if_unmodified_since.text;
}

void known_keep(const char *head, size_t size, const struct http_request *r,
                const struct http_file *file)
{
    if (size < PATH_AT + sizeof(uint64_t) || size > KNOWN_HEAD_MAX || !is_plain(r))
        return;
    struct place *p = place_of(head, size);
    *p = (struct place){{file, &requests[r->method]}, size, ""};
    memcpy(p->head, head, size);
}
