/*
 * Walks over the mappings of a page that is taken back take many steps, and others go on between
 * them: who unmaps where a walk stands, and maps something else there, keeps that.
 */
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA    0x2000000000UL
#define COUNT 500 /* mappings: steps remove 128, and on a loaded host two may follow each other */

static struct proc proc;

/* Has a page that it shows its parent the capability of, and waits for its end. */
static _Noreturn void child(void)
{
    struct aegis_cap *caps = exos.start->caps, cap;
    uint64_t page = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_PROT_READ | AEGIS_PROT_WRITE, &cap));
    caps[1].name = page;
    caps[0] = cap;
    __atomic_store_n(&caps[1].mac, 1, __ATOMIC_RELEASE);
    for (;;)
        aegis_wait(NULL, 0, AEGIS_FOREVER);
}

static uint64_t start_child(void)
{
    char *const arguments[] = {"walks", "child"};
    struct aegis_cap caps[2];
    memset(caps, 0, sizeof caps);
    struct proc_options options = {
        .name = "walks", .argc = 2, .argv = arguments, .caps = caps, .cap_count = 2};
    CHECK_OK(proc_spawn(&proc, &options));
    struct aegis_predicate shown = AEGIS_WHEN(proc.start->caps[1].mac, EQ, 1);
    CHECK_EQ(aegis_wait(&shown, 1, AEGIS_FOREVER), 0);
    return proc.start->caps[1].name;
}

int main(int argc, char **argv)
{
    if (!strcmp(test_argument(argc, argv, 1), "child"))
        child();
    uint64_t own = test_page(), tables[] = {test_page(), test_page(), test_page(), test_page()};
    CHECK_OK(aegis_table_insert(0, VA, 1, tables[0], tables[1]));
    CHECK_OK(aegis_table_insert(0, VA, 0, tables[2], tables[3]));
    uint64_t page = start_child();
    for (uint64_t i = 0; i < COUNT; i++)
        CHECK_OK(aegis_map(0, VA + i * AEGIS_PAGE_SIZE, page, VM_READ_WRITE, &proc.start->caps[0]));
    CHECK_EQ(aegis_page(page)->refs, COUNT);

    /* The walk begins with the oldest mapping; where it stands, others are made behind it. */
    CHECK_OK(proc_kill(&proc, 0));
    uint64_t left;
    while ((left = aegis_page(page)->refs) == COUNT)
        aegis_yield(0);
    CHECK(left > 1 && left < COUNT);
    uint64_t va = VA + (COUNT - left) * AEGIS_PAGE_SIZE;
    for (uint64_t i = 0; i < left; i++) {
        int64_t status = aegis_unmap(0, va + i * AEGIS_PAGE_SIZE, 1);
        CHECK(status == 0 || status == -AEGIS_E_ADDRESS); /* the walk may have gone on meanwhile */
    }
    for (uint64_t i = 0; i < left; i++)
        CHECK_OK(aegis_map(0, va + i * AEGIS_PAGE_SIZE, own, VM_READ_WRITE, NULL));
    CHECK_EQ(aegis_page(own)->refs, left);
    struct proc_status status;
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    CHECK_EQ(aegis_page(own)->refs, left);
    CHECK_OK(aegis_unmap(0, va, left));
    CHECK_OK(aegis_table_remove(0, VA, 0));
    CHECK_OK(aegis_table_remove(0, VA, 1));
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(aegis_page_free(tables[i]));
    CHECK_OK(aegis_page_free(own));
    return 0;
}
