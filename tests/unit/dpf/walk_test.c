/*
 * Containment and overlap never claim what a frame refutes, on random filters and on the test
 * expressions; and they decide the pairs of filters that people bind side by side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gen.h"
#include "lifted.h"
#include "tools/dpfc/dpflift.h"

#define BUDGET 10000

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

/* What was claimed about pairs, and how often frames could have refuted it. */
struct tally {
    size_t yes, no, undecided, tested;
};

static void count(struct tally *tally, enum dpf_decision decision)
{
    tally->yes += decision == DPF_YES;
    tally->no += decision == DPF_NO;
    tally->undecided += decision == DPF_UNDECIDED;
}

/* Checks both claims about a pair on frames bent to both filters. */
static void try_pair(struct gen *gen, const struct dpf_filter *a, const struct dpf_filter *b,
                     const char *name, size_t length, struct tally *contained,
                     struct tally *overlap)
{
    enum dpf_decision contains = dpf_contains(a, b, BUDGET, scratch);
    enum dpf_decision overlaps = dpf_overlaps(a, b, BUDGET, scratch);
    count(contained, contains);
    count(overlap, overlaps);
    for (unsigned n = 0; n < 12; n++) {
        uint8_t frame[GEN_FRAME_MAX];
        gen_frame(gen, frame);
        gen_aim(gen, gen_chance(gen, 50) ? a : b, frame, length);
        gen_aim(gen, gen_chance(gen, 50) ? a : b, frame, length);
        size_t available = gen_chance(gen, 70) ? length : gen_below(gen, (uint32_t)length + 1);
        bool in_a = dpf_match(a, frame, available, length);
        bool in_b = dpf_match(b, frame, available, length);
        contained->tested += in_b && contains == DPF_YES;
        overlap->tested += (in_a || in_b) && overlaps == DPF_NO;
        if (in_b && !in_a && contains == DPF_YES)
            fail_msg("%s: containment claimed, and a frame of the inner is not in the outer", name);
        if (in_a && in_b && overlaps == DPF_NO)
            fail_msg("%s: claimed to be disjoint, and a frame is in both", name);
    }
}

static void claims_about_random_filters_hold(void **state)
{
    struct gen gen = {21};
    struct tally contained = {0}, overlap = {0};
    (void)state;
    for (unsigned round = 0; round < 6000; round++) {
        _Alignas(8) uint8_t memory[2][2048], both[4096];
        struct dpf_filter a = gen_filter(&gen, memory[0], 2048);
        struct dpf_filter b = gen_filter(&gen, memory[1], 2048), c;
        size_t length = 1 + gen_below(&gen, 40);
        try_pair(&gen, &a, &b, "two random filters", length, &contained, &overlap);
        int size = dpf_conjoin(&a, &b, both, sizeof both);
        assert_int_equal(dpf_verify(both, (size_t)size, &c), 0);
        try_pair(&gen, &a, &c, "a filter and its conjunction with another", length, &contained,
                 &overlap);
    }
    print_message(
        "contained: %zu yes, %zu no, %zu undecided, %zu frames; overlap: %zu, %zu, %zu, %zu\n",
        contained.yes, contained.no, contained.undecided, contained.tested, overlap.yes, overlap.no,
        overlap.undecided, overlap.tested);
    assert_true(contained.tested > 10000 && overlap.tested > 10000);
    assert_true(contained.undecided + overlap.undecided < 300);
}

static void claims_about_expressions_hold(void **state)
{
    struct gen gen = {22};
    struct tally contained = {0}, overlap = {0};
    (void)state;
    for (size_t i = 0; i < lifted_count; i++) {
        for (unsigned n = 0; n < 12; n++) {
            size_t k = gen_below(&gen, (uint32_t)lifted_count);
            char name[512];
            snprintf(name, sizeof name, "\"%s\" and \"%s\"", lifted[i].text, lifted[k].text);
            try_pair(&gen, &lifted[i].ingress, &lifted[k].ingress, name, 128, &contained, &overlap);
        }
    }
    print_message(
        "contained: %zu yes, %zu no, %zu undecided, %zu frames; overlap: %zu, %zu, %zu, %zu\n",
        contained.yes, contained.no, contained.undecided, contained.tested, overlap.yes, overlap.no,
        overlap.undecided, overlap.tested);
    assert_true(contained.yes > 100 && overlap.no > 300);
    assert_true(contained.undecided + overlap.undecided < 20);
}

static void an_expression_contains_itself_and_its_conjunctions(void **state)
{
    struct gen gen = {23};
    size_t proved = 0, pairs = 0;
    (void)state;
    for (size_t i = 0; i < lifted_count; i++) {
        const struct dpf_filter *a = &lifted[i].ingress;
        if (dpf_contains(a, a, BUDGET, scratch) != DPF_YES)
            fail_msg("\"%s\" doesn't contain itself", lifted[i].text);
        for (unsigned n = 0; n < 5; n++, pairs++) {
            static _Alignas(8) uint8_t memory[DPF_IMAGE_MAX];
            const struct lifted *other = &lifted[gen_below(&gen, (uint32_t)lifted_count)];
            struct dpf_filter both;
            int size = dpf_conjoin(a, &other->ingress, memory, sizeof memory);
            assert_int_equal(dpf_verify(memory, (size_t)size, &both), 0);
            bool first = dpf_contains(a, &both, BUDGET, scratch) == DPF_YES;
            bool second = dpf_contains(&other->ingress, &both, BUDGET, scratch) == DPF_YES;
            proved += first && second;
            if (!first || !second)
                print_message("not proved: \"%s\" and \"%s\" %d %d\n", lifted[i].text, other->text,
                              first, second);
        }
    }
    assert_true(proved == pairs);
}

/* Two expressions, and whether they overlap and the first contains the second: Y, N. */
static const struct relation {
    const char *a, *b;
    char overlap, contains;
} relations[] = {
    {"udp dst port 7", "udp dst port 8", 'N', 'N'},
    {"udp dst port 7", "udp dst port 7", 'Y', 'Y'},
    {"udp port 7", "udp dst port 7", 'Y', 'Y'},
    {"udp dst port 7", "udp port 7", 'Y', 'N'},
    {"udp port 7", "udp port 8", 'Y', 'N'}, /* from 7 to 8 */
    {"arp", "udp port 7", 'N', 'N'},
    {"arp", "ip", 'N', 'N'},
    {"ip", "ip6", 'N', 'N'},
    {"udp", "tcp", 'N', 'N'},
    {"tcp", "tcp port 80", 'Y', 'Y'},
    {"udp", "udp dst port 7", 'Y', 'Y'},
    {"ip", "tcp port 80", 'Y', 'N'},
    {"ip or ip6", "tcp port 80", 'Y', 'Y'},
    {"ip", "ip and tcp port 80", 'Y', 'Y'},
    {"port 53", "udp port 53", 'Y', 'Y'},
    {"port 53", "tcp dst port 53", 'Y', 'Y'},
    {"udp dst portrange 1000-2000", "udp dst port 1500", 'Y', 'Y'},
    {"udp dst portrange 1000-2000", "udp dst port 2001", 'N', 'N'},
    {"udp dst portrange 1000-2000", "udp dst portrange 2001-3000", 'N', 'N'},
    {"udp dst portrange 1000-2000", "udp dst portrange 1900-2100", 'Y', 'N'},
    {"net 10.0.0.0/8", "host 10.0.0.1", 'Y', 'Y'},
    {"dst net 10.0.0.0/8", "dst host 10.0.0.1", 'Y', 'Y'},
    {"dst net 10.0.0.0/8", "dst host 11.0.0.1", 'N', 'N'},
    {"dst net 10.0.0.0/8", "dst net 10.1.0.0/16", 'Y', 'Y'},
    {"dst net 10.0.0.0/16", "dst net 10.1.0.0/16", 'N', 'N'},
    {"dst host 10.0.0.1", "udp and dst host 10.0.0.1 and dst port 7", 'Y', 'Y'},
    {"tcp and src host 10.0.0.1 and dst host 10.0.0.2 and src port 80 and dst port 1000",
     "tcp and src host 10.0.0.1 and dst host 10.0.0.2 and src port 80 and dst port 1001", 'N', 'N'},
    {"tcp and dst host 10.0.0.2 and dst port 80",
     "tcp and src host 10.0.0.1 and dst host 10.0.0.2 and src port 999 and dst port 80", 'Y', 'Y'},
    {"tcp dst port 80", "tcp dst port 80 and tcp[tcpflags] & tcp-syn != 0", 'Y', 'Y'},
    {"tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] == tcp-syn|tcp-ack", 'Y', 'Y'},
    {"tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] & tcp-syn == 0", 'N', 'N'},
    {"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[tcpflags] & tcp-fin != 0", 'Y', 'Y'},
    {"icmp", "icmp[icmptype] = icmp-echo", 'Y', 'Y'},
    {"icmp[icmptype] = icmp-echo", "icmp[icmptype] = icmp-echoreply", 'N', 'N'},
    {"not udp", "udp dst port 7", 'N', 'N'},
    {"not udp", "tcp", 'Y', 'Y'},
    {"not port 7", "udp dst port 7", 'N', 'N'},
    {"udp and not dst port 7", "udp dst port 8", 'Y', 'Y'},
    {"ether src 02:00:00:00:00:01", "ether src 02:00:00:00:00:01 and udp", 'Y', 'Y'},
    {"ether src 02:00:00:00:00:01", "ether src 02:00:00:00:00:02 and udp", 'N', 'N'},
    {"ether src 02:00:00:00:00:01", "udp", 'Y', 'N'},
    {"vlan 3", "vlan 3 and udp", 'Y', 'Y'},
    {"vlan 3", "vlan 4", 'N', 'N'},
    {"udp", "vlan and udp", 'N', 'N'},
    {"ip[8] < 5", "ip[8] = 3", 'Y', 'Y'},
    {"ip[12] = 10", "src host 10.0.0.1", 'Y', 'N'}, /* ARP too */
    {"ip[12] = 10", "ip src host 10.0.0.1", 'Y', 'Y'},
    {"ip[12:2] = 0x0a00", "ip src host 10.1.0.1", 'N', 'N'},
    {"ip src net 10.0.0.0/8", "ip[12:2] = 0x0a01", 'Y', 'N'}, /* cut off after two bytes */
    {"ip[12:4] & 1 = 1", "ip src host 10.0.0.1", 'Y', 'Y'},
    {"ip[12:4] & 1 = 0", "ip src host 10.0.0.1", 'N', 'N'},
    {"udp[2] = 0", "ip and udp dst port 7", 'Y', 'Y'},
    {"udp[3] = 8", "ip and udp dst port 7", 'N', 'N'},
    {"ip[0] = 0x45 and udp and ip[22:2] = 7", "ip[0] = 0x45 and udp dst port 8", 'N', 'N'},
    {"ip and udp dst port 7", "ip[0] = 0x45 and ip[6:2] & 0x1fff = 0 and udp and ip[22:2] = 7", 'Y',
     'Y'},
    {"less 100", "less 60", 'Y', 'Y'},
    {"less 60", "greater 61", 'N', 'N'},
    {"less 40", "ether[60] = 1", 'N', 'N'},
    {"greater 60", "ether[60] = 1", 'Y', 'Y'},
    {"tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
     "dst port 80 and tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420", 'Y', 'Y'},
    {"tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
     "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x48545450", 'N', 'N'},
    {"port 80 or port 443 or port 8080", "tcp dst port 443", 'Y', 'Y'},
    {"host 10.0.0.1 or host 10.0.0.2", "host 10.0.0.2", 'Y', 'Y'},
    {"(host 10.0.0.1 and port 7) or (host 10.0.0.2 and port 8)", "udp and host 10.0.0.1 and port 7",
     'Y', 'Y'},
    {"(dst host 10.0.0.1 and dst port 7) or (dst host 10.0.0.2 and dst port 8)",
     "dst host 10.0.0.1 and dst port 8", 'N', 'N'},
    {"len >= 0", "udp", 'Y', 'Y'},
    /* Bytes that can't be read say nothing about a length, and nothing about other bases. */
    {"not ether[60] = 1", "less 40", 'N', 'N'},
    {"not ether[60] = 1", "ip and udp dst port 7 and less 50", 'N', 'N'},
    {"ip and udp and ip[6:2] & 0x1fff = 0 and udp[20] >= 0",
     "ip and udp and ip[6:2] & 0x1fff = 0 and ether[40 + (ip[1] & 15) * 4] = 3", 'Y', 'N'},
    /* What is known of a base on one path isn't on the next: with options the port is elsewhere. */
    {"(ip[22:2] = 5 and ip[0] = 0x45) or (ip[22:2] = 9 and ip[8] = 1)", "ip and udp dst port 8",
     'Y', 'N'},
};

static struct dpf_filter compile(const char *text, struct dpflift_image *image)
{
    char error[DPFLIFT_ERROR_SIZE];
    struct dpf_filter filter;
    if (dpflift_text(text, image, 0, error))
        fail_msg("%s: %s", text, error);
    assert_int_equal(dpf_verify(image->bytes, image->size, &filter), 0);
    return filter;
}

static char letter(enum dpf_decision decision)
{
    return decision == DPF_YES ? 'Y' : decision == DPF_NO ? 'N' : '?';
}

static void practical_pairs_are_decided(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
        const struct relation *r = &relations[i];
        struct dpflift_image images[2];
        struct dpf_filter a = compile(r->a, &images[0]), b = compile(r->b, &images[1]);
        char overlap = letter(dpf_overlaps(&a, &b, 500, scratch));
        char back = letter(dpf_overlaps(&b, &a, 500, scratch));
        char contains = letter(dpf_contains(&a, &b, 500, scratch));
        if (overlap != r->overlap || back != r->overlap || contains != r->contains)
            fail_msg("\"%s\" and \"%s\": overlap %c and %c, not %c; contains %c, not %c", r->a,
                     r->b, overlap, back, r->overlap, contains, r->contains);
        dpflift_free(&images[0]);
        dpflift_free(&images[1]);
    }
}

/* Every budget gives the full answer or none: a walk that is cut short claims nothing. */
static void a_spent_budget_is_undecided(void **state)
{
    (void)state;
    struct dpflift_image images[2];
    struct dpf_filter a = compile("port 53 or host 10.0.0.1", &images[0]);
    struct dpf_filter b = compile("udp dst port 53 and not net 10.0.0.0/8", &images[1]);
    bool decided = false;
    assert_int_equal(dpf_contains(&a, &b, 0, scratch), DPF_UNDECIDED);
    assert_int_equal(dpf_overlaps(&a, &b, 0, scratch), DPF_UNDECIDED);
    for (size_t budget = 0; budget < 500; budget++) {
        enum dpf_decision decision = dpf_contains(&a, &b, budget, scratch);
        assert_true(decision == DPF_YES || (decision == DPF_UNDECIDED && !decided));
        decided |= decision == DPF_YES;
    }
    assert_true(decided);
    dpflift_free(&images[0]);
    dpflift_free(&images[1]);
}

/* What a kernel with a thousand filters of one shape lives by: with no budget nothing is searched.
 */
static void filters_of_one_shape_are_told_apart_without_a_search(void **state)
{
    static const char *const pairs[][3] = {
        {"ip and udp dst port 7", "ip and udp dst port 9", "N"},
        {"ip proto 6 and ether[34:2] = 7", "ip proto 6 and ether[34:2] = 9", "N"},
        {"ip proto 6 and ether[34:2] = 7", "ip proto 6 and ether[34:2] > 6", "?"},
        {"ip proto 6 and ether[34:2] = 7", "ip proto 6 and ether[34] = 9", "?"},
        {"ip proto 6 and ether[34:2] = 7", "ip proto 6 and ether[36:2] = 9", "?"},
        {"ether[34:2] != 7", "ether[34:2] != 9", "?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct dpflift_image images[2];
        struct dpf_filter a = compile(pairs[i][0], &images[0]),
                          b = compile(pairs[i][1], &images[1]);
        char overlap = letter(dpf_overlaps(&a, &b, 0, scratch));
        if (overlap != *pairs[i][2])
            fail_msg("\"%s\" and \"%s\": overlap %c", pairs[i][0], pairs[i][1], overlap);
        dpflift_free(&images[0]);
        dpflift_free(&images[1]);
    }
}

static enum dpf_decision decide_in_steps(bool contains, const struct dpf_filter *a,
                                         const struct dpf_filter *b, size_t budget, size_t each,
                                         size_t *calls)
{
    enum dpf_decision decision = DPF_MORE;
    if (contains)
        dpf_contains_begin(a, b, budget, scratch);
    else
        dpf_overlaps_begin(a, b, budget, scratch);
    for (; decision == DPF_MORE; ++*calls) {
        size_t work = each;
        decision = dpf_decide(scratch, &work);
        assert_true(decision != DPF_MORE || work == 0);
        assert_true(work < each || each == 0);
    }
    return decision;
}

/* Wherever it is interrupted, in sets of hundreds of ranges too. */
static void decisions_in_steps_are_those_made_at_once(void **state)
{
    static _Alignas(8) uint8_t memory[2][DPF_IMAGE_MAX], both[2 * DPF_IMAGE_MAX];
    struct gen gen = {31};
    struct tally tally = {0};
    size_t calls = 0;
    (void)state;
    for (unsigned round = 0; round < 1200; round++) {
        struct dpf_filter a =
            gen_chance(&gen, 60) ? gen_large(&gen, memory[0]) : gen_filter(&gen, memory[0], 2048);
        struct dpf_filter b =
            gen_chance(&gen, 60) ? gen_large(&gen, memory[1]) : gen_filter(&gen, memory[1], 2048);
        int size = dpf_conjoin(&a, &b, both, sizeof both);
        if (size > 0 && gen_chance(&gen, 50))
            assert_int_equal(dpf_verify(both, (size_t)size, &b), 0);
        size_t budget = gen_chance(&gen, 70) ? BUDGET : gen_below(&gen, 300);
        size_t each = 1 + gen_below(&gen, 300);
        enum dpf_decision contains = dpf_contains(&a, &b, budget, scratch);
        enum dpf_decision overlaps = dpf_overlaps(&a, &b, budget, scratch);
        count(&tally, contains);
        count(&tally, overlaps);
        assert_int_equal(decide_in_steps(true, &a, &b, budget, each, &calls), contains);
        assert_int_equal(decide_in_steps(false, &a, &b, budget, each, &calls), overlaps);
    }
    print_message("%zu yes, %zu no, %zu undecided, %zu calls\n", tally.yes, tally.no,
                  tally.undecided, calls);
    assert_true(tally.yes > 300 && tally.no > 300 && tally.undecided > 100 && calls > 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_about_random_filters_hold),
        cmocka_unit_test(claims_about_expressions_hold),
        cmocka_unit_test(an_expression_contains_itself_and_its_conjunctions),
        cmocka_unit_test(practical_pairs_are_decided),
        cmocka_unit_test(a_spent_budget_is_undecided),
        cmocka_unit_test(decisions_in_steps_are_those_made_at_once),
        cmocka_unit_test(filters_of_one_shape_are_told_apart_without_a_search),
    };
    return cmocka_run_group_tests(tests, lifted_start, lifted_end);
}
