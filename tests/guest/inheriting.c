/*
 * Memory handed on to children (map_share), and pages that outlive their owner: whoever has a
 * mapping that inherits the page owns it next, however its owner leaves it.
 */
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA      0x2000000000UL
#define MEMORY  ((volatile uint64_t *)VA)
#define NEXT_VA (VA + AEGIS_MEGAPAGE * AEGIS_PAGE_SIZE)
#define VALUE   42

/* What parent and child tell each other, in the place of capabilities in the start block. */
struct words {
    uint64_t ready, go, number;
};

static volatile struct words *words_of(struct exos_start *start)
{
    return (volatile struct words *)start->caps;
}

static void tables_at(uint32_t env, uint64_t va)
{
    uint64_t page = test_page();
    CHECK_OK(vm_map(env, va, page, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_unmap(env, va, 1));
    CHECK_OK(aegis_page_free(page));
}

/* A page of one's own at va that begins with VALUE and its own number. */
static uint64_t page_with_value(uint64_t va)
{
    uint64_t page = test_page();
    CHECK_OK(vm_map(0, va, page, VM_READ_WRITE, NULL));
    ((volatile uint64_t *)va)[0] = VALUE;
    ((volatile uint64_t *)va)[1] = page;
    return page;
}

/* A child of this program in a role, with tables for VA, not yet running. */
static struct proc make_child(const char *role)
{
    char *const arguments[] = {"inheriting", (char *)(uintptr_t)role};
    struct aegis_cap none[2];
    struct proc proc;
    memset(none, 0, sizeof none);
    struct proc_options options = {
        .name = "inheriting", .argc = 2, .argv = arguments, .caps = none, .cap_count = 2};
    CHECK_OK(proc_create(&proc, &options));
    tables_at(proc.env, VA);
    return proc;
}

static void wait_until(const volatile uint64_t *word, uint64_t value)
{
    struct aegis_predicate p = {.word = word, .mask = UINT64_MAX, .value = value};
    while (*word != value)
        CHECK_EQ(aegis_wait(&p, 1, time_after(20000000000)), 0);
}

static void start_child(const struct proc *proc)
{
    CHECK_OK(proc_start((struct proc *)(uintptr_t)proc));
    wait_until(&words_of(proc->start)->ready, 1);
}

static struct proc_status finish(struct proc *proc)
{
    struct proc_status status;
    CHECK_EQ(proc_wait(proc, &status, time_after(20000000000)), 1);
    return status;
}

static void finish_with(struct proc *proc, uint64_t value)
{
    struct proc_status status = finish(proc);
    CHECK_EQ(status.reason, AEGIS_EXIT_STATUS);
    CHECK_EQ(status.value, value);
}

static void drop(uint64_t page)
{
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_page_free(page));
}

/* Whether the kernel would write there for this program. */
static bool is_writable(uint64_t va)
{
    int64_t result = aegis_entropy((void *)(va + AEGIS_PAGE_SIZE - 8), 8);
    CHECK(result == 0 || result == -AEGIS_E_ADDRESS);
    return result == 0;
}

/* Roles. */

static int write_there(void)
{
    MEMORY[0] = 1;
    return 0;
}

/* What was inherited is one's own, with its bytes. */
static int take_over(int status)
{
    if (MEMORY[0] != VALUE || is_writable(VA))
        return 1;
    CHECK_OK(aegis_protect(0, VA, 1, VM_READ_WRITE));
    MEMORY[0] = VALUE + 1;
    return status;
}

static int take_over_when_told(void)
{
    volatile struct words *words = words_of(exos.start);
    CHECK_ERROR(aegis_protect(0, VA, 1, VM_READ_WRITE), RIGHTS);
    words->ready = 1;
    wait_until(&words->go, 1);
    return take_over(9);
}

static void wait_to_own(uint64_t page)
{
    struct aegis_predicate mine = {.word = (const volatile uint64_t *)&aegis_page(page)->owner,
                                   .mask = UINT32_MAX,
                                   .value = exos.env};
    CHECK_EQ(aegis_wait(&mine, 1, time_after(20000000000)), 0);
}

static int take_over_as_orphan(void)
{
    uint64_t page = MEMORY[1];
    words_of(exos.start)->ready = 1;
    wait_to_own(page);
    return take_over(9);
}

/* Shares a page of its own with a child of its own, and stays until it is ended. */
static _Noreturn int share_and_stay(void)
{
    volatile struct words *words = words_of(exos.start);
    page_with_value(VA);
    struct proc child = make_child("orphan");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    start_child(&child);
    words->number = child.env;
    words->ready = 1;
    for (;;)
        aegis_wait(NULL, 0, AEGIS_FOREVER);
}

/* Hands on what it has by inheritance, not by ownership. */
static int hand_on(void)
{
    struct proc child = make_child("heir");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    CHECK_EQ(aegis_page(MEMORY[1])->refs, 3);
    CHECK_EQ(aegis_page(MEMORY[1])->owner, exos.parent);
    start_child(&child);
    CHECK_OK(proc_kill(&child, 3));
    return finish(&child).value == 3 ? 9 : 1;
}

static _Noreturn int lend(void)
{
    volatile struct words *words = words_of(exos.start);
    uint64_t page = page_with_value(VA);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_PROT_READ | AEGIS_PROT_WRITE,
                            &exos.start->caps[1]));
    words->ready = 1;
    for (;;)
        aegis_wait(NULL, 0, AEGIS_FOREVER);
}

/* Waits on a word of its parent's; 6 if it came, 5 if the page was taken away meanwhile. */
static int wait_for_word(void)
{
    struct aegis_predicate p = AEGIS_WHEN(MEMORY[0], EQ, VALUE + 1);
    words_of(exos.start)->ready = 1;
    CHECK_EQ(aegis_wait(&p, 1, AEGIS_FOREVER), 0);
    return aegis_wait(&p, 1, 0) == -AEGIS_E_ADDRESS ? 5 : 6;
}

static _Noreturn int stay(void)
{
    words_of(exos.start)->ready = 1;
    for (;;)
        aegis_wait(NULL, 0, AEGIS_FOREVER);
}

static int find_it_clear(void)
{
    uint64_t any = 0;
    for (size_t i = 0; i < AEGIS_PAGE_SIZE / sizeof any; i++)
        any |= MEMORY[i];
    MEMORY[0] = 1;
    return any == 0 ? 9 : 1;
}

static int own_and_write(void)
{
    uint64_t page = MEMORY[1];
    int64_t own = aegis_map_own(VA, VM_READ_WRITE);
    if (own < 0 || (uint64_t)own == page || aegis_page((uint64_t)own)->owner != exos.env)
        return 1;
    CHECK_EQ(aegis_page(page)->refs, 1);
    MEMORY[0] = 0;
    return 9;
}

/* Owns what others have for writing like it, and may go on to write. */
static int keep_writing(void)
{
    uint64_t page = MEMORY[1];
    words_of(exos.start)->ready = 1;
    wait_to_own(page);
    CHECK_EQ(aegis_page(page)->refs, 2);
    CHECK_OK(aegis_protect(0, VA, 1, AEGIS_PROT_READ));
    CHECK_OK(aegis_protect(0, VA, 1, VM_READ_WRITE));
    MEMORY[0] = VALUE + 1;
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(aegis_map(0, VA, page, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, page, AEGIS_REVOKE_SEVER));
    return aegis_page(page)->refs == 2 && MEMORY[0] == VALUE + 1 ? 9 : 1;
}

/* Tests. */

static void neither_side_writes_what_is_private(void)
{
    uint64_t page = page_with_value(VA);
    struct proc child = make_child("write");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 0); /* it is there */
    CHECK_EQ(aegis_page(page)->refs, 2);
    CHECK(!is_writable(VA));
    CHECK_OK(proc_start(&child));
    struct proc_status status = finish(&child);
    CHECK_EQ(status.reason, AEGIS_EXIT_EXCEPTION);
    CHECK_EQ(status.value, 15);
    CHECK_EQ(status.address, VA);
    CHECK_EQ(aegis_page(page)->refs, 1);
    CHECK_OK(aegis_protect(0, VA, 1, VM_READ_WRITE));
    CHECK_EQ(MEMORY[0], VALUE);
    drop(page);
}

static void what_is_freed_goes_to_an_heir(void)
{
    uint64_t page = page_with_value(VA);
    struct proc child = make_child("heir");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    start_child(&child);
    CHECK_ERROR(aegis_page_free(page), STATE);
    drop(page);
    CHECK_EQ(aegis_page(page)->owner, child.env);
    CHECK_ERROR(aegis_page_free(page), OWNER);
    words_of(child.start)->go = 1;
    finish_with(&child, 9);
    CHECK_EQ(aegis_page(page)->state, AEGIS_PAGE_FREE);
}

/* Whom nobody else counts on any more writes to what it has inherited. */
static void heirs_wait_for_each_other(void)
{
    uint64_t page = page_with_value(VA);
    struct proc sibling = make_child("stay"), child = make_child("heir");
    CHECK_EQ(aegis_map_share(sibling.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    start_child(&child);
    drop(page);
    CHECK_EQ(aegis_page(page)->owner, child.env);
    CHECK_EQ(aegis_page(page)->level, AEGIS_PAGE_INHERITED | AEGIS_PAGE_BOUND);
    CHECK_OK(proc_kill(&sibling, 0));
    finish(&sibling);
    words_of(child.start)->go = 1;
    finish_with(&child, 9);
}

static void heirs_of_shared_memory_write(void)
{
    uint64_t page = page_with_value(VA);
    struct proc sibling = make_child("stay"), child = make_child("writer");
    CHECK_EQ(aegis_map_share(sibling.env, VA, 1, AEGIS_SHARE_SHARED, VA), 1);
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_SHARED, VA), 1);
    start_child(&child);
    drop(page);
    finish_with(&child, 9);
    CHECK_EQ(aegis_page(page)->owner, sibling.env);
    CHECK_OK(proc_kill(&sibling, 0));
    finish(&sibling);
}

/* However it is made to leave it: by its end, or asked for all its pages. */
static void what_is_lost_goes_to_an_heir(bool by_force)
{
    struct proc middle = make_child("share");
    start_child(&middle);
    uint32_t orphan = (uint32_t)words_of(middle.start)->number;
    struct aegis_predicate ended = aegis_when_ended(orphan);
    if (by_force)
        CHECK_OK(aegis_revoke(middle.env, AEGIS_KIND_PAGE, aegis_env(middle.env)->pages));
    else
        CHECK_OK(proc_kill(&middle, 0));
    CHECK_EQ(aegis_wait(&ended, 1, time_after(20000000000)), 0);
    CHECK_EQ(aegis_env(orphan)->exit_reason, AEGIS_EXIT_STATUS);
    CHECK_EQ(aegis_env(orphan)->exit_value, 9);
    if (by_force && aegis_env(middle.env)->state == AEGIS_ENV_LIVE)
        CHECK_OK(proc_kill(&middle, 0));
    finish(&middle);
    if (aegis_env(orphan)->state == AEGIS_ENV_ENDED)
        aegis_env_free(orphan);
}

static void grandchildren_get_it_from_who_has_it(void)
{
    uint64_t page = page_with_value(VA);
    struct proc child = make_child("hand");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    CHECK_OK(proc_start(&child));
    finish_with(&child, 9);
    CHECK_EQ(aegis_page(page)->refs, 1);
    drop(page);
}

/* Who maps a page with a capability can't give that away without showing it. */
static void capabilities_are_not_handed_on(void)
{
    struct proc lender = make_child("lend"), child = make_child("stay");
    start_child(&lender);
    const struct aegis_cap cap = lender.start->caps[1];
    uint64_t page = AEGIS_CAP_INDEX(cap.name);
    CHECK_OK(aegis_map(0, VA, page, VM_READ_WRITE, &cap));
    CHECK_ERROR(aegis_map(child.env, VA, page, VM_READ_WRITE | AEGIS_MAP_INHERIT, &cap), OWNER);
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_SHARED, VA), 0);
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 0);
    uint32_t pages = aegis_env(child.env)->pages;
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_COPY, VA), 1);
    CHECK_EQ(aegis_env(child.env)->pages, pages + 1);
    CHECK_EQ(aegis_page(page)->refs, 2);
    CHECK_OK(proc_kill(&lender, 0));
    finish(&lender);
    CHECK_ERROR(aegis_unmap(0, VA, 1), ADDRESS); /* it went with its owner */
    start_child(&child);
    CHECK_OK(proc_kill(&child, 0));
    finish(&child);
}

/* What the kernel uses as it is stays its owner's alone, unless it is shared as such. */
static void pinned_pages_are_no_private_ones(void)
{
    uint64_t page = page_with_value(VA);
    struct proc child = make_child("stay");
    CHECK_OK(aegis_repossession_bind((struct aegis_repossession *)VA));
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), AEGIS_SHARE_PINNED);
    CHECK(is_writable(VA));
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_SHARED, VA), 1);
    CHECK(is_writable(VA));
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_ERROR(aegis_page_free(page), PINNED);
    CHECK_OK(aegis_repossession_bind(NULL));
    CHECK_OK(aegis_page_free(page));
    CHECK_EQ(aegis_page(page)->owner, child.env);
    CHECK_OK(proc_kill(&child, 0));
    finish(&child);
}

/* A word in a page of another's: its write wakes, and so does the page's loss. */
static void waits_on_shared_words(bool taken)
{
    uint64_t page = page_with_value(VA);
    struct proc child = make_child("wait");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_SHARED, VA), 1);
    start_child(&child);
    CHECK_EQ(aegis_wait(NULL, 0, time_after(30000000)), 0); /* so that it sleeps */
    CHECK_EQ(aegis_page(page)->pins, 0);
    if (taken)
        CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, page, AEGIS_REVOKE_SEVER));
    else
        MEMORY[0] = VALUE + 1;
    finish_with(&child, taken ? 5 : 6);
    drop(page);
    CHECK_EQ(aegis_page(page)->state, AEGIS_PAGE_FREE);
}

/* The page comes with its place in the account, so that an account can't be too full for it. */
static void accounts_follow(void)
{
    uint64_t page = page_with_value(VA), limit = aegis_account(exos.env)->limit[AEGIS_QUOTA_PAGES];
    struct proc child = make_child("heir");
    struct aegis_limits limits = {
        {[AEGIS_QUOTA_PAGES] = aegis_env(child.env)->pages, [1] = 1, [2] = 1}};
    CHECK_OK(aegis_quota_set(child.env, &limits));
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    start_child(&child);
    drop(page);
    const volatile struct aegis_account *account = aegis_account(child.env);
    CHECK_EQ(account->limit[AEGIS_QUOTA_PAGES], limits.limit[AEGIS_QUOTA_PAGES] + 1);
    CHECK_EQ(account->used[AEGIS_QUOTA_PAGES], limits.limit[AEGIS_QUOTA_PAGES] + 1);
    words_of(child.start)->go = 1;
    finish_with(&child, 9);
    CHECK_EQ(aegis_account(exos.env)->limit[AEGIS_QUOTA_PAGES], limit);
}

/* Those who are ending inherit nothing, and keep nobody from freeing. */
static void the_ending_inherit_nothing(void)
{
    uint64_t page = page_with_value(VA);
    struct proc first = make_child("stay"), second = make_child("stay");
    CHECK_EQ(aegis_map_share(first.env, VA, 1, AEGIS_SHARE_SHARED, VA), 1);
    CHECK_EQ(aegis_map_share(second.env, VA, 1, AEGIS_SHARE_SHARED, VA), 1);
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(proc_kill(&second, 0)); /* the younger comes first on the page's list */
    CHECK_OK(aegis_page_free(page));
    CHECK_EQ(aegis_page(page)->owner, first.env);
    CHECK_OK(proc_kill(&first, 0));
    finish(&first);
    finish(&second);
    CHECK_EQ(aegis_page(page)->state, AEGIS_PAGE_FREE);

    page = page_with_value(VA);
    first = make_child("stay");
    CHECK_EQ(aegis_map_share(first.env, VA, 1, AEGIS_SHARE_SHARED, VA), 1);
    CHECK_OK(aegis_unmap(0, VA, 1));
    CHECK_OK(proc_kill(&first, 0));
    CHECK_OK(aegis_page_free(page));
    finish(&first);
}

/* All or nothing, over the border between two tables, past what is absent. */
static void ranges(void)
{
    uint64_t va = NEXT_VA - AEGIS_PAGE_SIZE, first = page_with_value(va),
             second = page_with_value(NEXT_VA), third = page_with_value(NEXT_VA + 0x2000);
    struct proc child = make_child("stay");
    CHECK_ERROR(aegis_map_share(child.env, va, 4, AEGIS_SHARE_PRIVATE, va), NO_TABLE);
    CHECK(is_writable(va));
    CHECK_EQ(aegis_page(first)->refs, 1);
    tables_at(child.env, NEXT_VA);
    CHECK_EQ(aegis_map_share(child.env, va, AEGIS_SHARE_MAX, AEGIS_SHARE_PRIVATE, va), 3);
    CHECK_EQ(aegis_page(first)->refs + aegis_page(second)->refs + aegis_page(third)->refs, 6);
    CHECK_EQ(aegis_map_share(child.env, 0x3000000000, AEGIS_SHARE_MAX, AEGIS_SHARE_PRIVATE,
                             0x3000000000),
             0);
    CHECK_OK(proc_kill(&child, 0));
    finish(&child);
    CHECK_OK(aegis_unmap(0, va, 2));
    CHECK_OK(aegis_unmap(0, NEXT_VA + 0x2000, 1));
    CHECK_OK(aegis_page_free(first));
    CHECK_OK(aegis_page_free(second));
    CHECK_OK(aegis_page_free(third));
}

#define FROM (NEXT_VA + (AEGIS_MEGAPAGE - 1) * AEGIS_PAGE_SIZE) /* a table ends behind one page */
#define TO   (NEXT_VA - 2 * AEGIS_PAGE_SIZE)                    /* and behind two */

/* What is at other addresses here than there, whichever side's tables end in between. */
static void elsewhere(void)
{
    uint64_t page[3];
    for (unsigned i = 0; i < 3; i++) {
        page[i] = page_with_value(FROM + i * AEGIS_PAGE_SIZE);
        *(volatile uint64_t *)(FROM + i * AEGIS_PAGE_SIZE) = VALUE + i;
    }
    struct proc child = make_child("elsewhere");
    tables_at(child.env, NEXT_VA);
    CHECK_EQ(aegis_map_share(child.env, TO, 3, AEGIS_SHARE_COPY, FROM), 3);
    CHECK_EQ(aegis_map_share(child.env, VA, 3, AEGIS_SHARE_PRIVATE, FROM), 3);
    CHECK_EQ(aegis_map_share(child.env, VA, 4, AEGIS_SHARE_SHARED, FROM), 0); /* they are there */
    for (unsigned i = 0; i < 3; i++) {
        CHECK(!is_writable(FROM + i * AEGIS_PAGE_SIZE));
        CHECK_EQ(aegis_page(page[i])->refs, 2);
    }
    CHECK_ERROR(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_SHARED, FROM + 8), ALIGNMENT);
    CHECK_ERROR(
        aegis_map_share(child.env, VA, 2, AEGIS_SHARE_SHARED, AEGIS_EXPOSED_BASE - AEGIS_PAGE_SIZE),
        RANGE);
    CHECK_ERROR(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_COPY, AEGIS_EXPOSED_BASE), RANGE);
    CHECK_ERROR(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_COPY, 0xffffffff80200000), RANGE);
    CHECK_OK(proc_start(&child));
    finish_with(&child, 3);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(*(volatile uint64_t *)(FROM + i * AEGIS_PAGE_SIZE), VALUE + i);
        CHECK_OK(aegis_unmap(0, FROM + i * AEGIS_PAGE_SIZE, 1));
        CHECK_OK(aegis_page_free(page[i]));
    }
}

/* The child's half: how many of the pages are where they are expected, both ways. */
static int find_both(void)
{
    int found = 0;
    for (unsigned i = 0; i < 3; i++) {
        volatile uint64_t *copy = (volatile uint64_t *)(TO + i * AEGIS_PAGE_SIZE);
        found += MEMORY[i * (AEGIS_PAGE_SIZE / 8)] == VALUE + i && *copy == VALUE + i;
        *copy = 0;
    }
    return found;
}

static void copies_are_the_childs(void)
{
    uint64_t page = page_with_value(VA);
    struct proc child = make_child("write");
    uint32_t pages = aegis_env(child.env)->pages;
    CHECK_EQ(aegis_map_share(child.env, VA, AEGIS_COPY_MAX, AEGIS_SHARE_COPY, VA), 1);
    CHECK_EQ(aegis_env(child.env)->pages, pages + 1);
    CHECK_EQ(aegis_page(page)->refs, 1);
    CHECK(is_writable(VA));
    CHECK_OK(proc_start(&child));
    finish_with(&child, 0);
    CHECK_EQ(MEMORY[0], VALUE);

    child = make_child("clear");
    CHECK_EQ(aegis_map_share(child.env, VA, AEGIS_COPY_MAX, AEGIS_SHARE_FRESH, VA), 1);
    CHECK_OK(proc_start(&child));
    finish_with(&child, 9);
    CHECK_EQ(MEMORY[0], VALUE);
    drop(page);
}

/* A copy on write, by either side: whoever copies leaves the page to the other. */
static void copies_on_write(void)
{
    uint64_t page = page_with_value(VA);
    struct proc child = make_child("write");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    int64_t copy = aegis_map_own(VA, VM_READ_WRITE);
    CHECK(copy >= 0 && (uint64_t)copy != page);
    CHECK_EQ(aegis_page((uint64_t)copy)->owner, exos.env);
    CHECK_EQ(aegis_page(page)->owner, child.env);
    CHECK_EQ(aegis_page(page)->refs, 1);
    CHECK_EQ(MEMORY[0], VALUE);
    MEMORY[0] = 0;
    CHECK_EQ(aegis_map_own(VA, AEGIS_PROT_READ), copy); /* alone with it: nothing to copy */
    CHECK(!is_writable(VA));
    CHECK_OK(proc_kill(&child, 0));
    finish(&child);
    drop((uint64_t)copy);

    page = page_with_value(VA);
    child = make_child("own");
    CHECK_EQ(aegis_map_share(child.env, VA, 1, AEGIS_SHARE_PRIVATE, VA), 1);
    CHECK_OK(proc_start(&child));
    finish_with(&child, 9);
    CHECK_EQ(aegis_page(page)->refs, 1);
    CHECK_EQ(MEMORY[0], VALUE);
    drop(page);
}

static int run_role(const char *role)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } roles[] = {{"write", write_there},
                 {"heir", take_over_when_told},
                 {"orphan", take_over_as_orphan},
                 {"share", share_and_stay},
                 {"hand", hand_on},
                 {"lend", lend},
                 {"wait", wait_for_word},
                 {"own", own_and_write},
                 {"clear", find_it_clear},
                 {"writer", keep_writing},
                 {"elsewhere", find_both},
                 {"stay", stay}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(role, roles[i].name))
            return roles[i].run();
    return -1;
}

int main(int argc, char **argv)
{
    int status = run_role(test_argument(argc, argv, 1));
    if (status >= 0)
        return status;
    neither_side_writes_what_is_private();
    what_is_freed_goes_to_an_heir();
    heirs_wait_for_each_other();
    heirs_of_shared_memory_write();
    what_is_lost_goes_to_an_heir(false);
    what_is_lost_goes_to_an_heir(true);
    grandchildren_get_it_from_who_has_it();
    capabilities_are_not_handed_on();
    pinned_pages_are_no_private_ones();
    waits_on_shared_words(false);
    waits_on_shared_words(true);
    accounts_follow();
    the_ending_inherit_nothing();
    ranges();
    elsewhere();
    copies_are_the_childs();
    copies_on_write();
    return 0;
}
