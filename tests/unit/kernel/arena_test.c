/* The arena: what is given out doesn't overlap, what is given back serves again, and NULL says that
 * nothing fits. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "kernel/arena.h"
#include "random.h"

#define SIZE   65536
#define UNIT   16 /* a piece's header, and what sizes are rounded to */
#define PIECES 200

static uint8_t *memory;
static uint64_t unused;

static int begin(void **state)
{
    *state = memory = aligned_alloc(16, SIZE);
    arena_init(memory, SIZE, &unused);
    return 0;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static struct piece {
    uint8_t *at;
    size_t size;
    uint8_t mark;
} pieces[PIECES];

static void fill(struct piece *p)
{
    p->mark = (uint8_t)(1 + random_below(255));
    memset(p->at, p->mark, p->size);
}

static void check_mark(const struct piece *p)
{
    for (size_t i = 0; i < p->size; i++)
        assert_int_equal(p->at[i], p->mark);
}

static void check_place(const struct piece *p)
{
    assert_int_equal((uintptr_t)p->at % UNIT, 0);
    assert_true(p->at >= memory + UNIT && p->at + p->size <= memory + SIZE - UNIT);
    for (size_t i = 0; i < PIECES; i++) {
        const struct piece *other = &pieces[i];
        if (other != p && other->at)
            assert_true(p->at >= other->at + other->size + UNIT ||
                        other->at >= p->at + p->size + UNIT);
    }
}

static int by_address(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

/* The longest stretch that no piece and no header covers: an upper bound of what can be had. */
static size_t longest_gap(void)
{
    struct piece sorted[PIECES];
    size_t longest = 0;
    const uint8_t *end = memory;

    memcpy(sorted, pieces, sizeof(sorted));
    qsort(sorted, PIECES, sizeof(*sorted), by_address);
    for (size_t i = 0; i < PIECES; i++) {
        if (!sorted[i].at)
            continue;
        size_t gap = (size_t)(sorted[i].at - UNIT - end);
        longest = gap > longest ? gap : longest;
        end = sorted[i].at + (sorted[i].size + UNIT - 1) / UNIT * UNIT;
    }
    size_t gap = (size_t)(memory + SIZE - UNIT - end);
    return gap > longest ? gap : longest;
}

static void a_random_history_agrees_with_a_list_of_pieces(void **state)
{
    (void)state;
    size_t refused = 0;

    memset(pieces, 0, sizeof(pieces));
    seed_random(1);
    for (int step = 0; step < 20000; step++) {
        struct piece *p = &pieces[random_below(PIECES)];
        if (p->at) {
            check_mark(p);
            arena_free(p->at);
            p->at = NULL;
            continue;
        }
        p->size = random_below(4) ? random_below(600) : random_below(6000);
        p->at = arena_alloc(p->size);
        if (p->at) {
            check_place(p);
            fill(p);
            continue;
        }
        refused++;
        /* A piece may be 16 bytes longer than asked for, where the rest would be no piece. */
        assert_true(longest_gap() < p->size + UNIT + UNIT - 1 + UNIT);
    }
    assert_in_range(refused, 100, 10000); /* both sides of the line were seen */
    for (size_t i = 0; i < PIECES; i++)
        if (pieces[i].at)
            check_mark(&pieces[i]), arena_free(pieces[i].at);
    assert_int_equal(unused, SIZE - UNIT);
    assert_non_null(arena_alloc(SIZE - 2 * UNIT)); /* all of it is one piece again */
    assert_int_equal(unused, 0);
}

static void neighbours_that_are_free_become_one(void **state)
{
    (void)state;
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    for (size_t order = 0; order < 6; order++) {
        void *p[3];
        for (int i = 0; i < 3; i++)
            p[i] = arena_alloc(1000);
        void *guard = arena_alloc(SIZE - 3 * 1024 - 2 * UNIT); /* the rest */
        assert_non_null(guard);
        assert_null(arena_alloc(0));
        for (int i = 0; i < 3; i++)
            arena_free(p[orders[order][i]]);
        assert_null(arena_alloc(3 * 1024 - UNIT + 1));
        void *whole = arena_alloc(3 * 1024 - UNIT);
        assert_ptr_equal(whole, p[0]);
        arena_free(whole);
        arena_free(guard);
    }
}

static void the_whole_arena_and_not_a_byte_more(void **state)
{
    (void)state;
    assert_null(arena_alloc(SIZE - 2 * UNIT + 1));
    uint8_t *all = arena_alloc(SIZE - 2 * UNIT);
    assert_ptr_equal(all, memory + UNIT);
    memset(all, 0xff, SIZE - 2 * UNIT);
    assert_null(arena_alloc(0));
    assert_null(arena_alloc(1));
    arena_free(all);
    assert_ptr_equal(arena_alloc(1), all);
}

static void sizes_that_wrap_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++)
        assert_null(arena_alloc(SIZE_MAX - i));
    assert_null(arena_alloc(SIZE_MAX / 2));
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_random_history_agrees_with_a_list_of_pieces, begin, end),
        cmocka_unit_test_setup_teardown(neighbours_that_are_free_become_one, begin, end),
        cmocka_unit_test_setup_teardown(the_whole_arena_and_not_a_byte_more, begin, end),
        cmocka_unit_test_setup_teardown(sizes_that_wrap_are_refused, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
