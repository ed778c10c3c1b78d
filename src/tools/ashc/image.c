/*
 * The writer of handler images.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ashc/lift.h"

static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    if (size)
        memcpy(to, bytes, size);
    return to + size;
}

bool image_write(const struct link *link, enum ash_event event, struct ashlift_image *image)
{
    struct ash_header header = {
        .magic = ASH_MAGIC,
        .version = ASH_VERSION,
        .event = (uint16_t)event,
        .insns = link->insn_count,
        .lines = link->line_count,
        .text = link->text_size,
        .maps = (uint16_t)link->map_count,
    };
    memcpy(header.name, link->name, sizeof header.name);
    for (unsigned i = 0; i < link->map_count; i++)
        header.data += link->maps[i].info.data_size;
    if (header.data > ASH_DATA_MAX)
        return ashlift_fail(
            link->error,
            "the handler's variables have %u bytes of initial contents, at most %d are possible",
            header.data, ASH_DATA_MAX);

    image->size = sizeof header + link->map_count * sizeof(struct ash_map_info) +
                  link->insn_count * sizeof(struct ash_insn) +
                  link->line_count * sizeof(struct ash_line) + link->text_size + header.data;
    image->bytes = malloc(image->size);
    if (!image->bytes)
        return ashlift_fail(link->error, "out of memory");
    uint8_t *at = put(image->bytes, &header, sizeof header);
    uint32_t data = 0;
    for (unsigned i = 0; i < link->map_count; i++) {
        struct ash_map_info info = link->maps[i].info;
        info.data = data;
        data += info.data_size;
        at = put(at, &info, sizeof info);
    }
    at = put(at, link->insns, link->insn_count * sizeof(struct ash_insn));
    at = put(at, link->lines, link->line_count * sizeof(struct ash_line));
    at = put(at, link->text, link->text_size);
    for (unsigned i = 0; i < link->map_count; i++)
        at = put(at, link->maps[i].data, link->maps[i].info.data_size);
    return true;
}
