/* Capabilities that are derived, and taken back: STALE for what may come, SEVER for what there is.
 */
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

#define VA 0x2000000000UL

/* Places in the start block that both share. */
enum { STAGE, SHOWN, ANSWER };

static void derived_rights_only_shrink(void)
{
    struct aegis_cap own, less, none;
    uint64_t page = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &own));
    CHECK_OK(aegis_cap_derive(&own, AEGIS_RIGHT_READ, &less));
    CHECK_EQ(AEGIS_CAP_RIGHTS(less.name), AEGIS_RIGHT_READ);
    CHECK_EQ(AEGIS_CAP_INDEX(less.name), page);
    CHECK_EQ(less.generation, own.generation);
    CHECK_OK(aegis_cap_derive(&own, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &none));
    CHECK(!memcmp(&own, &none, sizeof own));
    CHECK_ERROR(aegis_cap_derive(&less, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &none), RIGHTS);
    CHECK_ERROR(aegis_cap_derive(&less, AEGIS_RIGHT_WRITE, &none), RIGHTS);
    CHECK_ERROR(aegis_cap_derive(&less, 0, &none), RIGHTS);
    CHECK_ERROR(aegis_cap_derive(&less, AEGIS_RIGHT_READ | 0x10000, &none), RIGHTS);
    for (int bit = 0; bit < 64; bit++) {
        none = own;
        none.mac ^= 1UL << bit;
        CHECK_ERROR(aegis_cap_derive(&none, AEGIS_RIGHT_READ, &none), CAPABILITY);
        none = own;
        none.name ^= 1UL << bit;
        CHECK_ERROR(aegis_cap_derive(&none, AEGIS_RIGHT_READ, &none), CAPABILITY);
    }
    CHECK_OK(aegis_page_free(page));
    CHECK_ERROR(aegis_cap_derive(&own, AEGIS_RIGHT_READ, &none), CAPABILITY);
}

static void for_whom(void)
{
    struct aegis_cap cap;
    uint64_t page = test_page();
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_NONE, page, AEGIS_REVOKE_STALE), INVALID);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_COUNT, page, AEGIS_REVOKE_STALE), INVALID);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_PAGE, page, AEGIS_REVOKE_SEVER + 1), INVALID);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_PAGE, 0, AEGIS_REVOKE_STALE), RANGE);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_PAGE, aegis_info()->first_ppn, AEGIS_REVOKE_SEVER),
                OWNER);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_ENV, exos.parent, AEGIS_REVOKE_STALE), OWNER);
    CHECK_ERROR(
        aegis_cap_revoke(AEGIS_KIND_BINDING, aegis_info()->netifs[0].root, AEGIS_REVOKE_SEVER),
        OWNER);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_MACHINE, 0, AEGIS_REVOKE_STALE), OWNER);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_CONSOLE, 0, AEGIS_REVOKE_STALE), OWNER);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CONTROL, &cap));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_ENV, exos.env, AEGIS_REVOKE_SEVER));
    CHECK_ERROR(aegis_cap_derive(&cap, AEGIS_RIGHT_CONTROL, &cap), CAPABILITY);
    CHECK_OK(aegis_page_free(page));
}

/* The child maps the page that it is shown, over and over, and says how that went. */
static _Noreturn void child(void)
{
    struct aegis_cap *caps = exos.start->caps;
    uint64_t seen = 0, value;
    for (;;) {
        while (__atomic_load_n(&caps[STAGE].name, __ATOMIC_ACQUIRE) == seen)
            aegis_yield(0); /* the page is the parent's: nothing to wait on */
        seen = caps[STAGE].name;
        caps[ANSWER].mac = upcall_probe((const volatile uint64_t *)VA, &value) ? value : 0;
        caps[ANSWER].name =
            (uint64_t)vm_map(0, VA, AEGIS_CAP_INDEX(caps[SHOWN].name), VM_READ_WRITE, &caps[SHOWN]);
        __atomic_store_n(&caps[ANSWER].generation, seen, __ATOMIC_RELEASE);
    }
}

static struct proc proc;

/* Has the child try; returns what map said, and what it could read before, in *value. */
static int64_t ask(uint64_t *value)
{
    struct aegis_cap *caps = proc.start->caps;
    uint64_t stage = caps[STAGE].name + 1;
    __atomic_store_n(&caps[STAGE].name, stage, __ATOMIC_RELEASE);
    struct aegis_predicate done = AEGIS_WHEN(caps[ANSWER].generation, EQ, stage);
    aegis_wait(&done, 1, AEGIS_FOREVER);
    *value = caps[ANSWER].mac;
    return (int64_t)caps[ANSWER].name;
}

static void stale_then_severed(void)
{
    uint64_t *page = vm_alloc(1, VM_READ_WRITE), value;
    uint64_t ppn = (uint64_t)vm_page_at(page);
    struct aegis_cap own;
    *page = 0x600d;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, ppn, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &own));
    proc.start->caps[SHOWN] = own;
    CHECK_EQ(ask(&value), 0);
    CHECK_EQ(ask(&value), -AEGIS_E_IN_USE); /* it has it */
    CHECK_EQ(value, 0x600d);
    CHECK_EQ(aegis_page(ppn)->refs, 2);

    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, ppn, AEGIS_REVOKE_STALE));
    CHECK_EQ(ask(&value), -AEGIS_E_CAPABILITY);
    CHECK_EQ(value, 0x600d); /* the binding stands */

    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, ppn, AEGIS_REVOKE_SEVER));
    CHECK_EQ(aegis_page(ppn)->refs, 1);
    CHECK_EQ(*page, 0x600d); /* the owner's own mapping stands */
    CHECK_EQ(ask(&value), -AEGIS_E_CAPABILITY);
    CHECK_EQ(value, 0);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, ppn, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE,
                            &proc.start->caps[SHOWN]));
    CHECK_EQ(ask(&value), 0); /* a new one serves */
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, ppn, AEGIS_REVOKE_SEVER));
    CHECK_OK(vm_free(page)); /* and the page can go */
}

/* More mappings than one step takes away. */
static void severed_in_steps(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    uint64_t *page = vm_alloc(1, VM_READ_WRITE), ppn = (uint64_t)vm_page_at(page);
    for (uint64_t i = 0; i < 1000; i++)
        CHECK_OK(vm_map(raw.env, 0x40000000 + i * AEGIS_PAGE_SIZE, ppn, AEGIS_PROT_READ, NULL));
    CHECK_EQ(aegis_page(ppn)->refs, 1001);
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, ppn, AEGIS_REVOKE_SEVER));
    CHECK_EQ(aegis_page(ppn)->refs, 1);
    *page = 5;
    CHECK_OK(vm_free(page));
    raw_start(&raw, 0);
    raw_finish(&raw);
}

/*
 * Page tables and the pages of their links are the caller's, too, but nobody maps them: there is
 * nothing to sever, neither at them nor where the megapage would begin that a page lies in.
 */
static void severing_tables(void)
{
    uint64_t first = 0, end = aegis_info()->first_ppn + aegis_info()->page_count;
    for (uint64_t at = aegis_info()->first_ppn; !first && at + 1 < end; at++)
        if (at % AEGIS_MEGAPAGE == 0 && aegis_page(at)->state == AEGIS_PAGE_FREE &&
            aegis_page(at + 1)->state == AEGIS_PAGE_FREE)
            first = at;
    CHECK(first);
    CHECK_OK(aegis_page_alloc_run(first, 2));
    uint64_t links = test_page(), *page = vm_reserve(1);
    CHECK_OK(vm_map(0, (uint64_t)page, first + 1, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_table_insert(0, 8UL << 30, 1, first, links));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, first + 1, AEGIS_REVOKE_SEVER));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, first, AEGIS_REVOKE_SEVER));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_PAGE, links, AEGIS_REVOKE_SEVER));
    *page = 6;
    CHECK_EQ(aegis_page(first + 1)->refs, 1);
    CHECK_OK(aegis_unmap(0, (uint64_t)page, 1));
    vm_free(page);
    CHECK_OK(aegis_table_remove(0, 8UL << 30, 1));
    CHECK_OK(aegis_page_free(first));
    CHECK_OK(aegis_page_free(first + 1));
    CHECK_OK(aegis_page_free(links));
}

int main(int argc, char **argv)
{
    if (!strcmp(test_argument(argc, argv, 1), "child"))
        child();
    derived_rights_only_shrink();
    for_whom();
    char *const arguments[] = {"revoking", "child"};
    struct aegis_cap caps[3];
    memset(caps, 0, sizeof caps);
    struct proc_options options = {
        .name = "revoking", .argc = 2, .argv = arguments, .caps = caps, .cap_count = 3};
    struct proc_status status;
    CHECK_OK(proc_spawn(&proc, &options));
    stale_then_severed();
    severed_in_steps();
    severing_tables();
    CHECK_OK(proc_kill(&proc, 0));
    proc_wait(&proc, &status, AEGIS_FOREVER);
    return 0;
}
