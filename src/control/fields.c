/* The codec of message bodies: fields of tag u16, zero u16, length u32, value, from tables. */
#include <string.h>

#include "control/bytes.h"
#include "control/control.h"

#define FIELD_HEAD 8
#define ROW_TAG    0x100 /* a row of record n is a field of tag ROW_TAG + n, whose value is a body */

enum kind { U32, U32_OR_0, U64, NAME, NAME_OR_0, TEXT, BYTES, BYTES_OR_0, MAC };

struct field {
    uint16_t tag;
    uint8_t kind;
    uint16_t offset; /* in the record's structure */
    uint32_t size;   /* NAME(_OR_0), TEXT: of the array; BYTES(_OR_0): most bytes */
};

#define FIELD(record, tag, kind, member, size)                                                     \
    {tag, kind, offsetof(struct control_##record, member), size},
#define CONTROL_RECORD(name, type) static const struct field name##_fields[] = {
#define CONTROL_END(name)                                                                          \
    {                                                                                              \
        0                                                                                          \
    }                                                                                              \
    }                                                                                              \
    ;
#define CONTROL_U32(record, tag, member)             FIELD(record, tag, U32, member, 4)
#define CONTROL_U32_OR_0(record, tag, member)        FIELD(record, tag, U32_OR_0, member, 4)
#define CONTROL_U64(record, tag, member)             FIELD(record, tag, U64, member, 8)
#define CONTROL_NAME(record, tag, member, size)      FIELD(record, tag, NAME, member, size)
#define CONTROL_NAME_OR_0(record, tag, member, size) FIELD(record, tag, NAME_OR_0, member, size)
#define CONTROL_TEXT(record, tag, member, size)      FIELD(record, tag, TEXT, member, size)
#define CONTROL_BYTES(record, tag, member, max)      FIELD(record, tag, BYTES, member, max)
#define CONTROL_BYTES_OR_0(record, tag, member, max) FIELD(record, tag, BYTES_OR_0, member, max)
#define CONTROL_MAC(record, tag, member)             FIELD(record, tag, MAC, member, 6)
#include "control/messages.def"
#include "control/undef.h"

static const struct {
    const struct field *fields; /* ends with tag 0 */
    size_t size;                /* of the structure */
} records[CONTROL_RECORDS] = {
#define CONTROL_RECORD(name, type) {name##_fields, sizeof(struct control_##name)},
#define CONTROL_END(name)
#define CONTROL_U32(record, tag, member)
#define CONTROL_U32_OR_0(record, tag, member)
#define CONTROL_U64(record, tag, member)
#define CONTROL_NAME(record, tag, member, size)
#define CONTROL_NAME_OR_0(record, tag, member, size)
#define CONTROL_TEXT(record, tag, member, size)
#define CONTROL_BYTES(record, tag, member, max)
#define CONTROL_BYTES_OR_0(record, tag, member, max)
#define CONTROL_MAC(record, tag, member)
#include "control/messages.def"
#include "control/undef.h"
};

const char *control_code_text(uint32_t code)
{
    static const struct {
        uint32_t code;
        const char *text;
    } codes[] = {
#define CONTROL_CODE(name, value, sentence) {value, sentence},
#include "control/codes.def"
#undef CONTROL_CODE
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].text;
        }
    }
    return NULL;
}

static bool is_name_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool is_name(const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!is_name_character(text[i])) {
            return false;
        }
    }
    return length != 0;
}

/* Length of a zero-terminated text in an array; size if it has no zero. */
static size_t text_length(const char *text, size_t size)
{
    size_t length = 0;

    while (length < size && text[length] != 0) {
        length++;
    }
    return length;
}

bool control_is_name(const char *text, size_t size)
{
    size_t length = text_length(text, size);

    return length < size && is_name((const uint8_t *)text, length);
}

/* Whether a text has the characters that its kind of field may have. */
static bool may_be(const struct field *f, struct control_bytes text)
{
    return f->kind == TEXT || (f->kind == NAME_OR_0 && text.size == 0) ||
           is_name(text.data, text.size);
}

/* The value of a field as bytes: numbers are put into scratch. False if it breaks the table's
 * rules. */
static bool value_of(const struct field *f, const uint8_t *member, uint8_t scratch[8],
                     struct control_bytes *value)
{
    uint32_t u32;
    uint64_t u64;

    switch ((enum kind)f->kind) {
    case U32:
    case U32_OR_0:
        memcpy(&u32, member, sizeof u32);
        put32(scratch, u32);
        *value = (struct control_bytes){scratch, 4};
        return true;
    case U64:
        memcpy(&u64, member, sizeof u64);
        put64(scratch, u64);
        *value = (struct control_bytes){scratch, 8};
        return true;
    case NAME:
    case NAME_OR_0:
    case TEXT:
        *value =
            (struct control_bytes){member, (uint32_t)text_length((const char *)member, f->size)};
        return value->size < f->size && may_be(f, *value);
    case BYTES:
    case BYTES_OR_0:
        memcpy(value, member, sizeof *value);
        return value->size <= f->size;
    case MAC:
        *value = (struct control_bytes){member, 6};
        return true;
    }
    return false;
}

int control_encode(enum control_record record, const void *from, uint8_t *body, size_t capacity)
{
    size_t used = 0;

    for (const struct field *f = records[record].fields; f->tag != 0; f++) {
        uint8_t scratch[8];
        struct control_bytes value;

        if (!value_of(f, (const uint8_t *)from + f->offset, scratch, &value)) {
            return -CONTROL_E_MALFORMED;
        }
        if (capacity - used < FIELD_HEAD || capacity - used - FIELD_HEAD < value.size) {
            return -CONTROL_E_TOO_BIG;
        }
        put16(body + used, f->tag);
        put16(body + used + 2, 0);
        put32(body + used + 4, value.size);
        if (value.size != 0) {
            memcpy(body + used + FIELD_HEAD, value.data, value.size);
        }
        used += FIELD_HEAD + value.size;
    }
    return (int)used;
}

int control_encode_row(enum control_record row, const void *from, uint8_t *body, size_t capacity)
{
    int used;

    if (capacity < FIELD_HEAD) {
        return -CONTROL_E_TOO_BIG;
    }
    used = control_encode(row, from, body + FIELD_HEAD, capacity - FIELD_HEAD);
    if (used < 0) {
        return used;
    }
    put16(body, (uint16_t)(ROW_TAG + row));
    put16(body + 2, 0);
    put32(body + 4, (uint32_t)used);
    return used + FIELD_HEAD;
}

/* Put a value into its member. False if it breaks the table's rules. */
static bool store(const struct field *f, struct control_bytes value, uint8_t *member)
{
    uint32_t u32;
    uint64_t u64;

    switch ((enum kind)f->kind) {
    case U32:
    case U32_OR_0:
        if (value.size != 4) {
            return false;
        }
        u32 = get32(value.data);
        memcpy(member, &u32, sizeof u32);
        return true;
    case U64:
        if (value.size != 8) {
            return false;
        }
        u64 = get64(value.data);
        memcpy(member, &u64, sizeof u64);
        return true;
    case NAME:
    case NAME_OR_0:
    case TEXT:
        if (value.size >= f->size || !may_be(f, value) ||
            text_length((const char *)value.data, value.size) != value.size) {
            return false;
        }
        memcpy(member, value.data, value.size);
        member[value.size] = 0;
        return true;
    case BYTES:
    case BYTES_OR_0:
        memcpy(member, &value, sizeof value);
        return value.size <= f->size;
    case MAC:
        if (value.size != 6) {
            return false;
        }
        memcpy(member, value.data, 6);
        return true;
    }
    return false;
}

/* Read the field at *position and step over it. 1, 0 at the end, or -CONTROL_E_MALFORMED. */
static int next_field(const uint8_t *body, size_t size, size_t *position, uint16_t *tag,
                      struct control_bytes *value)
{
    const uint8_t *head;
    size_t rest = size - *position;

    if (rest == 0) { /* body may be NULL */
        return 0;
    }
    head = body + *position;
    if (rest < FIELD_HEAD || get16(head + 2) != 0 || get32(head + 4) > rest - FIELD_HEAD) {
        return -CONTROL_E_MALFORMED;
    }
    *tag = get16(head);
    *value = (struct control_bytes){head + FIELD_HEAD, get32(head + 4)};
    *position += FIELD_HEAD + value->size;
    return 1;
}

/* Whether every field that the record needs was seen; the absent others read as zero already. */
static bool complete(const struct field *fields, uint32_t seen)
{
    for (const struct field *f = fields; f->tag != 0; f++) {
        bool optional =
            f->kind == U32_OR_0 || f->kind == NAME_OR_0 || f->kind == TEXT || f->kind == BYTES_OR_0;

        if (!optional && !(seen & 1u << (f - fields))) {
            return false;
        }
    }
    return true;
}

int control_decode(enum control_record record, const uint8_t *body, size_t size, void *to)
{
    const struct field *fields = records[record].fields;
    struct control_bytes value;
    size_t position = 0;
    uint32_t seen = 0; /* a bit a field */
    uint16_t tag;
    int status;

    memset(to, 0, records[record].size);
    while ((status = next_field(body, size, &position, &tag, &value)) > 0) {
        const struct field *f = fields;

        while (f->tag != 0 && f->tag != tag) {
            f++;
        }
        if (f->tag == 0) {
            continue;
        }
        if ((seen & 1u << (f - fields)) || !store(f, value, (uint8_t *)to + f->offset)) {
            return -CONTROL_E_MALFORMED;
        }
        seen |= 1u << (f - fields);
    }
    if (status < 0 || !complete(fields, seen)) {
        return -CONTROL_E_MALFORMED;
    }
    return 0;
}

int control_next_row(enum control_record row, const uint8_t *body, size_t size, size_t *position,
                     void *to)
{
    struct control_bytes value;
    uint16_t tag;
    int status;

    while ((status = next_field(body, size, position, &tag, &value)) > 0) {
        if (tag == ROW_TAG + row) {
            status = control_decode(row, value.data, value.size, to);
            return status < 0 ? status : 1;
        }
    }
    return status;
}
