/*
 * The table's writer. Readers are this program and, at any instruction of it, the handler. Pure:
 * also on the host.
 */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "kv/kv.h"

struct store {
    struct kv_entry *table; /* KV_ENTRIES, all zeros at first */
    uint64_t seed;
    uint32_t last; /* version that was given last */
};

/* One key; what is behind it is zero. */
struct store_key {
    uint64_t words[KV_KEY_WORDS];
    uint8_t size;
};

/* The entry of a key, or NULL. */
const struct kv_entry *store_find(const struct store *store, const struct store_key *key);

/*
 * Put a value of size bytes, at most KV_VALUE_MAX. *version is 0 or the one that the value must
 * have; it becomes the new one, or with CONFLICT the one that it has (0: there is no value). OK,
 * FULL or CONFLICT.
 */
enum kv_status store_set(struct store *store, const struct store_key *key, const void *value,
                         size_t size, uint32_t *version);

/* The same for taking it out: OK, NOT_FOUND or CONFLICT; *version becomes the one that it has. */
enum kv_status store_delete(struct store *store, const struct store_key *key, uint32_t *version);

#endif
