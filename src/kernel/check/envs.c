/* Environments, their lists of pages, slots, predicates and upcall pages; the free list. */
#include "kernel/check/internal.h"

#include <string.h>

#include "kernel/direct.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/fpu.h"
#include "kernel/gate.h"
#include "kernel/turn.h"
#include "kernel/handler.h"
#include "kernel/map.h"
#include "kernel/map_list.h"
#include "kernel/netif.h"
#include "kernel/post.h"
#include "kernel/quota.h"
#include "kernel/slice.h"
#include "kernel/wake.h"

static uint64_t generations[ENV_COUNT];
static uint64_t slot_generations[AEGIS_SLOTS];

static bool has_structure(uint32_t n)
{
    uint8_t state = env_infos[n].state;

    return state == AEGIS_ENV_CREATED || state == AEGIS_ENV_LIVE || state == AEGIS_ENV_ENDING;
}

static void check_free_list(void)
{
    uint64_t count = 0, most = page_count;
    const struct aegis_page *all = pages;
    struct shadow *marks = shadows;
    uint32_t i;

    for (i = page_free_head(); i < most && count <= most; i = all[i].next, count++)
        marks[i].lists++;
    HOLDS(page_free, i == NO_PAGE && count == info->free_pages,
          "%lu pages are on the free list, not %lu; it ends with %u", count, info->free_pages, i);
}

static void check_list(uint32_t n)
{
    uint32_t count = 0, previous = NO_PAGE;

    for (uint32_t i = env_page_lists[n]; i != NO_PAGE; previous = i, i = pages[i].next) {
        HOLDS(page_owned, i < page_count && ++count <= page_count,
              "the list of %u breaks off at %u", n, i);
        HOLDS(page_owned, pages[i].owner == n && pages[i].previous == previous,
              "page %u on the list of %u is %u's, behind %u", i, n, pages[i].owner,
              pages[i].previous);
        shadows[i].lists++;
    }
    HOLDS(page_owned, count == env_infos[n].pages, "the list of %u has %u pages, not %u", n, count,
          env_infos[n].pages);
}

/* Whether env maps a page, or the megapage that it may lie in. */
static bool is_mapped_by(const struct aegis_page *page, const struct env *env)
{
    uint64_t head = page_ppn(page) & ~(uint64_t)(AEGIS_MEGAPAGE - 1);

    for (uint32_t at = page->links; at != NO_PAGE; at = link_of(at)->next)
        if (table_at(at)->owner == env->number)
            return true;
    if (!page_valid(head) || !page_is_memory(page_of(head)))
        return false;
    for (uint32_t at = page_of(head)->links; at != NO_PAGE; at = link_of(at)->next)
        if (table_at(at)->level && table_at(at)->owner == env->number)
            return true;
    return false;
}

static void check_predicates(const struct env *env)
{
    const struct wake *wake = &env->wake;

    for (uint32_t i = 0; i < wake->count; i++) {
        const struct wake_predicate *p = &wake->predicates[i];
        uint64_t ppn = virt_to_phys((const void *)p->word) >> PAGE_SHIFT;
        HOLDS(wake_word, page_valid(ppn), "a word of %u at %p", env->number, (const void *)p->word);
        const struct aegis_page *page = page_of(ppn);
        const struct aegis_page *pinned = wake->has_pages ? p->pinned : NULL;
        const struct aegis_page *lent = wake->has_pages ? p->lent : NULL;
        bool right = pinned ? pinned == page
                     : lent ? lent == page && is_mapped_by(page, env)
                            : page->state == AEGIS_PAGE_KERNEL;
        right = right && (p->watched != p->word || !wake_holds_of(p, p->asleep));
        HOLDS(wake_word, right, "a word of %u lies in page %lu, state %u", env->number,
              page_index(page), page->state);
        if (pinned)
            shadow_of(page)->pins++;
    }
}

/* A page that the kernel writes to for env: its frames, or its repossession vector. */
static void check_written(const struct env *env, const void *memory)
{
    if (!memory)
        return;
    const struct aegis_page *page = page_of(virt_to_phys(memory) >> PAGE_SHIFT);
    HOLDS(upcall_page, page_is_memory(page) && page->owner == env->number,
          "page %lu of %u, state %u, of %u", page_index(page), env->number, page->state,
          page->owner);
    shadow_of(page)->pins++;
}

/* A table that is remembered for the next look is the one that a walk finds. */
static void check_leaf(const struct env *env, const struct leaf_cache *leaf)
{
    uint64_t region = leaf->region, va = region << REGION_SHIFT;

    if (region == UINT64_MAX)
        return;
    const pte_t *above = map_entry(env, va, 1, NULL);
    HOLDS(table_leaf,
          above && (*above & (PTE_V | PTE_LEAF)) == PTE_V &&
              ppn_to_virt(pte_ppn(*above)) == (void *)leaf->table &&
              (va >= AEGIS_EXPOSED_BASE || map_is_linking(page_of(pte_ppn(*above)), leaf)),
          "%u: region 0x%lx, table %p", env->number, region, (void *)leaf->table);
}

static void check_revocation(const struct env *env)
{
    const struct revocation *r = &env->revocation;

    HOLDS(env_usual,
          env->is_unusual ||
              (env->info->state == AEGIS_ENV_LIVE && env->info->debt == 0 && r->kind == 0),
          "%u is in state %u, owes %lu, is asked for kind %u", env->number, env->info->state,
          (uint64_t)env->info->debt, r->kind);
    HOLDS(revoking, (r->kind != 0) == (env->info->revoking != 0), "%u: kind %u, shown 0x%lx",
          env->number, r->kind, env->info->revoking);
    HOLDS(revoking, !r->kind || env->info->state == AEGIS_ENV_LIVE, "%u is in state %u",
          env->number, env->info->state);
}

/* An address that a gate, a caller or a callee is: that of an environment which isn't ending. */
static bool is_peer(const struct env *env)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] == env)
            return env_infos[n].state != AEGIS_ENV_ENDING;
    return false;
}

static void check_calls(const struct env *env)
{
    bool accepts = gate_accepts(env), serves = !accepts && env->caller != GATE_NOBODY;

    if (gate_calls(env)) {
        const struct env *callee = gate_env(env->state);
        HOLDS(gate_caller, is_peer(callee), "%u waits for %p", env->number, (const void *)callee);
        HOLDS(gate_caller,
              !gate_accepts(callee) &&
                  (callee->caller == gate_word(env) ||
                   (callee->caller == GATE_HELD && callee->held_caller == env)),
              "%u waits for %u, which serves 0x%lx", env->number, callee->number, callee->caller);
    }
    if (serves && env->caller != GATE_ORPHAN) {
        const struct env *caller =
            env->caller == GATE_HELD ? env->held_caller : gate_env(env->caller);
        HOLDS(gate_caller, !caller->forced || env->caller == GATE_HELD, "%u serves a held %u",
              env->number, caller->number);
        HOLDS(gate_caller, is_peer(caller) && caller->state == gate_word(env),
              "%u serves %p, which doesn't wait for it", env->number, (const void *)caller);
    }
    HOLDS(gate_state,
          !accepts || env->state == (env->kept ? ENV_CLOSED : env->entry) || env->forced,
          "%u accepts at 0x%lx", env->number, env->state);
    HOLDS(gate_state, !accepts || env->entry > 0 || env->send_entry, "%u accepts nothing",
          env->number);
    HOLDS(gate_state, env->info->state != AEGIS_ENV_ENDING || (env->state == ENV_RUNS && !serves),
          "%u is ending, its state 0x%lx, its caller 0x%lx", env->number, env->state, env->caller);
}

/* Those who wait; each lives. */
static void check_turns(void)
{
    uint32_t count = 0;

    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++) {
        const struct env *env = env_table[n];
        if (!env || !env->turn.at)
            continue;
        count++;
        HOLDS(turn_count, env->info->state != AEGIS_ENV_ENDING, "%u waits, and is ending", n);
    }
    HOLDS(turn_count, count == turn_count, "%u wait, and %u are counted", count, turn_count);
}

static void check_gates(const struct env *env)
{
    for (uint32_t i = 0; i < AEGIS_GATES; i++)
        HOLDS(gate_callee, !env->gates[i] || is_peer(env->gates[i]), "%u's gate %u leads to %p",
              env->number, i, (const void *)env->gates[i]);
}

static void check_structure(uint32_t n)
{
    const struct env *env = env_table[n];
    uint64_t ppn = virt_to_phys(env) >> PAGE_SHIFT;

    HOLDS(env_table, page_valid(ppn) && (uintptr_t)env % PAGE_SIZE == 0, "%u's is at %p", n,
          (const void *)env);
    HOLDS(env_table, page_of(ppn)->state == AEGIS_PAGE_ENV && page_of(ppn)->owner == n,
          "%u's lies in page %lu, state %u, of %u", n, page_index(page_of(ppn)),
          page_of(ppn)->state, page_of(ppn)->owner);
    HOLDS(env_table, env->number == n && env->info == &env_infos[n], "%u's says %u", n,
          env->number);
    check_role(page_of(ppn), ROLE_ENV, AEGIS_PAGE_ENV, n);
    check_predicates(env);
    check_written(env, env->upcall);
    check_written(env, env->repossession);
    check_written(env, env->disk_ring);
    check_revocation(env);
    check_calls(env);
    check_gates(env);
    check_leaf(env, &env->leaf);
    for (size_t i = 0; i < LEAVES_FORMER; i++)
        check_leaf(env, &env->former[i]);
}

static void check_one(uint32_t n)
{
    const struct aegis_env_info *i = &env_infos[n];

    HOLDS(env_table, (env_table[n] != NULL) == has_structure(n), "%u is in state %u", n, i->state);
    HOLDS(env_generation, i->generation >= generations[n], "that of %u fell to %lu", n,
          i->generation);
    generations[n] = i->generation;
    if (env_table[n]) {
        check_structure(n);
        check_list(n);
    } else {
        HOLDS(env_nobody, i->pages == 0 && env_page_lists[n] == NO_PAGE, "%u has %u pages", n,
              i->pages);
    }
    if (i->state != AEGIS_ENV_NONE)
        HOLDS(env_owner, has_structure(i->owner) && (i->owner != n || n == FIRST_ENV), "%u is %u's",
              n, i->owner);
}

static void check_slots(void)
{
    uint8_t slots_of[ENV_COUNT];
    uint32_t without = 0;

    memset(slots_of, 0, sizeof(slots_of));
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++) {
        uint32_t n = slice_slots[i].env, owner = slice_slots[i].owner;
        HOLDS(slot_owner, owner == 0 ? n == 0 : has_structure(owner) && has_structure(n),
              "slot %u is %u's, and %u runs in it", i, owner, n);
        HOLDS(slot_owner, slice_runs[i] == env_table[n], "slot %u runs %p", i,
              (const void *)slice_runs[i]);
        HOLDS(slot_owner, owner == 0 || i < slice_slot_end, "slot %u is not looked at", i);
        slots_of[n]++;
        HOLDS(slot_generation, slice_slots[i].generation >= slot_generations[i],
              "that of %u fell to %lu", i, slice_slots[i].generation);
        slot_generations[i] = slice_slots[i].generation;
    }
    for (uint32_t n = 1; n < ENV_COUNT; n++) {
        HOLDS(slot_count, slots_of[n] == env_infos[n].slots, "%u has %u slots, not %u", n,
              slots_of[n], env_infos[n].slots);
        without += env_infos[n].state == AEGIS_ENV_ENDING && slots_of[n] == 0;
    }
    HOLDS(slot_count, without == slice_chores.ending_without, "%u end without a slot, not %u",
          without, slice_chores.ending_without);
}

/* What each account's environments have, counted anew. */
static void check_quotas(void)
{
    static struct aegis_account found[ENV_COUNT];

    memset(found, 0, sizeof(found));
    for (uint32_t n = 1; n < ENV_COUNT; n++) {
        uint64_t *used = found[env_infos[n].account].used;
        if (env_infos[n].state == AEGIS_ENV_NONE)
            continue;
        used[AEGIS_QUOTA_ENVS]++;
        used[AEGIS_QUOTA_PAGES] += env_infos[n].pages;
        if (!env_table[n])
            continue;
        used[AEGIS_QUOTA_SLOTS] += slice_held(env_table[n]);
        quota_count_downloads(env_table[n], used);
        used[AEGIS_QUOTA_BLOCKS] += extent_charged(n);
    }
    for (uint32_t n = 0; n < ENV_COUNT; n++)
        for (uint32_t kind = 0; kind < AEGIS_QUOTAS; kind++)
            HOLDS(quota,
                  accounts[n].used[kind] == found[n].used[kind] &&
                      accounts[n].used[kind] <= accounts[n].limit[kind],
                  "account %u, kind %u: %lu of %lu, found %lu", n, kind, accounts[n].used[kind],
                  accounts[n].limit[kind], found[n].used[kind]);
}

/* What entry.S does for upcall_exception, and with what. */
static void check_direct(const struct env *env)
{
    const struct direct *d = &this_hart->direct;

    if (!d->causes)
        return;
    HOLDS(direct,
          env && d->upcall && d->upcall == env->upcall && d->upcall_va == env->upcall_va &&
              d->handler == env->handler,
          "page %p at 0x%lx, handler 0x%lx", (void *)d->upcall, d->upcall_va, d->handler);
    HOLDS(direct, !(d->causes & DIRECT(CAUSE_ILLEGAL)) || fpu_is_of(env),
          "%u hasn't the floating-point registers", env->number);
    HOLDS(direct, !post.trace_size, "causes 0x%lx, and each should be noted", d->causes);
}

static void check_hart(void)
{
    const struct env *env = this_hart->env;
    uint64_t satp = csr_read(satp);

    HOLDS(hart_env, !env || env_table[env->number] == env, "%p is active", (const void *)env);
    HOLDS(hart_env, satp == (env ? env->satp : SATP_SV39 | virt_to_phys(kernel_root) >> PAGE_SHIFT),
          "satp is 0x%lx", satp);
    check_direct(env);
}

void check_envs(void)
{
    check_free_list();
    for (uint32_t n = 1; n < ENV_COUNT; n++)
        check_one(n);
    check_slots();
    check_turns();
    check_quotas();
    check_hart();
}
