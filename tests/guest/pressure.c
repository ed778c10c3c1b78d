/*
 * Memory that is asked back: what can be given is, by the clock; what was taken by force is told;
 * and what can't be had is an error with a name. The children do, this program asks.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/upcall/hold.h"
#include "libos/vm/internal.h"
#include "libos/vm/pager.h"
#include "libos/vm/table.h"
#include "test.h"

#define P     AEGIS_PAGE_SIZE
#define PAGES 40
#define NOTES 12 /* pages that vm takes for its notes when it is asked first */
#define RW    (PROT_READ | PROT_WRITE)

/* Places in the start block that both share. */
enum { STAGE, VALUE, ASKED };
#define WORD(place) (*(volatile uint64_t *)&exos.start->caps[place].name)

static uint64_t *map(size_t pages)
{
    uint64_t *at = mmap(NULL, pages * P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static uint64_t *page(uint64_t *base, size_t i)
{
    return base + i * (P / sizeof *base);
}

/* A pager that keeps a page's first word, which is all that these pages hold. */
static uint64_t *region, kept[PAGES];
static unsigned evicted, refilled;

static int64_t evict(void *context, uint64_t address, const void *from)
{
    CHECK(context == kept);
    kept[(address - (uint64_t)region) / P] = *(const uint64_t *)from;
    evicted++;
    return 0;
}

static int64_t refill(void *context, uint64_t address, void *to)
{
    uint64_t *word = (uint64_t *)context + (address - (uint64_t)region) / P;
    if (!*word)
        return 1;
    *(uint64_t *)to = *word;
    *word = 0;
    refilled++;
    return 0;
}

static const struct vm_pager pager = {evict, refill, kept};

static void fill(size_t count)
{
    for (size_t i = 0; i < count; i++)
        *page(region, i) = 1000 + i;
}

/* On a slow host what is asked for may be taken before this process looks again. */
static void until_asked(void)
{
    WORD(STAGE)++;
    uint64_t deadline = test_deadline();
    while (!aegis_env(exos.env)->revoking && !WORD(ASKED) && time_now() < deadline)
        aegis_yield(0);
}

static void until_over(void)
{
    while (aegis_env(exos.env)->revoking)
        aegis_yield(0);
}

/*
 * How many pages were taken by force: none, unless the host is so slow that the deadline was over
 * before they were given. Those alone may be lost, and they are known to be.
 */
static uint64_t taken_by_force(void)
{
    struct aegis_repossessed taken[PAGES];
    uint64_t lost[PAGES], count = upcall_repossessed(taken, PAGES);
    CHECK(vm_lost(lost, PAGES) <= count);
    return count;
}

/* What page i holds, or wanted if it is one of those. */
static uint64_t held(size_t i, uint64_t wanted)
{
    int64_t error;
    if (upcall_touch(page(region, i), false))
        return *page(region, i);
    CHECK_EQ(vm_why((uint64_t)page(region, i), &error), VM_LOST);
    return wanted;
}

/* Asked for some of the pages: those that were used last stay. */
static int paging_child(void)
{
    region = map(PAGES);
    CHECK_OK(vm_set_pager(region, PAGES, &pager));
    fill(PAGES);
    CHECK_OK(vm_clean(region, PAGES));
    for (size_t i = 0; i < PAGES; i += 3)
        CHECK_EQ(*page(region, i), 1000 + i);
    until_asked();
    until_over();
    uint64_t taken = taken_by_force();
    CHECK(evicted + taken >= WORD(VALUE) && evicted <= WORD(VALUE) + NOTES);
    for (size_t i = 0; i < PAGES && !taken; i += 3)
        CHECK(vm_page_at(page(region, i)) > 0);
    for (size_t i = 0; i < PAGES; i++)
        CHECK_EQ(held(i, 1000 + i), 1000 + i);
    CHECK_EQ(refilled, evicted);
    return 0;
}

/* Of discardable memory what nobody has written to since. */
static int discarding_child(void)
{
    region = map(PAGES);
    fill(PAGES);
    CHECK_EQ(madvise(region, PAGES * P, MADV_FREE), 0);
    *page(region, 7) = 77;
    CHECK_EQ(mlock(page(region, 8), P), 0);
    until_asked();
    until_over();
    uint64_t zeros = 0, taken = taken_by_force();
    CHECK_EQ(held(7, 77), 77);
    CHECK_EQ(held(8, 1008), 1008);
    for (size_t i = 0; i < PAGES; i++)
        zeros += held(i, 1) == 0;
    CHECK(zeros + taken >= WORD(VALUE) && zeros <= WORD(VALUE) + NOTES);
    return 0;
}

/* In a stretch that is held nothing goes; at its end what was asked for. */
static int holding_child(void)
{
    region = map(PAGES);
    CHECK_OK(vm_set_pager(region, PAGES, &pager));
    fill(PAGES);
    exos_hold();
    until_asked();
    for (int i = 0; i < 10; i++)
        (void)upcall_touch(page(region, (size_t)i), false);
    CHECK_EQ(evicted, 0);
    exos_release();
    until_over();
    uint64_t taken = taken_by_force();
    CHECK(evicted + taken >= WORD(VALUE) && evicted <= WORD(VALUE) + NOTES);
    for (size_t i = 0; i < PAGES; i++)
        CHECK_EQ(held(i, 1000 + i), 1000 + i);
    return 0;
}

static uint64_t zeroed;
static bool content_with_zeros(uint64_t address)
{
    zeroed = address;
    return true;
}

/* Gives nothing: finds out what it has lost, by address, and loses nothing else. */
static int stubborn_child(void)
{
    uint64_t lost[PAGES], value;
    int64_t error;
    upcall_repossessed(NULL, 0);
    region = map(PAGES);
    fill(PAGES);
    until_asked();
    until_over();
    size_t count = vm_lost(lost, PAGES);
    CHECK_EQ(count, WORD(VALUE));
    for (size_t i = 0, k = 0; i < PAGES; i++) {
        if (k < count && lost[k] == (uint64_t)page(region, i)) {
            CHECK(!upcall_probe(page(region, i), &value));
            CHECK(!upcall_touch(page(region, i), true));
            CHECK_EQ(vm_why(lost[k], &error), VM_LOST);
            k++;
        } else {
            CHECK_EQ(*page(region, i), 1000 + i);
        }
    }
    vm_set_lost(content_with_zeros);
    CHECK_EQ(*(volatile uint64_t *)lost[3], 0);
    CHECK_EQ(zeroed, lost[3]);
    CHECK_EQ(vm_lost(lost, PAGES), count - 1);
    vm_set_lost(NULL);
    CHECK_EQ(munmap(region, PAGES * P), 0);
    CHECK_EQ(vm_lost(lost, PAGES), 0);
    region = map(PAGES);
    for (size_t i = 0; i < PAGES; i++)
        CHECK_EQ(*page(region, i), 0); /* new memory at the same place */
    return 0;
}

/* Touches what it has lost: the record names the page. */
static int careless_child(void)
{
    region = map(PAGES);
    fill(PAGES);
    WORD(VALUE) = (uint64_t)region;
    until_asked();
    until_over();
    for (size_t i = 0; i < PAGES; i++)
        CHECK_EQ(*page(region, i), 1000 + i);
    return 0;
}

/* Under a quota: a fault takes from what can go; then there is none, which is said. */
static int poor_child(void)
{
    int64_t error = 0;
    size_t had = 0;
    char *more;
    region = map(PAGES);
    CHECK_OK(vm_set_pager(region, PAGES, &pager));
    fill(PAGES);
    more = mmap(NULL, 4096 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(more != MAP_FAILED);
    while (upcall_touch(more + had * P, true))
        had++;
    CHECK_EQ(vm_why((uint64_t)more + had * P, &error), VM_NO_MEMORY);
    CHECK_EQ(error, -AEGIS_E_QUOTA);
    CHECK_EQ(evicted, PAGES);
    CHECK_EQ(mmap(NULL, 64 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, 1);
    CHECK(!malloc(64 * P));
    CHECK(!vm_alloc(64, VM_READ_WRITE));
    CHECK_EQ(munmap(more, 4096 * P), 0);
    for (size_t i = 0; i < PAGES; i++)
        CHECK_EQ(*page(region, i), 1000 + i);
    WORD(STAGE)++;
    more = mmap(NULL, 4096 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; i < 4096; i++)
        more[i * P] = 1; /* ends here */
    return 0;
}

static int recurse(int depth)
{
    volatile char frame[60000]; /* so that few pages of the stack are touched */
    frame[0] = (char)depth;
    return depth ? recurse(depth - 1) + frame[0] : 0;
}

static int overflowing_child(void)
{
    return recurse(1 << 30);
}

static struct proc proc;

static void spawn(const char *part, uint64_t pages)
{
    char *const arguments[] = {"pressure", (char *)part};
    struct aegis_cap caps[3];
    struct aegis_limits limits;
    memset(caps, 0, sizeof caps);
    struct proc_options options = {
        .name = "pressure", .argc = 2, .argv = arguments, .caps = caps, .cap_count = 3};
    CHECK_OK(proc_create(&proc, &options));
    const volatile struct aegis_account *account = aegis_account(exos.env);
    for (int i = 0; i < AEGIS_QUOTAS; i++)
        limits.limit[i] = 0;
    limits.limit[AEGIS_QUOTA_PAGES] = pages;
    limits.limit[AEGIS_QUOTA_SLOTS] = 1;
    limits.limit[AEGIS_QUOTA_ENVS] = 1;
    (void)account;
    if (pages)
        CHECK_OK(aegis_quota_set(proc.env, &limits));
    CHECK_OK(proc_start(&proc));
}

/* Has the child begin, asks it for count pages, and waits for its end. */
static struct proc_status ask(const char *part, uint64_t count)
{
    struct proc_status status;
    char said[TEST_WHY_SIZE], text[128];
    spawn(part, 0);
    proc.start->caps[VALUE].name = count;
    struct aegis_predicate ready[] = {AEGIS_WHEN(proc.start->caps[STAGE].name, GE, 1),
                                      aegis_when_ended(proc.env)};
    if (aegis_wait(ready, 2, test_deadline()) != 0)
        FAIL("%s: %s", part, test_why(proc.start));
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_PAGE, count));
    __atomic_store_n(&proc.start->caps[ASKED].name, 1, __ATOMIC_RELEASE);
    struct aegis_predicate ended = aegis_when_ended(proc.env);
    CHECK_EQ(aegis_wait(&ended, 1, test_deadline()), 0);
    memcpy(said, test_why(proc.start), sizeof said);
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    if (*said)
        FAIL("%s: %s (%s)", part, said, proc_describe(&status, text, sizeof text));
    return status;
}

static void passes(const char *part, uint64_t count)
{
    struct proc_status status = ask(part, count);
    char text[128];
    if (status.reason != AEGIS_EXIT_STATUS || status.value != 0)
        FAIL("%s: %s", part, proc_describe(&status, text, sizeof text));
}

static void a_lost_page_is_named(void)
{
    struct proc_status status = ask("careless", 20);
    CHECK_EQ(status.reason, AEGIS_EXIT_EXCEPTION);
    CHECK_EQ(status.value, UPCALL_LOAD_PAGE);
    CHECK(status.address >= VM_BASE && status.address < VM_BASE + 1000 * P);
}

static void ends_by_a_store(const char *part, uint64_t quota, uint64_t stage)
{
    struct proc_status status;
    char said[TEST_WHY_SIZE];
    spawn(part, quota);
    struct aegis_predicate ended = aegis_when_ended(proc.env);
    CHECK_EQ(aegis_wait(&ended, 1, test_deadline()), 0);
    uint64_t reached = proc.start->caps[STAGE].name;
    memcpy(said, test_why(proc.start), sizeof said);
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    if (*said)
        FAIL("%s: %s", part, said);
    CHECK_EQ(reached, stage);
    CHECK_EQ(status.reason, AEGIS_EXIT_EXCEPTION);
    CHECK_EQ(status.value, UPCALL_STORE_PAGE);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } children[] = {{"paging", paging_child},          {"discarding", discarding_child},
                    {"holding", holding_child},        {"stubborn", stubborn_child},
                    {"careless", careless_child},      {"poor", poor_child},
                    {"overflowing", overflowing_child}};
    for (size_t i = 0; i < sizeof children / sizeof *children; i++)
        if (!strcmp(test_argument(argc, argv, 1), children[i].name))
            return children[i].run();
    passes("paging", 6);
    passes("discarding", 6);
    passes("holding", 4);
    passes("stubborn", 20);
    a_lost_page_is_named();
    ends_by_a_store("poor", 180, 1);
    ends_by_a_store("overflowing", 0, 0);
    return 0;
}
