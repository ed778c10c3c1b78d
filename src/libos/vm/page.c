/*
 * Pages and the tables that map them: what is missing is donated when the kernel says that it is.
 * A fault's handler may donate the very table that ordinary code is about to: then that is there,
 * and all is well.
 */
#include "libos/start/start.h"
#include "libos/vm/internal.h"

#define GIB_SHIFT 30
#define GIBS      (AEGIS_EXPOSED_BASE >> GIB_SHIFT)

static EXOS_HOT bool window;          /* there is a window of one's own PTEs */
static uint64_t shown[GIBS / 64 + 1]; /* bit g: gibibyte g is seen in it */

static int64_t free_both(int64_t first, int64_t second, int64_t status)
{
    aegis_page_free((uint64_t)first);
    if (second >= 0)
        aegis_page_free((uint64_t)second);
    return status == -AEGIS_E_IN_USE ? 0 : status;
}

/* One table of a level: the table's page and the page of its reverse links. */
static int64_t donate(uint32_t env, uint64_t va, uint32_t level)
{
    int64_t table = aegis_page_alloc(AEGIS_ANY);
    if (table < 0)
        return table;
    int64_t links = aegis_page_alloc(AEGIS_ANY);
    int64_t status =
        links < 0 ? links : aegis_table_insert(env, va, level, (uint64_t)table, (uint64_t)links);
    return status < 0 ? free_both(table, links, status) : 0;
}

/* A table of the window, which has no links. */
static int64_t donate_window(uint64_t at, uint32_t level)
{
    int64_t table = aegis_page_alloc(AEGIS_ANY);
    if (table < 0)
        return table;
    int64_t status = aegis_table_insert(0, at, level, (uint64_t)table, AEGIS_NO_PAGE);
    return status < 0 ? free_both(table, -1, status) : 0;
}

int64_t vm_window_show(uint64_t va)
{
    uint64_t gib = va >> GIB_SHIFT, bit = 1UL << (gib & 63);
    if (gib >= GIBS || shown[gib / 64] & bit)
        return 0;
    int64_t status = window ? donate_window(AEGIS_WINDOW_PTE(gib << GIB_SHIFT), 0) : 0;
    if (status == 0)
        __atomic_fetch_or(&shown[gib / 64], bit, __ATOMIC_RELAXED);
    return status;
}

/*
 * What was shown is noted before there is a window, too. The image and the stack are in tables that
 * the creator has made; so are regions that others map into, of which vm is told.
 */
int64_t vm_window_open(void)
{
    if (window)
        return 0;
    vm_window_show(AEGIS_PROGRAM_BASE);
    vm_window_show(vm_first_stack.end - 1);
    int64_t status = donate_window(AEGIS_WINDOW_BASE, 1);
    if (status ==
        0) /* the level-1 PTEs, of which the window's own part shows those it has tables for */
        status = donate_window(AEGIS_WINDOW_PTE(AEGIS_WINDOW_PTE(0)), 0);
    for (uint64_t gib = 0; gib < GIBS && status == 0; gib++)
        if (shown[gib / 64] >> (gib & 63) & 1)
            status = donate_window(AEGIS_WINDOW_PTE(gib << GIB_SHIFT), 0);
    window = status == 0;
    return status;
}

bool vm_window_is_open(void)
{
    return window;
}

void vm_window_forget(void)
{
    window = false;
}

bool vm_is_shown(uint64_t va)
{
    uint64_t gib = va >> GIB_SHIFT;
    return gib < GIBS && shown[gib / 64] >> (gib & 63) & 1;
}

static int64_t donate_level_1(uint32_t env, uint64_t va)
{
    int64_t status = donate(env, va, 1);
    return status == 0 && (env == 0 || env == exos.env) ? vm_window_show(va) : status;
}

int64_t vm_tables(uint32_t env, uint64_t va)
{
    int64_t status = donate(env, va, 0);
    if (status != -AEGIS_E_NO_TABLE)
        return status;
    status = donate_level_1(env, va);
    return status == 0 ? donate(env, va, 0) : status;
}

int64_t vm_map(uint32_t env, uint64_t va, uint64_t ppn, uint32_t prot,
               const struct aegis_cap *capability)
{
    int64_t status = aegis_map(env, va, ppn, prot, capability);
    if (status != -AEGIS_E_NO_TABLE)
        return status;
    status = vm_tables(env, va);
    return status < 0 ? status : aegis_map(env, va, ppn, prot, capability);
}

#define MIB_2     (1UL << 21)
#define GIB       (1UL << GIB_SHIFT)
#define UP(a, to) (((a) / (to) + 1) * (to))

#define GROUP 16 /* PTEs that are looked at together: most tables are nearly empty */

/* Whether one of the PTEs of a group, the first of which is at, is not 0. */
static inline bool has_any(const volatile uint64_t *at)
{
    uint64_t any = 0;

#pragma GCC unroll 16
    for (size_t i = 0; i < GROUP; i++)
        any |= at[i];
    return any;
}

/* The first page that is there from from on, below stop, which one table serves; or stop. */
static uint64_t next_in_table(uint64_t from, uint64_t stop)
{
    uint64_t count = (stop - from) / AEGIS_PAGE_SIZE;
    const volatile uint64_t *first = (const volatile uint64_t *)AEGIS_WINDOW_PTE(from);

    for (uint64_t i = 0; i < count;) {
        if ((uintptr_t)&first[i] % (GROUP * sizeof *first) == 0 && count - i >= GROUP &&
            !has_any(&first[i]))
            i += GROUP;
        else if (first[i] & AEGIS_PTE_VALID)
            return from + i * AEGIS_PAGE_SIZE;
        else
            i++;
    }
    return stop;
}

uint64_t vm_next_present(uint64_t from, uint64_t end)
{
    while (from < end) {
        if (!vm_is_shown(from)) {
            from = UP(from, GIB);
        } else if (!(vm_pte((const void *)AEGIS_WINDOW_PTE(from)) & AEGIS_PTE_VALID)) {
            from = UP(from, MIB_2);
        } else {
            uint64_t stop = UP(from, MIB_2) < end ? UP(from, MIB_2) : end;
            from = next_in_table(from, stop);
            if (from < stop)
                return from;
        }
    }
    return end;
}
