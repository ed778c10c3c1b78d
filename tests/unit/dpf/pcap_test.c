/*
 * DPF against libpcap: a filter compiled by dpflift accepts exactly the frames that
 * pcap_offline_filter accepts, and the egress filter accepts the same frames turned round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pcap/pcap.h>

#include "gen.h"
#include "lifted.h"

#define LIFTED_MAX 400
#define FRAMES     1000 /* an expression: some 300,000 pairs in all */

static struct bpf_program *compile(const char *text)
{
    static struct bpf_program program;
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
    assert_non_null(pcap);
    if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN))
        fail_msg("%s: %s", text, pcap_geterr(pcap));
    pcap_close(pcap);
    return &program;
}

/* A frame for a filter: traffic, mostly bent to the filter, then mutated. */
static size_t make_frame(struct gen *gen, const struct dpf_filter *filter, uint8_t *frame)
{
    size_t length = gen_frame(gen, frame);
    for (unsigned times = gen_below(gen, 3); times > 0; times--)
        gen_aim(gen, filter, frame, length);
    return gen_mutate(gen, frame, length);
}

static void print_frame(const uint8_t *frame, size_t length)
{
    for (size_t i = 0; i < length; i++)
        print_message("%02x", frame[i]);
    print_message("\n");
}

/* Compares on one frame; returns whether it matches. length may exceed what is readable. */
static bool compare(const struct lifted *row, const struct bpf_program *program,
                    const uint8_t *frame, size_t available, size_t length)
{
    struct pcap_pkthdr header = {.caplen = (bpf_u_int32)available, .len = (bpf_u_int32)length};
    bool expected = pcap_offline_filter(program, &header, frame) != 0;
    uint8_t *tight = gen_tight(frame, available);
    bool found = dpf_match(&row->ingress, tight, available, length);
    free(tight);
    if (found != expected) {
        print_frame(frame, available);
        fail_msg("\"%s\": libpcap says %d, DPF %d, on %zu of %zu bytes", row->text, expected, found,
                 available, length);
    }
    return found;
}

static void lifted_filters_match_as_libpcap_does(void **state)
{
    struct gen gen = {1};
    size_t pairs = 0, matches = 0, never = 0, always = 0;
    (void)state;
    for (size_t i = 0; i < lifted_count; i++) {
        struct bpf_program *program = compile(lifted[i].text);
        unsigned found = 0;
        for (unsigned n = 0; n < FRAMES; n++) {
            uint8_t frame[GEN_FRAME_MAX];
            size_t available = make_frame(&gen, &lifted[i].ingress, frame);
            size_t length = available + (gen_chance(&gen, 10) ? gen_below(&gen, 100) : 0);
            found += compare(&lifted[i], program, frame, available, length);
        }
        pcap_freecode(program);
        pairs += FRAMES;
        matches += found;
        never += found == 0;
        always += found == FRAMES;
    }
    print_message("%zu pairs, %zu match; %zu filters took no frame, %zu took all\n", pairs, matches,
                  never, always);
    assert_true(pairs >= 100000 && matches > pairs / 5 && matches < 4 * pairs / 5);
    assert_true(never <= 5 && always <= 5);
}

static void swap(uint8_t *a, uint8_t *b, size_t length)
{
    while (length--) {
        uint8_t byte = *a;
        *a++ = *b;
        *b++ = byte;
    }
}

static bool has_ports(unsigned protocol)
{
    return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

/* Exchanges source and destination of every header that a frame really has; false if headers
 * overlap. */
static bool turn_round(uint8_t *frame)
{
    uint8_t *p = frame + 12;
    unsigned type;
    swap(frame, frame + 6, 6);
    while ((type = (unsigned)(p[0] << 8 | p[1])) == 0x8100 || type == 0x88a8 || type == 0x9100)
        p += 4;
    p += 2;
    if (type == 0x0800 && ((p[0] & 15) < 5 || (p[9] == 6 && p[4 * (p[0] & 15) + 12] < 0x50)))
        return false;
    if (type == 0x0800) {
        swap(p + 12, p + 16, 4);
        if (has_ports(p[9]))
            swap(p + 4 * (p[0] & 15), p + 4 * (p[0] & 15) + 2, 2);
    } else if (type == 0x86dd) {
        swap(p + 8, p + 24, 16);
        if (has_ports(p[6]))
            swap(p + 40, p + 42, 2);
    } else if (type == 0x0806 || type == 0x8035) {
        swap(p + 8, p + 18, 6);
        swap(p + 14, p + 24, 4);
    }
    return true;
}

static void egress_filters_match_frames_turned_round(void **state)
{
    struct gen gen = {2};
    size_t matches = 0, pairs = 0;
    (void)state;
    for (size_t i = 0; i < lifted_count; i++) {
        if (!lifted[i].exchanges)
            continue;
        for (unsigned n = 0; n < FRAMES / 4; n++, pairs++) {
            uint8_t frame[GEN_FRAME_MAX], turned[GEN_FRAME_MAX];
            gen_frame(&gen, frame);
            gen_aim(&gen, &lifted[i].ingress, frame, sizeof frame);
            memcpy(turned, frame, sizeof frame);
            if (!turn_round(turned))
                continue;
            bool in = dpf_match(&lifted[i].ingress, frame, sizeof frame, sizeof frame);
            bool out = dpf_match(&lifted[i].egress, turned, sizeof frame, sizeof frame);
            if (in != out) {
                print_frame(frame, sizeof frame);
                fail_msg("\"%s\": ingress %d, egress of the frame turned round %d", lifted[i].text,
                         in, out);
            }
            matches += in;
        }
    }
    assert_true(matches > pairs / 5);
}

/* All expressions in one trie: every seventh as a tap, the others with random ranks. */
static void check_merged(struct gen *gen, const void *trie, const struct dpf_member *members,
                         size_t count, size_t *steps)
{
    uint8_t frame[GEN_FRAME_MAX];
    size_t length = make_frame(gen, members[gen_below(gen, (uint32_t)count)].filter, frame);
    uint8_t *tight = gen_tight(frame, length);
    const struct dpf_member *best = 0;
    uint64_t taps = 0;
    unsigned tap = 0;
    for (size_t i = 0; i < count; i++) {
        bool matches = dpf_match(members[i].filter, tight, length, length);
        if (members[i].tap)
            taps |= (uint64_t)matches << tap++;
        else if (matches && (!best || members[i].rank > best->rank))
            best = &members[i];
    }
    struct dpf_result found = dpf_classify(trie, tight, length, length);
    *steps += found.steps;
    if (found.id != (best ? best->id : DPF_NONE) || found.taps != taps) {
        print_frame(frame, length);
        fail_msg("the trie says %d, should say %d", (int)found.id, best ? (int)best->id : -1);
    }
    free(tight);
}

static void all_expressions_merge_into_one_trie(void **state)
{
    static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];
    static struct dpf_member members[LIFTED_MAX];
    struct gen gen = {3};
    size_t steps = 0, frames = 0;
    (void)state;
    assert_true(lifted_count <= LIFTED_MAX);
    for (unsigned round = 0; round < 6; round++) {
        for (size_t i = 0; i < lifted_count; i++)
            members[i] = (struct dpf_member){&lifted[i].ingress, (uint32_t)i,
                                             gen_below(&gen, round < 3 ? 3 : 1000), i % 7 == 6};
        size_t size = dpf_trie_size(members, lifted_count, scratch);
        void *trie = malloc(size);
        assert_int_equal(dpf_trie_build(trie, size, round, members, lifted_count, scratch), 0);
        for (unsigned n = 0; n < 1000; n++, frames++)
            check_merged(&gen, trie, members, lifted_count, &steps);
        if (round == 0)
            print_message("%zu filters: %zu bytes of trie, bound %zu\n", lifted_count,
                          dpf_trie_used(trie), size);
        free(trie);
    }
    print_message("%zu steps a frame on average\n", steps / frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifted_filters_match_as_libpcap_does),
        cmocka_unit_test(egress_filters_match_frames_turned_round),
        cmocka_unit_test(all_expressions_merge_into_one_trie),
    };
    return cmocka_run_group_tests(tests, lifted_start, lifted_end);
}
