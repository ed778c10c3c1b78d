#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/cap.h"
#include "kernel/entropy.h"
#include "kernel/handler.h"
#include "kernel/netif.h"
#include "kernel/quota.h"
#include "kernel/slice.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define BASE       0x80000000UL
#define TREE_AT    (BASE + WORLD_SIZE - 2 * PAGE_SIZE)
#define INITRD_AT  (BASE + WORLD_SIZE - PAGE_SIZE)
#define PAGES_HELD 0xa5 /* what memory holds that nobody has cleared */

struct board world_board(void)
{
    host_base = BASE;
    host_size = WORLD_SIZE;
    if (!host_memory)
        host_memory = aligned_alloc(PAGE_SIZE, WORLD_SIZE);
    CHECK(host_memory);
    memset(host_memory, PAGES_HELD, WORLD_SIZE);
    return (struct board){.memory = {{BASE, BASE + WORLD_SIZE}},
                          .memory_count = 1,
                          .reserved = {{BASE, BASE + 0x80000}},
                          .reserved_count = 1,
                          .tree = {TREE_AT, TREE_AT + PAGE_SIZE},
                          .initrd = {INITRD_AT, INITRD_AT + PAGE_SIZE},
                          .harts = {0},
                          .hart_count = 1,
                          .timebase = 10000000,
                          .bootargs = ""};
}

/* As first.c makes it, but with an empty address space. */
static void make_first(void)
{
    struct aegis_page *page = page_find_free(), *root;
    char name[AEGIS_NAME_SIZE] = "first";

    CHECK(slice_grant(FIRST_ENV));
    page_take(page, FIRST_ENV);
    root = page_find_free();
    page_take(root, FIRST_ENV);
    env_make(FIRST_ENV, FIRST_ENV, page, root, name, false);
    env_infos[FIRST_ENV].state = AEGIS_ENV_LIVE;
    world_call_as(FIRST_ENV);
}

void (*world_before_free)(void);

void world_boot(struct virtio *devices, size_t nics)
{
    static const uint8_t seed[32] = "a seed that nobody should guess";
    struct board board = world_board();

    boot_memory_init(&board);
    kernel_root = boot_alloc(1, 1);
    page_init(&board);
    expose_init(&board);
    env_init();
    slice_init();
    entropy_add(seed, sizeof(seed));
    entropy_ready();
    cap_init(entropy_key(ENTROPY_CAPABILITIES));
    netif_init(devices, nics, RV64_BASE);
    handler_init();
    if (world_before_free)
        world_before_free();
    page_init_free();
    quota_open(handler_most());
    make_first();
}

void world_call_as(uint32_t env)
{
    CHECK(env_table[env]);
    this_hart->env = env_table[env];
}

uint64_t world_page(void)
{
    long ppn = call_page_alloc(AEGIS_ANY);

    CHECK(ppn > 0);
    return (uint64_t)ppn;
}

/* Environments are named through memory of the caller's. */
#define NAME_AT 0x3f00000000UL

uint32_t world_child(const char *name)
{
    uint64_t page = world_page(), root = world_page(), names = world_page();

    world_map(NAME_AT, names, AEGIS_PROT_READ);
    strncpy(ppn_to_virt(names), name, AEGIS_NAME_SIZE);
    long number = call_env_create(page, root, NAME_AT);
    CHECK(number > 0);
    CHECK(call_env_start((uint32_t)number, 0x10000, 0x20000, 0) == 0);
    CHECK(call_unmap(0, NAME_AT, 1) == 0);
    CHECK(call_page_free(names) == 0);
    return (uint32_t)number;
}

void world_tables(uint64_t va)
{
    for (uint32_t level = 1; level < 2; level--) { /* 1, 0 */
        uint64_t table = world_page(), links = world_page();
        long error = call_table_insert(0, va, level, table, links);
        CHECK(error == 0 || error == -AEGIS_E_IN_USE);
        if (error) {
            CHECK(call_page_free(table) == 0);
            CHECK(call_page_free(links) == 0);
        }
    }
}

void world_map(uint64_t va, uint64_t ppn, uint32_t prot)
{
    world_tables(va);
    CHECK(call_map(0, va, ppn, prot, 0) == 0);
}

/* The first of count free pages that lie side by side. */
static uint64_t find_run(size_t count)
{
    size_t run = 0;

    for (uint64_t i = 0; i < page_count; i++) {
        run = pages[i].state == AEGIS_PAGE_FREE ? run + 1 : 0;
        if (run == count)
            return first_ppn + i + 1 - count;
    }
    CHECK(run == count);
    return 0;
}

void *world_memory(uint64_t va, size_t count)
{
    for (size_t i = 0; i < count; i++)
        world_tables(va + i * PAGE_SIZE);
    uint64_t first = find_run(count);
    for (size_t i = 0; i < count; i++) {
        CHECK(call_page_alloc(first + i) == (long)(first + i));
        CHECK(call_map(0, va + i * PAGE_SIZE, first + i, AEGIS_PROT_READ | AEGIS_PROT_WRITE, 0) ==
              0);
    }
    return ppn_to_virt(first);
}

void world_end(uint32_t number)
{
    struct env *env = env_table[number];
    size_t steps = 0;

    CHECK(call_env_end(number, 0) == 0);
    while (!env_end_step(env))
        CHECK(++steps < 100000);
}
