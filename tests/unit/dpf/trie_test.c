/*
 * The merged trie against the naive evaluator, on random filters that overlap, nest and shift in
 * every way; and its promises: memory within the bound, copies that work anywhere, a cost that
 * doesn't grow with filters of one shape.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gen.h"

#define MEMBERS_MAX 40
#define IMAGE_SIZE  2048

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

struct fixture {
    _Alignas(8) uint8_t image[MEMBERS_MAX][IMAGE_SIZE];
    struct dpf_filter filter[MEMBERS_MAX];
    struct dpf_member member[MEMBERS_MAX];
    unsigned count;
};

static int finish(void *trie)
{
    size_t work = SIZE_MAX;
    return dpf_trie_finish(trie, &work);
}

static void make_members(struct gen *gen, struct fixture *f)
{
    f->count = 1 + gen_below(gen, MEMBERS_MAX);
    unsigned ranks = 1 + gen_below(gen, MEMBERS_MAX);
    for (unsigned i = 0; i < f->count; i++) {
        f->filter[i] = gen_filter(gen, f->image[i], IMAGE_SIZE);
        f->member[i] =
            (struct dpf_member){&f->filter[i], 100 + i, gen_below(gen, ranks), gen_chance(gen, 15)};
    }
}

/* What the trie should say, by asking each filter. */
static struct dpf_result oracle(const struct fixture *f, const uint8_t *frame, size_t available,
                                size_t length)
{
    struct dpf_result result = {DPF_NONE, 0, 0};
    int64_t best = -1;
    unsigned taps = 0;
    for (unsigned i = 0; i < f->count; i++) {
        const struct dpf_member *m = &f->member[i];
        bool matches = dpf_match(m->filter, frame, available, length);
        if (m->tap)
            result.taps |= (uint64_t)matches << taps++;
        else if (matches && m->rank > best) {
            best = m->rank;
            result.id = m->id;
        }
    }
    return result;
}

static void *build(const struct fixture *f, size_t *size)
{
    *size = dpf_trie_size(f->member, f->count, scratch);
    void *memory = malloc(*size);
    assert_non_null(memory);
    int error = dpf_trie_build(memory, *size, 42, f->member, f->count, scratch);
    if (error)
        fail_msg("%u members: %s", f->count, dpf_strerror(error));
    return memory;
}

static void random_frame(struct gen *gen, const struct fixture *f, uint8_t *frame,
                         size_t *available)
{
    *available = gen_below(gen, 40);
    for (unsigned i = 0; i < 40; i++)
        frame[i] = (uint8_t)gen_below(gen, gen_chance(gen, 80) ? 8 : 256);
    if (gen_chance(gen, 80))
        gen_aim(gen, &f->filter[gen_below(gen, f->count)], frame, *available);
}

static void trie_agrees_with_the_naive_evaluator(void **state)
{
    static struct fixture f;
    struct gen gen = {7};
    size_t wins = 0, taps = 0;
    (void)state;
    for (unsigned round = 0; round < 1500; round++) {
        size_t size;
        make_members(&gen, &f);
        void *memory = build(&f, &size);
        for (unsigned n = 0; n < 60; n++) {
            uint8_t frame[GEN_FRAME_MAX];
            size_t available;
            random_frame(&gen, &f, frame, &available);
            size_t length = available + (gen_chance(&gen, 20) ? gen_below(&gen, 40) : 0);
            uint8_t *tight = gen_tight(frame, available);
            struct dpf_result expected = oracle(&f, tight, available, length);
            struct dpf_result found = dpf_classify(memory, tight, available, length);
            if (found.id != expected.id || found.taps != expected.taps)
                fail_msg("round %u frame %u: winner %d, not %d; taps %llx, not %llx", round, n,
                         (int)found.id, (int)expected.id, (unsigned long long)found.taps,
                         (unsigned long long)expected.taps);
            wins += expected.id != DPF_NONE;
            taps += expected.taps != 0;
            free(tight);
        }
        free(memory);
    }
    assert_true(wins > 30000 && taps > 10000);
}

/* The original Xok tested the alternatives of a failed shift against the shifted frame. */
static void base_is_restored_after_a_failed_shift(void **state)
{
    _Alignas(8) uint8_t memory[4][512];
    const uint16_t first[] = {4}, deep[] = {2, 4}, plain[] = {4};
    const uint16_t value[] = {0x1111}, deep_values[] = {0x2222, 0x3333}, plain_value[] = {0x4444};
    struct dpf_filter filters[] = {
        gen_tuple(memory[0], 512, first, value, 1, 0),      /* base + 4 is 1111 */
        gen_tuple(memory[1], 512, deep, deep_values, 2, 0), /* base + 2 is 2222, base + 4 is 3333 */
        gen_tuple(memory[2], 512, plain, plain_value, 1, 1), /* 4 is 4444 */
    };
    struct dpf_member members[3];
    _Alignas(8) uint8_t trie[4096];
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        members[i] = (struct dpf_member){&filters[i], i, 0, false};
    assert_int_equal(dpf_trie_build(trie, sizeof trie, 1, members, 3, scratch), 0);
    /* IHL 2: the base is 8. Offset 4 is 4444, and offsets 10 and 12 make the second filter fail
     * late. */
    uint8_t frame[16] = {2, 0, 0, 0, 0x44, 0x44, 0, 0, 0, 0, 0x22, 0x22, 0x33, 0x34};
    assert_int_equal(dpf_classify((void *)trie, frame, 16, 16).id, 2);
    frame[13] = 0x33;
    frame[4] = 0;
    assert_int_equal(dpf_classify((void *)trie, frame, 16, 16).id, 1);
    /* 4444 at base + 4 must not do for the third filter. */
    frame[12] = frame[13] = 0x44;
    assert_int_equal(dpf_classify((void *)trie, frame, 16, 16).id, DPF_NONE);
}

#define MANY 1000

/* A thousand filters of one shape: four fixed tests, then source and destination port behind a
 * shift. */
static void make_many(uint8_t (*memory)[320], struct dpf_filter *filters,
                      struct dpf_member *members, unsigned count)
{
    static const uint16_t offsets[] = {12, 20, 26, 30, 14, 16};
    for (unsigned i = 0; i < count; i++) {
        const uint16_t values[] = {0x0800,
                                   0x0011,
                                   0x0a00,
                                   (uint16_t)(i % 7),
                                   (uint16_t)(1000 + i / 10),
                                   (uint16_t)(2000 + i % 10)};
        filters[i] = gen_tuple(memory[i], 320, offsets, values, 6, 4);
        members[i] = (struct dpf_member){&filters[i], i, 1, false};
    }
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned classify_member(const void *trie, unsigned i)
{
    uint8_t frame[64] = {5};
    put16(frame + 12, 0x0800);
    put16(frame + 20, 0x0011);
    put16(frame + 26, 0x0a00);
    put16(frame + 30, i % 7);
    put16(frame + 34, 1000 + i / 10);
    put16(frame + 36, 2000 + i % 10);
    struct dpf_result result = dpf_classify(trie, frame, sizeof frame, sizeof frame);
    assert_int_equal(result.id, i);
    return result.steps;
}

static void cost_is_flat_for_filters_of_one_shape(void **state)
{
    static uint8_t memory[MANY][320] __attribute__((aligned(8)));
    static struct dpf_filter filters[MANY];
    static struct dpf_member members[MANY];
    unsigned most[2] = {0}, sum[2] = {0};
    static const unsigned counts[] = {1, MANY};
    (void)state;
    make_many(memory, filters, members, MANY);
    for (unsigned c = 0; c < 2; c++) {
        size_t size = dpf_trie_size(members, counts[c], scratch);
        void *trie = malloc(size);
        assert_int_equal(dpf_trie_build(trie, size, 3, members, counts[c], scratch), 0);
        for (unsigned i = 0; i < counts[c]; i++) {
            unsigned steps = classify_member(trie, i);
            most[c] = steps > most[c] ? steps : most[c];
            sum[c] += steps;
        }
        free(trie);
    }
    print_message("steps for 1 filter: %u; for %u: %u on average, %u at most\n", most[0], MANY,
                  sum[1] / MANY, most[1]);
    assert_true(most[0] <= 9);
    assert_true(sum[1] / MANY <= most[0] + 8);
    assert_true(most[1] <= most[0] + 3 * 16);
}

/* "udp port N" says: source port N, or not source port N and destination port N. */
static void cost_is_flat_for_either_of_two_ports(void **state)
{
    static uint8_t memory[MANY][320] __attribute__((aligned(8)));
    static struct dpf_filter filters[MANY];
    static struct dpf_member members[MANY];
    static const uint16_t offsets[] = {0, 2};
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        const uint16_t values[] = {(uint16_t)(3 * i), (uint16_t)(3 * i)};
        filters[i] = gen_tuple(memory[i], 320, offsets, values, 2, 2);
        /* From "and" to "or": the first test accepts, its no leads to the second. */
        struct dpf_node *node = (void *)(memory[i] + sizeof(struct dpf_header));
        node[0].yes = DPF_ACCEPT;
        node[0].no = 1;
        members[i] = (struct dpf_member){&filters[i], i, i, false};
    }
    size_t size = dpf_trie_size(members, MANY, scratch);
    void *trie = malloc(size);
    assert_int_equal(dpf_trie_build(trie, size, 3, members, MANY, scratch), 0);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t frame[4] = {0};
        put16(frame, 3 * i);
        put16(frame + 2, 3 * (MANY - 1 - i));
        struct dpf_result result = dpf_classify(trie, frame, 4, 4);
        assert_int_equal(result.id, i > MANY - 1 - i ? i : MANY - 1 - i);
        assert_true(result.steps <= 40);
    }
    free(trie);
}

static void a_copy_works_elsewhere(void **state)
{
    static struct fixture f;
    struct gen gen = {9};
    size_t size;
    (void)state;
    make_members(&gen, &f);
    void *memory = build(&f, &size);
    size_t used = dpf_trie_used(memory);
    assert_true(used <= size);
    void *copy = malloc(used);
    memcpy(copy, memory, used);
    for (unsigned n = 0; n < 500; n++) {
        uint8_t frame[GEN_FRAME_MAX];
        size_t available;
        random_frame(&gen, &f, frame, &available);
        struct dpf_result a = dpf_classify(memory, frame, available, available);
        struct dpf_result b = dpf_classify(copy, frame, available, available);
        assert_memory_equal(&a, &b, sizeof a);
    }
    free(copy);
    free(memory);
}

/* With whatever size below what is needed, building fails cleanly; ASan watches the ends. */
static void short_memory_is_an_error(void **state)
{
    static struct fixture f;
    struct gen gen = {11};
    size_t size;
    (void)state;
    make_members(&gen, &f);
    f.count = f.count < 12 ? f.count : 12;
    free(build(&f, &size));
    bool fits = false;
    for (size_t n = 0; n < size + 56; n += 56) {
        void *memory = malloc(n ? n : 8);
        int error = dpf_trie_build(memory, n, 42, f.member, f.count, scratch);
        assert_true(error == 0 || error == DPF_E_SPACE);
        assert_true(error == 0 || !fits);
        fits = error == 0;
        free(memory);
    }
    assert_true(fits);
}

/* As dpf_trie_build, with so much work a call. */
static int build_in_steps(void *trie, size_t size, const struct fixture *f, size_t each,
                          unsigned *calls)
{
    int error = dpf_trie_begin(trie, size, 42);
    for (unsigned i = 0; i < f->count && !error; i++) {
        error = dpf_trie_add_begin(trie, &f->member[i], scratch);
        for (int more = 1; more == 1 && !error; ++*calls) {
            size_t work = each;
            more = dpf_trie_add_step(scratch, &work);
            assert_true(more != 1 || work == 0);
            error = more < 0 ? more : 0;
        }
    }
    for (int more = 1; more == 1 && !error; ++*calls) {
        size_t work = each;
        more = dpf_trie_finish(trie, &work);
        assert_true(more != 1 || work == 0);
        error = more < 0 ? more : 0;
    }
    return error;
}

/* Large sets, filters that are copied, taps; in memory that is sometimes too small. */
static void large_members_in_any_steps_give_the_same_trie(void **state)
{
    static struct fixture f;
    static _Alignas(8) uint8_t images[8][DPF_IMAGE_MAX];
    struct gen gen = {14};
    unsigned calls = 0, full = 0;
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        make_members(&gen, &f);
        f.count = f.count > 8 ? 8 : f.count;
        for (unsigned i = 0; i < f.count; i++)
            if (gen_chance(&gen, 60))
                f.filter[i] = gen_large(&gen, images[i]);
        size_t size = dpf_trie_size(f.member, f.count, scratch);
        if (gen_chance(&gen, 20))
            size /= 1 + gen_below(&gen, 8);
        uint8_t *whole = calloc(1, size + 8), *stepped = calloc(1, size + 8);
        int error = dpf_trie_build(whole, size, 42, f.member, f.count, scratch);
        size_t each = 1 + gen_below(&gen, 200);
        assert_int_equal(build_in_steps(stepped, size, &f, each, &calls), error);
        if (!error)
            assert_memory_equal(whole, stepped, dpf_trie_used((void *)whole));
        full += error != 0;
        free(whole);
        free(stepped);
    }
    assert_true(calls > 10000 && full > 0 && full < 30);
}

/* Until a member is in, nothing else can be done with the trie. */
static void a_trie_with_half_a_member_takes_no_other(void **state)
{
    _Alignas(8) uint8_t image[64], trie[4096];
    struct dpf_filter all;
    size_t work = 0;
    (void)state;
    int size = dpf_make_all(image, sizeof image);
    assert_int_equal(dpf_verify(image, (size_t)size, &all), 0);
    struct dpf_member member = {&all, 1, 0, false};
    assert_int_equal(dpf_trie_begin(trie, sizeof trie, 0), 0);
    assert_int_equal(dpf_trie_add_begin(trie, &member, scratch), 0);
    assert_int_equal(dpf_trie_add_step(scratch, &work), 1);
    assert_int_equal(dpf_trie_add_begin(trie, &member, scratch), DPF_E_SPACE);
    work = SIZE_MAX;
    assert_int_equal(dpf_trie_finish(trie, &work), DPF_E_SPACE);
    assert_int_equal(dpf_trie_add_step(scratch, &work), 0);
    assert_int_equal(finish(trie), 0);
}

static void building_in_steps_gives_the_same_trie(void **state)
{
    static struct fixture f;
    struct gen gen = {13};
    size_t size;
    unsigned calls = 0;
    (void)state;
    make_members(&gen, &f);
    uint8_t *whole = build(&f, &size), *stepped = malloc(size);
    assert_int_equal(build_in_steps(stepped, size, &f, 5, &calls), 0);
    assert_true(calls > 3);
    assert_int_equal(dpf_trie_used((void *)stepped), dpf_trie_used((void *)whole));
    for (unsigned n = 0; n < 200; n++) {
        uint8_t frame[GEN_FRAME_MAX];
        size_t available;
        random_frame(&gen, &f, frame, &available);
        struct dpf_result a = dpf_classify((void *)whole, frame, available, available);
        struct dpf_result b = dpf_classify((void *)stepped, frame, available, available);
        assert_memory_equal(&a, &b, sizeof a);
    }
    free(whole);
    free(stepped);
}

static void taps_are_limited_and_named(void **state)
{
    _Alignas(8) uint8_t image[64];
    struct dpf_filter all;
    static _Alignas(8) uint8_t trie[1 << 16];
    (void)state;
    assert_int_equal(dpf_verify(image, (size_t)dpf_make_all(image, sizeof image), &all), 0);
    assert_int_equal(dpf_trie_begin(trie, sizeof trie, 0), 0);
    for (unsigned i = 0; i < DPF_TAPS_MAX; i++)
        assert_int_equal(dpf_trie_add(trie, &(struct dpf_member){&all, i + 7, 0, true}, scratch),
                         0);
    assert_int_equal(finish(trie), 0);
    struct dpf_result result = dpf_classify((void *)trie, image, 0, 0);
    assert_true(result.id == DPF_NONE && result.taps == UINT64_MAX);
    assert_int_equal(dpf_trie_tap((void *)trie, 63), 70);
    assert_int_equal(dpf_trie_tap((void *)trie, 64), DPF_NONE);

    assert_int_equal(dpf_trie_begin(trie, sizeof trie, 0), 0);
    int error = 0;
    for (unsigned i = 0; i <= DPF_TAPS_MAX; i++)
        error = dpf_trie_add(trie, &(struct dpf_member){&all, i, 0, true}, scratch);
    assert_int_equal(error, DPF_E_TAPS);
    assert_int_equal(finish(trie), DPF_E_SPACE);
}

static void an_empty_trie_takes_nothing(void **state)
{
    _Alignas(8) uint8_t trie[1024], frame[4] = {0};
    (void)state;
    assert_int_equal(dpf_trie_build(trie, sizeof trie, 0, 0, 0, scratch), 0);
    struct dpf_result result = dpf_classify((void *)trie, frame, 4, 4);
    assert_true(result.id == DPF_NONE && result.taps == 0 && result.steps == 0);
    assert_int_equal(dpf_trie_build(trie + 4, 512, 0, 0, 0, scratch), DPF_E_ALIGNMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trie_agrees_with_the_naive_evaluator),
        cmocka_unit_test(base_is_restored_after_a_failed_shift),
        cmocka_unit_test(cost_is_flat_for_filters_of_one_shape),
        cmocka_unit_test(cost_is_flat_for_either_of_two_ports),
        cmocka_unit_test(a_copy_works_elsewhere),
        cmocka_unit_test(short_memory_is_an_error),
        cmocka_unit_test(building_in_steps_gives_the_same_trie),
        cmocka_unit_test(large_members_in_any_steps_give_the_same_trie),
        cmocka_unit_test(a_trie_with_half_a_member_takes_no_other),
        cmocka_unit_test(taps_are_limited_and_named),
        cmocka_unit_test(an_empty_trie_takes_nothing),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
