/*
 * What addresses mean: memory that comes when it is touched, protection that cuts regions,
 * arguments that make no sense, and memory that the kernel is handed before it is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "libos/upcall/upcall.h"
#include "libos/vm/internal.h"
#include "test.h"

#define P    AEGIS_PAGE_SIZE
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#define CHECK_FAILS(call, error)                                                                   \
    do {                                                                                           \
        errno = 0;                                                                                 \
        CHECK_EQ((int64_t)(call), -1);                                                             \
        CHECK_EQ(errno, error);                                                                    \
    } while (0)

static bool can(const char *at, bool write)
{
    return upcall_touch((void *)at, write);
}

static char *map(uint64_t pages, int prot)
{
    char *at = mmap(NULL, pages * P, prot, ANON, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static uint64_t own_pages(void)
{
    return aegis_env(exos.env)->pages;
}

static void zeros_come_when_they_are_touched(void)
{
    CHECK_EQ(munmap(map(1, RW), P), 0); /* what vm itself needs is there */
    char *at = map(1, RW);
    at[0] = 1;
    uint64_t before = own_pages();
    char *more = map(64, RW);
    CHECK_EQ(own_pages(), before);
    for (int i = 0; i < 64; i += 3)
        CHECK_EQ(more[i * P + 77], 0);
    CHECK_EQ(own_pages(), before + 22);
    more[3 * P + 5] = 9;
    CHECK_EQ(more[3 * P + 5], 9);
    CHECK(vm_page_at(more + 3 * P) > 0);
    CHECK_EQ(vm_page_at(more + 4 * P), -AEGIS_E_INVALID);
    CHECK_EQ(munmap(more, 64 * P), 0);
    CHECK_EQ(own_pages(), before);
    CHECK(!can(more, false));
    /* The same pages, which held something, are zero again. */
    more = map(64, RW);
    for (int i = 0; i < 64; i++)
        for (uint64_t k = 0; k < P; k += 8)
            CHECK_EQ(*(uint64_t *)(more + i * P + k), 0);
    CHECK_EQ(munmap(more, 64 * P), 0);
    CHECK_EQ(munmap(at, P), 0);
    CHECK_EQ(own_pages(), before - 1);
}

static void arguments_without_sense(void)
{
    char *at = map(4, RW);
    const uint64_t high = 0xffffffff80200000;
    CHECK_FAILS(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
    CHECK_FAILS(mmap(NULL, P, 8, ANON, -1, 0), EINVAL);
    CHECK_FAILS(mmap(NULL, P, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_FAILS(mmap(NULL, P, RW, ANON | MAP_SHARED, -1, 0), EINVAL);
    CHECK_FAILS(mmap(NULL, P, RW, ANON | 0x40000000, -1, 0), EINVAL);
    CHECK_FAILS(mmap(NULL, P, RW, ANON, -1, 17), EINVAL);
    CHECK_FAILS(mmap(NULL, P, RW, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_FAILS(mmap(NULL, P, RW, MAP_PRIVATE, 0, 0), ENODEV);
    CHECK_FAILS(mmap(NULL, UINT64_MAX, RW, ANON, -1, 0), ENOMEM);
    CHECK_FAILS(mmap(NULL, UINT64_MAX - P + 2, RW, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
    CHECK_FAILS(mmap(NULL, 1UL << 38, RW, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
    CHECK_FAILS(mmap(NULL, 1UL << 36, RW, ANON, -1, 0), ENOMEM); /* more than the machine has */
    CHECK_FAILS(mmap(at + 1, P, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
    const uint64_t places[] = {0,
                               P,
                               AEGIS_EXPOSED_BASE,
                               AEGIS_WINDOW_BASE,
                               AEGIS_USER_END,
                               high,
                               UINT64_MAX - P + 1,
                               VM_END,
                               VM_END - P,
                               AEGIS_EXPOSED_BASE - P};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        CHECK_FAILS(mmap((void *)places[i], 2 * P, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_FAILS(mmap(at, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK_FAILS(munmap(at + 1, P), EINVAL);
    CHECK_FAILS(munmap(at, 0), EINVAL);
    CHECK_FAILS(munmap(at, UINT64_MAX), EINVAL);
    CHECK_FAILS(munmap((void *)high, P), EINVAL);
    CHECK_FAILS(munmap((void *)VM_END, P), EINVAL); /* vm's own notes */
    CHECK_FAILS(mprotect(at + 1, P, RW), EINVAL);
    CHECK_FAILS(mprotect(at, P, 8), EINVAL);
    CHECK_FAILS(mprotect(at, 6 * P, RW), ENOMEM); /* beyond the region's end */
    CHECK_FAILS(mprotect(at, UINT64_MAX - P, RW), ENOMEM);
    CHECK_FAILS(mprotect((void *)high, P, RW), ENOMEM);
    CHECK_FAILS(mprotect((void *)(UINT64_MAX - P + 1), P, RW), ENOMEM);
    CHECK_EQ(mprotect(at, 0, RW), 0);
    CHECK_FAILS(msync(at, P, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_FAILS(msync(at, 9 * P, MS_SYNC), ENOMEM);
    CHECK_EQ(msync(at, P, MS_SYNC), 0);
    CHECK_FAILS(madvise(at, P, 77), EINVAL);
    CHECK_FAILS(madvise(at, 9 * P, MADV_DONTNEED), ENOMEM);
    CHECK_FAILS(madvise((void *)high, P, MADV_DONTNEED), EINVAL);
    at[0] = 3;
    CHECK_EQ(munmap(at, 4 * P), 0);
    CHECK_EQ(munmap(at, 4 * P), 0); /* there is nothing */
}

/* A model of 64 pages, and 1,000 changes of it. */
#define MODEL 64
static struct {
    int prot; /* -1: no region */
    char value;
} model[MODEL];
static uint64_t seed = 7;

static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static void compare(const char *base)
{
    for (int i = 0; i < MODEL; i++) {
        bool reads = model[i].prot > 0 && model[i].prot & PROT_READ;
        if (can(base + i * P, false) != reads)
            FAIL("page %d of protection %d %s be read", i, model[i].prot, reads ? "can't" : "can");
        if (can(base + i * P, true) != (reads && model[i].prot & PROT_WRITE))
            FAIL("page %d of protection %d and being written to", i, model[i].prot);
        if (reads && base[i * P + 100] != model[i].value)
            FAIL("page %d holds %d, not %d", i, base[i * P + 100], model[i].value);
    }
}

static void change_once(char *base)
{
    static const int prots[] = {PROT_NONE, PROT_READ, RW, RW, PROT_READ | PROT_EXEC};
    uint64_t first = any(MODEL), count = 1 + any(MODEL - first);
    int prot = prots[any(5)], what = (int)any(8);
    bool whole = true;

    for (uint64_t i = first; i < first + count; i++)
        whole = whole && model[i].prot >= 0;
    if (what == 0) {
        CHECK_EQ(munmap(base + first * P, count * P), 0);
        for (uint64_t i = first; i < first + count; i++)
            model[i].prot = -1, model[i].value = 0;
    } else if (what == 1) {
        CHECK(mmap(base + first * P, count * P, prot, ANON | MAP_FIXED, -1, 0) == base + first * P);
        for (uint64_t i = first; i < first + count; i++)
            model[i].prot = prot, model[i].value = 0;
    } else if (what == 2 && whole) {
        CHECK_EQ(madvise(base + first * P, count * P, MADV_DONTNEED), 0);
        for (uint64_t i = first; i < first + count; i++)
            model[i].value = 0;
    } else if (what == 3) {
        for (uint64_t i = first; i < first + count; i++)
            if (model[i].prot > 0 && model[i].prot & PROT_WRITE)
                base[i * P + 100] = model[i].value = (char)any(100);
    } else if (what == 4 && whole) {
        CHECK_OK(vm_clean(base + first * P, count));
    } else if (whole) {
        CHECK_EQ(mprotect(base + first * P, count * P, prot), 0);
        for (uint64_t i = first; i < first + count; i++)
            model[i].prot = prot;
    } else {
        CHECK_FAILS(mprotect(base + first * P, count * P, prot), ENOMEM);
    }
}

static void regions_follow_a_model(void)
{
    char *base = map(MODEL, RW);
    for (int i = 0; i < MODEL; i++)
        model[i].prot = RW;
    for (int round = 0; round < 1000; round++) {
        change_once(base);
        if (round % 5 == 0)
            compare(base);
        if (round % 200 == 199) { /* as before a fork: what regions say is what pages say */
            CHECK_OK(vm_before_fork());
            for (int i = 0; i < MODEL; i++) {
                const struct vm_region *r = vm_region_at((uint64_t)(base + i * P));
                CHECK_EQ(r->kind != VM_NOWHERE, model[i].prot >= 0);
                CHECK(r->kind == VM_NOWHERE || r->prot == model[i].prot);
                CHECK(r->kind == VM_NOWHERE || r->flags & VM_MAY_COW);
            }
            CHECK_EQ(munmap(base, MODEL * P), 0);
            CHECK(mmap(base, MODEL * P, RW, ANON | MAP_FIXED, -1, 0) == base);
            for (int i = 0; i < MODEL; i++)
                model[i].prot = RW, model[i].value = 0;
        }
    }
    compare(base);
    CHECK_EQ(munmap(base, MODEL * P), 0);
}

static void thousands_of_regions(void)
{
    enum { COUNT = 500 };
    static char *at[COUNT];
    for (int i = 0; i < COUNT; i++) {
        at[i] = map(1 + (uint64_t)i % 3, i % 2 ? RW : PROT_READ);
        if (i % 100 == 0 && i % 2)
            at[i][0] = (char)i;
    }
    for (int i = 1; i < COUNT; i++)
        CHECK(at[i] > at[i - 1]);
    for (int i = 0; i < COUNT; i++) {
        int k = (i * 7) % COUNT;
        CHECK_EQ(vm_region_at((uint64_t)at[k])->start, (uint64_t)at[k]);
        CHECK_EQ(can(at[k], true), k % 2);
        CHECK_EQ(munmap(at[k], (1 + (uint64_t)k % 3) * P), 0);
        CHECK_EQ(vm_region_at((uint64_t)at[k])->kind, VM_NOWHERE);
    }
}

static void guards(void)
{
    char *one = vm_alloc(2, VM_READ_WRITE), *two = vm_alloc(1, AEGIS_PROT_READ);
    CHECK(can(one + 2 * P - 1, true) && !can(one + 2 * P, false) && !can(one - 1, false));
    CHECK(can(two, false) && !can(two, true));
    CHECK_EQ(two - one, 3 * (int64_t)P);
    CHECK_EQ(vm_free(one + P), -AEGIS_E_INVALID);
    CHECK_EQ(mprotect(one + P, P, PROT_READ), 0);
    CHECK_OK(vm_before_fork()); /* cuts it */
    CHECK_EQ(vm_free(one + P), -AEGIS_E_INVALID);
    CHECK_OK(vm_free(one));
    CHECK(!can(one + P, false));
    CHECK_OK(vm_free(two));
    CHECK_EQ(vm_free(two), -AEGIS_E_INVALID);
    /* The program's own. */
    CHECK(!can((char *)guards, true) && can((char *)guards, false));
    CHECK(!can("rodata", true) && !can(NULL, false) && !can((char *)AEGIS_EXPOSED_BASE, true));
    CHECK(!can((char *)0xffffffff80200000, false) && !can((char *)UINT64_MAX, true));
}

/* Writes a MiB of stack, a page a call. */
static int deep(int pages)
{
    volatile char frame[4096];
    frame[0] = (char)pages;
    return pages ? deep(pages - 1) + frame[0] - (char)pages : 1;
}

static void heap_and_stack_grow(void)
{
    uint64_t before = own_pages();
    char *large = malloc(200 * P);
    CHECK(large && own_pages() < before + 10);
    memset(large, 5, 200 * P);
    CHECK(own_pages() >= before + 199);
    free(large);
    CHECK(!malloc(aegis_info()->free_pages * P + 64 * P));
    CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(deep(256), 1);
    char *stack = vm_alloc_stack(64);
    int64_t error;
    stack[64 * P - 1] = 1;
    CHECK_EQ(vm_why((uint64_t)stack - 8, &error), VM_OVERFLOW);
    CHECK_EQ(vm_why((uint64_t)stack + 64 * P, &error), VM_UNMAPPED);
    CHECK_OK(vm_free(stack));
    CHECK_EQ(vm_why(P, &error), VM_UNMAPPED);
    CHECK_EQ(vm_why((uint64_t)guards, &error), VM_FORBIDDEN);
}

static void calls_find_what_is_not_there_yet(void)
{
    char *at = map(4, RW);
    struct aegis_cap *cap = (struct aegis_cap *)(at + 3 * P - 8);
    uint64_t page = test_page();
    CHECK_OK(aegis_entropy(at + P - 100, 200)); /* across the edge of two */
    CHECK(vm_page_at(at) > 0 && vm_page_at(at + P) > 0 && vm_page_at(at + 2 * P) < 0);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, cap));
    CHECK_EQ(AEGIS_CAP_INDEX(cap->name), page);
    CHECK_OK(madvise(at, 4 * P, MADV_DONTNEED));
    struct aegis_predicate *when = (struct aegis_predicate *)(at + P - 16);
    CHECK_EQ(aegis_wait(when, 1, 0), -AEGIS_E_ADDRESS); /* zeros: word 0 */
    CHECK_OK(mprotect(at, P, PROT_READ));
    CHECK_ERROR(aegis_entropy(at, 8), ADDRESS);
    CHECK_ERROR(aegis_entropy(at + 4 * P - 4, 8), ADDRESS);
    CHECK_ERROR(vm_touch(at, 4 * P, true), ADDRESS);
    CHECK_OK(vm_touch(at, 4 * P, false));
    CHECK_ERROR(vm_touch(at, 4 * P + 1, false), ADDRESS);
    CHECK_ERROR(vm_touch(at, UINT64_MAX, false), ADDRESS);
    CHECK_OK(vm_touch((void *)UINT64_MAX, 0, true));
    CHECK_OK(aegis_page_free(page));
    CHECK_EQ(munmap(at, 4 * P), 0);
}

static void what_the_hardware_notes(void)
{
    char *at = map(8, RW);
    CHECK(!vm_dirty(at) && !vm_referenced(at));
    memset(at, 1, 8 * P);
    CHECK(vm_dirty(at) && vm_referenced(at));
    CHECK_OK(vm_clean(at, 8));
    CHECK(!vm_dirty(at + P) && !vm_referenced(at + P));
    (void)*(volatile char *)(at + P);
    *(volatile char *)(at + 2 * P) = 2;
    CHECK(vm_referenced(at + P) && !vm_dirty(at + P));
    CHECK(vm_referenced(at + 2 * P) && vm_dirty(at + 2 * P) && !vm_referenced(at + 3 * P));
    CHECK_EQ(vm_next_present((uint64_t)at - P, (uint64_t)at + P), (uint64_t)at);
    CHECK_EQ(vm_next_present((uint64_t)at + 8 * P, VM_BASE << 1) > (uint64_t)at + 8 * P, 1);
    unsigned char there[8];
    CHECK_OK(madvise(at, 2 * P, MADV_DONTNEED));
    CHECK_OK(mincore(at, 8 * P, there));
    CHECK(!there[0] && !there[1] && there[2] && there[7]);
    CHECK_EQ(munmap(at, 8 * P), 0);
}

static void declared_and_shared(void)
{
    uint64_t *shared = vm_shared_alloc(3), before = own_pages();
    CHECK(shared && (uint64_t)shared >= VM_SHARED_BASE && (uint64_t)shared < VM_END);
    shared[1024] = 4;
    CHECK_EQ(own_pages(), before); /* they are there */
    CHECK_EQ(vm_region_at((uint64_t)shared)->inherit, VM_SHARE);
    CHECK_ERROR(vm_shared_adopt(shared, 1), IN_USE);
    CHECK_ERROR(vm_declare((uint64_t)shared + 1, 1, VM_RESIDENT, VM_READ_WRITE, VM_SHARE),
                ALIGNMENT);
    CHECK_ERROR(vm_declare(VM_SHARED_BASE, 0, VM_RESIDENT, VM_READ_WRITE, VM_SHARE), RANGE);
    CHECK_ERROR(vm_declare(AEGIS_EXPOSED_BASE - P, 2, VM_RESIDENT, VM_READ_WRITE, VM_SHARE), RANGE);
    CHECK_OK(vm_inherit(shared, 1, VM_NOTHING));
    CHECK_EQ(vm_region_at((uint64_t)shared)->inherit, VM_NOTHING);
    CHECK_EQ(vm_region_at((uint64_t)shared + P)->inherit, VM_SHARE);
    CHECK_OK(vm_free(shared));
    CHECK_EQ(own_pages(), before - 3);
    uint64_t *all = mmap(NULL, 3 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(own_pages(), before);
    CHECK_EQ(vm_region_at((uint64_t)all)->inherit, VM_SHARE);
    CHECK_EQ(munmap(all, 3 * P), 0);
}

int main(void)
{
    zeros_come_when_they_are_touched();
    arguments_without_sense();
    regions_follow_a_model();
    thousands_of_regions();
    guards();
    heap_and_stack_grow();
    calls_find_what_is_not_there_yet();
    what_the_hardware_notes();
    declared_and_shared();
    return 0;
}
