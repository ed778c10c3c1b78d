#include "kernel/quota.h"

#include <string.h>

#include "kernel/call.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/handler.h"
#include "kernel/netif.h"
#include "kernel/slice.h"
#include "kernel/user.h"

struct aegis_account *accounts;

void quota_init(void)
{
    accounts = expose_alloc(ENV_COUNT * sizeof(*accounts), &info->accounts);
}

void quota_open(uint64_t handlers)
{
    accounts[FIRST_ENV] = (struct aegis_account){
        .limit = {[AEGIS_QUOTA_PAGES] = info->free_pages,
                  [AEGIS_QUOTA_SLOTS] = AEGIS_SLOTS,
                  [AEGIS_QUOTA_ENVS] = ENV_COUNT - FIRST_ENV,
                  [AEGIS_QUOTA_BINDINGS] = info->binding_count - netif_total(),
                  [AEGIS_QUOTA_HANDLERS] = handlers,
                  [AEGIS_QUOTA_BLOCKS] = extent_blocks(),
                  [AEGIS_QUOTA_ARENA] = info->arena_free,
                  [AEGIS_QUOTA_CODE] = info->code_free}};
    accounts[FIRST_ENV].used[AEGIS_QUOTA_ENVS] = 1;
    env_infos[FIRST_ENV].account = FIRST_ENV;
}

void quota_move(uint32_t from, uint32_t to, enum aegis_quota kind)
{
    struct aegis_account *a = quota_account(from), *b = quota_account(to);

    if (a == b)
        return;
    a->used[kind]--, a->limit[kind]--;
    b->used[kind]++, b->limit[kind]++;
}

/* Adds to the account `to` what is in `from`, limits and use, and empties that. */
static void merge(struct aegis_account *to, struct aegis_account *from)
{
    for (size_t kind = 0; kind < AEGIS_QUOTAS; kind++) {
        to->limit[kind] += from->limit[kind];
        to->used[kind] += from->used[kind];
    }
    *from = (struct aegis_account){0};
}

void quota_close(uint32_t env)
{
    uint16_t to = env_infos[env_infos[env].owner].account;

    if (env_infos[env].account != env || env == FIRST_ENV)
        return;
    for (uint32_t n = 1; n < ENV_COUNT; n++)
        if (env_infos[n].account == env)
            env_infos[n].account = to;
    merge(&accounts[to], &accounts[env]);
}

static bool has_children(uint32_t env)
{
    for (uint32_t n = 1; n < ENV_COUNT; n++)
        if (env_infos[n].state != AEGIS_ENV_NONE && env_infos[n].owner == env && n != env)
            return true;
    return false;
}

void quota_count_downloads(const struct env *env, uint64_t used[AEGIS_QUOTAS])
{
    for (uint32_t i = 0; i < info->binding_count; i++) {
        const struct aegis_binding_info *row = netif_row(i);
        if (row->owner != env->number || row->parent == i)
            continue; /* roots are the machine's */
        struct quota_bytes bytes = netif_bytes(i);
        used[AEGIS_QUOTA_BINDINGS]++;
        used[AEGIS_QUOTA_ARENA] += bytes.arena;
        used[AEGIS_QUOTA_CODE] += bytes.code;
    }
    for (uint32_t i = 0; i < handler_most(); i++) {
        if (handler_at(i)->owner != env->number)
            continue;
        struct quota_bytes bytes = handler_bytes(handler_at(i));
        used[AEGIS_QUOTA_HANDLERS]++;
        used[AEGIS_QUOTA_ARENA] += bytes.arena;
        used[AEGIS_QUOTA_CODE] += bytes.code;
    }
}

/* What an environment without children has of each kind. */
static void count_own(const struct env *env, uint64_t used[AEGIS_QUOTAS])
{
    used[AEGIS_QUOTA_PAGES] = env->info->pages;
    used[AEGIS_QUOTA_SLOTS] = slice_held(env);
    used[AEGIS_QUOTA_ENVS] = 1;
    quota_count_downloads(env, used);
    used[AEGIS_QUOTA_BLOCKS] = extent_charged(env->number);
}

/*
 * Whether the owner's account can spare what the limits ask for beyond those that the environment
 * has: 0, or negated RANGE (less than is in use), QUOTA.
 */
static long check_limits(const struct aegis_account *owner, const struct aegis_account *own,
                         const uint64_t *limit)
{
    for (size_t kind = 0; kind < AEGIS_QUOTAS; kind++) {
        uint64_t left = owner->limit[kind] - owner->used[kind];
        if (limit[kind] < own->used[kind])
            return -AEGIS_E_RANGE;
        if (limit[kind] > own->limit[kind] && limit[kind] - own->limit[kind] > left)
            return -AEGIS_E_QUOTA;
    }
    return 0;
}

long call_quota_set(uint32_t number, uaddr_t address)
{
    struct aegis_limits limits;
    struct aegis_account own = {0}, *owner;
    struct env *env;
    long error = env_target(number, &env);

    if (error)
        return error;
    if (env == this_hart->env)
        return -AEGIS_E_INVALID;
    if (!user_read(&limits, address, sizeof(limits)))
        return -AEGIS_E_ADDRESS;
    bool heads = env->info->account == env->number;
    if (!heads && has_children(env->number)) /* they would have to come along */
        return -AEGIS_E_STATE;
    owner = quota_account(this_hart->env->number);
    if (heads)
        own = accounts[env->number];
    else {
        count_own(env, own.used);
        memcpy(own.limit, own.used, sizeof(own.limit)); /* what it has comes with its share */
    }
    error = check_limits(owner, &own, limits.limit);
    if (error)
        return error;

    for (size_t kind = 0; kind < AEGIS_QUOTAS; kind++) {
        owner->limit[kind] -= limits.limit[kind] - (heads ? own.limit[kind] : 0);
        if (!heads)
            owner->used[kind] -= own.used[kind];
        own.limit[kind] = limits.limit[kind];
    }
    accounts[env->number] = own;
    env->info->account = (uint16_t)env->number;
    return 0;
}
