/*
 * Memory handed to a fork's child: the page tables that it needs, the pages that are its own from
 * the beginning, and all others by map_share, for neither side to write where they are copies that
 * are due. Which those are the PTEs know; there is no table of them.
 */
#include "libos/start/start.h"
#include "libos/upcall/hold.h"
#include "libos/vm/fault.h"
#include "libos/vm/fork.h"
#include "libos/vm/internal.h"

#define TABLE_BYTES (AEGIS_MEGAPAGE * AEGIS_PAGE_SIZE) /* that one table serves */

extern char __resident_start[], __resident_end[]; /* app.ld */

#define ROOM                                                                                       \
    48 /* pages that have to be free: tables, and the first copies that either side makes */

/* A store to a page that somebody else may have, too. */
static int64_t due(uint64_t va, uint32_t prot)
{
    int64_t status = aegis_map_own(va, prot);
    if (status == -AEGIS_E_PINNED) /* a device reads it: the store is tried again then */
        return aegis_yield(0);
    return status < 0 ? status : 0;
}

static uint64_t to_table_end(uint64_t va, uint64_t end)
{
    uint64_t stop = (va / TABLE_BYTES + 1) * TABLE_BYTES;
    return stop < end ? stop : end;
}

/* Pages for the child alone, for those that are there in [start, end). */
static int64_t give(uint32_t env, uint64_t start, uint64_t end, enum aegis_share how)
{
    int64_t status = 0;
    for (uint64_t va = start; va < end && status >= 0;) {
        uint64_t left = (to_table_end(va, end) - va) / AEGIS_PAGE_SIZE;
        uint64_t count = left < AEGIS_COPY_MAX ? left : AEGIS_COPY_MAX;
        status = vm_hand_on(env, va, count, how, va);
        va += count * AEGIS_PAGE_SIZE;
    }
    return status < 0 ? status : 0;
}

static int64_t copy(uint32_t env, uint64_t start, uint64_t end)
{
    return give(env, start, end, AEGIS_SHARE_COPY);
}

/* Pages that one table serves. The child gets copies of what is pinned by a device or the kernel.
 */
static int64_t put(uint32_t env, uint64_t va, uint64_t end, enum aegis_share how)
{
    int64_t shared = vm_hand_on(env, va, (end - va) / AEGIS_PAGE_SIZE, how, va);
    return shared >= 0 && shared & AEGIS_SHARE_PINNED ? copy(env, va, end) : shared;
}

/* Memory that the child gets in one way. */
struct run {
    uint64_t start, end;
    enum aegis_share how;
};

static int64_t put_run(uint32_t env, const struct run *r)
{
    int64_t status = 0;
    bool large = r->end - r->start > AEGIS_SHARE_MAX * AEGIS_PAGE_SIZE; /* and mostly empty */
    for (uint64_t va = r->start; status >= 0 && va < r->end;) {
        if (large && (va = vm_next_present(va, r->end)) == r->end)
            break;
        uint64_t end = to_table_end(va, r->end);
        if (end - va > AEGIS_SHARE_MAX * AEGIS_PAGE_SIZE)
            end = va + AEGIS_SHARE_MAX * AEGIS_PAGE_SIZE;
        status = put(env, va, end, r->how);
        va = end;
    }
    return status < 0 ? status : 0;
}

/* Text and constants are shared whichever way: there is no right to write that both could lose. */
static enum aegis_share way_of(const struct vm_region *r)
{
    return r->inherit == VM_SHARE && r->prot & AEGIS_PROT_WRITE ? AEGIS_SHARE_SHARED
                                                                : AEGIS_SHARE_PRIVATE;
}

/*
 * All regions that the child gets, neighbours together that go in one way. The fresh pages are
 * there already, and stay: so the image goes in one piece.
 */
static int64_t put_regions(uint32_t env)
{
    struct run run = {0};
    int64_t status = 0;
    const struct vm_region *r;
    for (size_t n = 0; status == 0 && (r = vm_region_number(n)); n++) {
        bool follows = r->start == run.end;
        if (follows &&
            (r->inherit == VM_FRESH || (r->inherit != VM_NOTHING && way_of(r) == run.how))) {
            run.end = r->end;
            continue;
        }
        if (r->inherit == VM_FRESH || r->inherit == VM_NOTHING)
            continue;
        status = put_run(env, &run);
        run = (struct run){r->start, r->end, way_of(r)};
    }
    return status < 0 ? status : put_run(env, &run);
}

static uint64_t page_of(uint64_t address)
{
    return address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
}

/*
 * What a fault's handler writes to has to be writable when the first fault comes, on both sides;
 * the rest of these saves both of them a fault, as all programs write there at once.
 */
static int64_t copy_hot(uint32_t env)
{
    uint64_t tp;
    __asm__("mv %0, tp" : "=r"(tp));
    const uint64_t hot[] = {page_of((uint64_t)&exos),
                            page_of((uint64_t)&exos_held),
                            page_of((uint64_t)&vm_last),
                            page_of((uint64_t)&vm_heap_filled),
                            page_of((uint64_t)&vm_cow_handler),
                            page_of((uint64_t)&upcall_counted),
                            page_of(tp)};
    int64_t status = 0;
    for (size_t i = 0; i < sizeof hot / sizeof *hot && status == 0; i++) {
        size_t before = 0;
        while (hot[before] != hot[i])
            before++;
        if (before == i) /* most lie in one page: the first of the resident ones */
            status = copy(env, hot[i], hot[i] + AEGIS_PAGE_SIZE);
    }
    return status < 0
               ? status
               : give(env, (uint64_t)__resident_start, (uint64_t)__resident_end, AEGIS_SHARE_FRESH);
}

/* Whether both sides can go on: from the first shared page on a store may need another. */
static bool is_room(void)
{
    const volatile struct aegis_account *account = aegis_account(exos.env);
    return aegis_info()->free_pages >= ROOM &&
           account->limit[AEGIS_QUOTA_PAGES] - account->used[AEGIS_QUOTA_PAGES] >= ROOM;
}

int64_t vm_fork_ready(void)
{
    vm_cow_handler = due;
    return vm_before_fork();
}

int64_t vm_fork(uint32_t env, uint64_t low, uint64_t high)
{
    int64_t status = vm_first_tables(env, (uint64_t)__resident_start);
    if (status == 0)
        status = copy_hot(env);
    if (status == 0 && !is_room())
        return -AEGIS_E_NO_PAGE;
    if (status == 0)
        status = copy(env, page_of(low), page_of(high - 1) + AEGIS_PAGE_SIZE);
    return status < 0 ? status : put_regions(env);
}

void vm_forked(void)
{
    vm_window_forget();
    vm_lost_forked();
}
