/*
 * Page tables of a program's own: an inverted one decides, the hardware's is a cache that may be
 * emptied at any time, and both together are what a model says.
 */
#include <string.h>
#include <sys/mman.h>

#include "examples/apps/inverted.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/internal.h"
#include "test.h"

#define P      AEGIS_PAGE_SIZE
#define PAGES  200
#define SPREAD 3000 /* pages of addresses, most without memory */
#define RW     (PROT_READ | PROT_WRITE)

static uint64_t seed = 11;

static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static char *map(size_t pages)
{
    char *at = mmap(NULL, pages * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

/* insert, lookup, remove and walk against an array. */
static void a_table_by_itself(void)
{
    static uint64_t model[SPREAD];
    const struct vm_table *t = inverted_make(PAGES);
    size_t used = 0;
    CHECK(t);
    for (int round = 0; round < 20000; round++) {
        uint64_t i = any(SPREAD), va = (i + 1) * P, ppn;
        if (round % 3 == 0) {
            t->remove(t->state, va);
            used -= model[i] != 0;
            model[i] = 0;
        } else if (round % 3 == 1) {
            int64_t wanted = model[i] || used < PAGES ? 0 : -AEGIS_E_NO_PAGE;
            CHECK_EQ(t->insert(t->state, va, (uint64_t)round), wanted);
            used += wanted == 0 && !model[i];
            if (wanted == 0)
                model[i] = (uint64_t)round;
        }
        CHECK_EQ(t->lookup(t->state, va, &ppn), model[i] != 0);
        CHECK(!model[i] || ppn == model[i]);
    }
    uint64_t va = 0, ppn, seen = 0;
    for (; t->walk(t->state, &va, &ppn); va += P, seen++)
        CHECK_EQ(ppn, model[va / P - 1]);
    CHECK_EQ(seen, used);
    inverted_free(t);
}

/* Writes and reads at random, with the hardware's table emptied now and then. */
static void memory_outlasts_the_cache(void)
{
    static uint64_t model[SPREAD];
    uint64_t before = aegis_env(exos.env)->pages, touched = 0;
    const struct vm_table *t = inverted_make(PAGES);
    char *at = map(SPREAD);
    CHECK_OK(vm_set_table(at, SPREAD, t));
    for (uint64_t round = 1; round <= 4000; round++) {
        uint64_t i = any(8) ? any(20) * 150 : any(SPREAD);
        uint64_t *word = (uint64_t *)(at + i * P) + i % 512;
        if (!model[i] && ++touched > PAGES) { /* no entry is left for it */
            touched--;
            CHECK(!upcall_touch(word, true));
            continue;
        }
        CHECK_EQ(*word, model[i]);
        *word = model[i] = round;
        if (round % 400 == 0)
            CHECK(vm_flush(at, SPREAD) > 0);
        if (round % 1000 == 0) /* the PTE's protection comes with the region's */
            CHECK_OK(mprotect(at, SPREAD * P, PROT_READ));
        if (round % 1000 == 0)
            CHECK(!upcall_touch(word, true) && upcall_touch(word, false));
        if (round % 1000 == 0)
            CHECK_OK(mprotect(at, SPREAD * P, RW));
    }
    vm_flush(at, SPREAD);
    CHECK_EQ(vm_next_present((uint64_t)at, (uint64_t)at + SPREAD * P), (uint64_t)at + SPREAD * P);
    for (uint64_t i = 0; i < SPREAD; i++)
        if (model[i])
            CHECK_EQ(((uint64_t *)(at + i * P))[i % 512], model[i]);
    CHECK_EQ(munmap(at, SPREAD * P), 0);
    uint64_t va = 0, ppn;
    CHECK(!t->walk(t->state, &va, &ppn));
    inverted_free(t);
    CHECK(aegis_env(exos.env)->pages <= before + 20); /* page tables */
}

static void what_a_table_is_not_for(void)
{
    const struct vm_table *t = inverted_make(8);
    char *touched = map(4), *fresh = map(4);
    touched[0] = 1;
    CHECK_ERROR(vm_set_table(touched, 4, t), INVALID);
    CHECK_ERROR(vm_set_table(fresh + 1, 1, t), ALIGNMENT);
    CHECK_ERROR(vm_set_table(fresh, 9, t), INVALID);
    CHECK_ERROR(vm_set_table((void *)0xffffffff80200000, 1, t), INVALID);
    CHECK_OK(vm_set_table(fresh, 2, t));
    CHECK_ERROR(vm_set_table(fresh, 2, t), INVALID);
    CHECK_EQ(vm_region_at((uint64_t)fresh)->inherit, VM_NOTHING);
    memset(fresh, 7, 4 * P);
    CHECK_EQ(vm_flush(fresh, 4), 2); /* the others have no table */
    CHECK_EQ(fresh[P], 7);
    CHECK_EQ(fresh[2 * P], 7);
    CHECK_EQ(vm_flush((void *)UINT64_MAX, 1), 0);
    CHECK_EQ(munmap(fresh, 4 * P), 0);
    CHECK_EQ(munmap(touched, 4 * P), 0);
    inverted_free(t);
    /* The page tables that munmap leaves. */
    uint64_t before = aegis_env(exos.env)->pages;
    touched = map(5000);
    touched[4096 * P] = 1;
    CHECK_EQ(munmap(touched, 5000 * P), 0);
    CHECK(aegis_env(exos.env)->pages > before);
    CHECK_EQ(vm_flush(touched, 5000), 0);
    CHECK(aegis_env(exos.env)->pages <= before);
    CHECK(!inverted_make(0));
}

int main(void)
{
    CHECK_EQ(munmap(map(1), P), 0); /* what vm itself needs is there */
    a_table_by_itself();
    memory_outlasts_the_cache();
    what_a_table_is_not_for();
    return 0;
}
