/*
 * Any bytes as a disk with a record store: reading ends, within the disk, and every record that is
 * told lies in the buffer; what can be appended is then read back. An input that begins with an odd
 * byte is the disk as it is; another is a list of edits (place, byte) of one with four records.
 */
#include <assert.h>
#include <string.h>
#include "apps/log/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE 8192
#define UNIT 512

static uint8_t disk[SIZE], buffer[STORE_RECORD_MAX + STORE_UNIT_MAX] __attribute__((aligned(4096)));
static uint64_t told;

static int64_t read_disk(void *context, uint64_t offset, void *memory, uint64_t length)
{
    (void)context;
    assert(offset % UNIT == 0 && length % UNIT == 0 && length > 0 && offset <= SIZE &&
           length <= SIZE - offset);
    memcpy(memory, disk + offset, length);
    return 0;
}

static int64_t write_disk(void *context, uint64_t offset, const void *memory, uint64_t length)
{
    (void)context;
    assert(offset % UNIT == 0 && length % UNIT == 0 && length > 0 && offset <= SIZE &&
           length <= SIZE - offset);
    memcpy(disk + offset, memory, length);
    return 0;
}

static int64_t flush_disk(void *context)
{
    (void)context;
    return 0;
}

static void each(uint64_t number, const void *bytes, uint32_t length)
{
    const uint8_t *begin = bytes;

    assert(number == ++told);
    assert(begin >= buffer && begin + length <= buffer + sizeof buffer && length <= SIZE);
}

static const struct store_disk on = {read_disk, write_disk, flush_disk, NULL, SIZE, UNIT};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[1200] = "a record of some length";
    struct store store;

    memset(disk, 0, sizeof disk);
    if (size > 0 && data[0] & 1) {
        memcpy(disk, data + 1, size - 1 < SIZE ? size - 1 : SIZE);
    } else {
        assert(store_make(&store, &on, buffer, (uint64_t[2]){1, 2}) == 0);
        for (uint32_t i = 1; i <= 4; i++)
            assert(store_append(&store, text, i * 300) == i);
        for (size_t i = 1; i + 2 < size; i += 3)
            disk[(data[i] << 8 | data[i + 1]) % SIZE] = data[i + 2];
    }
    told = 0;
    int64_t status = store_open(&store, &on, buffer, each);
    assert(status == 0 || status == -STORE_E_NONE || status == -STORE_E_OTHER);
    if (status != 0)
        return 0;
    assert(store.count == told && store.tail <= SIZE);
    status = store_append(&store, text, (uint32_t)(size % sizeof text));
    assert(status == -STORE_E_FULL || status == (int64_t)told + 1);
    told = 0;
    assert(store_open(&store, &on, buffer, each) == 0 &&
           told >= (status > 0 ? (uint64_t)status : 0));
    return 0;
}
