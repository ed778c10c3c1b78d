/*
 * Makes programs from a sequence of choices: bytes of a fuzzer, or a seeded generator. Most of them
 * the verifier accepts, and each computes, jumps, loads and stores near the edges of what it may
 * reach.
 */
#ifndef ASH_GENERATE_H
#define ASH_GENERATE_H

#include "ash/ash.h"

struct choices {
    const uint8_t *bytes; /* taken first */
    size_t size;
    uint64_t seed; /* 0: behind the bytes come zeros */
};

uint32_t choose(struct choices *c, uint32_t below);

#define GENERATED_MAX (64 * 1024)

/* Writes an image to memory (GENERATED_MAX bytes, 8-byte aligned); returns its size. It has three
   maps: 4 entries of 8 bytes, 3 of 12 bytes, and 16 read-only bytes. */
size_t generate(struct choices *c, enum ash_event event, void *memory);

/* The image of these instructions, with the same maps. */
size_t make_image(const struct ash_insn *insns, uint32_t count, enum ash_event event, void *memory);

#endif
