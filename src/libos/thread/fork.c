/*
 * Threads and fork: only the one that calls it lives on in the child, scheduled by the library's
 * ring. What others held there is had with EOWNERDEAD (mutex.c).
 */
#include <stdlib.h>

#include "libos/proc/part.h"
#include "libos/slice/slice.h"
#include "libos/thread/internal.h"

struct at_fork {
    void (*before)(void), (*in_parent)(void), (*in_child)(void);
    struct at_fork *earlier, *later;
};

static struct at_fork *first, *last;

int pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    struct at_fork *a = malloc(sizeof *a);
    if (!a)
        return ENOMEM;
    exos_hold();
    *a = (struct at_fork){
        .before = before, .in_parent = in_parent, .in_child = in_child, .earlier = last};
    *(last ? &last->later : &first) = a;
    last = a;
    exos_release();
    return 0;
}

static int before_fork(void)
{
    for (const struct at_fork *a = last; a; a = a->earlier)
        if (a->before)
            a->before();
    return 0;
}

static void after_fork(const struct exos_child *child)
{
    (void)child;
    for (const struct at_fork *a = first; a; a = a->later)
        if (a->in_parent)
            a->in_parent();
}

static void in_child(void)
{
    exos_hold();
    thread_keep_only(thread_self());
    exos_release();
    slice_in_child();
    for (const struct at_fork *a = first; a; a = a->later)
        if (a->in_child)
            a->in_child();
}

const struct exos_part thread_part = {
    .name = "thread", .before_fork = before_fork, .after_fork = after_fork, .in_child = in_child};
