/* Capabilities: what is shown must be authentic, current, for this resource, and sufficient. */
#include <string.h>

#include "libos/vm/vm.h"
#include "test.h"

#define VA 0x2000000000UL

/* A child that owns a page, so that mapping it here needs a capability, which only the child can
 * mint. */
static struct aegis_cap from_child;

static void minting(void)
{
    struct aegis_cap cap;
    uint64_t page = test_page(), last = aegis_info()->first_ppn + aegis_info()->page_count;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &cap));
    CHECK_EQ(AEGIS_CAP_KIND(cap.name), AEGIS_KIND_PAGE);
    CHECK_EQ(AEGIS_CAP_INDEX(cap.name), page);
    CHECK_EQ(AEGIS_CAP_RIGHTS(cap.name), AEGIS_RIGHT_READ);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_NONE, page, AEGIS_RIGHT_READ, &cap), INVALID);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_COUNT, 0, AEGIS_RIGHT_READ, &cap), INVALID);
    CHECK_ERROR(aegis_cap_mint(UINT32_MAX, 0, AEGIS_RIGHT_READ, &cap), INVALID);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, last, AEGIS_RIGHT_READ, &cap), RANGE);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, page | 1UL << 40, AEGIS_RIGHT_READ, &cap), RANGE);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_ENV, UINT64_MAX, AEGIS_RIGHT_CONTROL, &cap), RANGE);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, page, 0, &cap), RIGHTS);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_CONTROL, &cap), RIGHTS);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, page, 0x80000000, &cap), RIGHTS);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_ENV, exos.parent, AEGIS_RIGHT_CONTROL, &cap), OWNER);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_MACHINE, 0, AEGIS_RIGHT_CONTROL, &cap), OWNER);
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ, &cap), OWNER);
    CHECK_OK(aegis_page_free(page));
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &cap), OWNER);
}

/*
 * This program's own page capability, shown after the page went to a child: ownership no longer
 * helps, and giving it away has made the capability stale. So a capability is wanted that the child
 * minted; as the child has no library, its part is played by the parent test: see child().
 */
static void stale_after_give(void)
{
    struct aegis_cap cap;
    struct raw raw;
    uint64_t page = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &cap));
    raw_create(&raw, "end", blob_end, blob_end_end);
    CHECK_OK(aegis_page_give(page, raw.env));
    CHECK_ERROR(vm_map(0, VA, page, AEGIS_PROT_READ, &cap), CAPABILITY);
    raw_start(&raw, 0);
    raw_finish(&raw);
    CHECK_ERROR(vm_map(0, VA, page, AEGIS_PROT_READ, &cap), CAPABILITY); /* free now, nobody's */
}

/* The same page comes back to the same owner: the old capability stays dead. */
static void stale_after_free(void)
{
    struct aegis_cap cap, again;
    uint64_t page = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &cap));
    CHECK_OK(aegis_page_free(page));
    CHECK_EQ(aegis_page_alloc(page), page);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &again));
    CHECK(again.generation > cap.generation && again.mac != cap.mac);
    CHECK_OK(aegis_page_free(page));
}

static void map_with(const struct aegis_cap *cap, uint32_t prot, int64_t wanted, const char *what)
{
    int64_t got = vm_map(0, VA, AEGIS_CAP_INDEX(from_child.name), prot, cap);
    if (got != wanted)
        FAIL("%s: %s, not %s", what, aegis_error_name(got), aegis_error_name(wanted));
    if (got == 0)
        CHECK_OK(aegis_unmap(0, VA, 1));
}

static void forgeries(void)
{
    map_with(&from_child, AEGIS_PROT_READ, 0, "the true one");
    map_with(NULL, AEGIS_PROT_READ, -AEGIS_E_OWNER, "none");
    for (int bit = 0; bit < 64; bit++) {
        struct aegis_cap cap = from_child;
        cap.mac ^= 1UL << bit;
        map_with(&cap, AEGIS_PROT_READ, -AEGIS_E_CAPABILITY, "a forged MAC");
        cap = from_child;
        cap.generation ^= 1UL << bit;
        map_with(&cap, AEGIS_PROT_READ, -AEGIS_E_CAPABILITY, "another generation");
        cap = from_child;
        cap.name ^= 1UL << bit; /* kind, rights, index */
        int64_t got = vm_map(0, VA, AEGIS_CAP_INDEX(from_child.name), AEGIS_PROT_READ, &cap);
        CHECK_EQ(got, -AEGIS_E_CAPABILITY);
    }
    map_with(&from_child, VM_READ_WRITE, -AEGIS_E_RIGHTS, "READ for writing");
    map_with(&from_child, AEGIS_PROT_READ | AEGIS_PROT_EXEC, -AEGIS_E_RIGHTS, "READ for executing");
    struct aegis_cap own;
    uint64_t page = test_page();
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, page, AEGIS_RIGHT_READ, &own));
    map_with(&own, AEGIS_PROT_READ, -AEGIS_E_CAPABILITY, "one for another page");
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CONTROL, &own));
    map_with(&own, AEGIS_PROT_READ, -AEGIS_E_CAPABILITY, "one for an environment");
    CHECK_OK(aegis_page_free(page));
}

/* More access than the mapping was made with can't be had by protect. */
static void protect_gives_no_rights(void)
{
    uint64_t page = AEGIS_CAP_INDEX(from_child.name);
    CHECK_OK(vm_map(0, VA, page, AEGIS_PROT_READ, &from_child));
    CHECK_ERROR(aegis_protect(0, VA, 1, VM_READ_WRITE), RIGHTS);
    CHECK_ERROR(aegis_protect(0, VA, 1, AEGIS_PROT_READ | AEGIS_PROT_EXEC), RIGHTS);
    CHECK_EQ(*(volatile uint64_t *)VA, 0x600d);
    CHECK_OK(aegis_unmap(0, VA, 1));
}

/* The child's part: mint a READ capability for a page of its own, leave it in the shared start
 * block, and stay. */
static int child(void)
{
    uint64_t *page = vm_alloc(1, VM_READ_WRITE);
    *page = 0x600d;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)vm_page_at(page), AEGIS_RIGHT_READ,
                            &exos.start->caps[1]));
    __atomic_store_n(&exos.start->caps[0].name, 1, __ATOMIC_RELEASE);
    aegis_wait(NULL, 0, AEGIS_FOREVER);
    return 0;
}

#include "libos/proc/proc.h"
#include "libos/upcall/upcall.h"

int main(int argc, char **argv)
{
    if (!strcmp(test_argument(argc, argv, 1), "child"))
        return child();
    minting();
    stale_after_give();
    stale_after_free();

    char *const arguments[] = {"capabilities", "child"};
    struct proc_options options = {.name = "capabilities", .argc = 2, .argv = arguments};
    struct proc proc;
    struct proc_status status;
    CHECK_OK(proc_spawn(&proc, &options));
    struct aegis_predicate ready = AEGIS_WHEN(proc.start->caps[0].name, NE, 0);
    CHECK_EQ(aegis_wait(&ready, 1, AEGIS_FOREVER), 0);
    from_child = proc.start->caps[1];
    forgeries();
    protect_gives_no_rights();

    /* With the owner's end the page goes, also from here, and its capability with it. */
    uint64_t *view = vm_attach(&from_child, AEGIS_PROT_READ), value;
    CHECK(view && upcall_probe(view, &value) && value == 0x600d);
    CHECK_OK(proc_kill(&proc, 0));
    proc_wait(&proc, &status, AEGIS_FOREVER);
    CHECK(!upcall_probe(view, &value));
    CHECK_OK(vm_free(view));
    map_with(&from_child, AEGIS_PROT_READ, -AEGIS_E_CAPABILITY, "after its owner's end");
    return 0;
}
