/*
 * Random histories of pages, tables, mappings and environments against a model of a few arrays:
 * each call may fail only for a reason that the model sees, and must if there is one; after each,
 * the walk over all invariants, the model's mappings, and a cache of translations that forgets only
 * what it is told to.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "map_model.h"
#include "random.h"
#include "world.h"

#define FIRST FIRST_ENV
#define ARGS  0x3000000000UL /* memory of each environment for arguments, not in the game */

static size_t steps = 2500;
static uint64_t seed = 5;

/* Runs of pages: inside a level-0 table, over its end, over that of a level-1 table, over the end
 * of what applications map; and where they map nothing. */
static const struct {
    uint64_t va, count;
} runs[] = {
    {0x10000, 6},
    {0x200000 - 3 * PAGE_SIZE, 6},
    {0x40000000 - 2 * PAGE_SIZE, 4},
    {AEGIS_EXPOSED_BASE - 5 * PAGE_SIZE, 6},
    {AEGIS_USER_END - PAGE_SIZE, 2},
    {UINT64_MAX - 2 * PAGE_SIZE + 1, 2},
};
#define OURS 4 /* runs that begin where applications map */

static uint32_t envs[4]; /* FIRST, two children of it, a child of the first of these */
#define ENVS      4
#define PARENT(i) ((i) == 3 ? envs[1] : FIRST)

/* Reasons that a call has to fail, as a set of errors. */
typedef uint64_t reasons;
#define WHY(name) (1UL << AEGIS_E_##name)

/* How often each call succeeded, and failed for each reason: a history that meets nothing proves
 * nothing. */
enum call { ALLOC, FREE, GIVE, TABLE, MAP, PROTECT, UNMAP, CALLS };
static size_t outcomes[CALLS][64];

static void check_result(enum call call, long result, reasons why)
{
    outcomes[call][result >= 0 ? 0 : -result]++;
    if (result >= 0 ? why != 0 : !(why >> -result & 1))
        fail_msg("call %d returned %ld, reasons to fail: 0x%lx", call, result, why);
}

static uint32_t random_env(void)
{
    return envs[random_below(ENVS)];
}

/* Who a call is for: mostly the caller or one of its own. */
static uint32_t random_target(void)
{
    switch (random_below(24)) {
    case 0:
        return 900;
    case 1:
        return ENV_COUNT;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        return random_env();
    default:
        return 0;
    }
}

static reasons target_reasons(uint32_t self, uint32_t number, uint32_t *target)
{
    *target = number ? number : self;
    if (*target == self)
        return 0;
    if (number >= ENV_COUNT)
        return WHY(RANGE);
    for (int i = 1; i < ENVS; i++)
        if (envs[i] == number)
            return PARENT(i) == self ? 0 : WHY(OWNER);
    return WHY(OWNER);
}

/* Of the first pages of those that are free, so that the same come again; or anything. */
static uint64_t random_ppn(void)
{
    uint64_t first = first_ppn + page_count - 200;

    return random_below(24) ? first + random_below(190)
                            : first_ppn - 1 + random_below(page_count + 2);
}

static uint64_t own_ppn(uint32_t self)
{
    for (int i = 0; i < 100; i++) {
        uint64_t ppn = random_ppn();
        if (page_valid(ppn) && owners[ppn - first_ppn] == self)
            return ppn;
    }
    return random_ppn();
}

/* Mostly a page that self can donate. */
static uint64_t spare_ppn(uint32_t self)
{
    for (int i = 0; i < 200 && random_below(50); i++) {
        uint64_t ppn = random_ppn(), n = ppn - first_ppn;
        if (page_valid(ppn) && owners[n] == self && states[n] == AEGIS_PAGE_DATA && !pins[n] &&
            !refs_of(ppn))
            return ppn;
    }
    return own_ppn(self);
}

static reasons donation_reasons(uint64_t ppn, uint32_t self)
{
    if (!page_valid(ppn))
        return WHY(RANGE);
    uint64_t i = ppn - first_ppn;
    return (owners[i] == self ? 0 : WHY(OWNER)) |
           (states[i] == AEGIS_PAGE_DATA && !refs_of(ppn) ? 0 : WHY(STATE)) |
           (pins[i] ? WHY(PINNED) : 0);
}

static void try_alloc(uint32_t self)
{
    uint64_t ppn = random_ppn();
    reasons why = !page_valid(ppn)                             ? WHY(RANGE)
                  : states[ppn - first_ppn] != AEGIS_PAGE_FREE ? WHY(IN_USE)
                                                               : 0;

    check_result(ALLOC, call_page_alloc(ppn), why);
    if (!why) {
        owners[ppn - first_ppn] = self;
        states[ppn - first_ppn] = AEGIS_PAGE_DATA;
    }
}

static void try_free(uint32_t self)
{
    uint64_t ppn = own_ppn(self);
    reasons why = donation_reasons(ppn, self);

    check_result(FREE, call_page_free(ppn), why);
    if (!why) {
        owners[ppn - first_ppn] = 0;
        states[ppn - first_ppn] = AEGIS_PAGE_FREE;
    }
}

static void try_give(uint32_t self)
{
    uint64_t ppn = random_below(2) ? spare_ppn(self) : own_ppn(self);
    uint32_t number = random_target(), target;
    reasons why = donation_reasons(ppn, self) | target_reasons(self, number, &target);

    check_result(GIVE, call_page_give(ppn, number), why);
    if (!why)
        owners[ppn - first_ppn] = target;
}

static uint64_t random_va(uint64_t *left)
{
    uint64_t run = random_below(random_below(16) ? OURS : sizeof(runs) / sizeof(*runs));
    uint64_t at = random_below(runs[run].count);

    *left = runs[run].count - at;
    return runs[run].va + at * PAGE_SIZE + (random_below(24) ? 0 : random_below(PAGE_SIZE));
}

static uint32_t random_prot(void)
{
    static const uint32_t valid[] = {1, 3, 3, 3, 4, 5, 7};

    return random_below(16) ? valid[random_below(7)] : (uint32_t)random_below(8);
}

/* The table that holds the entry of level for va, as the hardware would find it; NULL without. */
static const uint64_t *table_of(uint32_t env, uint64_t va, unsigned int level)
{
    const uint64_t *table = (const uint64_t *)env_table[env]->root;

    for (unsigned int l = 2; l > level; l--) {
        uint64_t entry = table[va >> (12 + 9 * l) & 511];
        if (!(entry & 1))
            return NULL;
        table = ppn_to_virt(entry >> 10);
    }
    return table;
}

static void try_table(uint32_t self)
{
    uint64_t left, va = random_va(&left), t = spare_ppn(self), l = spare_ppn(self);

    if (random_below(3)) /* where there is none yet */
        va = (5 + random_below(4)) << 30 | random_below(4) << 21;
    uint32_t level = (uint32_t)random_below(random_below(8) ? 2 : 4), number = random_target(),
             target;
    reasons why = target_reasons(self, number, &target) | donation_reasons(t, self) |
                  donation_reasons(l, self) | (t == l ? WHY(STATE) : 0);

    if (level > 1 || va >= AEGIS_EXPOSED_BASE)
        why |= WHY(RANGE);
    else if (target < ENV_COUNT && env_table[target]) {
        const uint64_t *above = table_of(target, va, level + 1);
        why |= !above                                          ? WHY(NO_TABLE)
               : above[va >> (12 + 9 * (level + 1)) & 511] & 1 ? WHY(IN_USE)
                                                               : 0;
    }
    check_result(TABLE, call_table_insert(number, va, level, t, l), why);
    if (!why) {
        owners[t - first_ppn] = owners[l - first_ppn] = target;
        states[t - first_ppn] = states[l - first_ppn] = AEGIS_PAGE_PTABLE;
    }
}

/* Has the owner of a page, if it has one that can ask, mint for it, and gives the bytes to self. */
static reasons bring_capability(uint32_t self, uint64_t ppn, uint32_t need)
{
    struct aegis_cap cap = {0, 0, 0};
    uint32_t owner = page_valid(ppn) ? owners[ppn - first_ppn] : 0;
    uint32_t rights = 1 + (uint32_t)random_below(7);
    reasons why = WHY(CAPABILITY);

    if (owner) {
        world_call_as(owner);
        assert_int_equal(call_cap_mint(AEGIS_KIND_PAGE, ppn, rights, ARGS), 0);
        assert_true(user_read(&cap, ARGS, sizeof(cap)));
        why = need & ~rights ? WHY(RIGHTS) : 0;
    }
    if (random_below(8) == 0) {
        cap.generation++;
        why = WHY(CAPABILITY);
    }
    world_call_as(self);
    assert_true(user_write(ARGS, &cap, sizeof(cap)));
    return why;
}

/* AEGIS_PROT_* and AEGIS_RIGHT_* of pages are the same bits; a PTE has them one higher. */
static bool prot_valid(uint32_t prot)
{
    return prot == 1 || prot == 3 || prot == 4 || prot == 5 || prot == 7;
}

static void try_map(uint32_t self)
{
    uint64_t left, va = random_va(&left);
    uint64_t ppn = random_below(4) ? own_ppn(self) : random_ppn(), cap = 0;
    uint32_t prot = random_prot(), number = random_target(), target;
    reasons why = target_reasons(self, number, &target);

    if (va % PAGE_SIZE)
        why |= WHY(ALIGNMENT);
    if (!prot_valid(prot))
        why |= WHY(INVALID);
    if (!page_valid(ppn))
        why |= WHY(RANGE);
    else {
        uint32_t owner = owners[ppn - first_ppn];
        if (states[ppn - first_ppn] != AEGIS_PAGE_DATA)
            why |= WHY(STATE);
        if (random_below(2)) {
            reasons lacking = bring_capability(self, ppn, prot);
            cap = ARGS;
            why |= owner == self || owner == target ? 0 : lacking;
        } else if (owner != self && owner != target)
            why |= WHY(OWNER);
    }
    if (va >= AEGIS_EXPOSED_BASE)
        why |= WHY(RANGE);
    else if (target < ENV_COUNT && env_table[target])
        why |= !table_of(target, va, 0)                                ? WHY(NO_TABLE)
               : find_mapping(target, va & ~(uint64_t)(PAGE_SIZE - 1)) ? WHY(IN_USE)
                                                                       : 0;
    check_result(MAP, call_map(number, va, ppn, prot, cap), why);
    if (!why)
        maps[map_count++] = (struct mapping){target, va, ppn, prot << 1};
}

static reasons range_reasons(uint32_t target, uint64_t va, uint64_t count)
{
    reasons why = 0;

    if (va % PAGE_SIZE)
        why |= WHY(ALIGNMENT);
    if (va >= AEGIS_EXPOSED_BASE || count == 0 || count > 512 ||
        count > (AEGIS_EXPOSED_BASE - va) / PAGE_SIZE)
        return why | WHY(RANGE);
    for (uint64_t i = 0; i < count && target < ENV_COUNT && env_table[target]; i++) {
        uint64_t at = (va & ~(uint64_t)(PAGE_SIZE - 1)) + i * PAGE_SIZE;
        why |= !table_of(target, at, 0)    ? WHY(NO_TABLE)
               : !find_mapping(target, at) ? WHY(ADDRESS)
                                           : 0;
    }
    return why;
}

static uint64_t random_count(uint64_t left)
{
    static const uint64_t odd[] = {0, 513, UINT64_MAX, 1UL << 52, 1UL << 40};

    return random_below(16) ? 1 + random_below(left) : odd[random_below(5)];
}

/* Mostly a run of pages that are mapped; the rest is whatever comes. */
static uint64_t random_mapped(uint32_t self, uint64_t *count)
{
    uint64_t left, va = random_va(&left);

    *count = random_count(left);
    if (random_below(4) == 0)
        return va;
    for (int i = 0; i < 20 && !find_mapping(self, va); i++)
        va = random_va(&left);
    for (*count = 1; find_mapping(self, va + *count * PAGE_SIZE) && random_below(4);)
        ++*count;
    return va;
}

static void try_protect(uint32_t self)
{
    uint64_t count, va = random_mapped(self, &count);
    uint32_t prot = random_prot(), number = random_target(), target;
    reasons why = target_reasons(self, number, &target) | range_reasons(target, va, count);

    if (!prot_valid(prot))
        why |= WHY(INVALID);
    for (uint64_t i = 0; i < count && i < 512; i++) {
        const struct mapping *m = find_mapping(target, va + i * PAGE_SIZE);
        if (m && (prot << 1 & ~m->bits) && owners[m->ppn - first_ppn] != self &&
            owners[m->ppn - first_ppn] != target)
            why |= WHY(RIGHTS);
    }
    check_result(PROTECT, call_protect(number, va, count, prot), why);
    for (uint64_t i = 0; !why && i < count; i++)
        find_mapping(target, va + i * PAGE_SIZE)->bits = prot << 1;
}

static void try_unmap(uint32_t self)
{
    uint64_t count, va = random_mapped(self, &count);
    uint32_t number = random_target(), target;
    reasons why = target_reasons(self, number, &target) | range_reasons(target, va, count);

    check_result(UNMAP, call_unmap(number, va, count), why);
    for (uint64_t i = 0; !why && i < count; i++) {
        struct mapping *gone = find_mapping(target, va + i * PAGE_SIZE);
        *gone = maps[--map_count];
    }
}

/* A device takes or gives back a page. */
static void try_pin(uint32_t self)
{
    uint64_t ppn = own_ppn(self);

    if (!page_valid(ppn) || states[ppn - first_ppn] != AEGIS_PAGE_DATA)
        return;
    if (pins[ppn - first_ppn]) {
        page_unpin(page_of(ppn));
        pins[ppn - first_ppn]--;
    } else {
        page_pin(page_of(ppn));
        pins[ppn - first_ppn]++;
    }
}

static void (*const tries[])(uint32_t self) = {
    try_alloc,   try_alloc, try_alloc, try_free, try_give, try_table,
    try_map,     try_map,   try_map,   try_map,  try_map,  try_protect,
    try_protect, try_unmap, try_unmap, try_free, try_pin};

/* Memory for arguments, most of the tables that the runs need, and the model in step. */
static void settle(uint32_t env)
{
    world_call_as(env);
    world_memory(ARGS, 1);
    for (size_t i = 0; i < OURS; i++)
        world_tables(runs[i].va);
    world_tables(runs[1].va + 5 * PAGE_SIZE);
    model_adopt();
}

/* Who owns one page of an ending environment and its capability maps it meanwhile: it has to vanish
 * too. */
static void meddle(uint32_t ending, uint64_t ppn)
{
    struct aegis_cap cap;

    world_call_as(ending);
    if (call_cap_mint(AEGIS_KIND_PAGE, ppn, AEGIS_PROT_READ | AEGIS_PROT_WRITE, ARGS) != 0 ||
        !user_read(&cap, ARGS, sizeof(cap)))
        return;
    world_call_as(FIRST);
    assert_true(user_write(ARGS, &cap, sizeof(cap)));
    call_map(0, runs[0].va + random_below(6) * PAGE_SIZE, ppn, AEGIS_PROT_READ | AEGIS_PROT_WRITE,
             ARGS);
}

/* Ends envs[i], step by step, with invariants checked between; makes another in its place. */
static void end_and_renew(int i)
{
    uint32_t number = envs[i];
    struct env *env = env_table[number];
    size_t count = 0;

    world_call_as(PARENT(i));
    assert_int_equal(call_env_end(number, 7), 0);
    do {
        check_invariants(pins);
        check_cache();
        if (random_below(2))
            meddle(number, own_ppn(number));
        world_call_as(PARENT(i));
        check_invariants(pins);
        check_cache();
        if (++count > 3) /* devices finish sooner or later */
            for (uint64_t p = 0; p < page_count; p++)
                for (; pins[p] && owners[p] == number; pins[p]--)
                    page_unpin(&pages[p]);
        assert_true(count < 1000);
    } while (!env_end_step(env));
    check_invariants(pins);
    for (size_t l = 0; l < leaf_count; l++)
        assert_true(leaves[l].env != number && owners[leaves[l].page] != number);
    for (uint64_t p = 0; p < page_count; p++)
        if (owners[p] == number)
            assert_true(pages[p].state == AEGIS_PAGE_FREE && pages[p].owner == 0);
    for (size_t m = 0; m < map_count; m++) /* everybody else's mappings are as they were */
        if (maps[m].env != number && owners[maps[m].ppn - first_ppn] != number)
            assert_non_null(find_leaf(maps[m].env, maps[m].va));
    assert_int_equal(call_env_free(number), 0);
    envs[i] = world_child("again");
    settle(envs[i]);
}

static int boot(void **state)
{
    (void)state;
    world_boot(NULL, 0);
    model_begin();
    envs[0] = FIRST;
    settle(FIRST);
    for (int i = 1; i < ENVS; i++) {
        world_call_as(PARENT(i));
        envs[i] = world_child("env");
        settle(envs[i]);
    }
    return 0;
}

static int leave(void **state)
{
    (void)state;
    model_end();
    free(host_memory);
    return 0;
}

/* Each call succeeded, and failed, often enough for the history to mean something. */
static void check_richness(void)
{
    for (int call = 0; call < CALLS; call++) {
        size_t failures = 0;
        for (int error = 1; error < 64; error++)
            failures += outcomes[call][error];
        if (outcomes[call][0] < 5 || failures < 10)
            fail_msg("call %d: %zu times well, %zu times not", call, outcomes[call][0], failures);
    }
    static const struct {
        enum call call;
        int error;
    } rare[] = {{FREE, AEGIS_E_PINNED},     {GIVE, AEGIS_E_PINNED},    {TABLE, AEGIS_E_NO_TABLE},
                {TABLE, AEGIS_E_IN_USE},    {MAP, AEGIS_E_CAPABILITY}, {MAP, AEGIS_E_RIGHTS},
                {MAP, AEGIS_E_NO_TABLE},    {PROTECT, AEGIS_E_RIGHTS}, {PROTECT, AEGIS_E_NO_TABLE},
                {PROTECT, AEGIS_E_ADDRESS}, {UNMAP, AEGIS_E_NO_TABLE}, {UNMAP, AEGIS_E_ADDRESS}};
    for (size_t i = 0; i < sizeof(rare) / sizeof(*rare); i++)
        if (outcomes[rare[i].call][rare[i].error] == 0)
            fail_msg("call %d never failed with %d", rare[i].call, rare[i].error);
}

static void random_histories_agree_with_the_model(void **state)
{
    (void)state;
    seed_random(seed);
    for (size_t i = 0; i < steps; i++) {
        uint32_t self = random_env();
        world_call_as(self);
        tries[random_below(sizeof(tries) / sizeof(*tries))](self);
        model_compare();
        if (i % 60 == 59)
            end_and_renew(i % 180 == 179 ? 2 : 3);
    }
    check_richness();
}

/* The child of an environment that ends belongs to that one's owner, who can end it too. */
static void children_go_to_their_owners_owner(void **state)
{
    (void)state;
    uint32_t parent = envs[1], child = envs[3];

    world_call_as(FIRST);
    for (uint64_t p = 0; p < page_count; p++)
        for (; pins[p]; pins[p]--)
            page_unpin(&pages[p]);
    uint64_t generation = env_infos[child].generation;
    world_end(parent);
    check_invariants(pins);
    assert_true(env_infos[child].owner == FIRST && env_infos[child].generation > generation);
    assert_int_equal(call_env_free(parent), 0);
    world_end(child);
    assert_int_equal(call_env_free(child), 0);
    check_invariants(pins);
}

/* By hand: map_model_test STEPS SEED. */
int main(int argc, char **argv)
{
    if (argc > 1)
        steps = strtoul(argv[1], NULL, 0);
    if (argc > 2)
        seed = strtoul(argv[2], NULL, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_the_model),
        cmocka_unit_test(children_go_to_their_owners_owner),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
