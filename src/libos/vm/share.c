/* Handing memory on to a child. */
#include "libos/start/start.h"
#include "libos/vm/internal.h"
#include "libos/vm/vm.h"

/* The kernel takes the pages for the child, of which the last to own them was another's child: they
 * are cleared once. */
static int64_t donate(uint32_t env, uint64_t va, uint32_t level)
{
    return aegis_table_insert(env, va, level, AEGIS_ANY, AEGIS_ANY);
}

int64_t vm_first_tables(uint32_t env, uint64_t va)
{
    int64_t status = donate(env, va, 1);
    return status < 0 ? status : donate(env, va, 0);
}

int64_t vm_next_tables(uint32_t env, uint64_t va)
{
    int64_t status = donate(env, va, 0);
    if (status == -AEGIS_E_NO_TABLE)
        status = vm_first_tables(env, va);
    return status;
}

int64_t vm_hand_on(uint32_t env, uint64_t va, uint64_t count, enum aegis_share how, uint64_t from)
{
    int64_t shared = aegis_map_share(env, va, count, how, from);
    if (shared != -AEGIS_E_NO_TABLE)
        return shared;
    int64_t status = vm_next_tables(env, va);
    return status < 0 ? status : aegis_map_share(env, va, count, how, from);
}

/* As many pages as one table covers and the kernel takes at a time. */
static size_t piece(uint64_t va, uint64_t end)
{
    uint64_t covered = AEGIS_MEGAPAGE * AEGIS_PAGE_SIZE;
    uint64_t next = va / covered * covered + covered;
    uint64_t count = ((next < end ? next : end) - va) / AEGIS_PAGE_SIZE;
    return count < AEGIS_SHARE_MAX ? count : AEGIS_SHARE_MAX;
}

int64_t vm_share(uint32_t env, const void *start, size_t pages)
{
    uint64_t va = (uint64_t)start, end = va + pages * AEGIS_PAGE_SIZE;
    while (va < end) {
        size_t count = piece(va, end);
        int64_t status = vm_hand_on(env, va, count, AEGIS_SHARE_SHARED, va);
        if (status < 0 || (size_t)status < count)
            return status < 0 ? status : -AEGIS_E_OWNER;
        va += count * AEGIS_PAGE_SIZE;
    }
    return 0;
}
