/*
 * Sets of filters for the tests of the compiler, from a seed: some overlap, nest and shift in every
 * way, others are of one shape, so that their trie has large tables. And what a trie of them should
 * say, by asking each filter.
 */
#ifndef TESTS_MEMBERS_H
#define TESTS_MEMBERS_H

#include "../dpf/gen.h"
#include "dpf/compile.h"

#define MEMBERS_MAX 300
#define IMAGE_SIZE  2048
#define FIRST_ID    100
#define FRAME_MAX   40

struct members {
    _Alignas(8) uint8_t image[MEMBERS_MAX][IMAGE_SIZE];
    struct dpf_filter filter[MEMBERS_MAX];
    struct dpf_member member[MEMBERS_MAX];
    unsigned count;
};

/* Other sets each time. */
void members_make(struct members *m, struct gen *gen);

/* Options that fit together: any extensions of those in isa, any alignment of frames. */
struct dpf_compile_options members_options(struct gen *gen, unsigned isa);

/* A frame, of FRAME_MAX bytes, that often suits one of the members. */
void members_frame(const struct members *m, struct gen *gen, uint8_t frame[FRAME_MAX],
                   size_t available);

/* A trie of them, allocated with malloc; ends the program if that fails. */
struct dpf_trie *members_trie(const struct members *m);

/* Whether the result is right, with steps left aside. If equals are said to be disjoint and aren't,
   any of the highest rank that matches will do. */
bool members_right(const struct members *m, bool equals_disjoint, const uint8_t *frame,
                   size_t available, size_t length, uint32_t id, uint64_t taps);

#endif
