/*
 * Memory of children whose pages are all their own: brought into them through a window of
 * addresses. Members of a session that run a program of the RAM disk get theirs by image.c.
 */
#include <string.h>

#include "libos/proc/internal.h"
#include "libos/proc/proc.h"
#include "libos/vm/vm.h"

#define WINDOW_PAGES 32 /* a batch */

static char *window;

/* Zeros, too: the page may hold old bytes of this program. */
void proc_fill_page(char *page, uint64_t at, uint64_t va, const char *data, uint64_t filled)
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

/* Maps pages from va on, some dozens a call; donates the tables that the first of a region lacks.
 */
static int64_t map_pages(uint32_t env, uint64_t va, const uint64_t *ppns, size_t count,
                         uint32_t prot)
{
    struct aegis_map_op ops[WINDOW_PAGES];

    for (size_t done = 0; done < count;) {
        size_t n = 0;
        uint64_t at = va + done * AEGIS_PAGE_SIZE;
        int64_t status = vm_map(env, at, ppns[done], prot, NULL);
        if (status < 0)
            return status;
        done++;
        /* The rest of what the same table maps. */
        for (at += AEGIS_PAGE_SIZE; n < WINDOW_PAGES && done + n < count &&
                                    (at >> 21) == (va + done * AEGIS_PAGE_SIZE) >> 21;
             at += AEGIS_PAGE_SIZE, n++)
            ops[n] = (struct aegis_map_op){
                .va = at, .ppn = ppns[done + n], .change = AEGIS_MAP_INSERT, .prot = prot};
        status = n ? aegis_map_batch(env, ops, n) : 0;
        if (status < 0)
            return status;
        done += n;
    }
    return 0;
}

static void free_pages(const uint64_t *ppns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        aegis_page_free(ppns[i]);
}

/* Pages of this program's own, unmapped, that hold what belongs at `at`. All or none. */
static int64_t make_pages(uint64_t *ppns, size_t count, uint64_t at, uint64_t va, const char *data,
                          uint64_t filled)
{
    size_t got = 0, mapped = 0;
    int64_t status = 0;

    if (!window && !(window = vm_reserve(WINDOW_PAGES)))
        return -AEGIS_E_NO_PAGE;
    for (; got < count; got++) {
        status = aegis_page_alloc(AEGIS_ANY);
        if (status < 0)
            break;
        ppns[got] = (uint64_t)status;
    }
    if (status >= 0)
        status = map_pages(0, (uint64_t)window, ppns, count, VM_READ_WRITE);
    if (status == 0)
        mapped = count;
    for (size_t i = 0; i < mapped; i++)
        proc_fill_page(window + i * AEGIS_PAGE_SIZE, at + i * AEGIS_PAGE_SIZE, va, data, filled);
    /* Of a failure some may be mapped: unmap stops at the first that isn't. */
    if (mapped)
        aegis_unmap(0, (uint64_t)window, count);
    else
        for (size_t i = 0;
             i < count && aegis_unmap(0, (uint64_t)window + i * AEGIS_PAGE_SIZE, 1) == 0; i++)
            ;
    if (status < 0)
        free_pages(ppns, got);
    return status < 0 ? status : 0;
}

/* The pages are env's, at va; what it doesn't get is freed. */
static int64_t hand_over(size_t count, const uint64_t *ppns, uint32_t env, uint64_t va,
                         uint32_t prot)
{
    for (size_t i = 0; i < count; i++) {
        int64_t status = aegis_page_give(ppns[i], env);
        if (status < 0) {
            free_pages(ppns + i, count - i);
            return status;
        }
    }
    return map_pages(env, va, ppns, count, prot);
}

int64_t proc_fill(uint32_t env, uint64_t va, uint64_t size, const void *data, uint64_t filled,
                  uint32_t prot)
{
    uint64_t ppns[WINDOW_PAGES];
    uint64_t end = va + size;

    for (uint64_t at = va & ~(uint64_t)(AEGIS_PAGE_SIZE - 1); at < end;) {
        uint64_t left = vm_pages(end - at);
        size_t count = left < WINDOW_PAGES ? left : WINDOW_PAGES;
        int64_t status = make_pages(ppns, count, at, va, data, filled);
        if (status == 0)
            status = hand_over(count, ppns, env, at, prot);
        if (status < 0)
            return status;
        at += count * AEGIS_PAGE_SIZE;
    }
    return 0;
}
