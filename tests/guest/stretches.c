/*
 * The first and only program of a machine whose kernel measures how long interrupts are off
 * (IRQOFF=1): makes the calls that have the kernel go through much at once, and ends the machine.
 */
#include <stdio.h>
#include <stdlib.h>

#include "libos/vm/vm.h"
#include "test.h"

#define VA       0x2000000000UL
#define MEGABYTE (AEGIS_MEGAPAGE * (uint64_t)AEGIS_PAGE_SIZE)
#define SPREAD   120                          /* mappings of a megapage */
#define OWN_VA   (VA + 511 * AEGIS_PAGE_SIZE) /* in a table of this program's, and free */

/* This program has no start block to say it in. */
static void must(int64_t got, int64_t wanted, const char *what)
{
    if (got == wanted)
        return;
    printf("FAIL %s: %s, not %s\n", what, aegis_error_name(got), aegis_error_name(wanted));
    aegis_shutdown(1);
}
#define MUST(call)           must((call), 0, #call)
#define MUST_GET(call, name) must((call), -AEGIS_E_##name, #call)

static uint64_t find_megapage(void)
{
    uint64_t end = aegis_info()->first_ppn + aegis_info()->page_count;
    for (uint64_t at = aegis_info()->first_ppn; at + AEGIS_MEGAPAGE <= end; at += AEGIS_MEGAPAGE)
        if (aegis_page_alloc_run(at, AEGIS_MEGAPAGE) == 0)
            return at;
    must(1, 0, "no run of free pages");
    return 0;
}

static uint64_t new_page(void)
{
    int64_t page = aegis_page_alloc(AEGIS_ANY);
    if (page < 0)
        must(page, 0, "page_alloc");
    return (uint64_t)page;
}

static uint32_t make_env(void)
{
    int64_t env = aegis_env_create(new_page(), new_page(), "stretches\0\0\0\0\0\0");
    if (env < 0)
        must(env, 0, "env_create");
    return (uint32_t)env;
}

static void end_env(uint32_t env)
{
    struct aegis_predicate ended = aegis_when_ended(env);
    MUST(aegis_env_end(env, 0));
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    MUST(aegis_env_free(env));
}

static struct aegis_map_op ops[AEGIS_MAP_OPS_MAX];

static void fill(uint64_t first, uint32_t change)
{
    for (uint64_t i = 0; i < AEGIS_MAP_OPS_MAX; i++)
        ops[i] = (struct aegis_map_op){.va = VA + i * MEGABYTE,
                                       .ppn = first,
                                       .change = change,
                                       .prot = VM_READ_WRITE | AEGIS_MAP_MEGA};
}

/* As many megapages as a batch takes; more are refused. */
static void batches_of_megapages(uint64_t first)
{
    const uint64_t most = AEGIS_MAP_MEGAS_MAX;
    MUST(aegis_table_insert(0, VA, 1, new_page(), new_page()));
    fill(first, AEGIS_MAP_INSERT);
    MUST_GET(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX), RANGE);
    MUST_GET(aegis_map_batch(0, ops, most + 1), RANGE);
    MUST(aegis_map_batch(0, ops, most));
    MUST(aegis_map_batch(0, ops + most, most));
    fill(first, AEGIS_MAP_REMOVE);
    MUST_GET(aegis_map_batch(0, ops, 2 * most), RANGE);
    MUST_GET(aegis_map_batch(0, ops, most + 1), RANGE);
    must(aegis_page(first)->refs, (int64_t)(2 * most), "references of the megapage");
    MUST(aegis_map_batch(0, ops, most));
    MUST(aegis_map_batch(0, ops + most, most));
    must(aegis_page(first)->refs, 0, "references of the megapage");
}

/* A page in a megapage that many spaces' entries map is taken back from all of them. */
static void severed_megapages(uint64_t first)
{
    uint32_t env = make_env();
    MUST(aegis_table_insert(env, VA, 1, new_page(), new_page()));
    for (uint64_t i = 0; i < SPREAD; i++)
        MUST(aegis_map(env, VA + i * MEGABYTE, first, VM_READ_WRITE | AEGIS_MAP_MEGA, NULL));
    MUST(aegis_cap_revoke(AEGIS_KIND_PAGE, first + 7, AEGIS_REVOKE_SEVER));
    must(aegis_page(first + 7)->refs, 0, "references of the megapage");
    end_env(env);
}

/* Nothing of what many mappings of the owner's own surround is missed, wherever a step ends. */
static void severed_among_own(void)
{
    const uint64_t page = new_page(), tables = 16;
    uint32_t env = make_env();
    MUST(aegis_table_insert(env, VA, 1, new_page(), new_page()));
    MUST(aegis_table_insert(env, VA, 0, new_page(), new_page()));
    MUST(aegis_map(env, VA, page, VM_READ_WRITE, NULL));
    for (uint64_t t = 0; t < tables; t++) {
        MUST(aegis_table_insert(0, VA + t * MEGABYTE, 0, new_page(), new_page()));
        for (uint64_t batch = 0; batch < 5; batch++) {
            fill(page, AEGIS_MAP_INSERT);
            for (uint64_t i = 0; i < AEGIS_MAP_OPS_MAX; i++) {
                ops[i].va = VA + t * MEGABYTE + (batch * AEGIS_MAP_OPS_MAX + i) * AEGIS_PAGE_SIZE;
                ops[i].prot = VM_READ_WRITE;
            }
            MUST(aegis_map_batch(0, ops, AEGIS_MAP_OPS_MAX));
        }
    }
    uint64_t own = tables * 5 * AEGIS_MAP_OPS_MAX;
    MUST(aegis_map(env, VA + AEGIS_PAGE_SIZE, page, VM_READ_WRITE, NULL));
    must(aegis_page(page)->refs, (int64_t)own + 2, "references of the page");
    MUST(aegis_cap_revoke(AEGIS_KIND_PAGE, page, AEGIS_REVOKE_SEVER));
    must(aegis_page(page)->refs, (int64_t)own, "references of the page");
    end_env(env);
}

/* Tables that map nothing are looked through all the same when their environment ends. */
static void ending_with_empty_tables(void)
{
    const uint64_t gigabyte = AEGIS_MEGAPAGE * MEGABYTE;
    uint32_t env = make_env();
    for (uint64_t i = 0; i < 2 * SPREAD; i++)
        MUST(aegis_table_insert(env, i * gigabyte, 1, AEGIS_ANY, AEGIS_ANY));
    end_env(env);
    env = make_env();
    MUST(aegis_table_insert(env, VA, 1, AEGIS_ANY, AEGIS_ANY));
    for (uint64_t i = 0; i < AEGIS_MEGAPAGE; i++)
        MUST(aegis_table_insert(env, VA + i * MEGABYTE, 0, AEGIS_ANY, AEGIS_ANY));
    end_env(env);
}

/* Maps a page of env's there, at addresses from va on. */
static void map_often(uint32_t env, uint64_t page, uint64_t va, uint64_t count)
{
    fill(page, AEGIS_MAP_INSERT);
    for (uint64_t i = 0; i < AEGIS_MAP_OPS_MAX; i++)
        ops[i].prot = VM_READ_WRITE;
    for (uint64_t n, done = 0; done < count; done += n) {
        n = count - done < AEGIS_MAP_OPS_MAX ? count - done : AEGIS_MAP_OPS_MAX;
        for (uint64_t i = 0; i < n; i++)
            ops[i].va = va + (done + i) * AEGIS_PAGE_SIZE;
        MUST(aegis_map_batch(env, ops, n));
    }
}

/* Has env run, for ever, without memory of its own for it. Returns the page that it runs in. */
static uint64_t keep_running(uint32_t env, uint64_t va)
{
    uint64_t page = new_page();
    MUST(aegis_map(0, OWN_VA, page, VM_READ_WRITE, NULL));
    *(volatile uint16_t *)OWN_VA = 0xa001; /* j . */
    MUST(aegis_unmap(0, OWN_VA, 1));
    MUST(aegis_map(env, va, page, AEGIS_PROT_READ | AEGIS_PROT_EXEC, NULL));
    MUST(aegis_env_start(env, va, 0, 0));
    return page;
}

/* Pages that their owner maps often are taken by force: for an heir, if there is one. */
static void taking_mapped_pages(uint32_t heir)
{
    const uint64_t count = 16, often = heir ? 120 : 250, kept = 2 + 2 * (count + 2);
    uint32_t env = make_env();
    MUST(aegis_table_insert(env, VA, 1, AEGIS_ANY, AEGIS_ANY));
    for (uint64_t i = 0; i <= count; i++)
        MUST(aegis_table_insert(env, VA + i * MEGABYTE, 0, AEGIS_ANY, AEGIS_ANY));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t page = new_page(), va = VA + count * MEGABYTE + i * AEGIS_PAGE_SIZE;
        if (heir) {
            MUST(aegis_map(heir, va, page, VM_READ_WRITE | AEGIS_MAP_INHERIT, NULL));
            MUST(aegis_map(env, va, page, VM_READ_WRITE | AEGIS_MAP_INHERIT, NULL));
            MUST(aegis_page_free(page));
        } else {
            MUST(aegis_page_give(page, env));
        }
        map_often(env, page, VA + i * MEGABYTE, often);
    }
    must(aegis_env(env)->pages, (int64_t)(kept + count), "pages of the owner");
    uint64_t code = keep_running(env, VA + count * (MEGABYTE + AEGIS_PAGE_SIZE));
    MUST(aegis_revoke(env, AEGIS_KIND_PAGE, count));
    while (aegis_env(env)->pages != kept)
        aegis_yield(0);
    end_env(env);
    MUST(aegis_page_free(code));
}

static void taking_pages(void)
{
    uint32_t heir = make_env();
    MUST(aegis_table_insert(heir, VA, 1, AEGIS_ANY, AEGIS_ANY));
    MUST(aegis_table_insert(heir, VA + 16 * MEGABYTE, 0, AEGIS_ANY, AEGIS_ANY));
    taking_mapped_pages(0);
    taking_mapped_pages(heir);
    end_env(heir);
}

int main(void)
{
    uint64_t first = find_megapage();
    batches_of_megapages(first);
    severed_megapages(first);
    severed_among_own();
    ending_with_empty_tables();
    taking_pages();
    printf("DONE\n");
    aegis_shutdown(0);
    return 0;
}
