/* All threads: who has a mark, and whose memory can go. */
#include "libos/proc/part.h"
#include "libos/start/start.h"
#include "libos/thread/internal.h"
#include "libos/vm/vm.h"

EXOS_PART(20, thread_part); /* here, so that it is there wherever threads are */

struct thread *thread_all;
uint64_t thread_live = 1;

static struct thread *discarded;

extern char __first_tls[];

/* The first thread is there before anything else of this part. */
__attribute__((constructor(101))) static void begin_first(void)
{
    struct thread *first = thread_at((uint64_t)__first_tls);

    first->next = (uint64_t)thread_alone;
    first->strand.number = 1;
    first->mark = 2;
    first->deadline = AEGIS_FOREVER;
    first->is_first = first->is_runnable = true;
    thread_all = first;
}

struct strand *strand_of(pthread_t thread)
{
    return &thread->strand;
}

uint64_t thread_count(void)
{
    return thread_live;
}

void thread_add(struct thread *thread)
{
    static uint64_t last = 1;

    thread->strand.number = ++last;
    thread->mark = last << 1;
    thread->all = thread_all;
    thread_all = thread;
    thread_live++;
}

void thread_remove(struct thread *thread)
{
    struct thread **at = &thread_all;
    while (*at != thread)
        at = &(*at)->all;
    *at = thread->all;
}

struct thread *thread_marked(uint64_t mark)
{
    struct thread *t = thread_all;
    while (t && (t->mark != mark || t->has_ended))
        t = t->all;
    return t;
}

bool thread_exists(const struct thread *thread)
{
    const struct thread *t = thread_all;
    while (t && t != thread)
        t = t->all;
    return t != NULL;
}

/* Its stack may be the one that is in use: the scheduler frees it, on its own. */
void thread_discard(struct thread *thread)
{
    thread_remove(thread);
    if (!thread->memory)
        return;
    thread->all = discarded;
    discarded = thread;
}

bool thread_has_discarded(void)
{
    return discarded;
}

void thread_free_discarded(void)
{
    while (discarded) {
        struct thread *t = discarded;
        discarded = t->all;
        vm_free(t->memory);
    }
}

/* Of a fork's child: the others' stacks are its own copies, and of no use. */
void thread_keep_only(struct thread *self)
{
    for (struct thread *t = thread_all, *next; t; t = next) {
        next = t->all;
        if (t != self)
            thread_discard(t);
    }
    EXOS_SET(thread_live, 1);
    thread_forget_waiting();
    thread_set_events(NULL);
    self->strand.left = self->strand.right = NULL;
    self->is_runnable = true;
    if (thread_scheduler)
        thread_events->unblock(&self->strand);
}
