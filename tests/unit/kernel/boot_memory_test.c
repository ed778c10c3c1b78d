/* Memory before page.c: what is free is exactly what the board has less what is taken, page by
 * page. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "kernel/boot_memory.h"
#include "host.h"
#include "kernel/phys.h"
#include "random.h"

#define BASE  0x80000000UL
#define PAGES 16384 /* that the model knows: 64 MiB from BASE on */

extern char kernel_start[], kernel_end[];

static bool is_free[PAGES];

/* Marks the pages of a range: those that lie in it wholly, or those that it touches. */
static void mark(struct range range, bool value, bool whole)
{
    uint64_t first = range.start < BASE ? 0 : range.start - BASE;
    uint64_t end = range.end < BASE ? 0 : range.end - BASE;

    for (uint64_t i = 0; i < PAGES && range.start < range.end; i++) {
        uint64_t at = i * PAGE_SIZE;
        bool in = whole ? at >= first && at + PAGE_SIZE <= end : at + PAGE_SIZE > first && at < end;
        if (in)
            is_free[i] = value;
    }
}

static void build_model(const struct board *board)
{
    memset(is_free, 0, sizeof(is_free));
    for (size_t i = 0; i < board->memory_count; i++)
        mark(board->memory[i], true, true);
    for (size_t i = 0; i < board->reserved_count; i++)
        mark(board->reserved[i], false, false);
    mark(board->tree, false, false);
    mark(board->initrd, false, false);
    uint64_t start = image_to_phys(kernel_start);
    mark((struct range){start, image_to_phys(kernel_end)}, false, false);
    mark((struct range){board->memory[0].start, start}, false, false);
}

/* The free ranges are ascending, don't touch, and cover the model's free pages and no others. */
static void compare(void)
{
    size_t count, at = 0;
    const struct range *ranges = boot_memory_free(&count);
    uint64_t before = 0;

    for (size_t i = 0; i < count; i++) {
        assert_true(ranges[i].start % PAGE_SIZE == 0 && ranges[i].end % PAGE_SIZE == 0);
        assert_true(ranges[i].start > before && ranges[i].end > ranges[i].start);
        before = ranges[i].end;
        for (; BASE + at * PAGE_SIZE < ranges[i].start; at++)
            assert_false(is_free[at]);
        for (; BASE + at * PAGE_SIZE < ranges[i].end; at++)
            assert_true(is_free[at]);
    }
    for (; at < PAGES; at++)
        assert_false(is_free[at]);
}

static struct range random_range(uint64_t most, uint64_t align)
{
    uint64_t start = BASE + random_below(PAGES * PAGE_SIZE) / align * align;
    uint64_t size = (1 + random_below(most)) / align * align + align;
    uint64_t end =
        start + size < BASE + PAGES * PAGE_SIZE ? start + size : BASE + PAGES * PAGE_SIZE;

    return (struct range){start, end};
}

/* At least 32 MiB, since boot_memory_init refuses less; the rest in pieces that may overlap. */
static struct board random_board(bool overlapping)
{
    struct board board = {.memory_count = 1 + random_below(6), .reserved_count = random_below(10)};
    uint64_t at = BASE, end = BASE + (24UL << 20);

    board.memory[0] = (struct range){at, end};
    for (size_t i = 1; i < board.memory_count; i++) {
        at = end + (random_below(3) ? random_below(300) * PAGE_SIZE : 0);
        end = at + (1 + random_below(1024)) * PAGE_SIZE;
        board.memory[i] = (struct range){at, end};
        if (overlapping)
            board.memory[i] = random_range(8 << 20, PAGE_SIZE);
    }
    board.memory[board.memory_count++] = (struct range){BASE + (54UL << 20), BASE + (63UL << 20)};
    /* In any order: but the first is the firmware's. */
    if (random_below(2)) {
        struct range swap = board.memory[1];
        board.memory[1] = board.memory[board.memory_count - 1];
        board.memory[board.memory_count - 1] = swap;
    }
    for (size_t i = 0; i < board.reserved_count; i++)
        board.reserved[i] = random_range(1 << 20, 1 + random_below(4096));
    board.tree = random_range(16384, 8);
    board.initrd = random_below(4) ? random_range(1 << 20, 1) : (struct range){0, 0};
    return board;
}

struct request {
    size_t pages, align;
    uint8_t *given;
};

static void allocate(void *argument)
{
    struct request *r = argument;

    r->given = boot_alloc(r->pages, r->align);
}

/* The lowest place that fits, by the model; PAGES if there is none. */
static size_t lowest(const struct request *r)
{
    size_t run = 0; /* free pages up to here, counted from an aligned one */

    for (size_t i = 0; i < PAGES; i++) {
        if (!is_free[i] || (run == 0 && (BASE / PAGE_SIZE + i) % r->align))
            run = 0;
        else if (++run == r->pages)
            return i + 1 - run;
    }
    return PAGES;
}

static void take_some(void)
{
    for (int i = 0; i < 12; i++) {
        struct request r = {.pages = 1 + random_below(random_below(8) ? 20 : 8000),
                            .align = 1UL << random_below(5)};
        size_t at = lowest(&r);
        enum host_end how = host_run(allocate, &r);
        if (at == PAGES) {
            assert_int_equal(how, HOST_REFUSED);
            assert_non_null(strstr(host_text, "of contiguous memory for the kernel's tables"));
            continue;
        }
        if (how == HOST_REFUSED) { /* by alignment one more piece may come than there is room for */
            assert_non_null(strstr(host_text, "memory is cut into more than"));
            return;
        }
        assert_int_equal(how, HOST_RETURNED);
        assert_true(virt_to_phys(r.given) == BASE + at * PAGE_SIZE);
        for (size_t n = 0; n < r.pages * PAGE_SIZE; n += 64)
            assert_int_equal(r.given[n], 0);
        memset(&is_free[at], false, r.pages);
        compare();
    }
}

static void init(void *board)
{
    boot_memory_init(board);
}

static void boards_at_random(bool overlapping)
{
    host_base = BASE;
    host_size = PAGES * PAGE_SIZE;
    for (int i = 0; i < 150; i++) {
        struct board board = random_board(overlapping);
        assert_int_equal(host_run(init, &board), HOST_RETURNED);
        build_model(&board);
        compare();
        take_some();
    }
}

static void what_is_free_agrees_with_a_bitmap(void **state)
{
    (void)state;
    seed_random(2);
    boards_at_random(false);
}

static void memory_that_a_board_names_twice_is_there_once(void **state)
{
    (void)state;
    seed_random(3);
    boards_at_random(true);
}

static void less_than_32_mib_are_refused_with_the_flag_that_mends_it(void **state)
{
    (void)state;
    struct board board = {.memory = {{BASE, BASE + (32UL << 20) - PAGE_SIZE}}, .memory_count = 1};

    assert_int_equal(host_run(init, &board), HOST_REFUSED);
    assert_string_equal(host_text,
                        "the machine has 31 MiB of memory, and 32 are needed: start QEMU "
                        "with -m 32");
    board.memory[0].end += PAGE_SIZE;
    assert_int_equal(host_run(init, &board), HOST_RETURNED);
}

static void the_same_memory_named_twice_counts_once(void **state)
{
    (void)state;
    struct range half = {BASE, BASE + (16UL << 20)};
    struct board board = {.memory = {half, half}, .memory_count = 2};

    assert_int_equal(host_run(init, &board), HOST_REFUSED);
    assert_non_null(strstr(host_text, "the machine has 16 MiB"));
}

static void the_span_is_from_the_lowest_to_the_highest(void **state)
{
    (void)state;
    struct board board = {.memory = {{50, 60}, {10, 20}, {70, 75}, {30, 90}}, .memory_count = 4};
    struct range span = boot_memory_span(&board);

    assert_true(span.start == 10 && span.end == 90);
}

static int make_memory(void **state)
{
    *state = host_memory = aligned_alloc(PAGE_SIZE, PAGES * PAGE_SIZE);
    memset(host_memory, 0xa5, PAGES * PAGE_SIZE);
    return 0;
}

static int free_memory(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_free_agrees_with_a_bitmap),
        cmocka_unit_test(memory_that_a_board_names_twice_is_there_once),
        cmocka_unit_test(less_than_32_mib_are_refused_with_the_flag_that_mends_it),
        cmocka_unit_test(the_same_memory_named_twice_counts_once),
        cmocka_unit_test(the_span_is_from_the_lowest_to_the_highest),
    };

    return cmocka_run_group_tests(tests, make_memory, free_memory);
}
