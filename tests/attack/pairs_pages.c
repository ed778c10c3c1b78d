/* The errors of calls about pages and capabilities for them. */
#include <string.h>

#include "attack.h"
#include "libos/vm/vm.h"

static uint64_t beyond(void)
{
    return aegis_info()->first_ppn + aegis_info()->page_count;
}

int64_t cap_derive_ADDRESS(void)
{
    struct aegis_cap *caps = exos.start->caps, made;
    for (size_t i = 0; i < bad_address_count; i++) {
        struct aegis_cap *bad = (struct aegis_cap *)bad_addresses[i];
        CHECK_ERROR(aegis_cap_derive(bad, AEGIS_RIGHT_READ, &made), ADDRESS);
        CHECK_ERROR(aegis_cap_derive(&caps[ATTACK_CAP_VICTIM_PAGE], AEGIS_RIGHT_READ, bad),
                    ADDRESS);
    }
    return aegis_cap_derive(&caps[ATTACK_CAP_VICTIM_PAGE], AEGIS_RIGHT_READ,
                            (struct aegis_cap *)AEGIS_EXPOSED_BASE);
}

int64_t cap_derive_CAPABILITY(void)
{
    struct aegis_cap forged = exos.start->caps[ATTACK_CAP_VICTIM_PAGE], made;
    forged.name |= AEGIS_CAP_NAME(0, AEGIS_RIGHT_WRITE, 0);
    CHECK_ERROR(aegis_cap_derive(&forged, AEGIS_RIGHT_WRITE, &made), CAPABILITY);
    memset(&forged, 0, sizeof forged);
    CHECK_ERROR(aegis_cap_derive(&forged, AEGIS_RIGHT_READ, &made), CAPABILITY);
    memset(&forged, 0xff, sizeof forged);
    return aegis_cap_derive(&forged, AEGIS_RIGHT_READ, &made);
}

int64_t cap_derive_RIGHTS(void)
{
    const struct aegis_cap *from = &exos.start->caps[ATTACK_CAP_VICTIM_PAGE];
    struct aegis_cap made;
    CHECK_ERROR(aegis_cap_derive(from, 0, &made), RIGHTS);
    CHECK_ERROR(aegis_cap_derive(from, UINT32_MAX, &made), RIGHTS);
    return aegis_cap_derive(from, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &made);
}

int64_t cap_revoke_INVALID(void)
{
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_NONE, 0, AEGIS_REVOKE_STALE), INVALID);
    CHECK_ERROR(aegis_cap_revoke(UINT32_MAX, 0, AEGIS_REVOKE_STALE), INVALID);
    return aegis_cap_revoke(AEGIS_KIND_ENV, exos.env, AEGIS_REVOKE_SEVER + 1);
}

int64_t cap_revoke_RANGE(void)
{
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_PAGE, beyond(), AEGIS_REVOKE_SEVER), RANGE);
    return aegis_cap_revoke(AEGIS_KIND_ENV, UINT64_MAX, AEGIS_REVOKE_SEVER);
}

int64_t cap_revoke_OWNER(void)
{
    uint64_t index = AEGIS_CAP_INDEX(exos.start->caps[ATTACK_CAP_VICTIM_PAGE].name);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_PAGE, index, AEGIS_REVOKE_SEVER), OWNER);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_ENV, VICTIM, AEGIS_REVOKE_SEVER), OWNER);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_CONSOLE, 0, AEGIS_REVOKE_STALE), OWNER);
    CHECK_ERROR(aegis_cap_revoke(AEGIS_KIND_MACHINE, 0, AEGIS_REVOKE_STALE), OWNER);
    return aegis_cap_revoke(AEGIS_KIND_BINDING, DESK->binding, AEGIS_REVOKE_SEVER);
}

int64_t page_alloc_RANGE(void)
{
    CHECK_ERROR(aegis_page_alloc(0), RANGE);
    CHECK_ERROR(aegis_page_alloc(UINT64_MAX - 1), RANGE);
    CHECK_ERROR(aegis_page_alloc(1UL << 52), RANGE);
    return aegis_page_alloc(beyond());
}

int64_t page_alloc_IN_USE(void)
{
    CHECK_ERROR(aegis_page_alloc(page_in_state(AEGIS_PAGE_KERNEL)), IN_USE);
    CHECK_ERROR(aegis_page_alloc(page_in_state(AEGIS_PAGE_CODE)), IN_USE);
    CHECK_ERROR(aegis_page_alloc(page_of_victim(AEGIS_PAGE_PTABLE)), IN_USE);
    CHECK_ERROR(aegis_page_alloc(page_of_victim(AEGIS_PAGE_ENV)), IN_USE);
    return aegis_page_alloc(page_of_victim(AEGIS_PAGE_DATA));
}

/* All that is free, in runs; gives it back. */
/* What a call says when no page is free. */
static int64_t without_pages(int64_t (*call)(uint32_t), uint32_t argument)
{
    uint64_t first = aegis_info()->first_ppn, count = aegis_info()->page_count;
    static uint8_t mine[1 << 13];
    CHECK(count <= sizeof mine);
    memset(mine, 0, sizeof mine);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t run = 0;
        while (run < AEGIS_MEGAPAGE && i + run < count &&
               aegis_page(first + i + run)->state == AEGIS_PAGE_FREE)
            run++;
        if (run) {
            CHECK_OK(aegis_page_alloc_run(first + i, run));
            memset(mine + i, 1, run);
            i += run - 1;
        }
    }
    int64_t result = call(argument);
    for (uint64_t i = 0; i < count; i++)
        if (mine[i])
            CHECK_OK(aegis_page_free(first + i));
    return result;
}

static int64_t alloc_any(uint32_t unused)
{
    (void)unused;
    return aegis_page_alloc(AEGIS_ANY);
}

int64_t page_alloc_NO_PAGE(void)
{
    return without_pages(alloc_any, 0);
}

static int64_t copy_into(uint32_t env)
{
    return aegis_map_share(env, FREE_VA, 1, AEGIS_SHARE_COPY, FREE_VA);
}

int64_t map_share_NO_PAGE(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    uint32_t child = child_make();
    CHECK_OK(vm_map(child, FREE_VA, page, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_unmap(child, FREE_VA, 1));
    int64_t result = without_pages(copy_into, child);
    CHECK_EQ(aegis_page(page)->refs, 1);
    page_gone(FREE_VA, page);
    child_end(child);
    return result;
}

static int64_t insert_any(uint32_t env)
{
    CHECK_ERROR(aegis_table_insert(env, AEGIS_WINDOW_BASE, 1, AEGIS_ANY, AEGIS_ANY), NO_PAGE);
    return aegis_table_insert(env, FREE_VA, 1, AEGIS_ANY, AEGIS_ANY);
}

int64_t table_insert_NO_PAGE(void)
{
    uint32_t child = child_make();
    int64_t result = without_pages(insert_any, child);
    child_end(child);
    return result;
}

static int64_t create_any(uint32_t unused)
{
    (void)unused;
    return aegis_env_create(AEGIS_ANY, AEGIS_ANY, "nobody");
}

int64_t env_create_NO_PAGE(void)
{
    return without_pages(create_any, 0);
}

static int64_t own_copy(uint32_t unused)
{
    (void)unused;
    return aegis_map_own(FREE_VA, VM_READ_WRITE);
}

int64_t map_own_NO_PAGE(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    uint32_t child = child_make();
    CHECK_OK(vm_map(child, FREE_VA, page, AEGIS_PROT_READ | AEGIS_MAP_INHERIT, NULL));
    int64_t result = without_pages(own_copy, 0);
    CHECK_EQ(aegis_page(page)->owner, exos.env);
    child_end(child);
    CHECK_EQ(aegis_map_own(FREE_VA, VM_READ_WRITE), page); /* nobody awaits it any more */
    page_gone(FREE_VA, page);
    return result;
}

int64_t page_free_RANGE(void)
{
    CHECK_ERROR(aegis_page_free(UINT64_MAX), RANGE);
    return aegis_page_free(beyond());
}

int64_t page_free_OWNER(void)
{
    CHECK_ERROR(aegis_page_free(page_in_state(AEGIS_PAGE_FREE)), OWNER);
    CHECK_ERROR(aegis_page_free(page_in_state(AEGIS_PAGE_KERNEL)), OWNER);
    CHECK_ERROR(aegis_page_free(page_in_state(AEGIS_PAGE_CODE)), OWNER);
    return aegis_page_free(page_of_victim(AEGIS_PAGE_DATA));
}

/* The caller's own page in a state. */
static uint64_t own(enum aegis_page_state state)
{
    for (uint64_t i = 0; i < aegis_info()->page_count; i++) {
        const volatile struct aegis_page *page = aegis_page(aegis_info()->first_ppn + i);
        if (page->owner == exos.env && page->state == state)
            return aegis_info()->first_ppn + i;
    }
    FAIL("no page of one's own in state %d", (int)state);
}

int64_t page_free_STATE(void)
{
    uint64_t page = page_at(FREE_VA, AEGIS_PROT_READ);
    CHECK_ERROR(aegis_page_free(own(AEGIS_PAGE_ENV)), STATE);
    CHECK_ERROR(aegis_page_free(own(AEGIS_PAGE_PTABLE)), STATE);
    int64_t result = aegis_page_free(page);
    page_gone(FREE_VA, page);
    return result;
}

/* Pinned and unmapped: the page of exceptions. */
static uint64_t pin(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    CHECK_OK(aegis_upcall_bind((struct aegis_upcall_page *)FREE_VA, AEGIS_PROGRAM_BASE));
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    return page;
}

static void unpin(uint64_t page)
{
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    CHECK_OK(aegis_page_free(page));
}

int64_t page_free_PINNED(void)
{
    uint64_t page = pin();
    int64_t result = aegis_page_free(page);
    unpin(page);
    return result;
}

int64_t page_give_RANGE(void)
{
    uint64_t page = test_page();
    CHECK_ERROR(aegis_page_give(beyond(), 0), RANGE);
    int64_t result = aegis_page_give(page, aegis_info()->env_count);
    CHECK_OK(aegis_page_free(page));
    return result;
}

/* A page that somebody has not asked for is an attack, too. */
int64_t page_give_OWNER(void)
{
    uint64_t page = test_page();
    CHECK_ERROR(aegis_page_give(page_of_victim(AEGIS_PAGE_DATA), 0), OWNER);
    CHECK_ERROR(aegis_page_give(page, exos.parent), OWNER);
    int64_t result = aegis_page_give(page, VICTIM);
    CHECK_OK(aegis_page_free(page));
    return result;
}

int64_t page_give_STATE(void)
{
    uint32_t child = child_make();
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    int64_t result = aegis_page_give(page, child);
    page_gone(FREE_VA, page);
    CHECK_ERROR(aegis_page_give(own(AEGIS_PAGE_PTABLE), child), STATE);
    child_end(child);
    return result;
}

int64_t page_give_PINNED(void)
{
    uint32_t child = child_make();
    uint64_t page = pin();
    int64_t result = aegis_page_give(page, child);
    unpin(page);
    child_end(child);
    return result;
}

int64_t page_alloc_run_RANGE(void)
{
    uint64_t page = page_in_state(AEGIS_PAGE_FREE);
    CHECK_ERROR(aegis_page_alloc_run(page, 0), RANGE);
    CHECK_ERROR(aegis_page_alloc_run(page, UINT64_MAX), RANGE);
    CHECK_ERROR(aegis_page_alloc_run(page, AEGIS_MEGAPAGE + 1), RANGE);
    CHECK_ERROR(aegis_page_alloc_run(beyond() - 1, 2), RANGE);
    return aegis_page_alloc_run(UINT64_MAX - 1, 4);
}

int64_t page_alloc_run_IN_USE(void)
{
    uint64_t page = page_of_victim(AEGIS_PAGE_DATA);
    CHECK_ERROR(aegis_page_alloc_run(page_in_state(AEGIS_PAGE_CODE), 1), IN_USE);
    return aegis_page_alloc_run(page - 8, 16);
}
