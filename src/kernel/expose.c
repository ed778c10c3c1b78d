#include "kernel/expose.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "kernel/rv64/paging.h"

struct aegis_info *info;
static uint64_t exposed_next = AEGIS_EXPOSED_BASE;

#define EXPOSED_SIZE (1UL << 30)

uint64_t expose_memory(uint64_t physical, size_t size)
{
    uint64_t first = physical & ~(uint64_t)(PAGE_SIZE - 1), va = exposed_next;

    size = (physical + size - first + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (exposed_next + size > AEGIS_EXPOSED_BASE + EXPOSED_SIZE)
        refuse("the exposed pages don't fit into %lu MiB", EXPOSED_SIZE >> 20);
    /* By single pages, so that a system call that names a word in them finds a level-0 entry. */
    for (size_t at = 0; at < size; at += PAGE_SIZE)
        paging_map(kernel_root, va + at, first + at, PAGE_SIZE, PTE_R | PTE_U);
    exposed_next += size;
    return va + (physical - first);
}

void *expose_alloc(size_t size, uint64_t *exposed)
{
    void *memory = boot_alloc((size + PAGE_SIZE - 1) / PAGE_SIZE, 1);

    *exposed = expose_memory(virt_to_phys(memory), size);
    return memory;
}

/* The range of the initial RAM disk lies in memory, or there is none. */
static void check_initrd(const struct board *board)
{
    struct range span = boot_memory_span(board);

    if (board->initrd.start == 0 || board->initrd.end <= board->initrd.start)
        refuse("no initial RAM disk: start QEMU with -initrd initrd.cpio");
    if (board->initrd.start < span.start || board->initrd.end > span.end)
        refuse("the initial RAM disk lies outside of memory");
}

void expose_init(const struct board *board)
{
    uint64_t va;

    check_initrd(board);
    info = expose_alloc(sizeof(*info), &va);
    info->version = AEGIS_ABI_VERSION;
    info->harts = (uint32_t)board->hart_count;
    info->timebase = board->timebase;
    memcpy(info->bootargs, board->bootargs, strnlen(board->bootargs, sizeof(info->bootargs) - 1));
    info->first_ppn = first_ppn;
    info->page_count = page_count;
    info->pages = expose_memory(virt_to_phys(pages), page_count * sizeof(*pages));
    info->initrd = expose_memory(board->initrd.start, board->initrd.end - board->initrd.start);
    info->initrd_size = board->initrd.end - board->initrd.start;
}
