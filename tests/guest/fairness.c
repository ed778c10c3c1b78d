/* Programs that never give the processor away take their slices, and no more. */
#include "libos/time/time.h"
#include "test.h"

#define RUNAWAYS 3

static struct raw runaway[RUNAWAYS];

static uint64_t slices_of_runaways(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < RUNAWAYS; i++)
        sum += aegis_env(runaway[i].env)->slices;
    return sum;
}

/*
 * Between the deadline of a wait and its end each of the others gets one slice at most, and a few
 * before. Counted in slices, not in time: the host may take the processor away from all of them
 * together.
 */
static void others_go_on(void)
{
    uint64_t before = slices_of_runaways(), waits = 20;
    for (uint64_t i = 0; i < waits; i++)
        aegis_wait(NULL, 0, time_now() + aegis_info()->slice / 2);
    uint64_t taken = slices_of_runaways() - before;
    if (taken > waits * (RUNAWAYS + 2))
        FAIL("the others had %llu slices during %u waits of half a slice",
             (unsigned long long)taken, (unsigned)waits);
}

static void shares_are_equal(void)
{
    uint64_t before[RUNAWAYS], least = UINT64_MAX, most = 0;
    for (int i = 0; i < RUNAWAYS; i++)
        before[i] = aegis_env(runaway[i].env)->slices;
    struct aegis_predicate some = AEGIS_WHEN(aegis_env(runaway[0].env)->slices, GE, before[0] + 15);
    CHECK_EQ(aegis_wait(&some, 1, test_deadline()), 0);
    for (int i = 0; i < RUNAWAYS; i++) {
        uint64_t slices = aegis_env(runaway[i].env)->slices - before[i];
        least = slices < least ? slices : least;
        most = slices > most ? slices : most;
        CHECK(runaway[i].data[0] > 0);
    }
    CHECK(least >= 13);
    CHECK(most - least <= 2);
}

/* Giving a slice to a named one: it runs, and this program comes back. */
static void donation(void)
{
    uint64_t count = runaway[0].data[0], limit = test_deadline();
    do { /* what is left of a slice may be too little to begin in */
        CHECK(time_now() < limit);
        CHECK_OK(aegis_yield(runaway[0].env));
    } while (*(volatile uint64_t *)runaway[0].data == count);
}

int main(void)
{
    for (int i = 0; i < RUNAWAYS; i++)
        RAW(&runaway[i], spin, 0);
    others_go_on();
    shares_are_equal();
    donation();
    for (int i = 0; i < RUNAWAYS; i++) {
        CHECK_OK(aegis_env_end(runaway[i].env, 0));
        CHECK_EQ(raw_finish(&runaway[i]).exit_reason, AEGIS_EXIT_KILLED);
    }
    return 0;
}
