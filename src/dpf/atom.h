/*
 * What the evaluators share: loads, sets, and counting under a mask. Internal to the library.
 */
#ifndef DPF_ATOM_H
#define DPF_ATOM_H

#include "dpf/dpf.h"

/* Set bits of the widest value of a field of width bytes. */
static inline uint64_t dpf_full(unsigned width)
{
    return width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
}

/* The big-endian number in width bytes at p; the caller has checked the bounds. */
static inline uint64_t dpf_load(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v = v << 8 | p[i];
    return v;
}

/* The next greater number that has bits under mask only; 0 after the last. */
static inline uint64_t dpf_next_under(uint64_t v, uint64_t mask)
{
    return ((v | ~mask) + 1) & mask;
}

static inline uint64_t dpf_shifted(uint64_t v, int shift)
{
    return shift >= 0 ? v << shift : v >> -shift;
}

/* Index of the first range whose high end reaches v; count if none does. */
static inline unsigned dpf_range_from(const struct dpf_range *set, unsigned count, uint64_t v)
{
    unsigned first = 0;
    while (count > 0) {
        unsigned half = count / 2;
        if (set[first + half].high < v) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first;
}

static inline bool dpf_in_set(const struct dpf_range *set, unsigned count, uint64_t v)
{
    unsigned i = dpf_range_from(set, count, v);
    return i < count && set[i].low <= v;
}

/* dpf_match from the middle of a filter: node is a successor, base the running base there. */
bool dpf_match_from(const struct dpf_node *nodes, const struct dpf_range *ranges, unsigned node,
                    uint32_t base, const uint8_t *frame, size_t available, size_t length);

#endif
