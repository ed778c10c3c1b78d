#include "libos/sched/stride.h"

#include "libos/start/start.h"
#include "libos/time/time.h"

#define UNIT  (1UL << 32) /* a slice of all time, in passes */
#define LEAST 3           /* a child that used less than this part of a slice blocked early, */
#define WHOLE 8           /* and one that left less than this part had all of it */

static struct stride_child *child(struct stride *stride, size_t n)
{
    return &stride->children[n];
}

/* The slots that came with the environment go back: it runs on what it is given. */
static int64_t take_slots(uint32_t env)
{
    const volatile struct aegis_slot *slots =
        (const volatile struct aegis_slot *)aegis_info()->slots;

    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slots[i].env == env) {
            int64_t error = aegis_slice_free(0, i);
            if (error)
                return error;
        }
    return 0;
}

int64_t stride_add(struct stride *stride, uint32_t env, uint64_t tickets)
{
    size_t n = 0;

    if (tickets == 0 || tickets > STRIDE_TICKETS)
        return -AEGIS_E_RANGE;
    if (env == 0 || env >= aegis_info()->env_count || aegis_env(env)->owner != exos.env)
        return -AEGIS_E_OWNER;
    while (n < STRIDE_MOST && child(stride, n)->env)
        n++;
    if (n == STRIDE_MOST)
        return -AEGIS_E_FULL;
    int64_t error = take_slots(env);
    if (error)
        return error;
    /* Half a stride ahead, so that the first turns of several are spread, too. */
    *child(stride, n) = (struct stride_child){
        .env = env, .tickets = tickets, .pass = stride->pass + UNIT / tickets / 2};
    stride->tickets += tickets;
    return (int64_t)n;
}

int64_t stride_set(struct stride *stride, size_t n, uint64_t tickets)
{
    struct stride_child *c = child(stride, n);

    if (n >= STRIDE_MOST || !c->env || tickets == 0 || tickets > STRIDE_TICKETS)
        return -AEGIS_E_RANGE;
    /* What is left until its next turn shrinks or grows with the stride. */
    uint64_t ahead = c->pass > stride->pass ? c->pass - stride->pass : 0;
    c->pass = stride->pass + ahead / tickets * c->tickets;
    stride->tickets += tickets - c->tickets;
    c->tickets = tickets;
    return 0;
}

void stride_remove(struct stride *stride, size_t n)
{
    stride->tickets -= child(stride, n)->tickets;
    *child(stride, n) = (struct stride_child){0};
}

static void remove_ended(struct stride *stride)
{
    for (size_t n = 0; n < STRIDE_MOST; n++)
        if (child(stride, n)->env && aegis_env(child(stride, n)->env)->state != AEGIS_ENV_LIVE)
            stride_remove(stride, n);
}

/* The least pass of those that are not out; the first of equals. STRIDE_MOST if there is none. */
static size_t choose(struct stride *stride, uint64_t out)
{
    size_t best = STRIDE_MOST;
    for (size_t n = 0; n < STRIDE_MOST; n++) {
        const struct stride_child *c = child(stride, n);
        if (c->env && !(out >> n & 1) &&
            (best == STRIDE_MOST || c->pass < child(stride, best)->pass))
            best = n;
    }
    return best;
}

/* The slice, or what is left of it, is c's; returns whether it used more than a little of it. */
static bool offer(struct stride *stride, struct stride_child *c)
{
    uint64_t slice = aegis_info()->slice, before = time_now();

    if (aegis_yield(c->env) < 0)
        return false;
    uint64_t used = time_now() - before;
    if (used > slice - slice / WHOLE)
        used = slice; /* this scheduler had the rest, or others ran, too */
    c->is_idle = used < slice / LEAST;
    c->ticks += used;
    c->pass += UNIT / c->tickets * used / slice;
    stride->pass += UNIT / stride->tickets * used / slice;
    c->slices += !c->is_idle;
    return !c->is_idle;
}

int stride_turn(struct stride *stride)
{
    uint64_t out = 0;

    remove_ended(stride);
    for (;;) {
        size_t n = choose(stride, out);
        if (n == STRIDE_MOST)
            return -1;
        struct stride_child *c = child(stride, n);
        if (c->is_idle && c->pass < stride->pass)
            c->pass = stride->pass; /* it doesn't catch up */
        if (offer(stride, c)) {
            stride->turns++;
            return (int)n;
        }
        out |= 1UL << n;
    }
}
