/*
 * What becomes of environments whose owner ends before them: those that live go to the owner's
 * owner, and the numbers of those that have ended are free again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "test.h"

#define SECOND 1000000000UL
#define ROUNDS 30

/* The program in the middle: makes one child that lives on and one that ends, tells their numbers,
 * and ends without a word to either. */
static int middle(void)
{
    struct raw live, ended;
    RAW(&live, stay, 0); /* needs none of this program's pages, which go with it */
    RAW(&ended, end, 0);
    struct aegis_predicate over = aegis_when_ended(ended.env);
    CHECK_EQ(aegis_wait(&over, 1, AEGIS_FOREVER), 0);
    CHECK_EQ(aegis_env(ended.env)->state, AEGIS_ENV_ENDED);
    CHECK_EQ(aegis_env(ended.env)->owner, exos.env);
    snprintf(test_why(exos.start), TEST_WHY_SIZE, "%u %u", live.env, ended.env);
    return 0;
}

static unsigned numbers_in_use(void)
{
    unsigned count = 0;
    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        count += aegis_env(env)->state != AEGIS_ENV_NONE;
    return count;
}

static void run_middle(uint32_t *live, uint32_t *ended)
{
    char *const argv[] = {"orphans", "middle", NULL};
    const struct proc_options options = {.name = "orphans", .argc = 2, .argv = argv};
    struct proc proc;
    struct proc_status status;
    char said[TEST_WHY_SIZE] = "", *rest;

    CHECK_OK(proc_spawn(&proc, &options));
    struct aegis_predicate over = aegis_when_ended(proc.env);
    CHECK_EQ(aegis_wait(&over, 1, time_after(20 * SECOND)), 0);
    strncat(said, test_why(proc.start), sizeof said - 1);
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    if (status.reason != AEGIS_EXIT_STATUS || status.value != 0)
        FAIL("the one in the middle: %s", said);
    *live = (uint32_t)strtoul(said, &rest, 10);
    *ended = (uint32_t)strtoul(rest, NULL, 10);
    CHECK(*live && *ended && *live != *ended);
}

static void round_trip(unsigned before)
{
    uint32_t live, ended;
    run_middle(&live, &ended);
    CHECK_EQ(aegis_env(ended)->state, AEGIS_ENV_NONE);
    CHECK_EQ(aegis_env(ended)->owner, 0);
    CHECK_ERROR(aegis_env_free(ended), OWNER);
    CHECK_EQ(numbers_in_use(), before + 1);

    const volatile struct aegis_env_info *orphan = aegis_env(live);
    CHECK_EQ(orphan->state, AEGIS_ENV_LIVE);
    CHECK_EQ(orphan->owner, exos.env);
    uint64_t slices = orphan->slices, limit = time_after(20 * SECOND);
    while (orphan->slices == slices && time_now() < limit)
        aegis_wait(NULL, 0, time_after(SECOND / 200));
    CHECK(orphan->slices > slices); /* it runs on */
    CHECK_OK(aegis_env_end(live, 7));
    struct aegis_predicate over = aegis_when_ended(live);
    CHECK_EQ(aegis_wait(&over, 1, time_after(20 * SECOND)), 0);
    CHECK_EQ(orphan->exit_value, 7);
    CHECK_OK(aegis_env_free(live));
    CHECK_EQ(numbers_in_use(), before);
}

int main(int argc, char **argv)
{
    if (!strcmp(test_argument(argc, argv, 1), "middle"))
        return middle();
    unsigned before = numbers_in_use();
    for (int i = 0; i < ROUNDS; i++)
        round_trip(before);
    return 0;
}
