/* Waiting for a neighbour: whoever shares its place in the page, the processor is given away, and
 * there is an end. Time here goes on only in waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "libos/net/asked.h"
#include "libos/net/neighbour.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define MS      1000000UL
#define ANOTHER (0x010203040506UL | NEIGHBOUR_KNOWN)

uint64_t world_now;
struct aegis_info world_info;

static struct {
    unsigned long long word;
    bool is_others;          /* the place */
    uint64_t stolen, filled; /* when it becomes another's; when an answer comes */
    unsigned asked, waited;
    int error; /* of netd's; 0: none */
} page;

/* netd makes the place the asker's. */
int net_ask(uint64_t words[GATE_WORDS])
{
    page.asked++;
    words[0] = 1;
    if (page.error) {
        errno = page.error;
        return -1;
    }
    if (page.is_others)
        page.word = 0;
    page.is_others = false;
    page.word |= NEIGHBOUR_WANTED;
    return 0;
}

static void happen(void)
{
    if (world_now >= page.filled && !page.is_others)
        page.word = ANOTHER;
    if (world_now >= page.stolen) {
        page.is_others = true;
        page.word = ANOTHER;
    }
}

/* A wait that has nothing to wait for returns at once; whoever spins is stopped. */
int64_t exos_wait(const struct aegis_predicate *when, size_t count, uint64_t deadline)
{
    assert_int_equal(count, 1);
    assert_true(++page.waited < 1000);
    for (;;) {
        if (*when->word != when->value)
            return 0;
        if (world_now >= deadline)
            return (int64_t)count;
        uint64_t next = deadline;
        if (page.stolen > world_now && page.stolen < next)
            next = page.stolen;
        if (page.filled > world_now && page.filled < next)
            next = page.filled;
        world_now = next;
        happen();
    }
}

static uint64_t look_up(const void *address)
{
    (void)address;
    return !page.is_others && page.word & NEIGHBOUR_KNOWN ? page.word : 0;
}

static const volatile unsigned long long *place(const void *address)
{
    (void)address;
    return &page.word;
}

static int await(uint64_t deadline, uint64_t *word)
{
    const struct net_asked asked = {.order = {7, 8}, .place = place, .look_up = look_up};
    return net_await_neighbour(&asked, word, deadline);
}

static int begin(void **state)
{
    (void)state;
    memset(&page, 0, sizeof page);
    page.stolen = page.filled = UINT64_MAX;
    world_now = 1000 * MS;
    return 0;
}

static void an_answer_ends_the_wait(void **state)
{
    uint64_t word;

    (void)state;
    page.filled = world_now + 450 * MS;
    assert_int_equal(await(UINT64_MAX, &word), 0);
    assert_int_equal(word, ANOTHER);
    assert_int_equal(page.asked, 3); /* every 200 ms */
    assert_int_equal(world_now, page.filled);
}

static void a_place_that_is_filled_by_another_costs_no_turns(void **state)
{
    uint64_t word;

    (void)state;
    page.stolen = world_now + 50 * MS; /* and again with each question */
    assert_int_equal(await(world_now + 1000 * MS, &word), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(world_now, 2000 * MS);
    assert_true(page.waited <= 12);
}

static void without_a_deadline_there_is_an_end(void **state)
{
    uint64_t word;

    (void)state;
    page.stolen = world_now + 1;
    assert_int_equal(await(UINT64_MAX, &word), -1);
    assert_int_equal(errno, EHOSTUNREACH);
    assert_int_equal(world_now, 11000 * MS);
}

static void what_netd_says_is_the_error(void **state)
{
    uint64_t word;

    (void)state;
    page.error = EHOSTUNREACH;
    assert_int_equal(await(UINT64_MAX, &word), -1);
    assert_int_equal(errno, EHOSTUNREACH);
    assert_int_equal(page.waited, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_answer_ends_the_wait, begin),
        cmocka_unit_test_setup(a_place_that_is_filled_by_another_costs_no_turns, begin),
        cmocka_unit_test_setup(without_a_deadline_there_is_an_end, begin),
        cmocka_unit_test_setup(what_netd_says_is_the_error, begin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
