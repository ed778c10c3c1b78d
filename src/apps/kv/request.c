#include "kv/request.h"

#include <stdbool.h>
#include <string.h>

/* One request, taken apart. */
struct request {
    uint8_t operation;
    uint32_t tag, version;
    struct store_key key;
    const uint8_t *value;
    size_t value_size;
};

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Whether bytes that begin as a request are one. */
static bool read_rest(const uint8_t *bytes, size_t size, struct request *r)
{
    uint8_t key_size = bytes[offsetof(struct kv_header, key_size)];
    size_t padded = (key_size + 7u) & ~7u;
    const uint8_t *key = bytes + sizeof(struct kv_header);

    r->value_size = get32(bytes + offsetof(struct kv_header, value_size)) >> 16;
    if (bytes[offsetof(struct kv_header, status)] || bytes[offsetof(struct kv_header, reserved)] ||
        !key_size || key_size > KV_KEY_MAX || r->value_size > KV_VALUE_MAX ||
        size != sizeof(struct kv_header) + padded + r->value_size ||
        (r->operation != KV_SET && r->value_size))
        return false;
    r->key = (struct store_key){.size = key_size};
    memcpy(r->key.words, key, key_size);
    r->value = key + padded;
    for (size_t i = key_size; i < padded; i++)
        if (key[i])
            return false;
    return true;
}

static enum kv_status get(struct store *store, struct request *r)
{
    const struct kv_entry *e = store_find(store, &r->key);

    r->version = 0;
    if (!e)
        return KV_NOT_FOUND;
    r->version = e->version;
    r->value = (const uint8_t *)e->value;
    r->value_size = e->value_size;
    return KV_OK;
}

static enum kv_status set(struct store *store, struct request *r)
{
    size_t size = r->value_size;
    r->value_size = 0;
    return store_set(store, &r->key, r->value, size, &r->version);
}

static enum kv_status delete (struct store *store, struct request *r) {
    return store_delete(store, &r->key, &r->version);
}

/* By operation; value and version are the answer's afterwards. */
static enum kv_status (*const operations[])(struct store *, struct request *) = {
    [KV_GET] = get, [KV_SET] = set, [KV_DELETE] = delete};

static size_t put_answer(const struct request *r, enum kv_status status, uint8_t *answer)
{
    const struct kv_header header = {.magic = __builtin_bswap16(KV_MAGIC),
                                     .operation = r->operation | KV_ANSWER,
                                     .status = (uint8_t)status,
                                     .tag = __builtin_bswap32(r->tag),
                                     .version = __builtin_bswap32(r->version),
                                     .value_size = __builtin_bswap16((uint16_t)r->value_size)};
    memcpy(answer, &header, sizeof header);
    memcpy(answer + sizeof header, r->value, r->value_size);
    return sizeof header + r->value_size;
}

size_t kv_serve(struct store *store, const uint8_t *request, size_t size, uint8_t *answer)
{
    struct request r = {.value = answer};
    enum kv_status status = KV_UNKNOWN;

    if (size < sizeof(struct kv_header) || get32(request) >> 16 != KV_MAGIC ||
        request[offsetof(struct kv_header, operation)] & KV_ANSWER)
        return 0;
    r.operation = request[offsetof(struct kv_header, operation)];
    r.tag = get32(request + offsetof(struct kv_header, tag));
    if (r.operation < sizeof operations / sizeof *operations && operations[r.operation]) {
        status = KV_MALFORMED;
        r.version = get32(request + offsetof(struct kv_header, version));
        if (read_rest(request, size, &r))
            status = operations[r.operation](store, &r);
        else
            r.version = 0;
    }
    if (status != KV_OK)
        r.value_size = 0;
    return put_answer(&r, status, answer);
}
