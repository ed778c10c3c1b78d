/*
 * Extension headers, against a second reading of RFC 8200 that goes about it the other way: first
 * all headers are written down, then each rule is asked of the whole list.
 */
#include <assert.h>
#include <stdlib.h>

#include "extension.h"
#include "libos/net/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 256 /* headers in a packet */

struct header {
    uint8_t kind;
    size_t at, end, named; /* named: where the one before says its kind */
    bool is_whole;
};

static struct header headers[MOST];
static size_t count;

struct wanted {
    enum extension_verdict verdict;
    int code;
    size_t pointer;
};

static bool is_kind(uint8_t kind)
{
    return kind == 0 || kind == 60 || kind == 43 || kind == 44;
}

/* All headers as far as their lengths go, and the last thing, whatever it is. */
static void list(const uint8_t *p, size_t size)
{
    size_t at = 40, named = 6;

    for (count = 0;;) {
        struct header *h = &headers[count++];
        *h = (struct header){.kind = p[named], .at = at, .end = at, .named = named};
        if (!is_kind(h->kind))
            return;
        if (size < at + 8)
            return;
        h->end = at + (h->kind == 44 ? 8 : 8 + 8 * (size_t)p[at + 1]);
        h->is_whole = h->end <= size;
        if (!h->is_whole)
            return;
        named = at;
        at = h->end;
    }
}

static bool is_part(const uint8_t *p, const struct header *h)
{
    return h->kind == 44 && h->is_whole && ((p[h->at + 2] << 8 | p[h->at + 3]) & 0xfff9);
}

/* Of one header's options. */
static struct wanted of_options(const uint8_t *p, const struct header *h)
{
    size_t i = h->at + 2;

    while (i < h->end) {
        if (!p[i]) {
            i += 1;
        } else if (i + 1 == h->end) {
            return (struct wanted){EXTENSION_PROBLEM, 0, i};
        } else if (i + 2 + p[i + 1] > h->end) {
            return (struct wanted){EXTENSION_PROBLEM, 0, i + 1};
        } else if (p[i] < 64) {
            i += 2U + p[i + 1];
        } else if (p[i] < 128 || (p[i] >= 192 && p[24] == 255)) {
            return (struct wanted){EXTENSION_DROPS, 0, 0};
        } else {
            return (struct wanted){EXTENSION_PROBLEM, 2, i};
        }
    }
    return (struct wanted){EXTENSION_PASSES, 0, 0};
}

static struct wanted of_header(const uint8_t *p, size_t n, bool is_part_before)
{
    const struct header *h = &headers[n];

    if (h->kind == 0 && n)
        return (struct wanted){EXTENSION_PROBLEM, 1, h->named};
    if (!h->is_whole)
        return (struct wanted){EXTENSION_PROBLEM, is_part_before ? 3 : 0,
                               is_part_before   ? 0
                               : h->end > h->at ? h->at + 1
                                                : 4};
    if (h->kind == 43)
        return p[h->at + 3] ? (struct wanted){EXTENSION_PROBLEM, 0, h->at + 2}
                            : (struct wanted){EXTENSION_PASSES, 0, 0};
    if (h->kind == 44)
        return (struct wanted){is_part_before && is_part(p, h) ? EXTENSION_DROPS : EXTENSION_PASSES,
                               0, 0};
    return of_options(p, h);
}

static struct wanted of_last(const uint8_t *p, size_t size, bool is_part_before)
{
    const struct header *h = &headers[count - 1];
    size_t needs = h->kind == 6 ? 20 : 8;

    if (h->kind == 59)
        return (struct wanted){EXTENSION_DROPS, 0, 0};
    if (h->kind != 17 && h->kind != 6 && h->kind != 58)
        return (struct wanted){EXTENSION_PROBLEM, 1, h->named};
    if (h->kind == 6 && size >= h->at + 20 && (p[h->at + 12] >> 4) * 4U > needs)
        needs = (p[h->at + 12] >> 4) * 4U;
    return is_part_before && size < h->at + needs ? (struct wanted){EXTENSION_PROBLEM, 3, 0}
                                                  : (struct wanted){EXTENSION_PASSES, 0, 0};
}

static void check(const uint8_t *p, size_t size)
{
    struct extension e;
    struct wanted wanted = {EXTENSION_PASSES, 0, 0};
    enum extension_verdict got = extension_walk(p, size, &e);
    const struct header *part = NULL, *last = NULL;

    list(p, size);
    for (size_t n = 0; n < count && !last && wanted.verdict == EXTENSION_PASSES; n++) {
        bool is_end = n == count - 1 && !is_kind(headers[n].kind);
        wanted = is_end ? of_last(p, size, part) : of_header(p, n, part);
        part = !part && is_part(p, &headers[n]) ? &headers[n] : part;
        bool is_later = part == &headers[n] && (p[part->at + 2] || p[part->at + 3] >= 8);
        last = is_end || is_later ? &headers[n] : NULL;
    }
    assert(got == wanted.verdict);
    if (got == EXTENSION_PROBLEM)
        assert(e.code == wanted.code && e.pointer == wanted.pointer && e.pointer < size);
    if (got != EXTENSION_PASSES)
        return;
    assert(last && e.at == last->end && e.at <= size);
    assert(e.protocol == (is_kind(last->kind) ? p[last->at] : last->kind));
    assert(e.is_fragment == (part != NULL));
    if (part)
        assert(e.fragment == part->at && e.is_last == !(p[part->at + 3] & 1) &&
               e.offset == (size_t)(p[part->at + 2] << 8 | (p[part->at + 3] & 0xf8)));
}

/* Of the bytes that name and measure headers more are such as there are. */
static void make_likely(uint8_t *p, size_t size, uint8_t how)
{
    static const uint8_t kinds[] = {0, 60, 43, 44, 60, 17, 6, 58};

    for (size_t at = 6; at + 8 <= size;) {
        if (p[at] & 128)
            p[at] = kinds[p[at] & 7];
        size_t next = at == 6 ? 40 : at + 8;
        if (at != 6 && how & 1)
            p[at + 1] &= 3;
        if (at != 6 && how & 2)
            p[at + 3] &= 1;
        if (at != 6 && how & 1)
            next += p[at + 1] * 8U;
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 + IPV6_SIZE || size > 1 + 1500)
        return 0;
    uint8_t *packet = malloc(--size);
    memcpy(packet, data + 1, size);
    make_likely(packet, size, *data);
    check(packet, size);
    if (extension_is_error(packet, size))
        assert(size > IPV6_SIZE);
    free(packet);
    return 0;
}
