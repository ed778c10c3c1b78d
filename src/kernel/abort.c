#include "kernel/abort.h"

#include "kernel/call.h"
#include "kernel/extent.h"
#include "kernel/gate.h"
#include "kernel/handler.h"
#include "kernel/inherit.h"
#include "kernel/map.h"
#include "kernel/net_end.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/slice.h"
#include "kernel/user.h"

#define LOOK_STEP 128 /* pages of the owner's list looked at in a step */
#define TAKE_STEP 32  /* resources taken in a step: some 10,000 instructions of pages */
#define FREE_STEP 64  /* mappings removed in a step */
#define PASS_COST 32  /* what an inherited page takes of a step, beside one for each mapping */

_Static_assert(sizeof(struct aegis_repossession) == PAGE_SIZE, "a page");

/* Writes what was taken into the owner's vector, if it has one. */
static void record(struct env *env, enum aegis_kind kind, uint64_t index)
{
    struct aegis_repossession *page = env->repossession;

    if (!page)
        return;
    page->entries[env->repossessed % AEGIS_REPOSSESSED_MAX] =
        (struct aegis_repossessed){.kind = kind, .index = index};
    page->count = ++env->repossessed; /* the kernel's own count: the page is the application's */
}

/* Pages that hold up an environment are no memory of its: they stay until it ends. */
static uint64_t abort_pages_held(const struct env *env)
{
    return env->info->pages;
}

/* Takes work from what a step has left. */
static void spend(size_t *budget, size_t work)
{
    *budget -= *budget < work ? *budget : work;
}

/* Whether a page can go now: tables can't, nor what a device or the kernel uses. */
static bool is_takable(const struct aegis_page *page)
{
    return page->state == AEGIS_PAGE_DATA && page->pins == 0;
}

/*
 * Takes a page, wherever it is mapped. Looks on where the last look ended, so that what can't be
 * taken isn't looked at again and again; *budget is what the step has left.
 */
static bool abort_take_page(struct env *env, size_t *budget)
{
    struct aegis_page *page = env->takable;
    bool is_there = page && page->owner == env->number && page->state != AEGIS_PAGE_FREE;

    for (page = is_there ? page : page_first_of(env->number); page; page = page_next(page)) {
        if (*budget == 0)
            break;
        --*budget;
        if (!is_takable(page))
            continue;
        size_t mappings = FREE_STEP, refs = page->refs;
        uint64_t ppn = page_ppn(page);
        env->takable = page_next(page);
        if (page->refs && inherit_take(page)) {
            record(env, AEGIS_KIND_PAGE, ppn);
            spend(budget, PASS_COST + refs);
            return true;
        }
        /* First, so that nobody maps it anew between the steps; its owner doesn't run meanwhile. */
        page->generation++;
        if (!map_remove_foreign(page, 0, &mappings)) {
            env->takable = page;
            *budget = 0;
            return true;
        }
        page_release(page);
        record(env, AEGIS_KIND_PAGE, ppn);
        spend(budget, FREE_STEP - mappings);
        return true;
    }
    env->takable = page;
    return page != NULL;
}

static uint64_t abort_children_held(const struct env *env)
{
    uint64_t count = 0;

    for (uint32_t n = 1; n < ENV_COUNT; n++)
        count += env_infos[n].owner == env->number && n != env->number &&
                 (env_infos[n].state == AEGIS_ENV_LIVE || env_infos[n].state == AEGIS_ENV_CREATED);
    return count;
}

/* The youngest goes: who was there longer is more likely to be needed. */
static bool abort_take_child(struct env *env, size_t *budget)
{
    uint32_t youngest = 0;

    *budget = 0; /* all numbers were looked at twice: enough for one step */
    for (uint32_t n = 1; n < ENV_COUNT; n++)
        if (env_infos[n].owner == env->number && n != env->number &&
            (env_infos[n].state == AEGIS_ENV_LIVE || env_infos[n].state == AEGIS_ENV_CREATED) &&
            env_infos[n].serial > env_infos[youngest].serial)
            youngest = n;
    if (!youngest)
        return false;
    env_begin_end(env_table[youngest], AEGIS_EXIT_KILLED, 0, 0, 0);
    record(env, AEGIS_KIND_ENV, youngest);
    return true;
}

static bool abort_take_binding(struct env *env, size_t *budget)
{
    uint32_t index;

    *budget = 0; /* that goes over the whole table: enough for one step */
    if (!net_end_take(env->number, &index))
        return false;
    record(env, AEGIS_KIND_BINDING, index);
    return true;
}

static bool abort_take_handler(struct env *env, size_t *budget)
{
    uint32_t index;

    *budget = 0; /* likewise, and its maps' pages are unpinned */
    if (!handler_take(env->number, &index))
        return false;
    record(env, AEGIS_KIND_HANDLER, index);
    return true;
}

static bool abort_take_slot(struct env *env, size_t *budget)
{
    uint32_t slot;

    *budget = 0;
    if (!slice_take(env->number, &slot))
        return false;
    record(env, AEGIS_KIND_SLICE, slot);
    return true;
}

static bool abort_take_gate(struct env *env, size_t *budget)
{
    uint64_t number;

    --*budget;
    if (!gate_take(env, &number))
        return false;
    record(env, AEGIS_KIND_GATE, number);
    return true;
}

static bool abort_take_extent(struct env *env, size_t *budget)
{
    uint32_t index;

    *budget = 0; /* likewise, and of everybody's bindings */
    if (!extent_take(env->number, &index))
        return false;
    record(env, AEGIS_KIND_EXTENT, index);
    return true;
}

static const struct {
    uint64_t (*held)(const struct env *env);
    bool (*take)(struct env *env, size_t *budget); /* false: nothing (more) can be taken */
} kinds[AEGIS_KIND_COUNT] = {
#define T(...) __VA_ARGS__
#define AEGIS_RESOURCE(name, value, index, rights, functions, taking, ...)                         \
    [AEGIS_KIND_##name] = {taking},
#include "abi/resources.def"
#undef AEGIS_RESOURCE
#undef T
};

bool abort_knows(uint32_t kind)
{
    return kind < AEGIS_KIND_COUNT && kinds[kind].held;
}

uint64_t abort_held(enum aegis_kind kind, const struct env *env)
{
    return kinds[kind].held(env);
}

bool abort_step(enum aegis_kind kind, struct env *env, uint64_t goal)
{
    size_t budget = LOOK_STEP;

    for (size_t i = 0; i < TAKE_STEP && budget; i++)
        if (abort_held(kind, env) <= goal || !kinds[kind].take(env, &budget))
            return true;
    return false;
}

void abort_forget(struct env *env)
{
    if (env->repossession)
        page_unpin(page_of(virt_to_phys(env->repossession) >> PAGE_SHIFT));
    env->repossession = NULL;
}

long call_repossession_bind(uaddr_t address)
{
    struct env *self = this_hart->env;

    if (address == 0) {
        abort_forget(self);
        return 0;
    }
    if (address % PAGE_SIZE)
        return -AEGIS_E_ALIGNMENT;
    struct aegis_repossession *vector = user_at(self, address, PTE_R | PTE_W);
    if (!vector || address >= AEGIS_EXPOSED_BASE)
        return -AEGIS_E_ADDRESS;
    struct aegis_page *page = page_of(virt_to_phys(vector) >> PAGE_SHIFT);
    if (page->owner != self->number || page->state != AEGIS_PAGE_DATA || !page_can_pin(page))
        return -AEGIS_E_ADDRESS;

    page_pin(page);
    abort_forget(self);
    self->repossession = vector;
    self->repossessed = 0;
    vector->count = 0;
    return 0;
}
