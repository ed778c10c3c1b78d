/* Programs: found in the initial RAM disk, and copied into a child's pages through a window of
 * addresses. */
#include <string.h>

#include "image/cpio.h"
#include "libos/proc/internal.h"
#include "libos/proc/proc.h"
#include "libos/vm/vm.h"

#define WINDOW_PAGES 32 /* a batch: one unmap for so many */

int64_t proc_find_program(const char *name, struct elf_program *program)
{
    const volatile struct aegis_info *info = aegis_info();
    struct cpio_entry file;

    int status = cpio_find((const void *)info->initrd, info->initrd_size, name, &file);
    if (status < 0)
        return status - PROC_CPIO_ERROR;
    status = elf_read(file.data, file.size, AEGIS_PROGRAM_BASE, VM_BASE, program);
    return status < 0 ? status - PROC_ELF_ERROR : 0;
}

/* One page's share of the data, the rest zeros: the page may hold old bytes of this program. */
static void fill_page(char *page, uint64_t at, uint64_t va, const char *data, uint64_t filled)
{
    uint64_t begin = va > at ? va - at : 0; /* of the data in the page */
    uint64_t done = at > va ? at - va : 0;  /* of it in pages before */
    uint64_t bytes = filled > done ? filled - done : 0;

    if (bytes > AEGIS_PAGE_SIZE - begin)
        bytes = AEGIS_PAGE_SIZE - begin;
    memset(page, 0, begin);
    memcpy(page + begin, data + done, bytes);
    memset(page + begin + bytes, 0, AEGIS_PAGE_SIZE - begin - bytes);
}

/* Pages of this program's own, mapped at the window. Returns how many it got; *status says why not
 * all. */
static size_t open_window(char *window, size_t count, uint64_t *ppns, int64_t *status)
{
    size_t n = 0;
    for (*status = 0; n < count; n++) {
        int64_t ppn = *status = aegis_page_alloc(AEGIS_ANY);
        if (ppn < 0)
            break;
        *status =
            vm_map(0, (uint64_t)window + n * AEGIS_PAGE_SIZE, (uint64_t)ppn, VM_READ_WRITE, NULL);
        if (*status < 0) {
            aegis_page_free((uint64_t)ppn);
            break;
        }
        ppns[n] = (uint64_t)ppn;
    }
    return n;
}

/* Unmaps the window and hands its pages to env at va; what env doesn't get is freed. */
static int64_t hand_over(char *window, size_t count, const uint64_t *ppns, uint32_t env,
                         uint64_t va, uint32_t prot, int64_t status)
{
    if (count)
        aegis_unmap(0, (uint64_t)window, count);
    for (size_t i = 0; i < count; i++) {
        if (status == 0)
            status = aegis_page_give(ppns[i], env);
        if (status < 0)
            aegis_page_free(ppns[i]);
        else
            status = vm_map(env, va + i * AEGIS_PAGE_SIZE, ppns[i], prot, NULL);
    }
    return status;
}

int64_t proc_fill(uint32_t env, uint64_t va, uint64_t size, const void *data, uint64_t filled,
                  uint32_t prot)
{
    static char *window;
    uint64_t ppns[WINDOW_PAGES];
    uint64_t end = va + size;

    if (!window && !(window = vm_reserve(WINDOW_PAGES)))
        return -AEGIS_E_NO_PAGE;
    for (uint64_t at = va & ~(uint64_t)(AEGIS_PAGE_SIZE - 1); at < end;) {
        uint64_t left = vm_pages(end - at);
        size_t count = left < WINDOW_PAGES ? left : WINDOW_PAGES;
        int64_t status;
        size_t got = open_window(window, count, ppns, &status);
        for (size_t i = 0; i < got; i++)
            fill_page(window + i * AEGIS_PAGE_SIZE, at + i * AEGIS_PAGE_SIZE, va, data, filled);
        status = hand_over(window, got, ppns, env, at, prot, status);
        if (status < 0)
            return status;
        at += count * AEGIS_PAGE_SIZE;
    }
    return 0;
}
