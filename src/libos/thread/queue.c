/* Queues of blocked threads, first come first served; a thread is in one at most. Callers hold. */
#include "libos/thread/internal.h"

void thread_enqueue(struct thread_queue *queue, struct thread *thread)
{
    thread->queue = queue;
    thread->behind = NULL;
    thread->before = queue->last;
    if (queue->last)
        queue->last->behind = thread;
    else
        queue->first = thread;
    queue->last = thread;
}

void thread_dequeue(struct thread *thread)
{
    struct thread_queue *queue = thread->queue;

    if (thread->before)
        thread->before->behind = thread->behind;
    else
        queue->first = thread->behind;
    if (thread->behind)
        thread->behind->before = thread->before;
    else
        queue->last = thread->before;
    thread->queue = NULL;
    thread->before = thread->behind = NULL;
}
