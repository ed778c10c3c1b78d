/*
 * The library's own scheduler: a ring of those who can run, which each goes round in turn. A yield
 * follows `next` to the right neighbour and changes nothing; so the ring knows where the turn is
 * only where it is told so, and new ones come to the left of the running thread, at the end of the
 * line.
 */
#include "libos/start/start.h"
#include "libos/thread/internal.h"

uint64_t thread_scheduler;

static struct thread *turn;

static struct thread *at_right(struct thread *t)
{
    return thread_of(t->strand.right);
}

static void link_pair(struct thread *left, struct thread *right)
{
    left->strand.right = &right->strand;
    right->strand.left = &left->strand;
    left->next = left == right ? thread_scheduler : thread_tp(right);
}

/* Who isn't in the ring has no neighbours; the scheduler never has. */
static void ring_unblock(struct strand *strand)
{
    struct thread *t = thread_of(strand), *self = thread_self(), *place = turn;

    if (!turn) {
        link_pair(t, t);
        turn = t;
        return;
    }
    if (self->strand.right)
        place = self;
    struct thread *last = thread_of(place->strand.left);
    link_pair(last, t);
    link_pair(t, place);
}

/* Only the running thread blocks. */
static void ring_block(struct strand *strand)
{
    struct thread *t = thread_of(strand), *right = at_right(t);

    turn = right == t ? NULL : right;
    if (turn)
        link_pair(thread_of(strand->left), right);
    strand->left = strand->right = NULL;
}

static void ring_checkpoint(struct strand *strand)
{
    turn = at_right(thread_of(strand));
}

static struct strand *ring_resume(void)
{
    return turn ? &turn->strand : NULL;
}

static const struct strand_events ring = {.block = ring_block,
                                          .unblock = ring_unblock,
                                          .checkpoint = ring_checkpoint,
                                          .resume = ring_resume};
const struct strand_events *thread_events = &ring;

bool thread_is_ring(void)
{
    return thread_events == &ring;
}

void thread_set_events(const struct strand_events *events)
{
    EXOS_SET(thread_events, events ? events : &ring);
    EXOS_SET(turn, NULL);
}
