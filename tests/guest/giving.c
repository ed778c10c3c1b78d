/*
 * Revocation: a program is asked for resources, gives what it likes; or doesn't, and is told what
 * was taken from it, and goes on with the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA    0x2000000000UL
#define PAGES 150

/* What the start block's capabilities are used for, once the child has started. */
enum { STAGE, ASKED, ANSWER };
#define WORD(place) (exos.start->caps[place].name)

static uint64_t pages[PAGES];
static volatile uint64_t given;
static volatile int rounds;

/* Gives the pages from the end on; it runs between any two instructions of work(). */
static void give_pages(enum aegis_kind kind, uint32_t count)
{
    exos.start->caps[ASKED].generation++;
    exos.start->caps[ASKED].mac = (uint64_t)kind << 32 | count;
    for (uint32_t i = 0; kind == AEGIS_KIND_PAGE && i < count; i++) {
        uint64_t last = PAGES - 1 - given;
        if (aegis_unmap(0, VA + last * AEGIS_PAGE_SIZE, 1) == 0 &&
            aegis_page_free(pages[last]) == 0)
            given++;
    }
}

/* Uses all registers and gp's exceptions, so that an upcall that loses any of it shows. */
static uint64_t work(uint64_t n)
{
    uint64_t a = n, b = 1, c = 2, d = 3, e = 5, f = 7, g = 11, h = 13;
    double x = 1;
    for (uint64_t i = 0; i < n; i++) {
        a += b ^ i, b += c * 3, c ^= d + i, d += e, e ^= f << 1, f += g, g ^= h + a, h += b;
        x = x * 1.0000001 + (double)(h & 3);
        if (i % 64 == 0)
            __asm__ volatile("ebreak" ::: "memory");
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ (uint64_t)x;
}

static bool skip(struct upcall_context *context)
{
    uint16_t first = *(const uint16_t *)context->pc;
    context->pc += (first & 3) == 3 ? 4 : 2;
    return true;
}

static bool skip_light(struct upcall_light *context)
{
    uint16_t first = *(const uint16_t *)context->frame->pc;
    context->frame->pc += (first & 3) == 3 ? 4 : 2;
    return true;
}

static void take_pages(void)
{
    for (uint64_t i = 0; i < PAGES; i++) {
        pages[i] = test_page();
        CHECK_OK(vm_map(0, VA + i * AEGIS_PAGE_SIZE, pages[i], VM_READ_WRITE, NULL));
        *(volatile uint64_t *)(VA + i * AEGIS_PAGE_SIZE) = i;
    }
}

static int giving_child(void)
{
    take_pages();
    upcall_set(UPCALL_BREAKPOINT, skip);
    upcall_set_revoke(give_pages);
    uint64_t wanted = work(20000);
    WORD(STAGE) = 1;
    while (given < 100 || rounds < 20) {
        upcall_set_light(UPCALL_BREAKPOINT, rounds % 2 ? skip_light : NULL);
        if (work(20000) != wanted)
            FAIL("an upcall changed a register");
        rounds++;
    }
    for (uint64_t i = 0; i < PAGES - given; i++)
        CHECK_EQ(*(volatile uint64_t *)(VA + i * AEGIS_PAGE_SIZE), i);
    WORD(STAGE) = 2;
    for (;;) /* revoked while it waits: the wait goes on */
        if (aegis_wait(NULL, 0, time_now() + aegis_info()->timebase / 50) == 0)
            WORD(STAGE)++;
}

/* Never gives; reads its vector, and uses what it has left. */
static int stubborn_child(void)
{
    struct aegis_repossessed taken[AEGIS_REPOSSESSED_MAX];
    static char
        reserve[64 * AEGIS_PAGE_SIZE]; /* what it can't do without is not only on the list's end */
    memset(reserve, 1, sizeof reserve);
    CHECK_EQ(upcall_repossessed(taken, 1), 0);
    take_pages();
    WORD(STAGE) = 1;
    uint64_t n = 0, count = 0, lost = 0, value;
    while (count < 100) {
        n = upcall_repossessed(taken, AEGIS_REPOSSESSED_MAX);
        for (uint64_t i = 0; i < n; i++) {
            CHECK_EQ(taken[i].kind, AEGIS_KIND_PAGE);
            CHECK(aegis_page(taken[i].index)->owner != exos.env);
            for (int k = 0; k < PAGES; k++)
                if (pages[k] == taken[i].index) {
                    CHECK(!upcall_probe((const volatile uint64_t *)(VA + k * AEGIS_PAGE_SIZE),
                                        &value));
                    pages[k] = 0;
                    lost++;
                }
        }
        count += n;
    }
    CHECK_EQ(count, 100);
    for (int k = 0; k < PAGES; k++)
        if (pages[k])
            CHECK_EQ(*(volatile uint64_t *)(VA + k * AEGIS_PAGE_SIZE), k);
    exos.start->caps[ANSWER].mac = lost;
    WORD(STAGE) = 2;
    aegis_wait(NULL, 0, AEGIS_FOREVER);
    return 0;
}

static volatile bool reads_nothing; /* what give_and_fault did */

static void give_and_fault(enum aegis_kind kind, uint32_t count)
{
    uint64_t value;
    bool is_there = upcall_probe((const volatile uint64_t *)(VA - AEGIS_PAGE_SIZE), &value);
    give_pages(kind, count);
    reads_nothing = !is_there;
}

/* Is under way while the upcall comes, whose handler takes an exception itself. */
static bool skip_when_asked(struct upcall_context *context)
{
    struct upcall_context before = *context;
    WORD(STAGE) = 1;
    while (!reads_nothing)
        ;
    if (memcmp(context, &before, sizeof before) != 0)
        FAIL("an upcall's exception changed another one's context");
    return skip(context);
}

static int faulting_child(void)
{
    take_pages();
    upcall_set_revoke(give_and_fault);
    upcall_set(UPCALL_BREAKPOINT, skip);
    uint64_t wanted = work(1);
    upcall_set(UPCALL_BREAKPOINT, skip_when_asked);
    CHECK_EQ(work(1), wanted);
    WORD(STAGE) = 2;
    aegis_wait(NULL, 0, AEGIS_FOREVER);
    return 0;
}

static struct proc proc;

static void spawn(const char *part)
{
    char *const arguments[] = {"giving", (char *)part};
    struct aegis_cap caps[3];
    memset(caps, 0, sizeof caps);
    struct proc_options options = {
        .name = "giving", .argc = 2, .argv = arguments, .caps = caps, .cap_count = 3};
    CHECK_OK(proc_spawn(&proc, &options));
}

static void until_stage(uint64_t stage)
{
    struct aegis_predicate reached[] = {AEGIS_WHEN(proc.start->caps[STAGE].name, GE, stage),
                                        aegis_when_ended(proc.env)};
    if (aegis_wait(reached, 2, test_deadline()) != 0)
        FAIL("the child did not come to stage %u: %s", (unsigned)stage, test_why(proc.start));
}

static void until_done(void)
{
    struct aegis_predicate done = AEGIS_WHEN(aegis_env(proc.env)->revoking, EQ, 0);
    CHECK_EQ(aegis_wait(&done, 1, test_deadline()), 0);
}

static void finish(void)
{
    struct proc_status status;
    CHECK_OK(proc_kill(&proc, 0));
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
}

static void named_errors(void)
{
    struct raw raw;
    struct aegis_context context = {.pc = AEGIS_USER_END};
    CHECK_ERROR(aegis_revoke(aegis_info()->env_count, AEGIS_KIND_PAGE, 1), RANGE);
    CHECK_ERROR(aegis_revoke(exos.parent, AEGIS_KIND_PAGE, 1), OWNER);
    CHECK_ERROR(aegis_revoke(exos.env, AEGIS_KIND_PAGE, 1), INVALID);
    raw_create(&raw, "spin", blob_spin, blob_spin_end);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 1), STATE); /* not started */
    raw_start(&raw, 0);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_NONE, 1), INVALID);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_CONSOLE, 1), INVALID);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_COUNT, 1), INVALID);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 0), RANGE);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_PAGE, aegis_env(raw.env)->pages + 1), RANGE);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_BINDING, 1), RANGE);
    CHECK_OK(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 1));
    CHECK_EQ(aegis_env(raw.env)->revoking, (uint64_t)AEGIS_KIND_PAGE << 32 | 1);
    CHECK_ERROR(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 1), BUSY);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);

    CHECK_ERROR(aegis_resume(&context, 0), RANGE);
    context.pc = 1;
    CHECK_ERROR(aegis_resume(&context, 0), RANGE);
    context.pc = 0x10000;
    CHECK_ERROR(aegis_resume(&context, AEGIS_UPCALL_FRAMES), RANGE);
    CHECK_ERROR(aegis_repossession_bind((struct aegis_repossession *)(VA + 8)), ALIGNMENT);
    CHECK_ERROR(aegis_repossession_bind((struct aegis_repossession *)(VA + (2UL << 30))), ADDRESS);
    CHECK_ERROR(aegis_repossession_bind((struct aegis_repossession *)AEGIS_EXPOSED_BASE), ADDRESS);
    CHECK_OK(aegis_repossession_bind(NULL));
}

static void what_is_asked_for_is_given(void)
{
    spawn("gives");
    until_stage(1);
    uint64_t before = aegis_env(proc.env)->pages;
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_PAGE, 60));
    until_done();
    CHECK_EQ(aegis_env(proc.env)->pages, before - 60);
    CHECK_EQ(proc.start->caps[ASKED].generation, 1);
    CHECK_EQ(proc.start->caps[ASKED].mac, (uint64_t)AEGIS_KIND_PAGE << 32 | 60);
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_PAGE, 40));
    until_stage(2);
    CHECK_EQ(aegis_env(proc.env)->pages, before - 100);
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_PAGE, 7));
    until_done();
    CHECK_EQ(aegis_env(proc.env)->pages, before - 107);
    CHECK_EQ(proc.start->caps[ASKED].generation, 3);
    until_stage(4); /* it waits on, and wakes at its deadlines */
    finish();
}

static void what_is_not_given_is_taken_and_named(void)
{
    spawn("stubborn");
    until_stage(1);
    uint64_t before = aegis_env(proc.env)->pages, free = aegis_info()->free_pages;
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_PAGE, 100));
    until_done();
    CHECK_EQ(aegis_env(proc.env)->pages, before - 100);
    CHECK_EQ(aegis_info()->free_pages, free + 100);
    until_stage(2);
    CHECK(proc.start->caps[ANSWER].mac > 0);
    finish();
}

static void an_upcall_inside_an_exception_takes_one_itself(void)
{
    spawn("faults");
    until_stage(1);
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_PAGE, 10));
    until_stage(2);
    CHECK_EQ(proc.start->caps[ASKED].mac, (uint64_t)AEGIS_KIND_PAGE << 32 | 10);
    finish();
}

/* A program without any handler, that sleeps for ever: the time limit takes what it was asked for.
 */
static void a_sleeper_is_taken_from(void)
{
    struct raw raw;
    raw_create(&raw, "sleep", blob_sleep, blob_sleep_end);
    for (int i = 0; i < 10; i++)
        CHECK_OK(aegis_page_give(test_page(), raw.env));
    raw_start(&raw, 0);
    uint64_t before = aegis_env(raw.env)->pages, start = time_now();
    CHECK_OK(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 9));
    struct aegis_predicate done = AEGIS_WHEN(aegis_env(raw.env)->revoking, EQ, 0);
    CHECK_EQ(aegis_wait(&done, 1, test_deadline()), 0);
    CHECK(time_now() - start >= AEGIS_REVOKE_SECONDS * aegis_info()->timebase);
    CHECK_EQ(aegis_env(raw.env)->pages, before - 9);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
}

/* Children and bindings go in the same way; the owner of both is this program's child. */
static int holding_child(void)
{
    struct raw raw;
    struct aegis_repossessed taken;
    CHECK_EQ(upcall_repossessed(&taken, 1), 0);
    for (int i = 0; i < 2; i++) {
        raw_create(&raw, "sleep", blob_sleep, blob_sleep_end);
        raw_start(&raw, 0);
    }
    CHECK_OK(
        aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CONTROL, &exos.start->caps[ANSWER]));
    __atomic_store_n(&WORD(STAGE), 1, __ATOMIC_RELEASE);
    while (upcall_repossessed(&taken, 1) == 0)
        aegis_yield(0);
    CHECK_EQ(taken.kind, AEGIS_KIND_ENV);
    CHECK_EQ(taken.index, raw.env); /* the younger one */
    __atomic_store_n(&WORD(STAGE), 2, __ATOMIC_RELEASE);
    while (upcall_repossessed(&taken, 1) == 0)
        aegis_yield(0);
    CHECK_EQ(taken.kind, AEGIS_KIND_BINDING);
    exos.start->caps[ASKED].mac = taken.index;
    __atomic_store_n(&WORD(STAGE), 3, __ATOMIC_RELEASE);
    aegis_wait(NULL, 0, AEGIS_FOREVER);
    return 0;
}

static void children_and_bindings(const struct aegis_cap *root)
{
    struct filter_image in, out;
    spawn("holds");
    until_stage(1);
    filter_udp_to(&in, 4321);
    filter_sent_type(&out, 0, 0x88b5);
    struct aegis_net_binding request = {.parent = *root,
                                        .owner = proc.start->caps[ANSWER],
                                        .ingress = in.words,
                                        .ingress_size = in.size,
                                        .egress = out.words,
                                        .egress_size = out.size};
    int64_t binding = aegis_net_bind(&request);
    CHECK(binding > 0);
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_ENV, 1));
    until_stage(2);
    CHECK_OK(aegis_revoke(proc.env, AEGIS_KIND_BINDING, 1));
    until_stage(3);
    CHECK_EQ(proc.start->caps[ASKED].mac, binding);
    CHECK_ERROR(aegis_net_unbind((uint32_t)binding), RANGE); /* it is gone */
    finish();
}

int main(int argc, char **argv)
{
    const char *part = test_argument(argc, argv, 1);
    if (!strcmp(part, "gives"))
        return giving_child();
    if (!strcmp(part, "stubborn"))
        return stubborn_child();
    if (!strcmp(part, "holds"))
        return holding_child();
    if (!strcmp(part, "faults"))
        return faulting_child();
    struct aegis_cap root = exos.start->caps[TEST_CAP_ROOT];
    named_errors();
    what_is_asked_for_is_given();
    what_is_not_given_is_taken_and_named();
    an_upcall_inside_an_exception_takes_one_itself();
    a_sleeper_is_taken_from();
    children_and_bindings(&root);
    return 0;
}
