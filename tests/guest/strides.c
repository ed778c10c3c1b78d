/* The stride scheduler: shares by tickets, changed as it goes; children that block early, and that
 * end. */
#include <string.h>

#include "libos/sched/stride.h"
#include "libos/time/time.h"
#include "test.h"

static struct stride stride;

static uint64_t given[STRIDE_MOST];

static void turns(unsigned count)
{
    memset(given, 0, sizeof given);
    for (unsigned i = 0; i < count; i++) {
        int who = stride_turn(&stride);
        CHECK(who >= 0);
        given[who]++;
    }
}

/* A host that takes the processor away makes a slice look used that wasn't, or the other way round.
 */
#define SLACK 3

static bool is_near(uint64_t got, uint64_t wanted)
{
    return got + SLACK >= wanted && got <= wanted + SLACK;
}

static struct raw make(const void *code, const void *end, uint64_t tickets, int64_t number)
{
    struct raw raw;
    raw_create(&raw, "strider", code, end);
    CHECK_EQ(stride_add(&stride, raw.env, tickets), number);
    CHECK_EQ(aegis_env(raw.env)->slots, 0);
    raw_start(&raw, 0);
    return raw;
}

static void end(struct raw *raw)
{
    CHECK_OK(aegis_env_end(raw->env, 0));
    raw_finish(raw);
}

/* After each slice nobody has much more or less than is due (bench/guest/sched.c: one at most). */
static void shares_follow_tickets(struct raw spinners[3])
{
    static const uint64_t tickets[] = {3, 2, 1};
    uint64_t had[3] = {0};
    for (uint64_t i = 0; i < 3; i++)
        spinners[i] = make(blob_spin, blob_spin_end, tickets[i], (int64_t)i);
    for (uint64_t slice = 1; slice <= 120; slice++) {
        int who = stride_turn(&stride);
        CHECK(who >= 0 && who < 3);
        had[who]++;
        for (size_t i = 0; i < 3; i++)
            CHECK(is_near(had[i], slice * tickets[i] / 6));
    }
}

static void tickets_change(void)
{
    CHECK_OK(stride_set(&stride, 2, 6)); /* 3 : 2 : 6 */
    turns(110);
    CHECK(is_near(given[0], 30) && is_near(given[1], 20) && is_near(given[2], 60));
    CHECK_ERROR(stride_set(&stride, 2, 0), RANGE);
    CHECK_ERROR(stride_set(&stride, 3, 1), RANGE);
    CHECK_ERROR(stride_add(&stride, exos.env, 1), OWNER);
    CHECK_OK(stride_set(&stride, 2, 1));
}

/* One with half of all tickets that sleeps takes nothing from the others, nor from itself later. */
static void a_sleeper_costs_nothing(void)
{
    struct raw sleeper = make(blob_sleep, blob_sleep_end, 6, 3);
    turns(60);
    uint64_t others = 60 - given[3];
    CHECK(given[3] < 20); /* of 30: where the kernel checks itself, a look at it takes long */
    CHECK(is_near(given[0], others / 2) && is_near(given[1], others / 3));
    end(&sleeper);
}

static void the_rest_share_what_one_leaves(struct raw spinners[3])
{
    end(&spinners[0]);
    turns(30);
    CHECK(given[0] == 0 && is_near(given[1], 20) && is_near(given[2], 10));
    CHECK_EQ(stride.tickets, 3);
}

int main(void)
{
    struct raw spinners[3];
    shares_follow_tickets(spinners);
    tickets_change();
    a_sleeper_costs_nothing();
    the_rest_share_what_one_leaves(spinners);
    end(&spinners[1]);
    end(&spinners[2]);
    CHECK_EQ(stride_turn(&stride), -1);
    CHECK_EQ(stride.tickets, 0);
    return 0;
}
