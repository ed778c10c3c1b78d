#include "libos/upcall/upcall.h"

#include <errno.h>
#include <stddef.h>

#include "libos/start/start.h"
#include "libos/upcall/context.h"

_Static_assert(offsetof(struct upcall_context, f) == CONTEXT_F(0), "entry.S");
_Static_assert(offsetof(struct upcall_context, fcsr) == CONTEXT_FCSR, "entry.S");
_Static_assert(offsetof(struct upcall_context, pc) == CONTEXT_PC, "entry.S");
_Static_assert(offsetof(struct upcall_context, cause) == CONTEXT_CAUSE, "entry.S");
_Static_assert(offsetof(struct upcall_context, value) == CONTEXT_VALUE, "entry.S");
_Static_assert(offsetof(struct upcall_context, frame) == CONTEXT_FRAME, "entry.S");
_Static_assert(sizeof(struct upcall_context) <= CONTEXT_SIZE, "entry.S");
_Static_assert(offsetof(struct upcall_light, ra) == LIGHT_RA, "entry.S");
_Static_assert(offsetof(struct upcall_light, a) == LIGHT_A(0), "entry.S");
_Static_assert(offsetof(struct upcall_light, t3) == LIGHT_T(3), "entry.S");
_Static_assert(offsetof(struct upcall_light, t6) == LIGHT_T(6), "entry.S");
_Static_assert(offsetof(struct upcall_light, sp) == LIGHT_SP, "entry.S");
_Static_assert(offsetof(struct upcall_light, frame) == LIGHT_FRAME, "entry.S");
_Static_assert(sizeof(struct upcall_light) == LIGHT_SIZE, "entry.S");
_Static_assert((int)UPCALL_CAUSES == UPCALL_CAUSE_END, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, cause) == FRAME_CAUSE, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, pc) == FRAME_PC, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, value) == FRAME_VALUE, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, t0) == FRAME_T0, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, t1) == FRAME_T1, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_frame, t2) == FRAME_T2, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_page, depth) == 0, "entry.S");
_Static_assert(sizeof(struct aegis_upcall_frame) == 1 << FRAME_SHIFT, "entry.S");
_Static_assert(offsetof(struct aegis_upcall_page, frames) == FRAMES_OFFSET, "entry.S");
_Static_assert(AEGIS_CALL_resume == CALL_RESUME, "entry.S");
_Static_assert(sizeof(struct aegis_context) == CONTEXT_X(32), "x[0] is the pc's place");
_Static_assert((int)UPCALL_FOREIGN == AEGIS_CAUSE_FOREIGN, "the kernel's number");

void upcall_entry(void);
void upcall_dispatch(struct upcall_context *context);
extern const char upcall_probe_load[], upcall_probe_failed[];
extern const char upcall_tail[], upcall_tail_end[];
extern const char upcall_touch_load[], upcall_touch_store[];

/* The kernel pins its page; the rest of that is what faults' handlers write to (app.ld). */
static __attribute__((section(".bss.resident.first"), aligned(AEGIS_PAGE_SIZE))) struct {
    struct aegis_upcall_page page;
} frames;

static upcall_handler handlers[UPCALL_CAUSES];
static upcall_revoke_handler revoke_handler;
static EXOS_HOT bool bound;

/* For entry.S. */
extern upcall_light_handler upcall_lights[UPCALL_CAUSES];
extern uint64_t upcall_counted;
upcall_light_handler upcall_lights[UPCALL_CAUSES];
EXOS_HOT uint64_t upcall_counted;

int64_t upcall_bind(void)
{
    int64_t error = aegis_upcall_bind(&frames.page, (uint64_t)upcall_entry);
    bound = error == 0;
    return error;
}

void upcall_ready(void)
{
    if (!bound)
        upcall_bind();
}

bool upcall_is_probe(uint64_t pc)
{
    return pc == (uint64_t)upcall_probe_load || pc == (uint64_t)upcall_touch_load ||
           pc == (uint64_t)upcall_touch_store;
}

/* The access of upcall_probe or upcall_touch faulted: make it return false. */
static bool probe_failed(struct upcall_context *context)
{
    if (!upcall_is_probe(context->pc))
        return false;
    context->pc = (uint64_t)upcall_probe_failed;
    return true;
}

upcall_revoke_handler upcall_revoke_first;

/* The kernel asks for resources: without a handler nothing is given, and the deadline passes. */
static void revoked(uint64_t value)
{
    if (upcall_revoke_first)
        upcall_revoke_first((enum aegis_kind)(value >> 32), (uint32_t)value);
    if (revoke_handler)
        revoke_handler((enum aegis_kind)(value >> 32), (uint32_t)value);
}

/*
 * Called by entry.S. What nobody handles happens again with no handler bound, so that the kernel's
 * record of the program's end is about the instruction that was to blame.
 */
void upcall_dispatch(struct upcall_context *context)
{
    int saved = errno;
    upcall_handler handler = context->cause < UPCALL_CAUSES ? handlers[context->cause] : NULL;

    __atomic_fetch_add(&upcall_counted, 1, __ATOMIC_RELAXED);
    if (context->cause == AEGIS_CAUSE_REVOKE) {
        revoked(context->value);
    } else if (!probe_failed(context) && !(handler && handler(context))) {
        upcall_last_words(context);
        aegis_upcall_bind(NULL, 0);
    }
    errno = saved;
}

upcall_handler upcall_set(enum upcall_cause cause, upcall_handler handler)
{
    upcall_handler before = handlers[cause];
    handlers[cause] = handler;
    upcall_ready();
    return before;
}

upcall_light_handler upcall_set_light(enum upcall_cause cause, upcall_light_handler handler)
{
    upcall_light_handler before = upcall_lights[cause];
    upcall_lights[cause] = handler;
    upcall_ready();
    return before;
}

upcall_revoke_handler upcall_set_revoke(upcall_revoke_handler handler)
{
    upcall_revoke_handler before = revoke_handler;
    revoke_handler = handler;
    upcall_ready();
    return before;
}

/* A page of its own, since the kernel pins it; a child gets a new one, so that to bind it, when
 * memory is short, takes none. */
static __attribute__((section(".bss.resident.repossession"),
                      aligned(AEGIS_PAGE_SIZE))) struct aegis_repossession repossession;
static EXOS_HOT uint64_t repossessed_seen;
static EXOS_HOT bool repossession_bound;

uint64_t upcall_repossessed_since(uint64_t *seen, struct aegis_repossessed *taken, uint64_t most)
{
    if (!repossession_bound)
        repossession_bound = aegis_repossession_bind(&repossession) == 0;
    uint64_t end = repossession.count, n = 0;
    if (end - *seen > AEGIS_REPOSSESSED_MAX)
        *seen = end - AEGIS_REPOSSESSED_MAX;
    for (; *seen < end && n < most; ++*seen)
        taken[n++] = repossession.entries[*seen % AEGIS_REPOSSESSED_MAX];
    return n;
}

uint64_t upcall_repossessed(struct aegis_repossessed *taken, uint64_t most)
{
    return upcall_repossessed_since(&repossessed_seen, taken, most);
}

void upcall_forked(void)
{
    frames.page.depth = 0;
    upcall_bind();
    repossessed_seen = 0;
    repossession_bound = false;
}

uint64_t upcall_count(void)
{
    return upcall_counted;
}

/* depth was raised by two for the upcall under way: its frame, and the one that it left free. */
bool upcall_is_handling(uint64_t pc)
{
    return frames.page.depth > 2 ||
           pc - (uint64_t)upcall_tail < (uint64_t)(upcall_tail_end - upcall_tail);
}

bool upcall_is_inside(void)
{
    return frames.page.depth > 0;
}

/* Before main: upcall_probe has to work without any handler set. */
__attribute__((constructor)) static void bind_for_probes(void)
{
    upcall_ready();
}
