#include "apps/log/store.h"

#include <string.h>

#include "siphash/siphash.h"

#define STORE_MAGIC  "AegisLog"
#define STORE_RECORD 0x44524352 /* "RCRD" in memory */

struct header {
    uint8_t magic[8];
    uint64_t unit;
    uint64_t epoch[2];
    uint64_t sum; /* of this, this field taken as 0 */
};

static uint64_t checksum(const uint64_t epoch[2], const void *bytes, size_t length)
{
    struct siphash_key key = {epoch[0], epoch[1]};

    return siphash(&key, bytes, length);
}

static uint64_t header_sum(const struct header *header)
{
    struct header copy = *header;

    copy.sum = 0;
    return checksum(header->epoch, &copy, sizeof copy);
}

/* Of the record that begins at buffer. */
static uint64_t record_sum(const struct store *store, const uint8_t *buffer)
{
    const struct store_record *record = (const struct store_record *)buffer;
    struct store_record head = *record;
    uint64_t words[2];

    head.sum = 0;
    words[0] = checksum(store->key, &head, sizeof head);
    words[1] = checksum(store->key, buffer + sizeof head, record->length);
    return checksum(store->key, words, sizeof words);
}

/* Bytes of the units that a record takes. */
static uint64_t extent_of(const struct store *store, uint32_t length)
{
    uint64_t unit = store->disk.unit;

    return (sizeof(struct store_record) + length + unit - 1) & ~(unit - 1);
}

int64_t store_make(struct store *store, const struct store_disk *disk, uint8_t *buffer,
                   const uint64_t epoch[2])
{
    struct header header = {.unit = disk->unit, .epoch = {epoch[0], epoch[1]}};
    int64_t error;

    memcpy(header.magic, STORE_MAGIC, sizeof header.magic);
    header.sum = header_sum(&header);
    memset(buffer, 0, disk->unit);
    memcpy(buffer, &header, sizeof header);
    error = disk->write(disk->context, 0, buffer, disk->unit);
    if (error == 0)
        error = disk->flush(disk->context);
    *store = (struct store){.disk = *disk,
                            .key = {epoch[0], epoch[1]},
                            .tail = disk->unit,
                            .last = header.sum,
                            .buffer = buffer};
    return error;
}

/* Read the record at the tail into the buffer. Returns 1, 0 if none follows, or an error. */
static int64_t read_record(struct store *store)
{
    const struct store_disk *disk = &store->disk;
    const struct store_record *record = (const struct store_record *)store->buffer;
    uint64_t size;
    int64_t error;

    if (disk->size - store->tail < disk->unit)
        return 0;
    error = disk->read(disk->context, store->tail, store->buffer, disk->unit);
    if (error != 0)
        return error;
    if (record->magic != STORE_RECORD || record->number != store->count + 1 ||
        record->before != store->last || record->length > STORE_RECORD_MAX - sizeof *record)
        return 0;
    size = extent_of(store, record->length);
    if (size > disk->size - store->tail)
        return 0;
    if (size > disk->unit)
        error = disk->read(disk->context, store->tail + disk->unit, store->buffer + disk->unit,
                           size - disk->unit);
    return error != 0 ? error : record_sum(store, store->buffer) == record->sum;
}

static bool only_zeros(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

int64_t store_open(struct store *store, const struct store_disk *disk, uint8_t *buffer,
                   void (*each)(uint64_t number, const void *bytes, uint32_t length))
{
    const struct store_record *record = (const struct store_record *)buffer;
    struct header header;
    int64_t status = disk->read(disk->context, 0, buffer, disk->unit);

    if (status != 0)
        return status;
    memcpy(&header, buffer, sizeof header);
    if (memcmp(header.magic, STORE_MAGIC, sizeof header.magic) != 0 || header.unit != disk->unit ||
        header.sum != header_sum(&header))
        return only_zeros(buffer, disk->unit) ? -STORE_E_NONE : -STORE_E_OTHER;
    *store = (struct store){.disk = *disk,
                            .key = {header.epoch[0], header.epoch[1]},
                            .tail = disk->unit,
                            .last = header.sum,
                            .buffer = buffer};
    while ((status = read_record(store)) == 1) {
        if (each != NULL)
            each(record->number, buffer + sizeof *record, record->length);
        store->tail += extent_of(store, record->length);
        store->last = record->sum;
        store->count++;
    }
    return status;
}

int64_t store_append(struct store *store, const void *bytes, uint32_t length)
{
    const struct store_disk *disk = &store->disk;
    struct store_record *record = (struct store_record *)store->buffer;
    uint64_t size;
    int64_t error;

    if (length > STORE_RECORD_MAX - sizeof *record)
        return -STORE_E_LENGTH;
    size = extent_of(store, length);
    if (size > disk->size - store->tail)
        return -STORE_E_FULL;
    memset(store->buffer, 0, size);
    *record = (struct store_record){
        .magic = STORE_RECORD, .length = length, .number = store->count + 1, .before = store->last};
    memcpy(store->buffer + sizeof *record, bytes, length);
    record->sum = record_sum(store, store->buffer);
    error = disk->write(disk->context, store->tail, store->buffer, size);
    if (error == 0)
        error = disk->flush(disk->context);
    if (error != 0)
        return error;
    store->tail += size;
    store->last = record->sum;
    store->count++;
    return (int64_t)store->count;
}

const char *store_strerror(int64_t error)
{
    switch (-error) {
    case STORE_E_NONE:
        return "the extent holds no log, only zeros; log NAME make begins one";
    case STORE_E_OTHER:
        return "the extent holds something else than a log; log NAME make overwrites it";
    case STORE_E_FULL:
        return "the extent has no room for the record; export it, and begin anew with make";
    case STORE_E_LENGTH:
        return "the record is too long";
    default:
        return NULL;
    }
}
