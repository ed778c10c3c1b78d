/*
 * What a process keeps of programs that it has spawned from the RAM disk: where their segments are,
 * and the pages that a child begins with, in a window of this process's addresses. map_share puts
 * them into a child: what nobody writes to as the very pages, which are inherited by who still uses
 * them when this process gives them up or ends; data as copies; zeros as cleared pages.
 *
 * The archive never changes, so that what was read of it once stays true. Programs that come from
 * memory aren't kept: program.c.
 */
#include <stdlib.h>
#include <string.h>

#include "image/cpio.h"
#include "libos/proc/image.h"
#include "libos/proc/internal.h"
#include "libos/vm/vm.h"

#define IMAGES     4   /* programs that are kept */
#define IMAGE_MOST 128 /* pages of each */
#define ZEROS      AEGIS_COPY_MAX

static struct proc_image *images; /* the one that came last is the first */
static char *zeros;               /* one page of zeros, ZEROS times: says what fresh pages allow */
static bool zeros_mapped;

static uint64_t page_of(uint64_t address)
{
    return address & ~(uint64_t)(AEGIS_PAGE_SIZE - 1);
}

/* Pages from the segment's first on that hold `bytes` bytes of it. */
static size_t pages_with(const struct elf_segment *s, uint64_t bytes)
{
    return bytes ? vm_pages(s->address + bytes - page_of(s->address)) : 0;
}

/* Pages that children get from the window: of what they write to, those with bytes of the file. */
static size_t kept_pages(const struct elf_segment *s)
{
    return pages_with(s, s->flags & ELF_WRITE ? s->file_size : s->memory_size);
}

static int64_t read_program(const struct proc_options *options, struct proc_image *image)
{
    const volatile struct aegis_info *info = aegis_info();
    struct cpio_entry file = {.data = options->image};
    size_t size = options->image_size;

    *image = (struct proc_image){0};
    if (!options->image) {
        int status = cpio_find((const void *)info->initrd, info->initrd_size, options->name, &file);
        if (status < 0)
            return status - PROC_CPIO_ERROR;
        size = file.size;
    }
    int status = elf_read(file.data, size, AEGIS_PROGRAM_BASE, VM_BASE, &image->program);
    return status < 0 ? status - PROC_ELF_ERROR : 0;
}

/* Unmaps and frees what was mapped in the window, with its addresses. */
static void free_window(struct proc_image *image)
{
    for (size_t i = 0; i < image->pages; i++) {
        char *at = image->window + i * AEGIS_PAGE_SIZE;
        int64_t ppn = vm_page_at(at);
        if (ppn >= 0 && aegis_unmap(0, (uint64_t)at, 1) == 0)
            aegis_page_free((uint64_t)ppn);
    }
    vm_free(image->window);
    image->window = NULL;
    image->pages = 0;
}

/* A page for each that children get, with its bytes, and protected as theirs. */
static int64_t fill_segment(const struct proc_image *image, const struct elf_segment *s)
{
    uint64_t first = page_of(s->address),
             to = (uint64_t)image->window + first - image->program.lower;
    size_t count = kept_pages(s);
    int64_t status = 0;

    for (size_t i = 0; i < count && status == 0; i++) {
        status = aegis_page_alloc(AEGIS_ANY);
        if (status < 0)
            break;
        uint64_t ppn = (uint64_t)status, va = to + i * AEGIS_PAGE_SIZE;
        status = vm_map(0, va, ppn, VM_READ_WRITE, NULL);
        if (status < 0)
            aegis_page_free(ppn);
        else
            proc_fill_page((char *)va, first + i * AEGIS_PAGE_SIZE, s->address,
                           (const char *)s->data, s->file_size);
    }
    if (status == 0 && count && !(s->flags & ELF_WRITE))
        status = aegis_protect(0, to, count, proc_protection(s));
    return status;
}

/* Of the window: up to the last page that any segment has there. */
static size_t window_pages(const struct elf_program *program)
{
    uint64_t end = program->lower;

    for (uint32_t i = 0; i < program->count; i++) {
        const struct elf_segment *s = &program->segments[i];
        uint64_t behind = page_of(s->address) + kept_pages(s) * AEGIS_PAGE_SIZE;
        end = behind > end ? behind : end;
    }
    return (end - program->lower) / AEGIS_PAGE_SIZE;
}

static int64_t make_window(struct proc_image *image)
{
    const struct elf_program *program = &image->program;
    size_t pages = window_pages(program);
    int64_t status = 0;

    vm_free(image->window); /* a parent's: nothing is mapped there now */
    image->window = vm_reserve(pages);
    if (!image->window)
        return -AEGIS_E_NO_PAGE;
    image->pages = pages;
    for (uint32_t i = 0; i < program->count && status == 0; i++)
        status = fill_segment(image, &program->segments[i]);
    if (status < 0)
        free_window(image);
    return status;
}

static void drop(struct proc_image **at)
{
    struct proc_image *image = *at;

    *at = image->next;
    free_window(image);
    free(image);
}

/* Unmaps count of the mappings of zeros' page, and frees it. */
static void free_zeros(size_t count)
{
    int64_t ppn = vm_page_at(zeros);

    aegis_unmap(0, (uint64_t)zeros, count);
    if (ppn >= 0)
        aegis_page_free((uint64_t)ppn);
    zeros_mapped = false;
}

bool proc_drop_images(void)
{
    bool any = images || zeros_mapped;

    while (images)
        drop(&images);
    if (zeros_mapped)
        free_zeros(ZEROS);
    return any;
}

void proc_forget_images(void)
{
    EXOS_SET(zeros_mapped, false);
    for (struct proc_image *image = images; image; image = image->next)
        image->pages = 0;
}

/* What is kept of the program, or NULL; room for one more is made then. */
static struct proc_image *look_up(const char *name)
{
    size_t count = 1;

    for (struct proc_image **at = &images; *at; count++) {
        struct proc_image *image = *at;
        if (!strcmp(image->name, name))
            return image;
        if (count == IMAGES)
            drop(at);
        else
            at = &image->next;
    }
    return NULL;
}

int64_t proc_find_program(const struct proc_options *options, struct proc_image *own,
                          struct proc_image **found)
{
    size_t length = strlen(options->name);
    struct proc_image *image = options->image ? NULL : look_up(options->name);

    *found = image ? image : own;
    if (image)
        return 0;
    int64_t status = read_program(options, own);
    if (status < 0 || options->image || !options->member)
        return status;
    if (window_pages(&own->program) > IMAGE_MOST || !(image = malloc(sizeof *image + length + 1)))
        return 0;
    *image = *own;
    image->name = strcpy((char *)(image + 1), options->name);
    image->next = images;
    *found = images = image;
    return 0;
}

int64_t proc_put(uint32_t env, uint64_t va, size_t count, enum aegis_share how, const void *from)
{
    uint64_t source = (uint64_t)from;

    while (count) {
        size_t covered = AEGIS_MEGAPAGE - va / AEGIS_PAGE_SIZE % AEGIS_MEGAPAGE;
        size_t most = how == AEGIS_SHARE_SHARED ? AEGIS_SHARE_MAX : AEGIS_COPY_MAX;
        size_t n = count < most ? count : most;
        n = n < covered ? n : covered;
        int64_t put = vm_hand_on(env, va, n, how, source);
        if (put < 0 || (size_t)put < n) /* some were taken by force */
            return put < 0 ? put : -AEGIS_E_NO_PAGE;
        va += n * AEGIS_PAGE_SIZE;
        source += how == AEGIS_SHARE_FRESH ? 0 : n * AEGIS_PAGE_SIZE;
        count -= n;
    }
    return 0;
}

static int64_t map_zeros(void)
{
    if (!zeros && !(zeros = vm_reserve(ZEROS)))
        return -AEGIS_E_NO_PAGE;
    int64_t ppn = aegis_page_alloc(AEGIS_ANY), status = ppn < 0 ? ppn : 0;
    size_t mapped = 0;
    for (; mapped < ZEROS && status == 0; mapped += status == 0)
        status = vm_map(0, (uint64_t)zeros + mapped * AEGIS_PAGE_SIZE, (uint64_t)ppn, VM_READ_WRITE,
                        NULL);
    zeros_mapped = status == 0;
    if (status < 0 && mapped)
        free_zeros(mapped);
    else if (status < 0 && ppn >= 0)
        aegis_page_free((uint64_t)ppn);
    return status;
}

int64_t proc_put_zeros(uint32_t env, uint64_t va, size_t count)
{
    int64_t status = zeros_mapped || !count ? 0 : map_zeros();
    return status < 0 ? status : proc_put(env, va, count, AEGIS_SHARE_FRESH, zeros);
}

/* The pages of segment i that are kept, and how many segments these are: text and rodata follow
 * each other, and are put in one call. */
static size_t run_of(const struct elf_program *program, uint32_t i, size_t *pages)
{
    const struct elf_segment *s = &program->segments[i];
    uint32_t end = i + 1;

    *pages = kept_pages(s);
    for (; !(s->flags & ELF_WRITE) && end < program->count; end++) {
        const struct elf_segment *next = &program->segments[end];
        if (next->flags & ELF_WRITE ||
            page_of(next->address) != page_of(s->address) + *pages * AEGIS_PAGE_SIZE)
            break;
        *pages += kept_pages(next);
    }
    return end - i;
}

int64_t proc_put_image(uint32_t env, struct proc_image *image)
{
    const struct elf_program *program = &image->program;
    int64_t status = image->pages ? 0 : make_window(image);
    size_t count;

    for (uint32_t i = 0, run; i < program->count && status == 0; i += run) {
        const struct elf_segment *s = &program->segments[i];
        uint64_t va = page_of(s->address);
        bool writable = s->flags & ELF_WRITE;
        run = run_of(program, i, &count);
        status = proc_put(env, va, count, writable ? AEGIS_SHARE_COPY : AEGIS_SHARE_SHARED,
                          image->window + (va - program->lower));
        if (status == 0 && writable)
            status = proc_put_zeros(env, va + count * AEGIS_PAGE_SIZE,
                                    pages_with(s, s->memory_size) - count);
    }
    return status;
}
