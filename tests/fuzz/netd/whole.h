/* A datagram put together of its fragments by somebody who keeps each byte and who wrote it: what
 * fuzz targets hold fragments.c against. */
#ifndef FUZZ_NETD_WHOLE_H
#define FUZZ_NETD_WHOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static struct oracle {
    bool is_on, is_bad;
    uint8_t key[36];      /* whatever identifies the datagram */
    int owner[65536 + 8]; /* of each byte: the number of the fragment, from 1; 0: none */
    uint8_t bytes[65536 + 8];
    size_t end; /* 0: unknown */
    int count;
} oracle;

/* Whether one fragment has brought exactly these bytes, a last one's eighth taken as a whole. */
static inline bool oracle_came(const struct oracle *o, size_t at, size_t end)
{
    int owner = o->owner[at];

    for (size_t i = 0; i < sizeof o->bytes; i++)
        if ((o->owner[i] == owner) != (i >= at && i < end))
            return false;
    return owner;
}

/* A well-formed fragment; whether the datagram is whole then. Where copies have to be `exact`, a
 * part of what came, or several together, is none. */
static inline bool oracle_add(const uint8_t *bytes, size_t at, size_t size, bool more, bool exact)
{
    struct oracle *o = &oracle;
    size_t there = 0, same = 0, reach = 0;
    bool is_end_right = more || o->end == at + size;

    for (size_t i = 0; i < sizeof o->bytes; i++)
        reach = o->owner[i] ? i + 1 : reach;
    size_t padded = (size + 7) / 8 * 8;
    for (size_t i = at; i < at + padded; i++) {
        bool is_taken = o->owner[i] != 0;
        there += is_taken;
        same += i < at + size && is_taken && o->bytes[i] == bytes[i - at];
    }
    if (!o->is_bad && same == size && is_end_right && (!exact || oracle_came(o, at, at + size)))
        return false; /* again */
    o->is_bad |=
        there > 0 || (!more && (o->end || at + size < reach)) || (o->end && at + size > o->end);
    if (o->is_bad)
        return false;
    o->count++;
    for (size_t i = at; i < at + size; i++) {
        o->owner[i] = o->count;
        o->bytes[i] = bytes[i - at];
    }
    o->end = more ? o->end : at + size;
    for (size_t i = 0; i < o->end; i++)
        if (!o->owner[i])
            return false;
    return o->end != 0;
}

#endif
