#include "siphash/siphash.h"

#include <stdbool.h>
#include <string.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static bool has_rotate;

void siphash_use_zbb(void)
{
    has_rotate = true;
}

/* To the left; zbb: by the extension's instruction, whatever the rest of the file is compiled for.
 */
static inline __attribute__((always_inline)) uint64_t rotate(uint64_t x, unsigned int bits,
                                                             bool zbb)
{
#ifdef __riscv
    if (zbb) {
        __asm__(".option push\n.option arch, +zbb\nrori %0, %0, %1\n.option pop"
                : "+r"(x)
                : "i"(64 - bits));
        return x;
    }
#endif
    (void)zbb;
    return x << bits | x >> (64 - bits);
}

/* SipRound, section 2.2 of the paper. */
static inline __attribute__((always_inline)) void round_once(struct state *s, bool zbb)
{
    s->v0 += s->v1, s->v1 = rotate(s->v1, 13, zbb) ^ s->v0, s->v0 = rotate(s->v0, 32, zbb);
    s->v2 += s->v3, s->v3 = rotate(s->v3, 16, zbb) ^ s->v2;
    s->v0 += s->v3, s->v3 = rotate(s->v3, 21, zbb) ^ s->v0;
    s->v2 += s->v1, s->v1 = rotate(s->v1, 17, zbb) ^ s->v2, s->v2 = rotate(s->v2, 32, zbb);
}

static inline struct state begin(const struct siphash_key *key)
{
    return (struct state){key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
                          key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573};
}

static inline __attribute__((always_inline)) void compress(struct state *s, uint64_t word, bool zbb)
{
    s->v3 ^= word;
    round_once(s, zbb);
    round_once(s, zbb);
    s->v0 ^= word;
}

static inline __attribute__((always_inline)) uint64_t finish(struct state *s, bool zbb)
{
    s->v2 ^= 0xff;
    round_once(s, zbb);
    round_once(s, zbb);
    round_once(s, zbb);
    round_once(s, zbb);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

typedef uint64_t __attribute__((may_alias)) word_in_bytes;

/* Whole words from an address that is aligned to them. */
static inline __attribute__((always_inline)) void
compress_words(struct state *s, const word_in_bytes *in, size_t count, bool zbb)
{
    struct state local = *s; /* in registers */

    for (const word_in_bytes *end = in + count; in < end; in++)
        compress(&local, *in, zbb);
    *s = local;
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length)
{
    struct state s = begin(key);
    const uint8_t *in = bytes;
    size_t left = length;
    uint64_t word;

    if ((uintptr_t)in % 8 == 0) {
        if (has_rotate)
            compress_words(&s, bytes, length / 8, true);
        else
            compress_words(&s, bytes, length / 8, false);
        in += length & ~(size_t)7;
        left = length % 8;
    }
    for (; left >= 8; left -= 8, in += 8) {
        memcpy(&word, in, 8);
        compress(&s, word, false);
    }
    word = (uint64_t)length << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)in[i] << (8 * i);
    compress(&s, word, false);
    return finish(&s, false);
}

static inline __attribute__((always_inline)) uint64_t
words(const struct siphash_key *key, uint64_t first, uint64_t second, bool zbb)
{
    struct state s = begin(key);

    compress(&s, first, zbb);
    compress(&s, second, zbb);
    compress(&s, 16UL << 56, zbb);
    return finish(&s, zbb);
}

uint64_t siphash_words(const struct siphash_key *key, uint64_t first, uint64_t second)
{
    return has_rotate ? words(key, first, second, true) : words(key, first, second, false);
}
