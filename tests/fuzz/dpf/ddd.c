/*
 * Fuzzes the reader of tcpdump -ddd output and what lifts it: any text is taken or refused; a
 * program that is taken becomes an image that the verifier accepts and that means what libpcap's
 * evaluator says.
 *
 * Input: an odd first byte: the rest is the text. Else each four bytes become an instruction,
 * printed as text.
 */
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dpfc/classic.h"
#include "tools/dpfc/dpflift.h"

#define INSNS_MAX 64

static const uint16_t codes[] = {BPF_LD | BPF_W | BPF_ABS,
                                 BPF_LD | BPF_H | BPF_ABS,
                                 BPF_LD | BPF_B | BPF_ABS,
                                 BPF_LD | BPF_W | BPF_IND,
                                 BPF_LD | BPF_H | BPF_IND,
                                 BPF_LD | BPF_B | BPF_IND,
                                 BPF_LD | BPF_W | BPF_LEN,
                                 BPF_LD | BPF_IMM,
                                 BPF_LDX | BPF_IMM,
                                 BPF_LDX | BPF_W | BPF_LEN,
                                 BPF_LDX | BPF_B | BPF_MSH,
                                 BPF_ST,
                                 BPF_STX,
                                 BPF_ALU | BPF_ADD | BPF_K,
                                 BPF_ALU | BPF_SUB | BPF_K,
                                 BPF_ALU | BPF_MUL | BPF_K,
                                 BPF_ALU | BPF_DIV | BPF_K,
                                 BPF_ALU | BPF_MOD | BPF_K,
                                 BPF_ALU | BPF_AND | BPF_K,
                                 BPF_ALU | BPF_OR | BPF_K,
                                 BPF_ALU | BPF_XOR | BPF_K,
                                 BPF_ALU | BPF_LSH | BPF_K,
                                 BPF_ALU | BPF_RSH | BPF_K,
                                 BPF_ALU | BPF_ADD | BPF_X,
                                 BPF_ALU | BPF_SUB | BPF_X,
                                 BPF_ALU | BPF_AND | BPF_X,
                                 BPF_ALU | BPF_NEG,
                                 BPF_JMP | BPF_JA,
                                 BPF_JMP | BPF_JEQ | BPF_K,
                                 BPF_JMP | BPF_JGT | BPF_K,
                                 BPF_JMP | BPF_JGE | BPF_K,
                                 BPF_JMP | BPF_JSET | BPF_K,
                                 BPF_JMP | BPF_JEQ | BPF_X,
                                 BPF_JMP | BPF_JGT | BPF_X,
                                 BPF_RET | BPF_K,
                                 BPF_RET | BPF_A,
                                 BPF_MISC | BPF_TAX,
                                 BPF_MISC | BPF_TXA,
                                 BPF_LD | BPF_MEM};

/* Makes instructions of bytes and prints them. */
static char *print_program(const uint8_t *data, size_t size)
{
    unsigned count = (unsigned)(size / 4 < INSNS_MAX ? size / 4 : INSNS_MAX);
    char *text = malloc(32 * (INSNS_MAX + 2)), *at = text;
    at += sprintf(at, "%u\n", count + 1);
    for (unsigned i = 0; i < count; i++, data += 4) {
        unsigned left = count - i;
        uint16_t code = codes[data[0] % (sizeof codes / sizeof *codes)];
        uint32_t k = data[3] == 255 ? UINT32_MAX - data[1] : data[3];
        if (code == (BPF_JMP | BPF_JA))
            k %= left;
        at += sprintf(at, "%u %u %u %u\n", code, data[1] % left, data[2] % left, k);
    }
    sprintf(at, "6 0 0 %u\n", (unsigned)size & 1);
    return text;
}

/* The program again, for libpcap; false if its evaluator leaves something of it undefined. */
static bool read_program(const char *text, struct bpf_insn *insns, struct classic *program,
                         char *error)
{
    struct trouble trouble = {.error = error};
    if (setjmp(trouble.back))
        return false;
    classic_read(program, text, &trouble);
    for (uint32_t i = 0; i < program->count; i++) {
        struct classic_insn c = program->insn[i];
        insns[i] = (struct bpf_insn){c.code, c.jt, c.jf, c.k};
        bool shift = c.code == (BPF_ALU | BPF_LSH | BPF_K) || c.code == (BPF_ALU | BPF_RSH | BPF_K);
        if ((shift && c.k > 31) || (c.code & 0xe7) == (BPF_LD | BPF_MEM) ||
            c.code == (BPF_LDX | BPF_MEM))
            return false;
    }
    return bpf_validate(insns, (int)program->count);
}

static void compare(const char *text, const struct dpf_filter *filter, const uint8_t *data,
                    size_t size)
{
    static struct bpf_insn insns[CLASSIC_MAX];
    static struct classic program;
    char error[DPFLIFT_ERROR_SIZE];
    if (!read_program(text, insns, &program, error))
        return;
    for (size_t length = 0; length <= size; length += 7) {
        uint8_t *frame = malloc(length ? length : 1);
        memcpy(frame, data, length);
        bool expected = bpf_filter(insns, frame, (u_int)length, (u_int)length) != 0;
        if (dpf_match(filter, frame, length, length) != expected)
            abort();
        free(frame);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[DPFLIFT_ERROR_SIZE], *text;
    struct dpflift_image ingress, egress;
    struct dpf_filter filter;
    if (size < 1)
        return 0;
    if (data[0] % 2) {
        text = malloc(size);
        memcpy(text, data + 1, size - 1);
        text[size - 1] = 0;
    } else {
        text = print_program(data + 1, size - 1);
    }
    /* Other text is libpcap's to read. */
    if (classic_is_ddd(text) && dpflift_text(text, &ingress, 0, error) == DPFLIFT_OK) {
        if (dpf_verify(ingress.bytes, ingress.size, &filter))
            abort();
        compare(text, &filter, data, size);
        dpflift_free(&ingress);
        if (dpflift_text(text, &ingress, &egress, error) == DPFLIFT_OK) {
            if (dpf_verify(egress.bytes, egress.size, &filter))
                abort();
            dpflift_free(&ingress);
            dpflift_free(&egress);
        }
    }
    free(text);
    return 0;
}
