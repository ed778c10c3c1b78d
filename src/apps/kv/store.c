#include "kv/store.h"

#include <stdbool.h>
#include <string.h>

#include "libos/net/parse.h"

/* An entry's first store behind begin, and its last before end, stay there. */
static void begin(struct kv_entry *e)
{
    __atomic_store_n(&e->sequence, e->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end(struct kv_entry *e)
{
    __atomic_store_n(&e->sequence, e->sequence + 1, __ATOMIC_RELEASE);
}

/* The key's entry, or NULL; *free then the first free place for it, or NULL. */
static struct kv_entry *find(const struct store *store, const struct store_key *key, uint32_t hash,
                             struct kv_entry **free)
{
    *free = NULL;
    for (uint32_t i = 0; i < KV_NEAR; i++) {
        struct kv_entry *e = &store->table[kv_place(hash, i)];
        if (e->hash == hash && e->key_size == key->size && !memcmp(e->key, key->words, KV_KEY_MAX))
            return e;
        if (!e->hash && !*free)
            *free = e;
    }
    return NULL;
}

const struct kv_entry *store_find(const struct store *store, const struct store_key *key)
{
    struct kv_entry *unused;
    return find(store, key, kv_hash((const unsigned long long *)key->words, store->seed), &unused);
}

/* Whether a request for a version is for what is there; tells that. */
static bool agrees(const struct kv_entry *e, uint32_t *version)
{
    uint32_t wanted = *version, has = e ? e->version : 0;
    *version = has;
    return !wanted || wanted == has;
}

enum kv_status store_set(struct store *store, const struct store_key *key, const void *value,
                         size_t size, uint32_t *version)
{
    uint32_t hash = kv_hash((const unsigned long long *)key->words, store->seed);
    struct kv_entry *free, *e = find(store, key, hash, &free);

    if (!agrees(e, version))
        return KV_CONFLICT;
    if (!e && !(e = free))
        return KV_FULL;
    if (!++store->last)
        store->last = 1;
    begin(e);
    e->hash = hash;
    e->key_size = key->size;
    memcpy(e->key, key->words, KV_KEY_MAX);
    e->version = *version = store->last;
    e->value_size = (uint16_t)size;
    e->value[(size ? size - 1 : 0) / 8] = 0; /* the zeros behind its end */
    memcpy(e->value, value, size);
    e->sum = net_sum(0, e->value, size);
    end(e);
    return KV_OK;
}

enum kv_status store_delete(struct store *store, const struct store_key *key, uint32_t *version)
{
    struct kv_entry *unused,
        *e =
            find(store, key, kv_hash((const unsigned long long *)key->words, store->seed), &unused);

    if (!agrees(e, version))
        return KV_CONFLICT;
    if (!e)
        return KV_NOT_FOUND;
    begin(e);
    e->hash = 0;
    end(e);
    return KV_OK;
}
