/* The errors of map_share, and attacks with it. */
#include "attack.h"
#include "libos/vm/vm.h"

static int64_t share(uint32_t env, uint64_t va, uint64_t count)
{
    int64_t result = aegis_map_share(env, va, count, AEGIS_SHARE_PRIVATE, va);
    if (result < 0) {
        CHECK_ERROR(aegis_map_share(env, va, count, AEGIS_SHARE_SHARED, va) - result, OK);
        CHECK_ERROR(aegis_map_share(env, va, count, AEGIS_SHARE_COPY, va) - result, OK);
    }
    return result;
}

/* A child that has the tables for FREE_VA. */
static uint32_t child_with_tables(void)
{
    uint32_t child = child_make();
    uint64_t page = test_page();
    CHECK_OK(vm_map(child, FREE_VA, page, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_unmap(child, FREE_VA, 1));
    CHECK_OK(aegis_page_free(page));
    return child;
}

int64_t map_share_RANGE(void)
{
    static const uint64_t counts[] = {0, AEGIS_MAP_MAX + 1, 1UL << 52, 1UL << 63, UINT64_MAX};
    static const uint64_t addresses[] = {AEGIS_EXPOSED_BASE, AEGIS_WINDOW_BASE,
                                         AEGIS_USER_END,     0xffffffff80200000,
                                         0xfffffffffffff000, AEGIS_EXPOSED_BASE - AEGIS_PAGE_SIZE};
    uint32_t child = child_make();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        CHECK_ERROR(share(child, FREE_VA, counts[i]), RANGE);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        CHECK_ERROR(share(child, addresses[i], 2), RANGE);
    CHECK_ERROR(share(UINT32_MAX, FREE_VA, 1), RANGE);
    CHECK_ERROR(aegis_map_share(child, FREE_VA, AEGIS_COPY_MAX + 1, AEGIS_SHARE_COPY, FREE_VA),
                RANGE);
    int64_t result = share(child, FREE_VA, AEGIS_SHARE_MAX + 1);
    child_end(child);
    return result;
}

int64_t map_share_ALIGNMENT(void)
{
    uint32_t child = child_make();
    CHECK_ERROR(share(child, FREE_VA + 1, 1), ALIGNMENT);
    int64_t result = share(child, FREE_VA + AEGIS_PAGE_SIZE - 8, 1);
    child_end(child);
    return result;
}

int64_t map_share_OWNER(void)
{
    return share(VICTIM, AEGIS_PROGRAM_BASE, 1);
}

/* Into one that ends. */
int64_t map_share_STATE(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    struct aegis_predicate ended;
    uint32_t child = child_with_tables();
    CHECK_OK(aegis_env_end(child, 0));
    int64_t result = share(child, FREE_VA, 1);
    ended = aegis_when_ended(child);
    CHECK_EQ(aegis_wait(&ended, 1, AEGIS_FOREVER), 0);
    CHECK_ERROR(share(child, FREE_VA, 1), STATE);
    CHECK_OK(aegis_env_free(child));
    CHECK_EQ(aegis_page(page)->refs, 1);
    page_gone(FREE_VA, page);
    return result;
}

int64_t map_share_INVALID(void)
{
    uint32_t child = child_make();
    CHECK_ERROR(share(0, AEGIS_PROGRAM_BASE, 1), INVALID);
    CHECK_ERROR(share(exos.env, AEGIS_PROGRAM_BASE, 1), INVALID);
    CHECK_ERROR(aegis_map_share(child, AEGIS_PROGRAM_BASE, 1, UINT32_MAX, AEGIS_PROGRAM_BASE),
                INVALID);
    int64_t result =
        aegis_map_share(child, AEGIS_PROGRAM_BASE, 1, AEGIS_SHARES, AEGIS_PROGRAM_BASE);
    child_end(child);
    return result;
}

int64_t map_share_NO_TABLE(void)
{
    uint32_t child = child_make();
    int64_t result = share(child, AEGIS_PROGRAM_BASE, AEGIS_COPY_MAX);
    child_end(child);
    return result;
}

/* A child that may have no more than it has. */
int64_t map_share_QUOTA(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    uint32_t child = child_with_tables();
    struct aegis_limits limits = {{[AEGIS_QUOTA_PAGES] = aegis_env(child)->pages,
                                   [AEGIS_QUOTA_SLOTS] = 1,
                                   [AEGIS_QUOTA_ENVS] = 1}};
    CHECK_OK(aegis_quota_set(child, &limits));
    int64_t result = aegis_map_share(child, FREE_VA, 1, AEGIS_SHARE_COPY, FREE_VA);
    CHECK_EQ(aegis_page(page)->refs, 1);
    page_gone(FREE_VA, page);
    child_end(child);
    return result;
}

/* The victim's page, for which the attacker has a capability to read. */
int64_t page_handed_on_past_its_capability(void)
{
    const struct aegis_cap *cap = &exos.start->caps[ATTACK_CAP_VICTIM_PAGE];
    uint64_t page = AEGIS_CAP_INDEX(cap->name);
    uint32_t child = child_with_tables(), refs = aegis_page(page)->refs;
    CHECK_OK(aegis_map(0, FREE_VA, page, AEGIS_PROT_READ, cap));
    CHECK_EQ(aegis_map_share(child, FREE_VA, 1, AEGIS_SHARE_SHARED, FREE_VA), 0);
    CHECK_EQ(aegis_map_share(child, FREE_VA, 1, AEGIS_SHARE_PRIVATE, FREE_VA), 0);
    CHECK_EQ(aegis_page(page)->refs, refs + 1);
    int64_t result = aegis_map(child, FREE_VA, page, AEGIS_PROT_READ | AEGIS_MAP_INHERIT, cap);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    child_end(child);
    return result;
}

/* The child that tries: it can't be told apart from its parent otherwise than by its number. */
int64_t page_written_past_what_was_handed_on(void)
{
    struct raw raw;
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    raw_create(&raw, "call", blob_call, blob_call_end);
    CHECK_OK(vm_map(raw.env, FREE_VA, page, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_unmap(raw.env, FREE_VA, 1));
    CHECK_EQ(aegis_map_share(raw.env, FREE_VA, 1, AEGIS_SHARE_PRIVATE, FREE_VA), 1);
    const uint64_t arguments[] = {0, FREE_VA, 1, VM_READ_WRITE};
    for (int i = 0; i < 4; i++)
        raw.data[8 + i] = arguments[i];
    raw.data[14] = AEGIS_CALL_protect;
    raw_start(&raw, 0);
    while (!*(volatile uint64_t *)raw.data)
        aegis_yield(raw.env);
    int64_t result = (int64_t)raw.data[1];
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    page_gone(FREE_VA, page);
    return result;
}

/* What the child that raw_create made is to call, and what it is told. */
static int64_t call_in(const struct raw *raw, uint64_t number, const uint64_t a[6])
{
    for (int i = 0; i < 6; i++)
        raw->data[8 + i] = a[i];
    raw->data[14] = number;
    if (aegis_env(raw->env)->state == AEGIS_ENV_CREATED)
        raw_start(raw, 0);
    else
        *(volatile uint64_t *)raw->data = 0;
    while (!*(volatile uint64_t *)raw->data)
        aegis_yield(raw->env);
    return (int64_t)raw->data[1];
}

/*
 * Two children have a page as private, and one of them, which is to do harm, owns it when the
 * parent has given it up. What it writes there would be the other's memory, what it severs the
 * other's loss.
 */
int64_t page_written_by_its_heir(void)
{
    struct raw heir;
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    uint32_t sibling = child_with_tables();
    raw_create(&heir, "call", blob_call, blob_call_end);
    CHECK_OK(vm_map(heir.env, FREE_VA, page, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_unmap(heir.env, FREE_VA, 1));
    CHECK_EQ(aegis_map_share(sibling, FREE_VA, 1, AEGIS_SHARE_PRIVATE, FREE_VA), 1);
    CHECK_EQ(aegis_map_share(heir.env, FREE_VA, 1, AEGIS_SHARE_PRIVATE, FREE_VA), 1);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    CHECK_OK(aegis_page_free(page));
    CHECK_EQ(aegis_page(page)->owner, heir.env);

    const uint64_t next = FREE_VA + AEGIS_PAGE_SIZE;
    struct aegis_map_op *op = (struct aegis_map_op *)(heir.data + 64);
    *op = (struct aegis_map_op){.va = FREE_VA, .change = AEGIS_MAP_PROTECT, .prot = VM_READ_WRITE};
    const uint64_t batch[6] = {0, RAW_DATA + 64 * sizeof(uint64_t), 1};
    CHECK_ERROR(call_in(&heir, AEGIS_CALL_map_batch, batch), RIGHTS);
    CHECK_ERROR(call_in(&heir, AEGIS_CALL_map, (uint64_t[6]){0, next, page, VM_READ_WRITE}),
                RIGHTS);
    /* Read-only it may map its page, but get no further from there. */
    CHECK_OK(call_in(&heir, AEGIS_CALL_map, (uint64_t[6]){0, next, page, AEGIS_PROT_READ}));
    CHECK_ERROR(call_in(&heir, AEGIS_CALL_protect, (uint64_t[6]){0, next, 1, VM_READ_WRITE}),
                RIGHTS);
    CHECK_OK(call_in(&heir, AEGIS_CALL_unmap, (uint64_t[6]){0, next, 1}));
    CHECK_OK(call_in(&heir, AEGIS_CALL_cap_revoke,
                     (uint64_t[6]){AEGIS_KIND_PAGE, page, AEGIS_REVOKE_SEVER}));
    CHECK_EQ(aegis_page(page)->refs, 2);
    int64_t result =
        call_in(&heir, AEGIS_CALL_protect, (uint64_t[6]){0, FREE_VA, 1, VM_READ_WRITE});

    /* What it may: have a copy, which leaves the page to the other. */
    CHECK(call_in(&heir, AEGIS_CALL_map_own, (uint64_t[6]){FREE_VA, VM_READ_WRITE}) >= 0);
    CHECK_EQ(aegis_page(page)->owner, sibling);
    CHECK_OK(aegis_env_end(heir.env, 0));
    raw_finish(&heir);
    child_end(sibling);
    CHECK_EQ(aegis_page(page)->state, AEGIS_PAGE_FREE);
    return result;
}

/* A child sleeps on a word of the attacker's page: the page is nobody's but its owner's to free. */
int64_t sleeper_on_anothers_page(void)
{
    const uint64_t va = RAW_DATA + 4 * AEGIS_PAGE_SIZE;
    struct raw raw;
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    raw_create(&raw, "call", blob_call, blob_call_end);
    *(uint64_t *)FREE_VA = 0;
    CHECK_OK(aegis_map(raw.env, va, page, AEGIS_PROT_READ | AEGIS_MAP_INHERIT, NULL));
    *(struct aegis_predicate *)(raw.data + 64) = (struct aegis_predicate){
        .word = (const volatile uint64_t *)va, .mask = UINT64_MAX, .value = 1};
    raw.data[8] = RAW_DATA + 64 * sizeof(uint64_t);
    raw.data[9] = 1;
    raw.data[10] = AEGIS_FOREVER;
    raw.data[14] = AEGIS_CALL_wait;
    raw_start(&raw, 0);
    for (int i = 0; i < 3; i++)
        aegis_yield(raw.env);
    CHECK_EQ(*(volatile uint64_t *)raw.data, 0); /* it sleeps */
    CHECK_EQ(aegis_page(page)->pins, 0);
    CHECK_OK(aegis_unmap(raw.env, va, 1));
    while (!*(volatile uint64_t *)raw.data) /* and is woken by that */
        aegis_yield(raw.env);
    CHECK_EQ(raw.data[1], 0);
    CHECK_OK(aegis_unmap(0, FREE_VA, 1));
    int64_t result = aegis_page_free(page);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    return result;
}

int64_t map_own_RANGE(void)
{
    CHECK_ERROR(aegis_map_own(AEGIS_WINDOW_BASE, VM_READ_WRITE), RANGE);
    CHECK_ERROR(aegis_map_own(0xffffffff80200000, VM_READ_WRITE), RANGE);
    return aegis_map_own(AEGIS_EXPOSED_BASE, VM_READ_WRITE);
}

int64_t map_own_ALIGNMENT(void)
{
    return aegis_map_own(AEGIS_PROGRAM_BASE + 8, VM_READ_WRITE);
}

int64_t map_own_INVALID(void)
{
    CHECK_ERROR(aegis_map_own(AEGIS_PROGRAM_BASE, 0), INVALID);
    CHECK_ERROR(aegis_map_own(AEGIS_PROGRAM_BASE, VM_READ_WRITE | AEGIS_MAP_INHERIT), INVALID);
    return aegis_map_own(AEGIS_PROGRAM_BASE, AEGIS_PROT_WRITE);
}

int64_t map_own_ADDRESS(void)
{
    CHECK_ERROR(aegis_map_own(FREE_VA + (1UL << 30), VM_READ_WRITE), ADDRESS);
    return aegis_map_own(FREE_VA, VM_READ_WRITE);
}

int64_t map_own_PINNED(void)
{
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    uint32_t child = child_with_tables();
    CHECK_OK(aegis_repossession_bind((struct aegis_repossession *)FREE_VA));
    CHECK_EQ(aegis_map_share(child, FREE_VA, 1, AEGIS_SHARE_SHARED, FREE_VA), 1);
    int64_t result = aegis_map_own(FREE_VA, VM_READ_WRITE);
    CHECK_OK(aegis_repossession_bind(NULL));
    CHECK_EQ(aegis_page(page)->refs, 2);
    child_end(child);
    page_gone(FREE_VA, page);
    return result;
}

/*
 * What a call answers a child that has a page at FREE_VA by these rights. A `full` one may have no
 * more than it has.
 */
static int64_t call_in_child(uint64_t rights, bool full, uint64_t number, const uint64_t a[5])
{
    struct raw raw;
    uint64_t page = page_at(FREE_VA, VM_READ_WRITE);
    raw_create(&raw, "call", blob_call, blob_call_end);
    CHECK_OK(vm_map(raw.env, FREE_VA, page, rights | AEGIS_MAP_INHERIT, NULL));
    struct aegis_limits limits = {{[AEGIS_QUOTA_PAGES] = aegis_env(raw.env)->pages,
                                   [AEGIS_QUOTA_SLOTS] = 1,
                                   [AEGIS_QUOTA_ENVS] = 2}};
    if (full)
        CHECK_OK(aegis_quota_set(raw.env, &limits));
    for (int i = 0; i < 5; i++)
        raw.data[8 + i] = a[i];
    raw.data[14] = number;
    raw_start(&raw, 0);
    while (!*(volatile uint64_t *)raw.data)
        aegis_yield(raw.env);
    int64_t result = (int64_t)raw.data[1];
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    page_gone(FREE_VA, page);
    return result;
}

/* A page that may be executed and not read: its bytes are not to be had this way. */
int64_t map_own_RIGHTS(void)
{
    return call_in_child(AEGIS_PROT_EXEC, false, AEGIS_CALL_map_own,
                         (uint64_t[5]){FREE_VA, VM_READ_WRITE});
}

/* What a child that may have no more would need for itself. */
static int64_t call_full(uint64_t number, const uint64_t a[5])
{
    return call_in_child(AEGIS_PROT_READ, true, number, a);
}

int64_t map_own_QUOTA(void)
{
    return call_full(AEGIS_CALL_map_own, (uint64_t[5]){FREE_VA, VM_READ_WRITE});
}

int64_t table_insert_QUOTA(void)
{
    CHECK_ERROR(call_full(AEGIS_CALL_env_create, (uint64_t[5]){AEGIS_ANY, AEGIS_ANY, RAW_CODE}),
                QUOTA);
    return call_full(AEGIS_CALL_table_insert,
                     (uint64_t[5]){0, FREE_VA + (1UL << 30), 1, AEGIS_ANY, AEGIS_ANY});
}
