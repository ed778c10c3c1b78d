#include "kernel/entropy.h"

#include "kernel/call.h"
#include "kernel/print.h"
#include "kernel/user.h"

#define NEEDED 16 /* bytes from all sources */

static struct siphash_key pool;
static size_t added;

/* The generator's key, renewed after each call: what was given out can't be worked out from it
 * later. */
static struct siphash_key generator;

void entropy_add(const void *bytes, size_t length)
{
    struct siphash_key next = {siphash(&pool, bytes, length), 0};

    pool.k0 ^= next.k0;
    next.k1 = ~pool.k1;
    pool.k1 ^= siphash(&next, bytes, length);
    added += length;
}

void entropy_ready(void)
{
    if (added < NEEDED)
        refuse("no source of entropy for the key of capabilities: start QEMU with "
               "-device virtio-rng-device");
    generator = entropy_key(ENTROPY_APPLICATIONS);
}

struct siphash_key entropy_key(unsigned int use)
{
    return (struct siphash_key){siphash_words(&pool, use, 0), siphash_words(&pool, use, 1)};
}

static void renew(void)
{
    generator =
        (struct siphash_key){siphash_words(&generator, 0, 1), siphash_words(&generator, 1, 1)};
}

uint64_t entropy_word(void)
{
    uint64_t word = siphash_words(&generator, 0, 0);

    renew();
    return word;
}

long call_entropy(uaddr_t bytes, uint64_t length)
{
    uint64_t words[AEGIS_ENTROPY_MAX / 8];

    if (length > AEGIS_ENTROPY_MAX)
        return -AEGIS_E_RANGE;
    for (uint64_t i = 0; i < (length + 7) / 8; i++)
        words[i] = siphash_words(&generator, i, 0);
    if (!user_write(bytes, words, length))
        return -AEGIS_E_ADDRESS;
    renew();
    return 0;
}
