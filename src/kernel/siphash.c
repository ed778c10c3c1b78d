#include "kernel/siphash.h"

#include <string.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned int bits)
{
    return x << bits | x >> (64 - bits);
}

/* SipRound, section 2.2 of the paper. */
static inline void round_once(struct state *s)
{
    s->v0 += s->v1, s->v1 = rotate(s->v1, 13) ^ s->v0, s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3, s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3, s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1, s->v1 = rotate(s->v1, 17) ^ s->v2, s->v2 = rotate(s->v2, 32);
}

static inline struct state begin(const struct siphash_key *key)
{
    return (struct state){key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
                          key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573};
}

static inline void compress(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}

static inline uint64_t finish(struct state *s)
{
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        round_once(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length)
{
    struct state s = begin(key);
    const uint8_t *in = bytes;
    uint64_t word;
    size_t left = length;

    for (; left >= 8; left -= 8, in += 8) {
        memcpy(&word, in, 8);
        compress(&s, word);
    }
    word = (uint64_t)length << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)in[i] << (8 * i);
    compress(&s, word);
    return finish(&s);
}

uint64_t siphash_words(const struct siphash_key *key, uint64_t first, uint64_t second)
{
    struct state s = begin(key);

    compress(&s, first);
    compress(&s, second);
    compress(&s, 16UL << 56);
    return finish(&s);
}
