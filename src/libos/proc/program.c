/*
 * Programs: found in the initial RAM disk, and brought into a child's pages through a window of
 * addresses. Segments that nobody writes to are kept, and mapped into each child that runs the same
 * program: such a page is inherited by who still uses it when this program gives it up or ends.
 */
#include <stdlib.h>
#include <string.h>

#include "image/cpio.h"
#include "libos/proc/internal.h"
#include "libos/proc/proc.h"
#include "libos/vm/vm.h"

#define WINDOW_PAGES 32 /* a batch */
#define IMAGES       8  /* segments that are kept */
#define IMAGE_MOST   64 /* pages of each */

static char *window;

int64_t proc_find_program(const struct proc_options *options, struct elf_program *program)
{
    const volatile struct aegis_info *info = aegis_info();
    struct cpio_entry file = {.data = options->image};
    size_t size = options->image_size;

    if (!options->image) {
        int status = cpio_find((const void *)info->initrd, info->initrd_size, options->name, &file);
        if (status < 0)
            return status - PROC_CPIO_ERROR;
        size = file.size;
    }
    int status = elf_read(file.data, size, AEGIS_PROGRAM_BASE, VM_BASE, program);
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
        fill_page(window + i * AEGIS_PAGE_SIZE, at + i * AEGIS_PAGE_SIZE, va, data, filled);
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

/* Segments that are kept, by where their bytes are in the RAM disk, which stays. */
static struct image {
    const uint8_t *data; /* NULL: none */
    uint64_t address;
    size_t count;
    uint64_t *ppns;
} images[IMAGES];

static void drop(struct image *image)
{
    free_pages(image->ppns, image->count);
    free(image->ppns);
    *image = (struct image){0};
}

bool proc_drop_images(void)
{
    bool any = false;

    for (size_t i = 0; i < IMAGES; i++)
        if (images[i].data) {
            drop(&images[i]);
            any = true;
        }
    return any;
}

void proc_forget_images(void)
{
    for (size_t i = 0; i < IMAGES; i++) {
        free(images[i].ppns);
        images[i] = (struct image){0};
    }
}

/* In the place of the one that came longest ago. NULL: no memory. */
static const struct image *keep(const struct elf_segment *segment, uint64_t at, size_t count)
{
    static unsigned next;
    struct image *image = &images[next++ % IMAGES];
    uint64_t *ppns = malloc(count * sizeof *ppns);
    size_t done = 0;

    while (ppns && done < count) {
        size_t n = count - done < WINDOW_PAGES ? count - done : WINDOW_PAGES;
        if (make_pages(ppns + done, n, at + done * AEGIS_PAGE_SIZE, segment->address,
                       (const char *)segment->data, segment->file_size) < 0)
            break;
        done += n;
    }
    if (!ppns || done < count) {
        free_pages(ppns, done);
        free(ppns);
        return NULL;
    }
    if (image->data)
        drop(image);
    *image = (struct image){
        .data = segment->data, .address = segment->address, .count = count, .ppns = ppns};
    return image;
}

int64_t proc_share_image(uint32_t env, const struct elf_segment *segment, uint32_t prot)
{
    uint64_t at = segment->address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
    size_t count = vm_pages(segment->address + segment->memory_size - at);
    const struct image *image = NULL;

    if (count > IMAGE_MOST)
        return proc_fill(env, segment->address, segment->memory_size, segment->data,
                         segment->file_size, prot);
    for (size_t i = 0; i < IMAGES && !image; i++)
        if (images[i].data == segment->data && images[i].address == segment->address &&
            images[i].count == count)
            image = &images[i];
    if (!image)
        image = keep(segment, at, count);
    return image ? map_pages(env, at, image->ppns, count, prot | AEGIS_MAP_INHERIT)
                 : -AEGIS_E_NO_PAGE;
}
