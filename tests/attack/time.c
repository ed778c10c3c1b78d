/* Attacks on slices and on waiting. */
#include "attack.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

/* All slots that are free, for one program that never gives the processor away: others have theirs.
 */
int64_t all_slots_for_a_runaway(void)
{
    struct raw raw;
    uint32_t count = 0;
    int64_t slot;
    raw_create(&raw, "spin", blob_spin, blob_spin_end);
    for (; (slot = aegis_slice_alloc(0, AEGIS_SLOT_ANY, NULL)) >= 0; count++)
        CHECK_OK(aegis_slice_give(0, (uint32_t)slot, raw.env));
    CHECK_EQ(slot, -AEGIS_E_NO_SLOT);
    CHECK(count > 10 && aegis_env(raw.env)->slots == count + 1);
    raw_start(&raw, 0);
    uint64_t own = aegis_env(exos.env)->slices, his = aegis_env(raw.env)->slices;
    for (int i = 0; i < 3; i++)
        aegis_yield(0);
    own = aegis_env(exos.env)->slices - own, his = aegis_env(raw.env)->slices - his;
    CHECK(own >= 3 && his <= (own + 1) * (count + 1));
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    return 0;
}

static void __attribute__((noinline)) stay(void)
{
    for (;;)
        __asm__ volatile("");
}

static void bind_frames(uint64_t handler)
{
    struct aegis_upcall_page *page = (struct aegis_upcall_page *)FREE_VA;
    page_at(FREE_VA, VM_READ_WRITE);
    page->depth = 0;
    CHECK_OK(aegis_upcall_bind(page, handler));
}

/* The end of its slices is an endless loop. */
int64_t epilogue_that_never_yields(void)
{
    bind_frames((uint64_t)stay);
    CHECK_OK(aegis_slice_bind((uint64_t)stay, 0));
    stay();
    return 0;
}

/* The end of its slices is in memory that it has not: the exception's frame is the next one, again
 * and again. */
int64_t epilogue_where_nothing_is_mapped(void)
{
    bind_frames(FREE_VA);
    CHECK_OK(aegis_slice_bind(FREE_VA + (1UL << 30), 0));
    stay();
    return 0;
}

int64_t predicate_on_a_freed_page(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    struct aegis_predicate p = {.word = (const volatile uint64_t *)FREE_VA, .mask = 1};
    *(uint64_t *)FREE_VA = 0;
    CHECK_EQ(aegis_wait(&p, 1, 0), 0);
    page_gone(FREE_VA, page);
    return aegis_wait(&p, 1, AEGIS_FOREVER);
}
