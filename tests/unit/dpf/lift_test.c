/*
 * dpflift: random BPF programs mean the same in atoms; what can't be said in atoms is refused by
 * name; filters as large as people write them stay small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pcap/pcap.h>

#include "gen.h"
#include "lifted.h"
#include "tools/dpfc/dpflift.h"

#define INSNS_MAX 48

/* The text that tcpdump -ddd prints for a program. */
static void print_ddd(char *text, size_t size, const struct bpf_insn *insns, unsigned count)
{
    size_t at = (size_t)snprintf(text, size, "%u\n", count);
    for (unsigned i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, size - at, "%u %u %u %u\n", insns[i].code, insns[i].jt,
                               insns[i].jf, insns[i].k);
    assert_true(at < size);
}

/* Instructions that atoms can often express, with operands that make some sense. */
static struct bpf_insn random_insn(struct gen *gen, unsigned left)
{
    static const struct bpf_insn choices[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 24},
        {BPF_LD | BPF_H | BPF_ABS, 0, 0, 24},
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 24},
        {BPF_LD | BPF_B | BPF_IND, 0, 0, 16},
        {BPF_LD | BPF_H | BPF_IND, 0, 0, 16},
        {BPF_LDX | BPF_B | BPF_MSH, 0, 0, 8},
        {BPF_LD | BPF_W | BPF_LEN, 0, 0, 1},
        {BPF_LD | BPF_IMM, 0, 0, 20},
        {BPF_LDX | BPF_IMM, 0, 0, 10},
        {BPF_ST, 0, 0, 2},
        {BPF_STX, 0, 0, 2},
        {BPF_LD | BPF_MEM, 0, 0, 2},
        {BPF_LDX | BPF_MEM, 0, 0, 2},
        {BPF_MISC | BPF_TAX, 0, 0, 1},
        {BPF_MISC | BPF_TXA, 0, 0, 1},
        {BPF_ALU | BPF_AND | BPF_K, 0, 0, 256},
        {BPF_ALU | BPF_AND | BPF_K, 0, 0, 16},
        {BPF_ALU | BPF_OR | BPF_K, 0, 0, 16},
        {BPF_ALU | BPF_ADD | BPF_K, 0, 0, 8},
        {BPF_ALU | BPF_SUB | BPF_K, 0, 0, 8},
        {BPF_ALU | BPF_MUL | BPF_K, 0, 0, 6},
        {BPF_ALU | BPF_DIV | BPF_K, 0, 0, 6},
        {BPF_ALU | BPF_MOD | BPF_K, 0, 0, 9},
        {BPF_ALU | BPF_LSH | BPF_K, 0, 0, 9},
        {BPF_ALU | BPF_RSH | BPF_K, 0, 0, 9},
        {BPF_ALU | BPF_ADD | BPF_X, 0, 0, 1},
        {BPF_ALU | BPF_XOR | BPF_K, 0, 0, 2},
        {BPF_ALU | BPF_NEG, 0, 0, 1},
    };
    static const uint16_t jumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    struct bpf_insn insn;
    if (left > 1 && gen_chance(gen, 40)) {
        insn.code = BPF_JMP | jumps[gen_below(gen, 4)] | (gen_chance(gen, 5) ? BPF_X : BPF_K);
        insn.jt = (u_char)gen_below(gen, left < 6 ? left : 6);
        insn.jf = (u_char)gen_below(gen, left < 6 ? left : 6);
        insn.k = gen_below(gen, gen_chance(gen, 80) ? 12 : 300);
        return insn;
    }
    insn = choices[gen_below(gen, gen_chance(gen, 85) ? 18 : sizeof choices / sizeof *choices)];
    insn.k = gen_below(gen, insn.k);
    unsigned op = BPF_OP(insn.code);
    if (BPF_CLASS(insn.code) == BPF_ALU && (op == BPF_DIV || op == BPF_MOD))
        insn.k++;
    if (left > 1 && gen_chance(gen, 3))
        insn = (struct bpf_insn){BPF_JMP | BPF_JA, 0, 0, gen_below(gen, left < 4 ? left : 4)};
    return insn;
}

static unsigned random_program(struct gen *gen, struct bpf_insn *insns)
{
    unsigned count = 8 + gen_below(gen, INSNS_MAX - 8);
    /* libpcap's evaluator doesn't clear its scratch words. */
    insns[0] = (struct bpf_insn){BPF_ST, 0, 0, 0};
    insns[1] = (struct bpf_insn){BPF_ST, 0, 0, 1};
    for (unsigned i = 2; i < count; i++)
        insns[i] = random_insn(gen, count - 1 - i);
    for (unsigned i = 4; i < count; i++)
        if (gen_chance(gen, 12))
            insns[i] = (struct bpf_insn){BPF_RET | BPF_K, 0, 0, gen_below(gen, 2)};
    insns[count - 1] = gen_chance(gen, 20) ? (struct bpf_insn){BPF_RET | BPF_A, 0, 0, 0}
                                           : (struct bpf_insn){BPF_RET | BPF_K, 0, 0, 1};
    return count;
}

static void random_programs_mean_the_same_in_atoms(void **state)
{
    struct gen gen = {41};
    unsigned lifted_programs = 0, matches = 0;
    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        struct bpf_insn insns[INSNS_MAX];
        char text[INSNS_MAX * 24], error[DPFLIFT_ERROR_SIZE];
        struct dpflift_image image;
        struct dpf_filter filter;
        unsigned count = random_program(&gen, insns);
        print_ddd(text, sizeof text, insns, count);
        assert_true(bpf_validate(insns, (int)count));
        enum dpflift_status status = dpflift_text(text, &image, 0, error);
        if (status == DPFLIFT_REFUSED)
            continue;
        if (status)
            fail_msg("%s\n%s", error, text);
        assert_int_equal(dpf_verify(image.bytes, image.size, &filter), 0);
        lifted_programs++;
        for (unsigned n = 0; n < 30; n++) {
            uint8_t frame[GEN_FRAME_MAX];
            size_t length = gen_below(&gen, 80);
            for (unsigned i = 0; i < sizeof frame; i++)
                frame[i] = (uint8_t)gen_below(&gen, gen_chance(&gen, 70) ? 12 : 256);
            gen_aim(&gen, &filter, frame, length);
            size_t available =
                gen_chance(&gen, 80) ? length : gen_below(&gen, (uint32_t)length + 1);
            bool expected = bpf_filter(insns, frame, (u_int)length, (u_int)available) != 0;
            if (dpf_match(&filter, frame, available, length) != expected)
                fail_msg("round %u: BPF says %d, DPF not, %zu of %zu bytes\n%s", round, expected,
                         available, length, text);
            matches += expected;
        }
        dpflift_free(&image);
    }
    print_message("%u programs lifted, %u frames matched\n", lifted_programs, matches);
    assert_true(lifted_programs > 4000 && matches > 20000);
}

static void ddd_output_gives_the_same_image(void **state)
{
    (void)state;
    for (size_t i = 0; i < lifted_count; i++) {
        static char text[1 << 16];
        struct bpf_program program;
        struct dpflift_image image;
        char error[DPFLIFT_ERROR_SIZE];
        pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
        assert_int_equal(pcap_compile(pcap, &program, lifted[i].text, 1, PCAP_NETMASK_UNKNOWN), 0);
        print_ddd(text, sizeof text, program.bf_insns, program.bf_len);
        if (dpflift_text(text, &image, 0, error))
            fail_msg("%s: %s", lifted[i].text, error);
        assert_int_equal(image.size, lifted[i].ingress.size);
        assert_memory_equal(image.bytes, (const uint8_t *)lifted[i].ingress.nodes - 16, image.size);
        dpflift_free(&image);
        pcap_freecode(&program);
        pcap_close(pcap);
    }
}

/* A text, what becomes of it, and words of the message. */
static const struct refusal {
    const char *text;
    enum dpflift_status status;
    const char *words;
} refusals[] = {
    {"inbound", DPFLIFT_REFUSED, "inbound"},
    {"ip6 protochain 6", DPFLIFT_REFUSED, "protochain"},
    {"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", DPFLIFT_REFUSED,
     "arithmetic between fields"},
    {"ip[2:2] = len", DPFLIFT_REFUSED, "comparison of two fields"},
    {"udp[ip[9]] = 1", DPFLIFT_REFUSED, "fields"},
    {"ip[0] ^ 3 = 1", DPFLIFT_REFUSED, "exclusive or"},
    {"ip[2:2] % 10 = 1", DPFLIFT_REFUSED, "remainder"},
    {"ip[12:4] * 3 = 1", DPFLIFT_REFUSED, "product that overflows"},
    {"ether[len] = 1", DPFLIFT_REFUSED, "offset"},
    {"ether[ip[12:4]] = 1", DPFLIFT_REFUSED, "65,535"},
    {"frob", DPFLIFT_TEXT, "syntax error"},
    {"udp port seven-of-nine", DPFLIFT_TEXT, "seven-of-nine"},
    {"", DPFLIFT_TEXT, "empty"},
    {"# only a comment\n", DPFLIFT_TEXT, "empty"},
    {"1 = 2", DPFLIFT_TEXT, "rejects all"},
    {"1\n6 0 0\n", DPFLIFT_TEXT, "line 2: the operand is missing"},
    {"2\n6 0 0 1\n", DPFLIFT_TEXT, "2 instructions announced, only 1"},
    {"1\n6 0 0 1\n6 0 0 1\n", DPFLIFT_TEXT, "line 3: more than the 1"},
    {"1\n6 0 0 1 9\n", DPFLIFT_TEXT, "line 2: unexpected \"9\""},
    {"1\n6 0 0 x\n", DPFLIFT_TEXT, "line 2: the operand is missing"},
    {"1\n6 0 0 4294967296\n", DPFLIFT_TEXT, "line 2: the operand is greater than 4294967295"},
    {"1\n6 256 0 1\n", DPFLIFT_TEXT, "line 2: the jump if true is greater than 255"},
    {"0\n", DPFLIFT_TEXT, "at least one"},
    {"5000\n", DPFLIFT_TEXT, "greater than 4096"},
    {"1\n40 0 0 12\n", DPFLIFT_TEXT, "not a return"},
    {"1\n65535 0 0 0\n", DPFLIFT_TEXT, "unknown opcode 65535"},
    {"2\n21 1 0 5\n6 0 0 1\n", DPFLIFT_TEXT, "instruction 0 jumps behind"},
    {"2\n5 0 0 1\n6 0 0 1\n", DPFLIFT_TEXT, "instruction 0 jumps behind"},
    {"2\n5 0 0 4294967295\n6 0 0 1\n", DPFLIFT_REFUSED, "loop"},
    {"2\n2 0 0 16\n6 0 0 1\n", DPFLIFT_TEXT, "scratch word 16"},
    {"2\n52 0 0 0\n6 0 0 1\n", DPFLIFT_TEXT, "divides by zero"},
    {"2\n40 0 0 4294963204\n6 0 0 1\n", DPFLIFT_REFUSED, "only Linux's kernel knows it"},
    {"2\n40 0 0 4293918720\n6 0 0 1\n", DPFLIFT_REFUSED, "not in the frame"},
};

static void refusals_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct dpflift_image image, egress;
        char error[DPFLIFT_ERROR_SIZE] = "";
        enum dpflift_status status = dpflift_text(refusals[i].text, &image, &egress, error);
        if (status != refusals[i].status || !strstr(error, refusals[i].words))
            fail_msg("\"%s\": status %d, %s", refusals[i].text, status, error);
        assert_null(image.bytes);
        assert_null(egress.bytes);
    }
}

static void fields_across_source_and_destination_have_no_egress(void **state)
{
    static const char *const texts[] = {"ether[4:4] = 0", "udp[0:4] = 7", "ip[14:4] = 0",
                                        "ether[ether[5]] = 1", "udp[udp[1]] = 1"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct dpflift_image image, egress;
        char error[DPFLIFT_ERROR_SIZE];
        assert_int_equal(dpflift_text(texts[i], &image, 0, error), DPFLIFT_OK);
        dpflift_free(&image);
        assert_int_equal(dpflift_text(texts[i], &image, &egress, error), DPFLIFT_REFUSED);
        assert_non_null(strstr(error, "no egress filter can be derived"));
    }
}

/* Appends count clauses to a text, joined by " or "; %u in a clause is its number. */
static void join(char *text, const char *clause, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        strcat(text, i ? " or " : "");
        char *at = text + strlen(text);
        for (const char *c = clause; *c; c++) {
            if (c[0] == '%' && c[1] == 'u') {
                at += sprintf(at, "%u", i + 1);
                c++;
            } else {
                *at++ = *c;
            }
        }
        *at = 0;
    }
}

static unsigned atoms_of(const char *text, struct dpf_filter *filter, struct dpflift_image *image)
{
    char error[DPFLIFT_ERROR_SIZE];
    if (dpflift_text(text, image, 0, error))
        fail_msg("%.60s...: %s", text, error);
    assert_int_equal(dpf_verify(image->bytes, image->size, filter), 0);
    return filter->node_count;
}

/* What people write at length stays small, and goes through the trie and the walks. */
static void long_expressions_stay_small(void **state)
{
    static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];
    static const struct {
        const char *clause;
        unsigned count, atoms;
    } rows[] = {
        {"udp port %u", 200, 10},
        {"udp port %u7", 200, 10},
        {"ip host 10.0.0.%u", 200, 3},
        {"net 10.%u.0.0/16", 200, 6},
        {"ether host 02:00:00:00:00:%u", 16, 100},
        {"(host 10.0.0.%u and port %u)", 30, 1024},
        {"tcp dst port %u", 300, 8},
        {"(ip src host 10.0.0.%u and udp src port %u)", 40, 201},
    };
    static char text[1 << 17];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dpflift_image image;
        struct dpf_filter filter;
        text[0] = 0;
        join(text, rows[i].clause, rows[i].count);
        unsigned atoms = atoms_of(text, &filter, &image);
        struct dpf_member member = {&filter, 1, 0, false};
        size_t size = dpf_trie_size(&member, 1, scratch);
        void *trie = malloc(size);
        assert_int_equal(dpf_trie_build(trie, size, 5, &member, 1, scratch), 0);
        enum dpf_decision itself = dpf_contains(&filter, &filter, 1000000, scratch);
        print_message("%u x %s: %u atoms, %u ranges, trie %zu bytes, contains itself: %d\n",
                      rows[i].count, rows[i].clause, atoms, filter.range_count, dpf_trie_used(trie),
                      itself);
        free(trie);
        dpflift_free(&image);
        assert_true(atoms <= rows[i].atoms && itself == DPF_YES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_mean_the_same_in_atoms),
        cmocka_unit_test(ddd_output_gives_the_same_image),
        cmocka_unit_test(refusals_are_named),
        cmocka_unit_test(fields_across_source_and_destination_have_no_egress),
        cmocka_unit_test(long_expressions_stay_small),
    };
    return cmocka_run_group_tests(tests, lifted_start, lifted_end);
}
