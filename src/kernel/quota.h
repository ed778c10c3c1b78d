/*
 * Accounts: how much of each kind a group of environments may have. An environment shares its
 * owner's account until its owner carves one for it out of that one (design section 3); checking is
 * one compare, however deep the tree is.
 *
 * Invariant: used counts what the account's environments have; used <= limit; the limits of all
 * accounts add up to what they were at boot.
 */
#ifndef AEGIS_KERNEL_QUOTA_H
#define AEGIS_KERNEL_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "kernel/env.h"

extern struct aegis_account *accounts; /* exposed, by number of the environment that heads it */

/* Sizes the table; at boot, before there are environments. */
void quota_init(void);

/* Gives the first account all that there is: at boot, when all tables have their sizes. */
void quota_open(uint64_t handlers);

static inline struct aegis_account *quota_account(uint32_t env)
{
    return &accounts[env_infos[env].account];
}

/* Whether env's account has count of a kind left. */
static inline bool quota_allows(uint32_t env, enum aegis_quota kind, uint64_t count)
{
    const struct aegis_account *a = quota_account(env);

    return a->limit[kind] - a->used[kind] >= count;
}

/* Counts what env got, which quota_allows, or gave back. */
static inline void quota_add(uint32_t env, enum aegis_quota kind, uint64_t count)
{
    quota_account(env)->used[kind] += count;
}

static inline void quota_subtract(uint32_t env, enum aegis_quota kind, uint64_t count)
{
    quota_account(env)->used[kind] -= count;
}

/* What is made of downloads: bytes of the arena and of code (enum aegis_quota). */
struct quota_bytes {
    uint64_t arena, code;
};

static inline bool quota_allows_bytes(uint32_t env, struct quota_bytes bytes)
{
    return quota_allows(env, AEGIS_QUOTA_ARENA, bytes.arena) &&
           quota_allows(env, AEGIS_QUOTA_CODE, bytes.code);
}

static inline void quota_add_bytes(uint32_t env, struct quota_bytes bytes)
{
    quota_add(env, AEGIS_QUOTA_ARENA, bytes.arena);
    quota_add(env, AEGIS_QUOTA_CODE, bytes.code);
}

static inline void quota_subtract_bytes(uint32_t env, struct quota_bytes bytes)
{
    quota_subtract(env, AEGIS_QUOTA_ARENA, bytes.arena);
    quota_subtract(env, AEGIS_QUOTA_CODE, bytes.code);
}

/* Adds to used, by kind, what an environment has of bindings, handlers, and bytes of both. */
void quota_count_downloads(const struct env *env, uint64_t used[AEGIS_QUOTAS]);

/* Something of a kind goes from one environment to another, and its share of the limit with it. */
void quota_move(uint32_t from, uint32_t to, enum aegis_quota kind);

/* The account that env heads, if it does, becomes part of its owner's: it ends. */
void quota_close(uint32_t env);

#endif
