/*
 * The reader of handler images: everything about them but lines, text and program, which take
 * longer.
 */
#include "ash/ash.h"

static int check_sizes(const struct ash_header *header, size_t size)
{
    if (header->insns == 0 || header->insns > ASH_INSNS_MAX)
        return ASH_E_INSNS;
    if (header->maps > ASH_MAPS_MAX)
        return ASH_E_MAPS;
    if (header->lines > ASH_LINES_MAX || header->text > ASH_TEXT_MAX)
        return ASH_E_LINES;
    if (header->data > ASH_DATA_MAX)
        return ASH_E_MAP_DATA;
    size_t needed = sizeof *header + header->maps * sizeof(struct ash_map_info) +
                    header->insns * sizeof(struct ash_insn) +
                    header->lines * sizeof(struct ash_line) + header->text + header->data;
    if (size != needed)
        return size < needed ? ASH_E_TRUNCATED : ASH_E_TRAILING;
    return 0;
}

/* A name is printable, and zero from its first zero on. */
static bool is_name(const char name[ASH_NAME_SIZE])
{
    unsigned length = 0;
    while (length < ASH_NAME_SIZE && name[length] > ' ' && name[length] <= '~')
        length++;
    for (unsigned i = length; i < ASH_NAME_SIZE; i++)
        if (name[i])
            return false;
    return length > 0 && length < ASH_NAME_SIZE;
}

static int check_map(const struct ash_map_info *map, uint32_t data)
{
    if (!is_name(map->name))
        return ASH_E_NAME;
    if (map->type != ASH_MAP_ARRAY && map->type != ASH_MAP_PERCPU_ARRAY)
        return ASH_E_MAP_TYPE;
    if (map->key_size != 4 || map->value_size == 0 || map->value_size > ASH_MAP_MAX ||
        map->entries == 0 || map->entries > ASH_MAP_MAX / ash_map_stride(map))
        return ASH_E_MAP_SIZE;
    if (map->flags & ~(uint32_t)(ASH_MAP_READ_ONLY | ASH_MAP_GLOBAL))
        return ASH_E_MAP_FLAGS;
    if (map->reserved)
        return ASH_E_RESERVED;
    if (map->data > data || map->data_size > data - map->data || map->data_size > ash_map_size(map))
        return ASH_E_MAP_DATA;
    return 0;
}

int ash_image_open(const void *image, size_t size, struct ash_image *view)
{
    const struct ash_header *header = image;
    if ((uintptr_t)image % 8)
        return ASH_E_ALIGNMENT;
    if (size < sizeof *header)
        return ASH_E_TRUNCATED;
    if (header->magic != ASH_MAGIC)
        return ASH_E_MAGIC;
    if (header->version != ASH_VERSION)
        return ASH_E_VERSION;
    for (unsigned i = 0; i < sizeof header->reserved / sizeof *header->reserved; i++)
        if (header->reserved[i])
            return ASH_E_RESERVED;
    if (!is_name(header->name))
        return ASH_E_NAME;
    int error = check_sizes(header, size);
    if (error)
        return error;

    const struct ash_map_info *maps = (const void *)(header + 1);
    const struct ash_insn *insns = (const void *)(maps + header->maps);
    const struct ash_line *lines = (const void *)(insns + header->insns);
    const char *text = (const void *)(lines + header->lines);
    for (unsigned i = 0; i < header->maps; i++)
        if ((error = check_map(&maps[i], header->data)))
            return error;
    *view = (struct ash_image){
        .header = header,
        .maps = maps,
        .insns = insns,
        .lines = lines,
        .text = text,
        .data = (const uint8_t *)text + header->text,
    };
    return 0;
}

const char *ash_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define ASH_ERROR(name, value, sentence)                                                           \
    case value:                                                                                    \
        return sentence;
#include "ash/errors.def"
#undef ASH_ERROR
    }
    return "unknown error";
}
