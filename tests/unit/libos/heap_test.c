/* The heap of malloc: random lives of blocks against a model, with its own check after every step.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "libos/vm/heap.h"
#include "libos/vm/quick.h"

#define MEMORY (1 << 20)
#define BLOCKS 200

struct fixture {
    struct heap heap;
    uint8_t *memory;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || posix_memalign((void **)&f->memory, 4096, MEMORY))
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->memory);
    free(f);
    return 0;
}

static void an_empty_heap_gives_nothing(void **state)
{
    struct fixture *f = *state;
    assert_null(heap_alloc(&f->heap, 1, 16));
    assert_null(heap_alloc(&f->heap, 0, 16));
}

static void one_block_takes_nearly_all(void **state)
{
    struct fixture *f = *state;
    heap_grow(&f->heap, f->memory, MEMORY);
    assert_null(heap_alloc(&f->heap, MEMORY - 16, 16));
    void *all = heap_alloc(&f->heap, MEMORY * 15 / 16, 16); /* a class's step below the whole */
    assert_non_null(all);
    assert_int_equal(heap_check(&f->heap, f->memory), 0);
    heap_free(&f->heap, all);
    assert_int_equal(f->heap.used, 0);
    assert_int_equal(heap_check(&f->heap, f->memory), 0);
}

static void memory_that_follows_is_joined(void **state)
{
    struct fixture *f = *state;
    for (size_t at = 0; at < MEMORY; at += MEMORY / 4) {
        heap_grow(&f->heap, f->memory + at, MEMORY / 4);
        assert_int_equal(heap_check(&f->heap, f->memory), 0);
    }
    assert_non_null(heap_alloc(&f->heap, MEMORY * 3 / 4, 16));
}

static void memory_apart_is_used_too(void **state)
{
    struct fixture *f = *state;
    heap_grow(&f->heap, f->memory, MEMORY / 4);
    heap_grow(&f->heap, f->memory + MEMORY / 2, MEMORY / 4);
    void *a = heap_alloc(&f->heap, MEMORY / 5, 16), *b = heap_alloc(&f->heap, MEMORY / 5, 16);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(heap_alloc(&f->heap, MEMORY / 5, 16));
}

static void absurd_sizes_are_refused(void **state)
{
    struct fixture *f = *state;
    heap_grow(&f->heap, f->memory, MEMORY);
    static const size_t sizes[] = {HEAP_MAX, HEAP_MAX - 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_null(heap_alloc(&f->heap, sizes[i], 16));
        assert_null(heap_alloc(&f->heap, 1, (SIZE_MAX >> 1) + 1));
    }
    void *p = heap_alloc(&f->heap, 100, 16);
    assert_false(heap_resize(&f->heap, p, SIZE_MAX));
    assert_int_equal(heap_check(&f->heap, f->memory), 0);
}

struct block {
    uint8_t *at;
    size_t size;
    uint8_t value;
};

static void check_bytes(const struct block *b)
{
    for (size_t i = 0; i < b->size; i++)
        if (b->at[i] != b->value)
            fail_msg("byte %zu of a block of %zu has changed", i, b->size);
}

static void renew(struct fixture *f, struct block *b, unsigned *seed)
{
    size_t alignment = rand_r(seed) % 4 ? 16 : (size_t)16 << rand_r(seed) % 9;
    size_t size = (size_t)rand_r(seed) % (1u << (4 + rand_r(seed) % 12));
    if (b->at) {
        check_bytes(b);
        heap_free(&f->heap, b->at);
    }
    b->at = heap_alloc(&f->heap, size, alignment);
    if (!b->at)
        return;
    assert_int_equal((uintptr_t)b->at % alignment, 0);
    assert_true(heap_size(b->at) >= size);
    b->size = size;
    b->value = (uint8_t)rand_r(seed);
    memset(b->at, b->value, size);
}

static void resize(struct fixture *f, struct block *b, unsigned *seed)
{
    size_t size = (size_t)rand_r(seed) % 20000;
    if (!b->at || !heap_resize(&f->heap, b->at, size))
        return;
    assert_true(heap_size(b->at) >= size);
    b->size = b->size < size ? b->size : size;
    check_bytes(b);
    memset(b->at, b->value, size);
    b->size = size;
}

static void random_lives_keep_every_rule(void **state)
{
    struct fixture *f = *state;
    struct block blocks[BLOCKS] = {{0}};
    unsigned seed = 1;
    heap_grow(&f->heap, f->memory, MEMORY);
    for (int i = 0; i < 20000; i++) {
        struct block *b = &blocks[rand_r(&seed) % BLOCKS];
        if (rand_r(&seed) % 3)
            renew(f, b, &seed);
        else
            resize(f, b, &seed);
        int broken = heap_check(&f->heap, f->memory);
        if (broken)
            fail_msg("after step %d rule %d is broken", i, broken);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i].at)
            heap_free(&f->heap, blocks[i].at);
    assert_int_equal(f->heap.used, 0);
    assert_non_null(heap_alloc(&f->heap, MEMORY * 15 / 16, 16)); /* all of it is one block again */
}

/* The check itself must notice what it is there for: one broken word each. */
static void the_check_notices_damage(void **state)
{
    struct fixture *f = *state;
    heap_grow(&f->heap, f->memory, MEMORY);
    uint8_t *a = heap_alloc(&f->heap, 100, 16), *b = heap_alloc(&f->heap, 100, 16);
    uint8_t *c = heap_alloc(&f->heap, 100, 16);
    assert_non_null(c);
    heap_free(&f->heap, b);
    uint64_t *words[] = {(uint64_t *)(a - 8), (uint64_t *)(b - 8), (uint64_t *)(c - 16)};
    for (size_t i = 0; i < 3; i++) {
        uint64_t good = *words[i];
        *words[i] = good ^ 16;
        assert_int_not_equal(heap_check(&f->heap, f->memory), 0);
        *words[i] = good;
    }
    f->heap.first ^= 1;
    assert_int_equal(heap_check(&f->heap, f->memory), 4);
    f->heap.first ^= 1;
    f->heap.used += 16;
    assert_int_equal(heap_check(&f->heap, f->memory), 5);
    f->heap.used -= 16;
    assert_int_equal(heap_check(&f->heap, f->memory), 0);
}

static void small_blocks_freed_last_come_back_first(void **state)
{
    struct fixture *f = *state;
    struct quick quick = {0};
    heap_grow(&f->heap, f->memory, MEMORY);
    void *a = heap_alloc(&f->heap, 100, 16), *b = heap_alloc(&f->heap, 100, 16);
    assert_null(quick_take(&quick, 100));
    assert_true(quick_put(&quick, a));
    assert_true(quick_put(&quick, b));
    assert_null(quick_take(&quick, heap_size(a) + 1)); /* of another size */
    assert_null(quick_take(&quick, heap_size(a) - 16));
    assert_ptr_equal(quick_take(&quick, heap_size(a)), b);
    assert_ptr_equal(quick_take(&quick, 100), a);
    assert_null(quick_take(&quick, 100));
    heap_free(&f->heap, a);
    heap_free(&f->heap, b);
    assert_int_equal(f->heap.used, 0);
}

static void quick_lists_keep_few_and_give_all_back(void **state)
{
    struct fixture *f = *state;
    struct quick quick = {0};
    heap_grow(&f->heap, f->memory, MEMORY);
    assert_false(quick_empty(&quick, &f->heap));
    for (size_t size = 0; size <= 16 * (QUICK_CLASSES + 2); size++) {
        void *blocks[QUICK_MOST + 1];
        size_t least = size ? (size + 15) & ~(size_t)15 : 16;
        for (size_t i = 0; i <= QUICK_MOST; i++)
            blocks[i] = heap_alloc(&f->heap, size, 16);
        for (size_t i = 0; i <= QUICK_MOST; i++) {
            bool taken = quick_put(&quick, blocks[i]);
            assert_int_equal(taken, heap_size(blocks[i]) <= 16 * QUICK_CLASSES && i < QUICK_MOST);
            if (!taken)
                heap_free(&f->heap, blocks[i]);
        }
        void *back = quick_take(&quick, size);
        assert_int_equal(back != NULL, least <= 16 * QUICK_CLASSES);
        if (back) {
            assert_true(heap_size(back) >= size);
            memset(back, 0xa5, heap_size(back));
            assert_true(quick_put(&quick, back));
        }
        assert_int_equal(heap_check(&f->heap, f->memory), 0);
        assert_int_equal(quick_empty(&quick, &f->heap), least <= 16 * QUICK_CLASSES);
        assert_int_equal(f->heap.used, 0);
    }
    assert_null(quick_take(&quick, SIZE_MAX));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_heap_gives_nothing),
        TEST(one_block_takes_nearly_all),
        TEST(memory_that_follows_is_joined),
        TEST(memory_apart_is_used_too),
        TEST(absurd_sizes_are_refused),
        TEST(random_lives_keep_every_rule),
        TEST(the_check_notices_damage),
        TEST(small_blocks_freed_last_come_back_first),
        TEST(quick_lists_keep_few_and_give_all_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
