/* Wake-up predicates: each comparison, masks, deadlines, and what is refused. */
#include <string.h>

#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

static uint64_t word;

static struct aegis_predicate when(uint64_t op, uint64_t value, uint64_t mask)
{
    return (struct aegis_predicate){.word = &word, .mask = mask, .value = value, .op = op};
}

/* Whether the predicate holds at once: with a deadline in the past, wait only looks. */
static bool holds(uint64_t op, uint64_t value, uint64_t mask)
{
    struct aegis_predicate p = when(op, value, mask);
    int64_t result = aegis_wait(&p, 1, 0);
    if (result != 0 && result != 1)
        FAIL("wait gives %s", aegis_error_name(result));
    return result == 0;
}

static void comparisons(void)
{
    static const struct {
        uint64_t word, op, value, mask;
        bool holds;
    } rows[] = {
        {5, AEGIS_WAKE_EQ, 5, UINT64_MAX, true},
        {5, AEGIS_WAKE_EQ, 6, UINT64_MAX, false},
        {5, AEGIS_WAKE_NE, 6, UINT64_MAX, true},
        {5, AEGIS_WAKE_NE, 5, UINT64_MAX, false},
        {5, AEGIS_WAKE_GE, 5, UINT64_MAX, true},
        {5, AEGIS_WAKE_GE, 6, UINT64_MAX, false},
        {5, AEGIS_WAKE_GE, 4, UINT64_MAX, true},
        {UINT64_MAX, AEGIS_WAKE_GE, 1, UINT64_MAX, true},
        {1, AEGIS_WAKE_GE, 1UL << 63, UINT64_MAX, false},
        {0xab00, AEGIS_WAKE_EQ, 0xab00, 0xff00, true},
        {0xabcd, AEGIS_WAKE_EQ, 0xab00, 0xff00, true},
        {0xabcd, AEGIS_WAKE_NE, 0xab00, 0xff00, false},
        {0xabcd, AEGIS_WAKE_EQ, 0, 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        word = rows[i].word;
        if (holds(rows[i].op, rows[i].value, rows[i].mask) != rows[i].holds)
            FAIL("row %u", (unsigned)i);
    }
}

static void which_one(void)
{
    struct aegis_predicate p[4];
    word = 7;
    for (int i = 0; i < 4; i++)
        p[i] = when(AEGIS_WAKE_EQ, i == 2 ? 7 : 8, UINT64_MAX);
    CHECK_EQ(aegis_wait(p, 4, AEGIS_FOREVER), 2);
    p[2].value = 8;
    CHECK_EQ(aegis_wait(p, 4, 0), 4);
    CHECK_EQ(aegis_wait(p, 4, time_now()), 4);
}

static void deadlines(void)
{
    uint64_t start = time_now(), asked = time_from_ns(50000000), limit = test_deadline();
    CHECK_EQ(aegis_wait(NULL, 0, start + asked), 0);
    CHECK(time_now() - start >= asked);
    CHECK(time_now() < limit);
    word = 1;
    struct aegis_predicate p = when(AEGIS_WAKE_EQ, 2, UINT64_MAX);
    start = time_now();
    CHECK_EQ(aegis_wait(&p, 1, start + asked), 1);
    CHECK(time_now() - start >= asked);
}

static void refusals(void)
{
    struct aegis_predicate p[5] = {0}, bad;
    const volatile uint64_t *const addresses[] = {
        NULL,
        (const uint64_t *)0x7000,
        (const uint64_t *)0xffffffff80200000,
        (const uint64_t *)0xfffffffffffffff8,
        (const uint64_t *)AEGIS_USER_END,
        (const uint64_t *)(AEGIS_USER_END - 8),
        (const uint64_t *)(AEGIS_EXPOSED_BASE + 0x3ffff000),
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        bad = (struct aegis_predicate){.word = addresses[i], .op = AEGIS_WAKE_EQ, .value = 1};
        int64_t got = aegis_wait(&bad, 1, 0);
        if (got != -AEGIS_E_ADDRESS)
            FAIL("a predicate at %p gives %s", (void *)(uintptr_t)addresses[i],
                 aegis_error_name(got));
    }
    bad = when(AEGIS_WAKE_GE + 1, 0, 0);
    CHECK_ERROR(aegis_wait(&bad, 1, 0), INVALID);
    bad.op = UINT64_MAX;
    CHECK_ERROR(aegis_wait(&bad, 1, 0), INVALID);
    for (int i = 1; i < 8; i++) {
        bad = when(AEGIS_WAKE_EQ, 0, 0);
        bad.word = (const uint64_t *)((uintptr_t)&word + (unsigned)i);
        CHECK_ERROR(aegis_wait(&bad, 1, 0), ALIGNMENT);
    }
    CHECK_ERROR(aegis_wait(p, 5, 0), RANGE);
    CHECK_ERROR(aegis_wait(p, UINT64_MAX, 0), RANGE);
    CHECK_ERROR(aegis_wait(NULL, 1, 0), ADDRESS);
}

/* The parent's page, which is mapped here: waiting doesn't pin what isn't ours. */
static void others_pages(void)
{
    struct aegis_predicate p = AEGIS_WHEN(exos.start->magic, NE, EXOS_START_MAGIC);
    CHECK_EQ(aegis_wait(&p, 1, time_after(30000000)), 1);
    p.op = AEGIS_WAKE_EQ;
    CHECK_EQ(aegis_wait(&p, 1, AEGIS_FOREVER), 0);
}

/* A page is pinned only while somebody waits on it. */
static void pins_come_and_go(void)
{
    uint64_t *page = vm_alloc(1, VM_READ_WRITE);
    uint64_t ppn = (uint64_t)vm_page_at(page);
    for (int i = 0; i < 1000; i++) {
        struct aegis_predicate p[2] = {AEGIS_WHEN(page[0], EQ, 1), AEGIS_WHEN(page[1], EQ, 1)};
        CHECK_EQ(aegis_wait(p, 2, 0), 2);
    }
    CHECK_EQ(aegis_page(ppn)->pins, 0);
    CHECK_OK(vm_free(page));
}

/* Woken by another's write, by its end, and by the kernel's own counters. */
static void woken_by_others(void)
{
    struct raw raw;
    RAW(&raw, fill, 0);
    struct aegis_predicate p[2] = {AEGIS_WHEN(raw.data[AEGIS_PAGE_SIZE / 8 - 1], EQ, 1),
                                   aegis_when_ended(raw.env)};
    int64_t first = aegis_wait(p, 2, time_after(20000000000));
    CHECK(first == 0 || first == 1);
    CHECK_EQ(aegis_wait(p + 1, 1, time_after(20000000000)), 0);
    raw_finish(&raw);
    RAW(&raw, spin, 0);
    struct aegis_predicate later = AEGIS_WHEN(aegis_env(raw.env)->slices, GE, 3);
    CHECK_EQ(aegis_wait(&later, 1, time_after(20000000000)), 0);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
}

int main(void)
{
    comparisons();
    which_one();
    deadlines();
    refusals();
    others_pages();
    pins_come_and_go();
    woken_by_others();
    return 0;
}
