#include "random.h"

static uint64_t state = 1;

void seed_random(uint64_t seed)
{
    state = seed * 2 + 1;
}

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
uint64_t random_below(uint64_t n)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % n;
}
