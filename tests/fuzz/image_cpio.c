/*
 * Any bytes as an archive: every entry lies inside it, and iteration ends. An input that begins
 * with an odd byte is taken as it is; another as a list of edits (place, byte) of a good archive,
 * which gets deeper.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "image/cpio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Header fields behind the magic: only the name's size and the file's size matter here. */
#define ENTRY(file_size, name_size)                                                                \
    "07070100000001000081A4000000000000000000000001000000000000" file_size                         \
    "00000000000000000000000000000000" name_size "00000000"

static const char good[] =
    ENTRY("0005", "00000006") "agent\0"
                              "hello\0\0\0" ENTRY("0000", "00000004") "dir\0\0\0" ENTRY(
                                  "0000", "0000000B") "TRAILER!!!\0\0\0";

static void check(const uint8_t *data, size_t size)
{
    struct cpio_entry entry;
    size_t offset = 0, before = 0;
    unsigned sum = 0;
    int status;
    while ((status = cpio_next(data, size, &offset, &entry)) == 1) {
        assert(offset > before);
        before = offset;
        assert(entry.data >= data && entry.data + entry.size <= data + size);
        assert(strlen(entry.name) == entry.name_length);
        for (uint32_t i = 0; i < entry.size; i++) /* touches each byte: the sanitizer checks */
            sum += entry.data[i];
    }
    assert(status <= 0 && offset == before);
    assert(strlen(cpio_strerror(status)) > 0);
    status = cpio_find(data, size, "agent", &entry);
    assert(status <= 0 && (status || entry.data + entry.size <= data + size));
    assert(sum <= size * 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] & 1) {
        check(data + (size > 0), size - (size > 0));
        return 0;
    }
    struct cpio_entry entry;
    assert(cpio_find(good, sizeof good - 1, "agent", &entry) == 0 && entry.size == 5);
    size_t length = sizeof good - 1 - (size_t)(data[0] >> 1) % 16;
    uint8_t *edited =
        malloc(length); /* of exactly that size: the sanitizer sees bytes read beyond */
    memcpy(edited, good, length);
    for (size_t i = 1; i + 2 < size; i += 3)
        edited[(data[i] << 8 | data[i + 1]) % length] = data[i + 2];
    check(edited, length);
    free(edited);
    return 0;
}
