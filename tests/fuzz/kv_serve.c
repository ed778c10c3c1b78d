/*
 * Any bytes as a row of requests to kv, each behind its length: answers fit, have the request's
 * tag, and a GET finds what a SET that was answered OK has put.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apps/kv/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kv_entry table[KV_ENTRIES];

static void check_set(struct store *store, const uint8_t *request, size_t size)
{
    uint8_t again[KV_ANSWER_MAX], get[sizeof(struct kv_header) + KV_KEY_MAX];
    size_t key = (request[14] + 7u) & ~7u, value = size - sizeof(struct kv_header) - key;

    memcpy(get, request, sizeof(struct kv_header) + key);
    get[2] = KV_GET;
    memset(get + 12, 0, 2);
    assert(kv_serve(store, get, sizeof(struct kv_header) + key, again) ==
           sizeof(struct kv_header) + value);
    assert(again[3] == KV_OK && !memcmp(again + sizeof(struct kv_header),
                                        request + sizeof(struct kv_header) + key, value));
}

static void check(struct store *store, const uint8_t *bytes, size_t size)
{
    uint8_t answer[KV_ANSWER_MAX], *copy = malloc(size ? size : 1);

    memcpy(copy, bytes, size);
    size_t answered = kv_serve(store, copy, size, answer);
    assert(answered <= sizeof answer);
    if (answered) {
        assert(size >= sizeof(struct kv_header) && answered >= sizeof(struct kv_header));
        assert(answer[2] == (copy[2] | KV_ANSWER) && !memcmp(answer + 4, copy + 4, 4));
        assert(answer[3] <= KV_UNKNOWN && !(answer[3] && answered > sizeof(struct kv_header)));
        if (copy[2] == KV_SET && answer[3] == KV_OK)
            check_set(store, copy, size);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store store = {.table = table, .seed = 5};

    memset(table, 0, sizeof table);
    while (size >= 2) {
        /* The first bytes are given, or few inputs would come far. */
        uint8_t request[sizeof(struct kv_header) + 256] = {KV_MAGIC >> 8, KV_MAGIC & 0xff};
        size_t count = data[0], begun = data[1] & 1 ? 2 : 0;
        data += 2, size -= 2;
        if (count > size)
            count = size;
        memcpy(request + begun, data, count);
        check(&store, request, begun + count);
        data += count, size -= count;
    }
    return 0;
}
