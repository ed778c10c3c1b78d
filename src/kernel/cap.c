#include "kernel/cap.h"

#include "kernel/call.h"
#include "kernel/env.h"
#include "kernel/netif.h"
#include "kernel/page.h"

static struct siphash_key seal_key;

void cap_init(struct siphash_key key)
{
    seal_key = key;
}

/* What minting and checking need to know of a kind of resource. */
struct kind {
    bool (*valid)(uint64_t index);
    uint32_t (*owner)(uint64_t index);
    uint64_t (*generation)(uint64_t index);
    uint32_t rights; /* that have a meaning for it */
};

static uint32_t page_owner(uint64_t index)
{
    return page_of(index)->owner;
}

static uint64_t page_generation(uint64_t index)
{
    return page_of(index)->generation;
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

static uint64_t env_generation(uint64_t index)
{
    return env_infos[index].generation;
}

static bool binding_is_bound(uint64_t index)
{
    return netif_binding(index) != NULL;
}

static uint32_t binding_owner(uint64_t index)
{
    return netif_binding(index)->owner;
}

static uint64_t binding_generation(uint64_t index)
{
    return netif_binding(index)->generation;
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

static uint64_t no_generation(uint64_t index)
{
    (void)index;
    return 0;
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
    wrong |= cap->generation ^ kinds[kind].generation(index);
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

long call_cap_mint(uint32_t kind, uint64_t index, uint32_t rights, uaddr_t cap)
{
    struct aegis_cap made;

    if (kind == AEGIS_KIND_NONE || kind >= AEGIS_KIND_COUNT)
        return -AEGIS_E_INVALID;
    if (!kinds[kind].valid(index))
        return -AEGIS_E_RANGE;
    if (kinds[kind].owner(index) != this_hart->env->number)
        return -AEGIS_E_OWNER;
    if (rights == 0 || (rights & ~kinds[kind].rights))
        return -AEGIS_E_RIGHTS;
    made.name = AEGIS_CAP_NAME(kind, rights, index);
    made.generation = kinds[kind].generation(index);
    made.mac = siphash_words(&seal_key, made.name, made.generation);
    return user_write(cap, &made, sizeof(made)) ? 0 : -AEGIS_E_ADDRESS;
}
