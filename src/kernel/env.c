#include "kernel/env.h"

#include <string.h>

#include "kernel/call.h"
#include "kernel/check/check.h"
#include "kernel/direct.h"
#include "kernel/expose.h"
#include "kernel/fpu.h"
#include "kernel/irqoff.h"
#include "kernel/map.h"
#include "kernel/map_window.h"
#include "kernel/page.h"
#include "kernel/quota.h"
#include "kernel/slice.h"
#include "kernel/user.h"

struct env *env_table[ENV_COUNT];
struct aegis_env_info *env_infos;
uint32_t env_page_lists[ENV_COUNT];

uint32_t env_numbers;

static uint32_t next_serial = 1;
static uint64_t asid_max;

void env_init(void)
{
    env_infos = expose_alloc(ENV_COUNT * sizeof(*env_infos), &info->envs);
    info->env_count = ENV_COUNT;
    for (size_t i = 0; i < ENV_COUNT; i++)
        env_page_lists[i] = NO_PAGE;
    asid_max = paging_asid_max();
    window_init();
    quota_init();
}

struct env *env_make(uint32_t number, uint32_t owner, struct aegis_page *page,
                     struct aegis_page *root, const char *name, bool clear)
{
    struct aegis_env_info *i = &env_infos[number];
    struct env *env = page_memory(page);
    uint64_t generation = i->generation;

    memset(env, 0, sizeof(*env)); /* nobody else sees the rest */
    env->wake.deadline = AEGIS_FOREVER;
    env->entry = ENV_CLOSED;
    page->state = AEGIS_PAGE_ENV;
    map_init_root(root, clear);
    env->number = number;
    env->info = i;
    env->root = page_memory(root);
    map_forget_leaf(env);
    /* With fewer ASIDs than environments all use 0, and env_enter flushes. */
    env->asid = env_have_asids() ? number : 0;
    env->is_unusual = true; /* until it is started, and schedule.c has looked at it */
    env->satp = SATP_SV39 | env->asid << SATP_ASID_SHIFT | page_ppn(root);
    /* The number's previous user may have left translations under its ASID (section 4.2.1). */
    sfence_asid(env->asid);

    uint32_t page_total = i->pages;
    *i = (struct aegis_env_info){.serial = next_serial++,
                                 .owner = owner,
                                 .state = AEGIS_ENV_CREATED,
                                 .pages = page_total,
                                 .account = env_infos[owner].account,
                                 .slots = i->slots,
                                 .maker = env_infos[owner].serial,
                                 .generation = generation};
    memcpy(i->name, name, AEGIS_NAME_SIZE);
    /* What these pages will hold is this environment's, not that of whoever had its number when it
     * got them. */
    page->last = i->serial;
    root->last = i->serial;
    env_table[number] = env;
    slice_begin_env(env);
    if (number >= env_numbers)
        env_numbers = number + 1;
    return env;
}

long env_target(uint32_t number, struct env **env)
{
    uint32_t self = this_hart->env->number;

    if (number == 0 || number == self) {
        *env = this_hart->env;
        return 0;
    }
    if (number >= ENV_COUNT)
        return -AEGIS_E_RANGE;
    if (env_infos[number].state == AEGIS_ENV_NONE || env_infos[number].owner != self)
        return -AEGIS_E_OWNER;
    if (env_infos[number].state != AEGIS_ENV_CREATED && env_infos[number].state != AEGIS_ENV_LIVE)
        return -AEGIS_E_STATE;
    *env = env_table[number];
    return 0;
}

bool env_have_asids(void)
{
    return asid_max >= ENV_COUNT;
}

static inline __attribute__((always_inline)) void switch_to(struct env *env)
{
    if (this_hart->env == env)
        return;
    this_hart->env = env;
    direct_forget();
    satp_write(env->satp);
    if (env->asid == 0)
        sfence_all();
    fpu_switch(env);
}

void env_switch(struct env *env)
{
    switch_to(env);
}

void env_enter(struct env *env)
{
    check_walk(NULL);
    irqoff_end();
    switch_to(env);
    if (env->in_call) {
        env->in_call = false;
        env_resume_call(env);
    }
    env_resume(env);
}

/* The two pages of a new environment: 0, or a negated error of page_check_donation's, NO_PAGE,
 * QUOTA. */
static long check_pages(uint32_t self, uint64_t page, uint64_t root)
{
    if (page == AEGIS_ANY && root == AEGIS_ANY) {
        if (info->free_pages < 2)
            return -AEGIS_E_NO_PAGE;
        return quota_allows(self, AEGIS_QUOTA_PAGES, 2) ? 0 : -AEGIS_E_QUOTA;
    }
    long error = page_check_donation(page, self);
    if (!error)
        error = page_check_donation(root, self);
    return !error && page == root ? -AEGIS_E_STATE : error;
}

/* One of them: all of it is written to. */
static struct aegis_page *take_page(uint64_t ppn, uint32_t number)
{
    struct aegis_page *page = ppn == AEGIS_ANY ? page_find_free() : page_of(ppn);

    if (ppn == AEGIS_ANY)
        page_take_unclear(page, number);
    else
        page_move(page, number);
    return page;
}

/* The root, of which little is written if it is clear. */
static struct aegis_page *take_root(uint64_t ppn, uint32_t number, bool *clear)
{
    struct aegis_page *page;

    *clear = false;
    if (ppn != AEGIS_ANY)
        return take_page(ppn, number);
    page = page_find_clear();
    *clear = page_take_unclear(page, number);
    return page;
}

long call_env_create(uint64_t page, uint64_t root, uaddr_t name)
{
    uint32_t self = this_hart->env->number, number = FIRST_ENV;
    char text[AEGIS_NAME_SIZE];
    long error = check_pages(self, page, root);

    if (!error && !user_read(text, name, sizeof(text)))
        error = -AEGIS_E_ADDRESS;
    if (error)
        return error;
    while (number < ENV_COUNT && env_infos[number].state != AEGIS_ENV_NONE)
        number++;
    if (number == ENV_COUNT || !slice_is_free())
        return -AEGIS_E_NO_SLOT;
    if (!quota_allows(self, AEGIS_QUOTA_SLOTS, 1) || !quota_allows(self, AEGIS_QUOTA_ENVS, 1))
        return -AEGIS_E_QUOTA;
    env_infos[number].account = env_infos[self].account;
    slice_grant(number);
    quota_add(number, AEGIS_QUOTA_ENVS, 1);

    for (size_t i = 0; i < sizeof(text); i++) /* the log prints it */
        if (text[i] && (text[i] < ' ' || text[i] > '~'))
            text[i] = '?';
    text[sizeof(text) - 1] = 0;
    bool clear;
    struct aegis_page *state = take_page(page, number);
    struct aegis_page *table = take_root(root, number, &clear);
    env_make(number, self, state, table, text, clear);
    return number;
}

long call_env_start(uint32_t number, uint64_t pc, uint64_t sp, uint64_t argument)
{
    struct env *env;
    long error = env_target(number, &env);

    if (error)
        return error;
    if (env_infos[env->number].state != AEGIS_ENV_CREATED)
        return -AEGIS_E_STATE;
    if (pc >= AEGIS_USER_END || pc % 2 || sp >= AEGIS_USER_END)
        return -AEGIS_E_RANGE;
    env->pc = pc;
    env->x[REG_SP] = sp;
    env->x[REG_A0] = argument;
    env_infos[env->number].state = AEGIS_ENV_LIVE;
    return 0;
}
