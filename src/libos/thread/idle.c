/*
 * Threads that wait for what is outside the process: predicates (exos_wait) and the time. While
 * others run they are looked at where a slice begins and whenever a thread blocks for which that is
 * due; when none runs the process waits for all of it at once, as far as four predicates go.
 */
#include "libos/start/start.h"
#include "libos/thread/internal.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"
#include "libos/wait/wait.h"

#define MOST      4         /* predicates of one aegis_wait */
#define ROTATE_NS 1000000UL /* how long for each part of more than that */

static struct thread *timed;   /* by deadline, the earliest first */
static struct thread *waiting; /* in exos_wait */

void thread_time(struct thread *thread, uint64_t deadline)
{
    struct thread *before = NULL, *at = timed;

    thread->deadline = deadline;
    if (deadline == AEGIS_FOREVER)
        return;
    for (; at && at->deadline <= deadline; at = at->later)
        before = at;
    thread->earlier = before;
    thread->later = at;
    *(before ? &before->later : &timed) = thread;
    if (at)
        at->earlier = thread;
}

void thread_untime(struct thread *thread)
{
    if (thread->deadline == AEGIS_FOREVER)
        return;
    *(thread->earlier ? &thread->earlier->later : &timed) = thread->later;
    if (thread->later)
        thread->later->earlier = thread->earlier;
    thread->deadline = AEGIS_FOREVER;
}

static void add_waiting(struct thread *thread)
{
    thread->wait.left = NULL;
    thread->wait.right = waiting;
    if (waiting)
        waiting->wait.left = thread;
    waiting = thread;
}

void thread_unwait(struct thread *thread)
{
    if (!thread->wait.when)
        return;
    *(thread->wait.left ? &thread->wait.left->wait.right : &waiting) = thread->wait.right;
    if (thread->wait.right)
        thread->wait.right->wait.left = thread->wait.left;
    thread->wait.when = NULL;
}

void thread_forget_waiting(void)
{
    EXOS_SET(timed, NULL);
    EXOS_SET(waiting, NULL);
}

bool thread_is_waiting_due(void)
{
    return waiting || (timed && timed->deadline <= time_now());
}

/* As the kernel compares (abi.h); a word that can't be read any more is reported: its reader finds
 * out why. */
static bool holds(const struct aegis_predicate *p)
{
    uint64_t word;
    if (!upcall_probe(p->word, &word))
        return true;
    word &= p->mask;
    return p->op == AEGIS_WAKE_EQ   ? word == p->value
           : p->op == AEGIS_WAKE_NE ? word != p->value
                                    : word >= p->value;
}

/* The first that holds, or count. */
static uint64_t which_holds(const struct aegis_predicate *when, uint64_t count)
{
    uint64_t i = 0;
    while (i < count && !holds(&when[i]))
        i++;
    return i;
}

void thread_poll(void)
{
    for (struct thread *t = waiting, *next; t; t = next) {
        next = t->wait.right;
        uint64_t which = which_holds(t->wait.when, t->wait.count);
        if (which < t->wait.count)
            thread_unblock(t, (int64_t)which);
    }
    uint64_t now = timed ? time_now() : 0;
    while (timed && timed->deadline <= now)
        thread_unblock(timed, timed->wait.when ? (int64_t)timed->wait.count : THREAD_TIMEOUT);
}

static bool is_same(const struct aegis_predicate *a, const struct aegis_predicate *b)
{
    return a->word == b->word && a->mask == b->mask && a->value == b->value && a->op == b->op;
}

/* Each once. Leaves out the first `skip` and what is beyond MOST; *all is how many there are. */
static uint64_t collect(struct aegis_predicate *into, uint64_t skip, uint64_t *all)
{
    uint64_t count = 0, seen = 0;
    for (const struct thread *t = waiting; t; t = t->wait.right)
        for (uint64_t i = 0; i < t->wait.count; i++) {
            const struct aegis_predicate *p = &t->wait.when[i];
            uint64_t same = 0;
            while (same < count && !is_same(&into[same], p))
                same++;
            if (same < count)
                continue;
            if (seen++ >= skip && count < MOST)
                into[count++] = *p;
        }
    *all = seen;
    return count;
}

/* What the union is refused for, the one learns who asked for it. */
static void find_refused(void)
{
    for (struct thread *t = waiting, *next; t; t = next) {
        next = t->wait.right;
        int64_t result = aegis_wait(t->wait.when, t->wait.count, 0);
        if (result != (int64_t)t->wait.count)
            thread_unblock(t, result);
    }
}

/* Without anybody in exos_wait, whose predicates have the doorbell: who answers it? */
static uint64_t add_doorbell(struct aegis_predicate *into)
{
    const volatile uint64_t *doorbell = exos_wait_hooks.doorbell;
    if (waiting || !doorbell)
        return 0;
    *into = AEGIS_WHEN(*doorbell, NE, *doorbell);
    return 1;
}

void thread_wait_idly(void)
{
    static uint64_t skip;
    struct aegis_predicate when[MOST];
    uint64_t all, deadline = timed ? timed->deadline : AEGIS_FOREVER;
    uint64_t count = collect(when, skip, &all);

    if (count == 0 && all > 0) { /* there are fewer than the last time */
        skip = 0;
        count = collect(when, skip, &all);
    }
    if (all > MOST) {
        uint64_t soon = time_after(ROTATE_NS);
        deadline = soon < deadline ? soon : deadline;
        skip = skip + MOST < all ? skip + MOST : 0;
    } else {
        skip = 0;
    }
    bool bell = add_doorbell(&when[count]);
    int64_t result = thread_idle(when, count + bell, deadline);
    if (result < 0)
        find_refused();
    if (bell && result == (int64_t)count)
        thread_unblock(thread_all, THREAD_RUNG);
}

/* A handler's stack is the only one of its kind, and who holds something lets nobody else run:
 * there the process waits. */
int64_t thread_give_away(const struct aegis_predicate *when, uint64_t count, uint64_t deadline)
{
    if (exos_held || upcall_is_inside())
        return aegis_wait(when, count, deadline);
    uint64_t which = which_holds(when, count);

    if (which < count)
        return (int64_t)which;
    if (deadline <= time_now())
        return (int64_t)count;
    exos_hold();
    struct thread *self = thread_self();
    self->wait.when = when;
    self->wait.count = count;
    add_waiting(self);
    int64_t result = thread_block(deadline);
    exos_release();
    return result;
}
