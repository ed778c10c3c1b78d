#include "kernel/cap.h"

#include "kernel/call.h"
#include "kernel/check/hard.h"
#include "kernel/env.h"
#include "kernel/extent.h"
#include "kernel/gate.h"
#include "kernel/handler.h"
#include "kernel/map.h"
#include "kernel/net_end.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/slice.h"

static struct siphash_key seal_key;

void cap_init(struct siphash_key key)
{
    seal_key = key;
}

/* What minting, checking and revoking need to know of a kind of resource. */
struct kind {
    bool (*valid)(uint64_t index);
    bool (*may_revoke)(uint64_t index, uint32_t env); /* mint: its owner alone */
    uint32_t (*owner)(uint64_t index);
    uint64_t *(*generation)(uint64_t index);
    bool (*sever)(uint64_t index); /* a bounded step; whether nothing is left */
    uint32_t rights;               /* that have a meaning for it */
};

static uint32_t page_owner(uint64_t index)
{
    return page_of(index)->owner;
}

static uint64_t *page_generation(uint64_t index)
{
    return &page_of(index)->generation;
}

#define SEVER_STEP HARD(128, 1) /* mappings: some 15,000 instructions */

static bool page_sever(uint64_t index)
{
    size_t most = SEVER_STEP;

    return map_remove_foreign(page_of(index), page_of(index)->owner, &most);
}

/* An environment's authority over itself and its owner's over it are the same. */
static bool env_valid(uint64_t index)
{
    return index > 0 && index < ENV_COUNT && env_infos[index].state != AEGIS_ENV_NONE;
}

static uint32_t env_owner(uint64_t index)
{
    return index == this_hart->env->number ? (uint32_t)index : env_infos[index].owner;
}

static uint64_t *env_generation(uint64_t index)
{
    return &env_infos[index].generation;
}

static bool env_sever(uint64_t index)
{
    gate_sever_env((uint32_t)index);
    return net_end_sever_env((uint32_t)index);
}

static bool binding_is_bound(uint64_t index)
{
    return netif_binding(index) != NULL;
}

static uint32_t binding_owner(uint64_t index)
{
    return netif_binding(index)->owner;
}

static uint64_t *binding_generation(uint64_t index)
{
    return &netif_binding(index)->generation;
}

static bool binding_may_revoke(uint64_t index, uint32_t env)
{
    return netif_binding(index)->owner == env || netif_binding(index)->binder == env;
}

static bool binding_sever(uint64_t index)
{
    return net_end_sever((uint32_t)index);
}

/* Devices that there is one of: the first application's. */
static bool is_only_one(uint64_t index)
{
    return index == 0;
}

static uint32_t first_env(uint64_t index)
{
    (void)index;
    return FIRST_ENV;
}

static uint64_t *console_generation(uint64_t index)
{
    static uint64_t generation;

    (void)index;
    return &generation;
}

static uint64_t *machine_generation(uint64_t index)
{
    static uint64_t generation;

    (void)index;
    return &generation;
}

/* Bindings of it are made with each use: none lasts. */
static bool sever_nothing(uint64_t index)
{
    (void)index;
    return true;
}

/* R(one, ...): a right's bits or'ed; as many as a row may have. */
#define R1(a)                     AEGIS_RIGHT_##a
#define R2(a, ...)                AEGIS_RIGHT_##a | R1(__VA_ARGS__)
#define R3(a, ...)                AEGIS_RIGHT_##a | R2(__VA_ARGS__)
#define R4(a, ...)                AEGIS_RIGHT_##a | R3(__VA_ARGS__)
#define R5(a, ...)                AEGIS_RIGHT_##a | R4(__VA_ARGS__)
#define RN(a, b, c, d, e, n, ...) R##n
#define R_PICK(...)               RN(__VA_ARGS__)
#define R(...)                    R_PICK(__VA_ARGS__, 5, 4, 3, 2, 1, 0)(__VA_ARGS__)
#define F(...)                    __VA_ARGS__

static const struct kind kinds[AEGIS_KIND_COUNT] = {
#define AEGIS_RESOURCE(name, value, index, rights, functions, ...)                                 \
    [AEGIS_KIND_##name] = {functions, rights},
#include "abi/resources.def"
#undef AEGIS_RESOURCE
};
#undef R
#undef F

long cap_check(const struct aegis_cap *cap, enum aegis_kind kind, uint64_t index, uint32_t rights)
{
    uint64_t wrong = siphash_words(&seal_key, cap->name, cap->generation) ^ cap->mac;

    /* One test of everything that authenticity hangs on: how long it takes tells nothing of the
     * code. */
    wrong |= AEGIS_CAP_KIND(cap->name) ^ kind;
    wrong |= AEGIS_CAP_INDEX(cap->name) ^ index;
    wrong |= cap->generation ^ *kinds[kind].generation(index);
    if (wrong)
        return -AEGIS_E_CAPABILITY;
    return (AEGIS_CAP_RIGHTS(cap->name) & rights) == rights ? 0 : -AEGIS_E_RIGHTS;
}

long cap_check_user(uaddr_t cap, enum aegis_kind kind, uint64_t index, uint32_t rights)
{
    struct aegis_cap copy;

    if (!user_read(&copy, cap, sizeof(copy)))
        return -AEGIS_E_ADDRESS;
    return cap_check(&copy, kind, index, rights);
}

/* Seals a capability and gives it to the caller. */
static long give(enum aegis_kind kind, uint64_t index, uint32_t rights, uaddr_t cap)
{
    struct aegis_cap made = {.name = AEGIS_CAP_NAME(kind, rights, index),
                             .generation = *kinds[kind].generation(index)};

    made.mac = siphash_words(&seal_key, made.name, made.generation);
    return user_write(cap, &made, sizeof(made)) ? 0 : -AEGIS_E_ADDRESS;
}

static long check_named(uint32_t kind, uint64_t index)
{
    if (kind == AEGIS_KIND_NONE || kind >= AEGIS_KIND_COUNT)
        return -AEGIS_E_INVALID;
    return kinds[kind].valid(index) ? 0 : -AEGIS_E_RANGE;
}

long call_cap_mint(uint32_t kind, uint64_t index, uint32_t rights, uaddr_t cap)
{
    long error = check_named(kind, index);

    if (error)
        return error;
    if (kinds[kind].owner(index) != this_hart->env->number)
        return -AEGIS_E_OWNER;
    if (rights == 0 || (rights & ~kinds[kind].rights))
        return -AEGIS_E_RIGHTS;
    return give(kind, index, rights, cap);
}

long call_cap_derive(uaddr_t from, uint32_t rights, uaddr_t cap)
{
    struct aegis_cap shown;

    if (!user_read(&shown, from, sizeof(shown)))
        return -AEGIS_E_ADDRESS;
    /* A name that means nothing can't have been sealed: it isn't told apart from a forged one. */
    uint32_t kind = AEGIS_CAP_KIND(shown.name);
    uint64_t index = AEGIS_CAP_INDEX(shown.name);
    if (check_named(kind, index))
        return -AEGIS_E_CAPABILITY;
    long error = cap_check(&shown, kind, index, rights);
    if (error)
        return error;
    return rights ? give(kind, index, rights, cap) : -AEGIS_E_RIGHTS;
}

long call_cap_revoke(uint32_t kind, uint64_t index, uint32_t how)
{
    uint32_t self = this_hart->env->number;
    long error = check_named(kind, index);

    if (error)
        return error;
    if (how > AEGIS_REVOKE_SEVER)
        return -AEGIS_E_INVALID;
    bool may = kinds[kind].may_revoke ? kinds[kind].may_revoke(index, self)
                                      : kinds[kind].owner(index) == self;
    if (!may)
        return -AEGIS_E_OWNER;

    /* First, so that nothing is bound anew between the steps. */
    ++*kinds[kind].generation(index);
    if (how == AEGIS_REVOKE_SEVER && !kinds[kind].sever(index))
        call_restart(AEGIS_CALL_cap_revoke, kind, index, how);
    return 0;
}
