/*
 * What the DPF tests are made of, from a seed: frames that look like traffic, filters that don't
 * look like anything, and frames made so that a filter takes them, or nearly.
 */
#ifndef TESTS_DPF_GEN_H
#define TESTS_DPF_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dpf/dpf.h"

#define GEN_FRAME_MAX 256

struct gen {
    uint64_t state;
};

uint32_t gen_below(struct gen *gen, uint32_t bound); /* 0 to bound - 1 */
bool gen_chance(struct gen *gen, uint32_t percent);

/* A frame of IPv4, IPv6, ARP, VLAN, LLC or noise, with the addresses and ports that the test
   expressions name; returns its length. */
size_t gen_frame(struct gen *gen, uint8_t frame[GEN_FRAME_MAX]);

/* Writes into the frame what a walk through the filter asks for, mostly on the way to accept. */
void gen_aim(struct gen *gen, const struct dpf_filter *filter, uint8_t frame[GEN_FRAME_MAX],
             size_t length);

/* Flips bytes, or cuts the frame; returns its new length. */
size_t gen_mutate(struct gen *gen, uint8_t *frame, size_t length);

/* A verified random filter over few fields of the first 32 bytes, with shifts; its image is in
 * memory. */
struct dpf_filter gen_filter(struct gen *gen, void *memory, size_t size);

/* A verified random filter of up to 30 nodes over few overlapping fields, with sets of up to 300
   ranges; memory is DPF_IMAGE_MAX bytes. */
struct dpf_filter gen_large(struct gen *gen, void *memory);

/* A filter that accepts what all of count tests "the 2 bytes at offsets[i] are values[i]" accept,
   where those from based on count from a base that 4 * (byte 0 & 15) sets. */
struct dpf_filter gen_tuple(void *memory, size_t size, const uint16_t *offsets,
                            const uint16_t *values, unsigned count, unsigned based);

/* An allocation of exactly that size, so that the sanitizer sees the first byte read too far. */
uint8_t *gen_tight(const uint8_t *frame, size_t length);

#endif
