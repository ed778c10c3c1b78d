#include "libos/slice/slice.h"

#include <stddef.h>

#include "libos/slice/context.h"
#include "libos/start/calls.h"
#include "libos/start/start.h"
#include "libos/upcall/upcall.h"

_Static_assert(sizeof(struct aegis_context) == SLICE_CONTEXT_SIZE, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, pc) == SLICE_FRAME_PC, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, t0) == SLICE_FRAME_T0, "entry.S");
_Static_assert(sizeof(struct aegis_upcall_frame) == 1 << SLICE_FRAME_SHIFT, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_page, frames) == SLICE_FRAMES, "entry.S");
_Static_assert(AEGIS_CALL_resume == SLICE_CALL_RESUME, "entry.S");
_Static_assert(AEGIS_CALL_yield == SLICE_CALL_YIELD, "entry.S");

void slice_epilogue(void);
void slice_prologue(void);
void slice_is_over(struct aegis_context *context);
void slice_is_here(struct aegis_context *context);

extern const char __whole_start[], __whole_end[]; /* app.ld */

static slice_hook on_end, on_begin;
static struct slice_listener *listeners;
static EXOS_HOT uint64_t count; /* a slice may end with no frame left for a fault */

/* entry.S: between the registers' saving and the yield. */
void slice_is_over(struct aegis_context *context)
{
    count++;
    if (on_end)
        on_end(context);
}

/* Whether what was interrupted is to go on by itself: the frame of an exception is in use, or just
 * read for the last time, or the code says so. */
static bool is_whole(const struct aegis_context *context)
{
    uint64_t pc = context->pc;
    return upcall_is_handling(pc) ||
           pc - (uint64_t)__whole_start < (uint64_t)__whole_end - (uint64_t)__whole_start;
}

/* entry.S: first thing in the prologue. */
void slice_is_here(struct aegis_context *context)
{
    if (on_begin)
        on_begin(context);
    if (!listeners || is_whole(context))
        return;
    for (struct slice_listener *l = listeners; l; l = l->next)
        l->begins(context);
}

static int64_t bind_hooks(bool any)
{
    upcall_ready();
    return any ? aegis_slice_bind((uint64_t)slice_epilogue, (uint64_t)slice_prologue)
               : aegis_slice_bind(0, 0);
}

int64_t slice_set(slice_hook ends, slice_hook begins)
{
    int64_t error = bind_hooks(ends || begins || listeners);

    if (error)
        return error;
    on_end = ends;
    on_begin = begins;
    return 0;
}

int64_t slice_listen(struct slice_listener *listener)
{
    struct slice_listener **at = &listeners;
    int64_t error = bind_hooks(true);

    if (error)
        return error;
    while (*at && !(*at)->is_last)
        at = &(*at)->next;
    listener->next = *at;
    *at = listener;
    return 0;
}

void slice_in_child(void)
{
    if (on_end || on_begin || listeners)
        bind_hooks(true);
}

uint64_t slice_ends(void)
{
    return count;
}
