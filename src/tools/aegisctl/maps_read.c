#include "maps_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ash/ash.h"
#include "control/bytes.h"

int maps_ask(struct client_session *session, const char *binding, struct maps *maps,
             struct why *why)
{
    struct control_maps request = {0};
    struct control_message reply;
    struct control_mapped mapped;
    struct control_map_row row;
    size_t position = 0;

    *maps = (struct maps){0};
    strcpy(request.name, binding);
    if (client_ask(session, CONTROL_MAPS, CONTROL_RECORD_maps, &request, CLIENT_LIMIT_MS, &reply,
                   why) != 0) {
        return -1;
    }
    while (control_next_row(CONTROL_RECORD_map_row, reply.body, reply.size, &position, &row) > 0 &&
           maps->count < MAPS_MOST && row.value_size != 0) {
        client_printable(row.name);
        maps->rows[maps->count++] = row;
    }
    if (control_decode(CONTROL_RECORD_mapped, reply.body, reply.size, &mapped) != 0 ||
        mapped.count != maps->count) {
        return why_set(why, "the reply is malformed");
    }
    return 0;
}

const struct control_map_row *maps_find(const struct maps *maps, const char *text, struct why *why)
{
    char names[MAPS_MOST * (CONTROL_APP_SIZE + 2) + 1] = "";
    size_t used = 0;
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    bool is_number = *text != 0 && *end == 0;

    for (uint32_t i = 0; i < maps->count; i++) {
        const struct control_map_row *row = &maps->rows[i];

        if (strcmp(row->name, text) == 0 || (is_number && row->map == number)) {
            return row;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i != 0 ? ", " : "",
                                 row->name);
    }
    why_set(why, "the handler has no map \"%s\"; it has %s", text,
            maps->count != 0 ? names : "none");
    return NULL;
}

/* A value as one number, as numbers of 8 or of 4 bytes, or as bytes, by its size. */
static void print_value(const uint8_t *value, uint32_t width, uint32_t size)
{
    uint32_t unit = size <= 8 && (size & (size - 1)) == 0 ? size
                    : size % 8 == 0                       ? 8
                    : size % 4 == 0                       ? 4
                                                          : 1;

    for (uint32_t at = 0; at + unit <= width; at += unit) {
        uint8_t word[8] = {0};

        memcpy(word, value + at, unit);
        printf(unit == 1 && size > 1 ? " %02" PRIx64 : " %" PRIu64, get64(word));
    }
    printf(width < size ? " ...\n" : "\n");
}

static int print_rows(const struct control_map_data *data, const struct control_map_row *map,
                      uint32_t *printed)
{
    uint32_t size = 4 + data->width;

    if (data->width == 0 || data->width > map->value_size || data->rows.size % size != 0) {
        return -1;
    }
    for (uint32_t at = 0; at < data->rows.size; at += size) {
        printf("%8" PRIu32 " ", get32(data->rows.data + at));
        print_value(data->rows.data + at + 4, data->width, map->value_size);
        ++*printed;
    }
    return 0;
}

int maps_print(struct client_session *session, const char *binding,
               const struct control_map_row *map, bool all, uint32_t *printed, struct why *why)
{
    struct control_map_read request = {.map = map->map, .all = all};
    struct control_map_data data;

    *printed = 0;
    strcpy(request.name, binding);
    do {
        if (client_call(session, CONTROL_MAP_READ, CONTROL_RECORD_map_read, &request,
                        CLIENT_LIMIT_MS, CONTROL_RECORD_map_data, &data, why) != 0) {
            return -1;
        }
        if (print_rows(&data, map, printed) != 0 ||
            (data.next != 0 && data.next <= request.start)) {
            return why_set(why, "the reply is malformed");
        }
        request.start = data.next;
    } while (data.next != 0);
    return 0;
}

int maps_set(struct client_session *session, const char *binding, const struct control_map_row *map,
             uint32_t entry, uint64_t value, struct why *why)
{
    struct control_map_write request = {.map = map->map, .entry = entry};
    struct control_map_written written;
    uint8_t *bytes;
    int status;

    if (map->flags & ASH_MAP_READ_ONLY) {
        return why_set(why, "map %s is read-only: constants of the handler", map->name);
    }
    if (map->value_size < 8 && value >> (8 * map->value_size) != 0) {
        return why_set(why, "%" PRIu64 " does not fit the %" PRIu32 " bytes of a value of map %s",
                       value, map->value_size, map->name);
    }
    if (map->value_size > CONTROL_IMAGE_MAX) {
        return why_set(why, "a value of map %s has %" PRIu32 " bytes; at most %d can be set",
                       map->name, map->value_size, CONTROL_IMAGE_MAX);
    }
    bytes = calloc(1, map->value_size + 8);
    if (bytes == NULL) {
        return why_set(why, "no memory for a value of %" PRIu32 " bytes", map->value_size);
    }
    put64(bytes, value);
    request.value = (struct control_bytes){bytes, map->value_size};
    strcpy(request.name, binding);
    status = client_call(session, CONTROL_MAP_WRITE, CONTROL_RECORD_map_write, &request,
                         CLIENT_LIMIT_MS, CONTROL_RECORD_map_written, &written, why);
    free(bytes);
    return status;
}
