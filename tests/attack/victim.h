/*
 * The victim's service: an echo over UDP, on frames that a handler of its own counts first. The
 * answer carries a checksum of its memory.
 */
#ifndef ATTACK_VICTIM_H
#define ATTACK_VICTIM_H

#include <stdint.h>

#define VICTIM_PORT  7777 /* asked */
#define ASKER_PORT   7778 /* answered */
#define SPARE_PORT   7779 /* the asker's other one */
#define VICTIM_PAGES 8

/* Behind the UDP header, in the guest's byte order. */
struct question {
    uint64_t number;
    uint64_t checksum; /* in the answer */
    uint64_t counted;  /* frames that the handler has seen; in the answer */
} __attribute__((packed));

#define QUESTION_OFFSET 42
#define QUESTION_FRAME  (QUESTION_OFFSET + sizeof(struct question))

/* What the victim's memory holds, page by page. */
static inline uint64_t victim_word(uint64_t index)
{
    return (index + 1) * 0x9e3779b97f4a7c15;
}

/* The checksum that it must have. */
static inline uint64_t victim_sum(const uint64_t *words)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < VICTIM_PAGES * 512; i++)
        sum = (sum ^ (words ? words[i] : victim_word(i))) * 0x100000001b3;
    return sum;
}

#endif
