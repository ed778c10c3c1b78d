/*
 * Requests about the maps of handlers. They are read where they lie, while the handler may run: a
 * value of 8 bytes is read at once, and a longer one may be seen half changed.
 */
#include <string.h>

#include "agent.h"

#define WIDTH_MOST 1024 /* bytes of one value that are told */
#define ROW_HEAD   4    /* the index before a value */

/* The handler of the binding of that name, or NULL with *refusal. */
static const struct handler *find(const char *name, struct refusal *refusal)
{
    const struct binding *b = binding_named(name);
    if (!b)
        refuse(refusal, CONTROL_E_NO_NAME, "no binding has the name %s", name);
    else if (!b->handler)
        refuse(refusal, CONTROL_E_NO_MAP, "binding %s has no handler, and so no maps", name);
    return b ? b->handler : NULL;
}

/* The map of that index of the binding of that name; *memory is where it lies. */
static const struct ash_map_info *find_map(const char *name, uint32_t map, uint8_t **memory,
                                           struct refusal *refusal)
{
    const struct handler *h = find(name, refusal);
    if (!h)
        return NULL;
    if (map >= h->map_count) {
        refuse(refusal, CONTROL_E_NO_MAP, "handler %s has %u maps, no number %u", h->name,
               (unsigned)h->map_count, (unsigned)map);
        return NULL;
    }
    *memory = handler_map(h, map);
    return &h->maps[map];
}

bool request_maps(const struct control_message *message, struct refusal *refusal)
{
    struct control_maps asked;
    if (!request_decode(message, CONTROL_RECORD_maps, &asked, refusal))
        return false;
    const struct handler *h = find(asked.name, refusal);
    if (!h)
        return false;
    struct control_mapped mapped = {.count = h->map_count};
    size_t room = reply_room();
    int used = control_encode(CONTROL_RECORD_mapped, &mapped, reply_body, room);
    for (uint32_t i = 0; used >= 0 && i < h->map_count; i++) {
        struct control_map_row row = {.map = i,
                                      .entries = h->maps[i].entries,
                                      .value_size = h->maps[i].value_size,
                                      .flags = h->maps[i].flags};
        memcpy(row.name, h->maps[i].name, sizeof row.name);
        int size = control_encode_row(CONTROL_RECORD_map_row, &row, reply_body + used,
                                      room - (size_t)used);
        used = size < 0 ? size : used + size;
    }
    if (used < 0)
        return refuse(refusal, CONTROL_E_TOO_BIG, "the host takes no body of %u maps",
                      (unsigned)h->map_count);
    request_reply_body(message, (size_t)used);
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* A value as the handler left it: whole words are read at once, as its stores write them. */
static void copy_value(uint8_t *to, const uint8_t *from, size_t size)
{
    for (; size >= 8; size -= 8, to += 8, from += 8) {
        uint64_t word = *(const volatile uint64_t *)from;
        memcpy(to, &word, 8);
    }
    for (; size; size--)
        *to++ = *(const volatile uint8_t *)from++;
}

/* Rows from entry *next on, as many as fit; *next becomes 0, or the entry to go on from. */
static uint32_t put_rows(const struct ash_map_info *map, const uint8_t *memory, bool all,
                         uint32_t width, uint8_t *rows, size_t room, uint32_t *next)
{
    uint32_t used = 0;

    for (uint32_t i = *next; i < map->entries; i++) {
        const uint8_t *entry = memory + (size_t)i * ash_map_stride(map);
        if (!all && is_zero(entry, map->value_size))
            continue;
        if (room - used < ROW_HEAD + width) {
            *next = i;
            return used;
        }
        memcpy(rows + used, &i, ROW_HEAD);
        copy_value(rows + used + ROW_HEAD, entry, width);
        used += ROW_HEAD + width;
    }
    *next = 0;
    return used;
}

bool request_map_read(const struct control_message *message, struct refusal *refusal)
{
    static uint8_t rows[REPLY_SIZE];
    struct control_map_read asked;
    uint8_t *memory;
    if (!request_decode(message, CONTROL_RECORD_map_read, &asked, refusal))
        return false;
    const struct ash_map_info *map = find_map(asked.name, asked.map, &memory, refusal);
    if (!map)
        return false;

    struct control_map_data data = {.next = asked.start,
                                    .width =
                                        map->value_size < WIDTH_MOST ? map->value_size : WIDTH_MOST,
                                    .rows = {.data = rows}};
    int head = control_encode(CONTROL_RECORD_map_data, &data, reply_body, reply_room());
    size_t room = head < 0 ? 0 : reply_room() - (size_t)head;
    if (room < ROW_HEAD + data.width)
        return refuse(refusal, CONTROL_E_TOO_BIG, "the host takes no body of one value");
    data.rows.size = put_rows(map, memory, asked.all, data.width, rows, room, &data.next);
    request_reply(message, CONTROL_RECORD_map_data, &data);
    return true;
}

bool request_map_write(const struct control_message *message, struct refusal *refusal)
{
    struct control_map_write asked;
    uint8_t *memory;
    if (!request_decode(message, CONTROL_RECORD_map_write, &asked, refusal))
        return false;
    const struct ash_map_info *map = find_map(asked.name, asked.map, &memory, refusal);
    if (!map)
        return false;
    if (asked.entry >= map->entries)
        return refuse(refusal, CONTROL_E_NO_MAP, "map %s has %u entries, no number %u", map->name,
                      (unsigned)map->entries, (unsigned)asked.entry);
    if (asked.value.size != map->value_size)
        return refuse(refusal, CONTROL_E_MALFORMED, "a value of map %s has %u bytes, not %u",
                      map->name, (unsigned)map->value_size, (unsigned)asked.value.size);
    uint8_t *entry = memory + (size_t)asked.entry * ash_map_stride(map);
    uint64_t word;
    if (map->value_size == sizeof word) {
        memcpy(&word, asked.value.data, sizeof word);
        *(volatile uint64_t *)entry = word; /* the handler sees all of it or nothing */
    } else {
        memcpy(entry, asked.value.data, map->value_size);
    }
    request_reply(message, CONTROL_RECORD_map_written, &(struct control_map_written){0});
    return true;
}
