/*
 * How environments end: at once for whoever looks, and in bounded steps for what they held. The
 * steps are taken by the slots of the environment that ends (slice_round.h).
 */
#include "kernel/env.h"

#include "kernel/abort.h"
#include "kernel/call.h"
#include "kernel/check/hard.h"
#include "kernel/direct.h"
#include "kernel/disk.h"
#include "kernel/drivers/virtio_console.h"
#include "kernel/extent.h"
#include "kernel/fpu.h"
#include "kernel/gate.h"
#include "kernel/handler.h"
#include "kernel/inherit.h"
#include "kernel/map.h"
#include "kernel/map_window.h"
#include "kernel/net_end.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/power.h"
#include "kernel/print.h"
#include "kernel/quota.h"
#include "kernel/revoke.h"
#include "kernel/slice.h"
#include "kernel/slice_round.h"
#include "kernel/upcall.h"
#include "kernel/wake.h"

#define END_STEP_LEAVES   HARD(128, 1)  /* mappings, behind which no further table is begun */
#define END_TABLE_COST    16            /* mappings that are removed as fast as an empty table */
#define END_STEP_MAPPINGS HARD(128, 16) /* of all pages in one step */
/* Taken back in one step: keeps interrupts off for some 10,000 instructions. */
#define END_STEP_PAGES    HARD(64, 3)
#define END_FEW_PAGES     64 /* of an environment: they are looked at for its tables */

/* What an application did not choose is told on the log; a status is its owner's affair. */
static void report_end(const struct env *env, const struct aegis_env_info *i)
{
    const char *why = i->exit_reason == AEGIS_EXIT_DEPTH ? ", with no frame left for it" : "";

    if (i->exit_reason == AEGIS_EXIT_OVERRUN)
        print("aegis: environment %u (%s) ends: its epilogue at pc 0x%lx would not, %lu slices "
              "long\n",
              env->number, i->name, i->exit_pc, i->exit_value);
    if (i->exit_reason == AEGIS_EXIT_EXCEPTION || i->exit_reason == AEGIS_EXIT_DEPTH)
        print("aegis: environment %u (%s) ends: %s at pc 0x%lx, address 0x%lx%s\n", env->number,
              i->name, upcall_cause_name(i->exit_value), i->exit_pc, i->exit_address, why);
}

/*
 * From here on no translation of env's tables is used or cached, so that a walk can't touch the A
 * and D bits of what becomes of their pages (section 4.2.1).
 */
static void leave_address_space(const struct env *env)
{
    if (this_hart->env == env) {
        this_hart->env = NULL;
        direct_forget();
        satp_write(SATP_SV39 | virt_to_phys(kernel_root) >> PAGE_SHIFT);
    }
    sfence_asid(env->asid);
}

void env_begin_end(struct env *env, enum aegis_exit_reason reason, uint64_t value, uint64_t pc,
                   uint64_t address)
{
    struct aegis_env_info *i = &env_infos[env->number];

    i->exit_reason = (uint8_t)reason;
    i->exit_value = value;
    i->exit_pc = pc;
    i->exit_address = address;
    report_end(env, i);
    i->state = AEGIS_ENV_ENDING;
    env->is_unusual = true;
    if (i->slots == 0)
        slice_chores.ending_without++;
    gate_end_env(env);
    wake_cancel(env);
    revoke_cancel(env);
    leave_address_space(env);
}

/* What must be gone before pages are taken back: everything that pins them. */
static void unbind_all(struct env *env)
{
    if (env->upcall) {
        page_unpin(page_of(virt_to_phys(env->upcall) >> PAGE_SHIFT));
        env->upcall = NULL;
    }
    abort_forget(env);
    console_end_env(env->number);
    extent_unbind_all(env);
    disk_forget(env);
    fpu_forget(env);
    env->root[WINDOW_INDEX] =
        0; /* its tables have no mappings of pages: they go like other pages */
    map_forget_leaf(env);
    env->unbound = true;
}

/* The exit record's number is free again. */
static void forget_record(uint32_t number)
{
    struct aegis_env_info *i = &env_infos[number];

    quota_subtract(number, AEGIS_QUOTA_ENVS, 1);
    *i = (struct aegis_env_info){.generation = i->generation};
}

/*
 * Gives env's children to its own owner, so that somebody can end and free them. Those that have
 * ended are freed: nobody else waits for their records.
 */
static void leave_children(uint32_t number)
{
    for (uint32_t n = 1; n < env_numbers; n++) {
        struct aegis_env_info *child = &env_infos[n];
        if (child->state == AEGIS_ENV_NONE || child->owner != number || n == number)
            continue;
        child->owner = env_infos[number].owner;
        child->generation++;
        if (child->state == AEGIS_ENV_ENDED)
            forget_record(n);
    }
}

static void become_ended(struct env *env, struct aegis_page *env_page)
{
    struct aegis_env_info *i = &env_infos[env->number];
    uint32_t number = env->number;
    struct aegis_page *root = page_of(virt_to_phys(env->root) >> PAGE_SHIFT);

    leave_children(number);
    quota_close(number);
    slice_end_env(number);
    env_table[number] = NULL;
    map_clear_root(env->root);
    page_release_clear(root);
    page_release(env_page);
    i->generation++;
    i->state = AEGIS_ENV_ENDED;
    if (number == FIRST_ENV) {
        print("aegis: the first application has ended: nobody owns the machine any more\n");
        power_off(1);
    }
    env_infos[i->owner].ended++;
}

/* Takes back an empty table. */
static void release_table(struct aegis_page *table)
{
    page_release(&pages[table->links]);
    page_release_clear(table);
}

/*
 * Tables of env may hold mappings of others' pages, and its pages may be mapped by others: both are
 * undone before the page is freed. A table's links page has to outlive the table, so tables go in a
 * pass of their own: whichever comes first on the list, its partner is found by table->links.
 * Returns how many mappings there were.
 */
static size_t empty_table(struct aegis_page *table)
{
    size_t count = map_remove_table(table);

    release_table(table);
    return count;
}

/*
 * The same as end_tables for an environment with few pages, as that of most programs, and without
 * megapages: its tables are among them, so that those above the leaves need not be searched.
 * Returns whether there are none any more, and the step has room for more.
 */
static bool end_few_tables(const struct env *env)
{
    struct aegis_page *above[END_FEW_PAGES], *next;
    size_t removed = 0, count = 0;

    for (struct aegis_page *page = page_first_of(env->number); page; page = next) {
        next = page->next == NO_PAGE ? NULL : &pages[page->next];
        if (page->state != AEGIS_PAGE_PTABLE || page->links == NO_PAGE) /* or one of the window's */
            continue;
        if (page->level) {
            above[count++] = page;
            continue;
        }
        if (removed >= END_STEP_LEAVES)
            return false;
        if (next == &pages[page->links])
            next = page_next(next);
        *map_entry(env, (uint64_t)page->region << PAGE_SHIFT, 1, NULL) = 0;
        removed += empty_table(page) + END_TABLE_COST;
    }
    while (count-- > 0) {
        env->root[pte_index((uint64_t)above[count]->region << PAGE_SHIFT, ROOT_LEVEL)] = 0;
        release_table(above[count]);
        removed += END_TABLE_COST;
    }
    return removed < END_STEP_LEAVES;
}

/* Takes back tables of env's, as many as a step may; returns whether there were none. */
static bool end_tables(const struct env *env)
{
    size_t removed = 0;

    for (size_t i = map_next_entry(env->root, 0, PTES / 2); i < PTES / 2;
         i = map_next_entry(env->root, i + 1, PTES / 2)) {
        if (i == EXPOSED_INDEX)
            continue;
        if (removed >= END_STEP_LEAVES)
            return false;
        pte_t *level1 = ppn_to_virt(pte_ppn(env->root[i]));
        for (size_t j = map_next_entry(level1, 0, PTES); j < PTES;
             j = map_next_entry(level1, j + 1, PTES)) {
            if (removed >= END_STEP_LEAVES)
                return false;
            if (level1[j] & PTE_LEAF) { /* a megapage */
                map_remove(map_table_of(level1), &level1[j]);
                removed += AEGIS_MEGAPAGE;
                continue;
            }
            struct aegis_page *table = page_of(pte_ppn(level1[j]));
            level1[j] = 0;
            removed += empty_table(table) + END_TABLE_COST;
        }
        env->root[i] = 0;
        release_table(map_table_of(level1));
        removed += END_TABLE_COST;
    }
    return removed == 0;
}

bool env_end_step(struct env *env)
{
    struct aegis_page *env_page = page_of(virt_to_phys(env) >> PAGE_SHIFT);
    struct aegis_page *root = page_of(virt_to_phys(env->root) >> PAGE_SHIFT);
    struct aegis_page *page, *next;

    if (!env->unbound) {
        uint32_t extent; /* one a step: everybody's bindings are looked at */
        if (handler_end_env(env->number) && net_end_env(env->number) &&
            !extent_take(env->number, &extent))
            unbind_all(env);
        return false;
    }
    bool few = env_infos[env->number].pages <= END_FEW_PAGES && !env->has_megapages;
    if (!(few ? end_few_tables(env) : end_tables(env)))
        return false;
    size_t most = END_STEP_MAPPINGS;
    page = page_first_of(env->number);
    for (size_t n = 0; page && n < END_STEP_PAGES; n++, page = next) {
        next = page->next == NO_PAGE ? NULL : &pages[page->next];
        if (page == env_page || page == root)
            continue;
        if (page->refs && inherit_pass(page, &most))
            continue;
        /* Mappings first: who shares the page could pin it again and again. */
        if (page->refs && !map_remove_foreign(page, 0, &most))
            break;
        if (page->pins)
            netif_reclaim();
        if (page->pins) /* a device still reads it: a later step looks again */
            continue;
        page_release(page);
    }
    if (env_infos[env->number].pages > 2)
        return false;
    become_ended(env, env_page);
    return true;
}

long call_env_end(uint32_t number, uint64_t status)
{
    struct env *env;
    long error = env_target(number, &env);

    if (error)
        return error;
    bool self = env == this_hart->env;
    env_begin_end(env, self ? AEGIS_EXIT_STATUS : AEGIS_EXIT_KILLED, status, 0, 0);
    if (self)
        slice_next();
    return 0;
}

long call_env_free(uint32_t number)
{
    if (number == 0 || number >= ENV_COUNT)
        return -AEGIS_E_RANGE;
    struct aegis_env_info *i = &env_infos[number];
    if (i->state == AEGIS_ENV_NONE || i->owner != this_hart->env->number)
        return -AEGIS_E_OWNER;
    if (i->state != AEGIS_ENV_ENDED)
        return -AEGIS_E_STATE;
    forget_record(number);
    return 0;
}
