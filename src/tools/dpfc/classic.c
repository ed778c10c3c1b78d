/* Classic BPF programs: from libpcap or from text, and checked (classic.h). */
#include "tools/dpfc/classic.h"
#include "tools/dpfc/dpflift.h"

#include <ctype.h>
#include <pcap/pcap.h>
#include <string.h>

#define SNAPLEN 262144 /* as tcpdump */

void classic_compile(struct classic *program, const char *text, struct trouble *trouble)
{
    char message[PCAP_ERRBUF_SIZE] = "";
    struct bpf_program compiled;
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
    if (!pcap)
        fail(trouble, DPFLIFT_SYSTEM, "libpcap: out of memory");
    if (pcap_compile(pcap, &compiled, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        snprintf(message, sizeof message, "%s", pcap_geterr(pcap));
        pcap_close(pcap);
        fail(trouble, DPFLIFT_TEXT, "%s", message);
    }
    uint32_t count = compiled.bf_len;
    for (uint32_t i = 0; i < count && i < CLASSIC_MAX; i++) {
        const struct bpf_insn *insn = &compiled.bf_insns[i];
        program->insn[i] = (struct classic_insn){insn->code, insn->jt, insn->jf, insn->k};
    }
    program->count = count;
    pcap_freecode(&compiled);
    pcap_close(pcap);
    if (count > CLASSIC_MAX)
        fail(trouble, DPFLIFT_REFUSED, "the filter compiles to %u instructions, more than %u",
             count, CLASSIC_MAX);
}

/* A place in a text, for messages. */
struct reader {
    const char *at;
    unsigned line;
    struct trouble *trouble;
};

/* Reads a decimal number up to most on the present line. */
static uint32_t number(struct reader *reader, const char *what, uint64_t most)
{
    while (*reader->at == ' ' || *reader->at == '\t')
        reader->at++;
    if (!isdigit((unsigned char)*reader->at))
        fail(reader->trouble, DPFLIFT_TEXT, "line %u: %s is missing", reader->line, what);
    uint64_t value = 0;
    for (; isdigit((unsigned char)*reader->at); reader->at++) {
        value = value * 10 + (uint64_t)(*reader->at - '0');
        if (value > most)
            fail(reader->trouble, DPFLIFT_TEXT, "line %u: %s is greater than %llu", reader->line,
                 what, (unsigned long long)most);
    }
    return (uint32_t)value;
}

/* Goes to the next line; the present one must be at its end. */
static void end_line(struct reader *reader)
{
    while (*reader->at && *reader->at != '\n' && isspace((unsigned char)*reader->at))
        reader->at++;
    if (*reader->at && *reader->at != '\n')
        fail(reader->trouble, DPFLIFT_TEXT, "line %u: unexpected \"%.*s\"", reader->line,
             (int)strcspn(reader->at, " \t\r\n"), reader->at);
    if (*reader->at == '\n')
        reader->at++;
    reader->line++;
}

static void skip_blank_lines(struct reader *reader)
{
    const char *at = reader->at;
    for (; isspace((unsigned char)*at); at++) {
        if (*at == '\n') {
            reader->line++;
            reader->at = at + 1;
        }
    }
}

bool classic_is_ddd(const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t digits = strspn(text, "0123456789");
    text += digits;
    text += strspn(text, " \t\r");
    if (!digits || (*text && *text != '\n'))
        return false;
    text += strspn(text, " \t\r\n");
    return !*text || isdigit((unsigned char)*text);
}

void classic_read(struct classic *program, const char *text, struct trouble *trouble)
{
    struct reader reader = {text, 1, trouble};
    skip_blank_lines(&reader);
    program->count = number(&reader, "the number of instructions", CLASSIC_MAX);
    if (program->count == 0)
        fail(trouble, DPFLIFT_TEXT, "line %u: a program has at least one instruction", reader.line);
    end_line(&reader);
    for (uint32_t i = 0; i < program->count; i++) {
        struct classic_insn *insn = &program->insn[i];
        skip_blank_lines(&reader);
        if (!*reader.at)
            fail(trouble, DPFLIFT_TEXT, "line %u: %u instructions announced, only %u are there",
                 reader.line, program->count, i);
        insn->code = (uint16_t)number(&reader, "the opcode", UINT16_MAX);
        insn->jt = (uint8_t)number(&reader, "the jump if true", UINT8_MAX);
        insn->jf = (uint8_t)number(&reader, "the jump if false", UINT8_MAX);
        insn->k = number(&reader, "the operand", UINT32_MAX);
        end_line(&reader);
    }
    skip_blank_lines(&reader);
    if (*reader.at)
        fail(trouble, DPFLIFT_TEXT, "line %u: more than the %u instructions announced", reader.line,
             program->count);
}

/* What loads at SKF_AD_OFF and behind ask Linux's kernel, by pcap-filter's words (linux/filter.h).
 */
static const char *const ancillary[] = {"the protocol",
                                        "\"inbound\" or \"outbound\"",
                                        "\"ifindex\"",
                                        "a netlink attribute",
                                        "a nested netlink attribute",
                                        "the packet mark",
                                        "the queue",
                                        "the hardware type",
                                        "the hash",
                                        "the processor",
                                        "an XOR with X",
                                        "the VLAN tag",
                                        "whether a VLAN tag is there",
                                        "a payload offset",
                                        "a random number",
                                        "the VLAN protocol"};

#define ANCILLARY_FIRST 0xfffff000u /* SKF_AD_OFF */
#define LOAD_MAX        0xf0000000u /* from here on: SKF_NET_OFF, SKF_LL_OFF and nothing */

static void check_load(uint32_t i, struct classic_insn insn, struct trouble *trouble)
{
    if (insn.k < LOAD_MAX)
        return;
    uint32_t which = (insn.k - ANCILLARY_FIRST) / 4;
    if (insn.k >= ANCILLARY_FIRST && which < sizeof ancillary / sizeof *ancillary)
        fail(trouble, DPFLIFT_REFUSED, "%s is not in the frame: only Linux's kernel knows it",
             ancillary[which]);
    fail(trouble, DPFLIFT_REFUSED, "instruction %u loads at offset %d, which is not in the frame",
         i, (int32_t)insn.k);
}

static void check_jump(const struct classic *program, uint32_t i, struct trouble *trouble)
{
    struct classic_insn insn = program->insn[i];
    uint64_t farthest = insn.jt > insn.jf ? insn.jt : insn.jf;
    if (BPF_OP(insn.code) == BPF_JA) {
        if (insn.k >= UINT32_C(1) << 31)
            fail(trouble, DPFLIFT_REFUSED,
                 "a jump backward, as \"protochain\" makes, is a loop: filters have none");
        farthest = insn.k;
    }
    if (i + 1 + farthest >= program->count)
        fail(trouble, DPFLIFT_TEXT, "instruction %u jumps behind the last one", i);
}

enum check { CHECK_NOTHING, CHECK_LOAD, CHECK_WORD, CHECK_JUMP, CHECK_DIVISOR };

/* Every opcode there is. */
static const struct {
    uint16_t code;
    uint8_t check;
} opcodes[] = {
    {BPF_LD | BPF_W | BPF_ABS, CHECK_LOAD},
    {BPF_LD | BPF_H | BPF_ABS, CHECK_LOAD},
    {BPF_LD | BPF_B | BPF_ABS, CHECK_LOAD},
    {BPF_LD | BPF_W | BPF_IND, CHECK_LOAD},
    {BPF_LD | BPF_H | BPF_IND, CHECK_LOAD},
    {BPF_LD | BPF_B | BPF_IND, CHECK_LOAD},
    {BPF_LD | BPF_W | BPF_LEN, CHECK_NOTHING},
    {BPF_LD | BPF_IMM, CHECK_NOTHING},
    {BPF_LD | BPF_MEM, CHECK_WORD},
    {BPF_LDX | BPF_W | BPF_IMM, CHECK_NOTHING},
    {BPF_LDX | BPF_W | BPF_MEM, CHECK_WORD},
    {BPF_LDX | BPF_W | BPF_LEN, CHECK_NOTHING},
    {BPF_LDX | BPF_B | BPF_MSH, CHECK_LOAD},
    {BPF_ST, CHECK_WORD},
    {BPF_STX, CHECK_WORD},
    {BPF_ALU | BPF_ADD | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_SUB | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_MUL | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_DIV | BPF_K, CHECK_DIVISOR},
    {BPF_ALU | BPF_MOD | BPF_K, CHECK_DIVISOR},
    {BPF_ALU | BPF_AND | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_OR | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_XOR | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_LSH | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_RSH | BPF_K, CHECK_NOTHING},
    {BPF_ALU | BPF_ADD | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_SUB | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_MUL | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_DIV | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_MOD | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_AND | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_OR | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_XOR | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_LSH | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_RSH | BPF_X, CHECK_NOTHING},
    {BPF_ALU | BPF_NEG, CHECK_NOTHING},
    {BPF_JMP | BPF_JA, CHECK_JUMP},
    {BPF_JMP | BPF_JEQ | BPF_K, CHECK_JUMP},
    {BPF_JMP | BPF_JGT | BPF_K, CHECK_JUMP},
    {BPF_JMP | BPF_JGE | BPF_K, CHECK_JUMP},
    {BPF_JMP | BPF_JSET | BPF_K, CHECK_JUMP},
    {BPF_JMP | BPF_JEQ | BPF_X, CHECK_JUMP},
    {BPF_JMP | BPF_JGT | BPF_X, CHECK_JUMP},
    {BPF_JMP | BPF_JGE | BPF_X, CHECK_JUMP},
    {BPF_JMP | BPF_JSET | BPF_X, CHECK_JUMP},
    {BPF_RET | BPF_K, CHECK_NOTHING},
    {BPF_RET | BPF_A, CHECK_NOTHING},
    {BPF_MISC | BPF_TAX, CHECK_NOTHING},
    {BPF_MISC | BPF_TXA, CHECK_NOTHING},
};

static void check_insn(const struct classic *program, uint32_t i, struct trouble *trouble)
{
    struct classic_insn insn = program->insn[i];
    const size_t count = sizeof opcodes / sizeof *opcodes;
    size_t row = 0;
    while (row < count && opcodes[row].code != insn.code)
        row++;
    if (row == count)
        fail(trouble, DPFLIFT_TEXT, "instruction %u has the unknown opcode %u", i, insn.code);
    switch (opcodes[row].check) {
    case CHECK_LOAD:
        check_load(i, insn, trouble);
        break;
    case CHECK_WORD:
        if (insn.k >= CLASSIC_WORDS)
            fail(trouble, DPFLIFT_TEXT, "instruction %u uses scratch word %u of %u", i, insn.k,
                 CLASSIC_WORDS);
        break;
    case CHECK_JUMP:
        check_jump(program, i, trouble);
        break;
    case CHECK_DIVISOR:
        if (insn.k == 0)
            fail(trouble, DPFLIFT_TEXT, "instruction %u divides by zero", i);
        break;
    }
}

void classic_check(const struct classic *program, struct trouble *trouble)
{
    for (uint32_t i = 0; i < program->count; i++)
        check_insn(program, i, trouble);
    if (BPF_CLASS(program->insn[program->count - 1].code) != BPF_RET)
        fail(trouble, DPFLIFT_TEXT, "the last instruction is not a return");
}
