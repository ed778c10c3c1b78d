/* Handing memory on to a child, at the same address. */
#include "libos/start/start.h"
#include "libos/vm/internal.h"
#include "libos/vm/vm.h"

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
        int64_t status = aegis_map_share(env, va, count, AEGIS_SHARE_SHARED);
        if (status == -AEGIS_E_NO_TABLE) {
            status = vm_tables(env, va);
            if (status < 0)
                return status;
            continue;
        }
        if (status < 0 || (size_t)status < count)
            return status < 0 ? status : -AEGIS_E_OWNER;
        va += count * AEGIS_PAGE_SIZE;
    }
    return 0;
}
