/*
 * The one program that the kernel loads itself: there is nobody yet whose library could. It uses
 * what applications use, page by page.
 */
#include "kernel/first.h"

#include <string.h>

#include "image/cpio.h"
#include "image/elf.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/map.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "kernel/slice.h"

#define PROGRAM     "init"
#define STACK_PAGES 4               /* a program that wants more maps it */
#define START_VA    AEGIS_STACK_TOP /* the page of the start block, above the stack */
#define HIGHEST     (AEGIS_EXPOSED_BASE - (1UL << 30)) /* of the image: room for the library */

static struct aegis_page *take_page(void)
{
    struct aegis_page *page = page_find_free();

    if (!page)
        refuse("no memory for " PROGRAM);
    page_take(page, FIRST_ENV);
    return page;
}

static void map_page(struct env *env, uint64_t va, struct aegis_page *page, uint32_t prot)
{
    struct aegis_page *table;

    for (unsigned int level = ROOT_LEVEL; level > 0; level--) {
        pte_t *entry = map_entry(env, va, level, NULL);
        if (!(*entry & PTE_V))
            map_insert_table(entry, take_page(), take_page(), level - 1, va, false);
    }
    pte_t *entry = map_entry(env, va, 0, &table);
    map_insert(table, entry, page, map_bits(prot));
}

static uint32_t segment_prot(const struct elf_segment *segment)
{
    return (segment->flags & ELF_READ ? AEGIS_PROT_READ : 0) |
           (segment->flags & ELF_WRITE ? AEGIS_PROT_WRITE : 0) |
           (segment->flags & ELF_EXEC ? AEGIS_PROT_EXEC : 0);
}

static void load_segment(struct env *env, const struct elf_segment *segment)
{
    uint64_t first = segment->address & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t file_end = segment->address + segment->file_size;

    for (uint64_t va = first; va < segment->address + segment->memory_size; va += PAGE_SIZE) {
        struct aegis_page *page = take_page();
        uint64_t from = va < segment->address ? segment->address : va;
        uint64_t to = va + PAGE_SIZE < file_end ? va + PAGE_SIZE : file_end;
        if (from < to)
            memcpy((uint8_t *)page_memory(page) + from % PAGE_SIZE,
                   segment->data + (from - segment->address), to - from);
        map_page(env, va, page, segment_prot(segment));
    }
}

void first_load(const struct board *board)
{
    static struct elf_program program; /* too large for the stack's taste */
    char name[AEGIS_NAME_SIZE] = PROGRAM;
    struct cpio_entry file;
    const void *initrd = phys_to_virt(board->initrd.start);

    int error = cpio_find(initrd, info->initrd_size, PROGRAM, &file);
    if (error)
        refuse("initial RAM disk: %s: %s", PROGRAM, cpio_strerror(error));
    error = elf_read(file.data, file.size, AEGIS_PROGRAM_BASE, HIGHEST, &program);
    if (error)
        refuse("initial RAM disk: %s: %s", PROGRAM, elf_strerror(error));

    slice_grant(FIRST_ENV);
    struct aegis_page *page = take_page(), *root = take_page();
    struct env *env = env_make(FIRST_ENV, FIRST_ENV, page, root, name, false);
    for (uint32_t i = 0; i < program.count; i++)
        load_segment(env, &program.segments[i]);
    for (uint64_t i = 1; i <= STACK_PAGES; i++)
        map_page(env, AEGIS_STACK_TOP - i * PAGE_SIZE, take_page(),
                 AEGIS_PROT_READ | AEGIS_PROT_WRITE);
    page = take_page();
    struct aegis_start *start = page_memory(page);
    start->env = FIRST_ENV;
    start->upper = program.upper;
    for (uint32_t i = 0; i < info->netif_count; i++)
        start->netif_root[i] = info->netifs[i].root;
    map_page(env, START_VA, page, AEGIS_PROT_READ | AEGIS_PROT_WRITE);
    env->pc = program.entry;
    env->x[REG_SP] = AEGIS_STACK_TOP;
    env->x[REG_A0] = START_VA;
    env_infos[FIRST_ENV].state = AEGIS_ENV_LIVE;
    /* The program's instructions were written as data (Zifencei). */
    fence_i();
}
