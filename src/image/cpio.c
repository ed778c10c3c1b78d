#include "image/cpio.h"

#include <stdbool.h>
#include <string.h>

/*
 * An entry: magic[6], then thirteen fields of eight hexadecimal digits, then the name with its
 * zero, then zeros up to a multiple of 4 from the archive's start, then the data, padded likewise.
 */
enum field { MODE = 1, FILE_SIZE = 6, NAME_SIZE = 11, FIELDS = 13 };
#define MAGIC_SIZE  6
#define DIGITS      8
#define HEADER_SIZE (MAGIC_SIZE + FIELDS * DIGITS)

static const char trailer[] = "TRAILER!!!";

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* both cases are in use */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_fields(const uint8_t *header, uint32_t fields[FIELDS])
{
    for (int f = 0; f < FIELDS; f++) {
        fields[f] = 0;
        for (int i = 0; i < DIGITS; i++) {
            int value = digit(header[MAGIC_SIZE + f * DIGITS + i]);
            if (value < 0)
                return false;
            fields[f] = fields[f] << 4 | (uint32_t)value;
        }
    }
    return true;
}

/* A name is at least one character and ends with its only zero. */
static bool name_ok(const uint8_t *name, uint32_t name_size)
{
    if (name_size < 2)
        return false;
    uint32_t length = 0;
    while (length < name_size && name[length])
        length++;
    return length == name_size - 1;
}

/* The next multiple of 4; saturates instead of wrapping, which no bound then admits. */
static size_t align4(size_t n)
{
    return n > SIZE_MAX - 3 ? SIZE_MAX : (n + 3) & ~(size_t)3;
}

int cpio_next(const void *archive, size_t size, size_t *offset, struct cpio_entry *entry)
{
    const uint8_t *bytes = archive;
    size_t at = *offset;
    uint32_t fields[FIELDS];

    if (at > size || size - at < HEADER_SIZE)
        return -CPIO_E_TRUNCATED;
    if (memcmp(bytes + at, "070701", MAGIC_SIZE))
        return -CPIO_E_MAGIC;
    if (!read_fields(bytes + at, fields))
        return -CPIO_E_DIGIT;
    at += HEADER_SIZE;

    uint32_t name_size = fields[NAME_SIZE];
    if (size - at < name_size)
        return -CPIO_E_TRUNCATED;
    if (!name_ok(bytes + at, name_size))
        return -CPIO_E_NAME;
    const char *name = (const char *)bytes + at;
    if (name_size == sizeof trailer && !memcmp(name, trailer, sizeof trailer))
        return 0;

    at = align4(at + name_size);
    uint32_t file_size = fields[FILE_SIZE];
    if (at > size || size - at < file_size)
        return -CPIO_E_TRUNCATED;
    *entry = (struct cpio_entry){.name = name,
                                 .name_length = name_size - 1,
                                 .mode = fields[MODE],
                                 .data = bytes + at,
                                 .size = file_size};
    *offset = align4(at + file_size);
    return 1;
}

static bool same_name(const struct cpio_entry *entry, const char *name)
{
    const char *own = entry->name;
    if (entry->name_length > 2 && own[0] == '.' && own[1] == '/')
        own += 2;
    while (*own && *own == *name)
        own++, name++;
    return *own == *name;
}

int cpio_find(const void *archive, size_t size, const char *name, struct cpio_entry *entry)
{
    size_t offset = 0;
    int status;
    while ((status = cpio_next(archive, size, &offset, entry)) == 1)
        if ((entry->mode & CPIO_MODE_TYPE) == CPIO_MODE_REGULAR && same_name(entry, name))
            return 0;
    return status ? status : -CPIO_E_NOT_FOUND;
}

const char *cpio_strerror(int error)
{
    switch (-error) {
#define CPIO_ERROR(name, value, sentence)                                                          \
    case CPIO_E_##name:                                                                            \
        return sentence;
        CPIO_ERRORS(CPIO_ERROR)
#undef CPIO_ERROR
    }
    return "cpio: no error";
}
