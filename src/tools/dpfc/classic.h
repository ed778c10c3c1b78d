/*
 * Classic BPF programs: McCanne and Jacobson, "The BSD Packet Filter" (USENIX 1993), in the
 * encoding of libpcap's pcap/bpf.h.
 */
#ifndef DPFC_CLASSIC_H
#define DPFC_CLASSIC_H

#include <stdint.h>

#include "tools/dpfc/pool.h"

#define CLASSIC_MAX   4096 /* instructions, as Linux's BPF_MAXINSNS */
#define CLASSIC_WORDS 16   /* of scratch memory */

struct classic_insn {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

struct classic {
    uint32_t count;
    struct classic_insn insn[CLASSIC_MAX];
};

/* Compiles pcap-filter text for Ethernet; fails with DPFLIFT_TEXT and libpcap's message. */
void classic_compile(struct classic *program, const char *text, struct trouble *trouble);

/* Whether text begins as the output of tcpdump -ddd does: a number on a line of its own, and then
 * numbers. */
bool classic_is_ddd(const char *text);

/* Reads tcpdump -ddd output; fails with DPFLIFT_TEXT and the line. */
void classic_read(struct classic *program, const char *text, struct trouble *trouble);

/*
 * Checks that all of a program means something: known opcodes, jumps forward and inside, scratch
 * words in range, a return at the end. Fails with DPFLIFT_TEXT, or with DPFLIFT_REFUSED and a name
 * for what only Linux's kernel can answer and for loops.
 */
void classic_check(const struct classic *program, struct trouble *trouble);

#endif
