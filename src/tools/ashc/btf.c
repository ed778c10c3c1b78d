/*
 * The reader of BTF. All numbers are read through word(), which checks where they lie.
 */
#include "tools/ashc/btf.h"

#include <stdlib.h>
#include <string.h>

#define BTF_MAGIC    0xeb9f
#define DEPTH_MAX    32 /* of types that refer to types */
#define TYPE_SIZE    12
#define COUNT(info)  ((info)&0xffff)
#define KIND(info)   ((info) >> 24 & 31)
#define LINE(column) ((column) >> 10)

static bool word(const uint8_t *bytes, uint64_t size, uint64_t at, uint32_t *value)
{
    if (at > size || size - at < sizeof *value)
        return false;
    memcpy(value, bytes + at, sizeof *value);
    return true;
}

/* Bytes behind the first 12 of a type. */
static uint64_t extra_size(enum btf_kind kind, uint32_t count)
{
    switch (kind) {
    case BTF_INT:
    case BTF_VAR:
    case BTF_DECL_TAG:
        return 4;
    case BTF_ARRAY:
        return 12;
    case BTF_STRUCT:
    case BTF_UNION:
    case BTF_DATASEC:
    case BTF_ENUM64:
        return (uint64_t)count * 12;
    case BTF_ENUM:
    case BTF_FUNC_PROTO:
        return (uint64_t)count * 8;
    default:
        return 0;
    }
}

/* Finds where each type begins. */
static bool index_types(struct btf *btf, char *error)
{
    uint64_t at = 0;
    btf->offsets = calloc(btf->types_size / TYPE_SIZE + 1, sizeof *btf->offsets);
    if (!btf->offsets)
        return ashlift_fail(error, "out of memory");
    btf->count = 1;
    while (at < btf->types_size) {
        uint32_t info;
        if (!word(btf->types, btf->types_size, at + 4, &info) || KIND(info) == BTF_VOID ||
            KIND(info) >= BTF_KINDS)
            return ashlift_fail(error, "the object's BTF is broken at type %u", btf->count);
        btf->offsets[btf->count++] = (uint32_t)at;
        at += TYPE_SIZE + extra_size((enum btf_kind)KIND(info), COUNT(info));
        if (at > btf->types_size)
            return ashlift_fail(error, "the object's BTF is cut off at type %u", btf->count - 1);
    }
    return true;
}

/* The header that .BTF and .BTF.ext begin with: length, then pairs of offset and length behind it.
 */
static bool open_part(const struct section *s, unsigned pair, const uint8_t **bytes, uint32_t *size)
{
    uint32_t magic, header, offset;
    if (!s->bytes || !word(s->bytes, s->size, 0, &magic) || (magic & 0xffff) != BTF_MAGIC ||
        !word(s->bytes, s->size, 4, &header) || !word(s->bytes, s->size, 8 + 8 * pair, &offset) ||
        !word(s->bytes, s->size, 12 + 8 * pair, size))
        return false;
    uint64_t start = (uint64_t)header + offset;
    if (start > s->size || *size > s->size - start)
        return false;
    *bytes = s->bytes + start;
    return true;
}

bool btf_open(struct btf *btf, const struct object *object, char *error)
{
    struct section s;
    unsigned types = object_find(object, ".BTF"), lines = object_find(object, ".BTF.ext");
    const uint8_t *strings;
    *btf = (struct btf){0};
    if (!types)
        return true;
    if (!object_section(object, types, &s))
        return false;
    if (!open_part(&s, 0, &btf->types, &btf->types_size) ||
        !open_part(&s, 1, &strings, &btf->strings_size) || btf->strings_size == 0 ||
        strings[btf->strings_size - 1] != 0)
        return ashlift_fail(error, "the object's section .BTF is broken");
    btf->strings = (const char *)strings;
    if (!index_types(btf, error))
        return false;
    if (lines && object_section(object, lines, &s) &&
        !open_part(&s, 1, &btf->lines, &btf->lines_size))
        return ashlift_fail(error, "the object's section .BTF.ext is broken");
    return true;
}

void btf_close(struct btf *btf)
{
    free(btf->offsets);
    *btf = (struct btf){0};
}

const char *btf_string(const struct btf *btf, uint32_t offset)
{
    return offset < btf->strings_size ? btf->strings + offset : NULL;
}

bool btf_type(const struct btf *btf, uint32_t id, struct btf_type *type)
{
    uint32_t name, info, size;
    if (id == 0 || id >= btf->count)
        return false;
    uint32_t at = btf->offsets[id];
    if (!word(btf->types, btf->types_size, at, &name) ||
        !word(btf->types, btf->types_size, at + 4, &info) ||
        !word(btf->types, btf->types_size, at + 8, &size))
        return false;
    *type = (struct btf_type){
        .name = btf_string(btf, name),
        .kind = (enum btf_kind)KIND(info),
        .count = COUNT(info),
        .size = size,
        .type = size,
        .extra = btf->types + at + TYPE_SIZE,
    };
    return type->name != NULL;
}

static bool qualifies(enum btf_kind kind)
{
    return kind == BTF_TYPEDEF || kind == BTF_VOLATILE || kind == BTF_CONST ||
           kind == BTF_RESTRICT || kind == BTF_TYPE_TAG;
}

bool btf_bare(const struct btf *btf, uint32_t id, struct btf_type *type)
{
    for (unsigned depth = 0; depth < DEPTH_MAX && btf_type(btf, id, type); depth++) {
        if (!qualifies(type->kind))
            return true;
        id = type->type;
    }
    return false;
}

bool btf_member(const struct btf *btf, const struct btf_type *type, uint32_t index,
                struct btf_member *member)
{
    uint32_t words[3];
    if (index >= type->count || (type->kind != BTF_STRUCT && type->kind != BTF_DATASEC))
        return false;
    memcpy(words, type->extra + (size_t)index * sizeof words, sizeof words);
    if (type->kind == BTF_DATASEC) {
        *member = (struct btf_member){NULL, words[0], 0};
        return true;
    }
    *member = (struct btf_member){btf_string(btf, words[0]), words[1], words[2]};
    return member->name != NULL;
}

uint32_t btf_elements(const struct btf_type *array)
{
    uint32_t words[3];
    memcpy(words, array->extra, sizeof words);
    return words[2];
}

bool btf_size(const struct btf *btf, uint32_t id, uint32_t *size)
{
    uint64_t elements = 1;
    struct btf_type t;
    for (unsigned depth = 0; depth < DEPTH_MAX && btf_bare(btf, id, &t); depth++) {
        if (t.kind == BTF_ARRAY) {
            elements *= btf_elements(&t);
            if (elements > UINT32_MAX)
                return false;
            memcpy(&id, t.extra, sizeof id);
            continue;
        }
        bool sized = t.kind == BTF_INT || t.kind == BTF_STRUCT || t.kind == BTF_UNION ||
                     t.kind == BTF_ENUM || t.kind == BTF_FLOAT || t.kind == BTF_ENUM64;
        if (!sized && t.kind != BTF_PTR)
            return false;
        uint64_t all = elements * (t.kind == BTF_PTR ? 8 : t.size);
        *size = (uint32_t)all;
        return all <= UINT32_MAX;
    }
    return false;
}

/* The records of one section; false if visit has had enough, or they are broken. */
static bool visit_records(const struct btf *btf, uint64_t at, uint32_t count, uint32_t size,
                          bool (*visit)(void *, const struct btf_line *), void *context)
{
    for (uint32_t i = 0; i < count; i++, at += size) {
        uint32_t offset, file, column;
        if (!word(btf->lines, btf->lines_size, at, &offset) ||
            !word(btf->lines, btf->lines_size, at + 4, &file) ||
            !word(btf->lines, btf->lines_size, at + 12, &column))
            return false;
        struct btf_line line = {offset, btf_string(btf, file), LINE(column)};
        if (line.file && !visit(context, &line))
            return false;
    }
    return true;
}

void btf_lines(const struct btf *btf, const char *section,
               bool (*visit)(void *context, const struct btf_line *line), void *context)
{
    uint32_t size, name, count;
    uint64_t at = 4;
    if (!word(btf->lines, btf->lines_size, 0, &size) || size < 16)
        return;
    while (word(btf->lines, btf->lines_size, at, &name) &&
           word(btf->lines, btf->lines_size, at + 4, &count)) {
        const char *text = btf_string(btf, name);
        at += 8;
        if (text && strcmp(text, section) == 0 &&
            !visit_records(btf, at, count, size, visit, context))
            return;
        at += (uint64_t)count * size;
    }
}
