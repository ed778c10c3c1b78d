/*
 * kv: a key-value store over UDP. What goes over the wire, and the table, which the handler
 * (handlers/get.c) reads in the kernel while the application writes to it. Compiled as BPF too, so
 * it stands alone.
 *
 * One datagram a request, one an answer; numbers are big-endian.
 *
 *     request   struct kv_header, key, zeros up to a multiple of 8 bytes, value
 *     answer    struct kv_header, value; to who asked, from the port that was asked
 *
 * An answer has the request's operation with KV_ANSWER, and its tag, by which a client knows it.
 * Requests may be lost, and doubled by the network, as datagrams are; GET, DELETE, and SET without
 * a version may simply be repeated. What doesn't begin as a request is dropped without a word.
 */
#ifndef KV_KV_H
#define KV_KV_H

#define KV_PORT      7071 /* unless it is told another */
#define KV_MAGIC     0x4b56
#define KV_KEY_MAX   32
#define KV_VALUE_MAX 1024
#define KV_ANSWER    0x80 /* with an operation */

enum kv_operation {
    KV_GET = 1,    /* -> value, version; NOT_FOUND */
    KV_SET = 2,    /* value, version -> version; FULL, CONFLICT */
    KV_DELETE = 3, /* version -> the version that it had; NOT_FOUND, CONFLICT */
};

enum kv_status {
    KV_OK = 0,
    KV_NOT_FOUND = 1,
    KV_MALFORMED = 2, /* sizes that contradict each other, or are out of range */
    KV_FULL = 3,      /* there is no room near the key's place */
    KV_CONFLICT = 4,  /* the value has another version than the request says: that is answered */
    KV_UNKNOWN = 5,   /* no such operation */
};

struct kv_header {
    unsigned short magic;
    unsigned char operation; /* enum kv_operation */
    unsigned char status;    /* enum kv_status; 0 in requests */
    unsigned int tag;        /* the client's */
    /* Of the value: no two values that the store ever had share one, and 0 is none. In SET and
     * DELETE: only if the value still has this version; 0: whatever it has. */
    unsigned int version;
    unsigned short value_size; /* bytes; 0 in GET and DELETE */
    unsigned char key_size;    /* 1 to KV_KEY_MAX; 0 in answers */
    unsigned char reserved;    /* 0 */
};

/* ---- the table ---- */

#define KV_ENTRIES   512 /* a power of two */
#define KV_NEAR      8   /* places from the key's own on where it may lie */
#define KV_KEY_WORDS (KV_KEY_MAX / 8)

/*
 * The application changes an entry between two increments of its sequence: while that is odd, and
 * if it is another after reading than before, what was read means nothing.
 */
struct kv_entry {
    unsigned long long sequence;
    unsigned int hash;         /* kv_hash of the key; 0: the place is free */
    unsigned int version;      /* in host byte order */
    unsigned int sum;          /* of the value (RFC 1071), as it lies in memory, not folded */
    unsigned short value_size; /* bytes; behind them zeros up to a multiple of 8 */
    unsigned char key_size;
    unsigned char reserved;
    unsigned long long key[KV_KEY_WORDS]; /* zeros behind it */
    unsigned long long value[KV_VALUE_MAX / 8];
};

/* Of a key with zeros behind it; never 0. The seed is random: nobody on the network can choose keys
 * that all have one place. */
static inline unsigned int kv_hash(const unsigned long long key[KV_KEY_WORDS],
                                   unsigned long long seed)
{
    unsigned long long hash = seed;

    for (int i = 0; i < KV_KEY_WORDS; i++) {
        hash = (hash ^ key[i]) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 29;
    }
    return (unsigned int)(hash >> 32) | 1u << 31;
}

/* Where the places of a hash begin; they go round at the table's end. */
static inline unsigned int kv_place(unsigned int hash, unsigned int near)
{
    return (hash + near) % KV_ENTRIES;
}

#endif
