#include "map_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <cmocka.h>

struct mapping maps[LEAVES_MAX];
size_t map_count;
uint32_t *owners;
uint8_t *states;
uint16_t *pins;

/* A cache of translations, filled with everything that can be cached. */
static struct {
    uint64_t asid, va, pte;
    uint32_t env;
    bool valid;
} cache[LEAVES_MAX];
static size_t cache_count;

static void forget(uint64_t va, uint64_t asid)
{
    for (size_t i = 0; i < cache_count; i++)
        if ((va == HOST_ALL || cache[i].va == (va & ~(uint64_t)(PAGE_SIZE - 1))) &&
            (asid == HOST_ALL || cache[i].asid == asid))
            cache[i].valid = false;
}

const struct leaf *find_leaf(uint32_t env, uint64_t va)
{
    for (size_t i = 0; i < leaf_count; i++)
        if (leaves[i].env == env && leaves[i].va == va)
            return &leaves[i];
    return NULL;
}

void check_cache(void)
{
    for (size_t i = 0; i < cache_count; i++) {
        if (!cache[i].valid)
            continue;
        const struct leaf *leaf = find_leaf(cache[i].env, cache[i].va);
        if (!leaf || leaf->pte >> 10 != cache[i].pte >> 10 || (cache[i].pte & ~leaf->pte & 0xe))
            fail_msg("env %u, va 0x%lx: a stale translation is cached", cache[i].env, cache[i].va);
    }
    size_t kept =
        0; /* who ends runs no more: nothing new of it is cached, and nothing old goes by itself */
    for (size_t i = 0; i < cache_count; i++)
        if (cache[i].valid && env_infos[cache[i].env].state == AEGIS_ENV_ENDING)
            cache[kept++] = cache[i];
    cache_count = kept;
    for (size_t i = 0; i < leaf_count; i++) {
        uint32_t env = leaves[i].env;
        if (env_infos[env].state == AEGIS_ENV_ENDING)
            continue;
        cache[cache_count].asid = env_table[env]->asid;
        cache[cache_count].env = env;
        cache[cache_count].va = leaves[i].va;
        cache[cache_count].pte = leaves[i].pte;
        cache[cache_count++].valid = true;
    }
}

void model_adopt(void)
{
    check_invariants(pins);
    map_count = 0;
    for (size_t i = 0; i < leaf_count; i++)
        maps[map_count++] = (struct mapping){leaves[i].env, leaves[i].va,
                                             leaves[i].page + first_ppn, leaves[i].pte & 0xe};
    for (uint64_t i = 0; i < page_count; i++) {
        owners[i] = pages[i].owner;
        states[i] = pages[i].state;
    }
    check_cache();
}

struct mapping *find_mapping(uint32_t env, uint64_t va)
{
    for (size_t i = 0; i < map_count; i++)
        if (maps[i].env == env && maps[i].va == va)
            return &maps[i];
    return NULL;
}

uint32_t refs_of(uint64_t ppn)
{
    uint32_t refs = 0;

    for (size_t i = 0; i < map_count; i++)
        refs += maps[i].ppn == ppn;
    return refs;
}

void model_compare(void)
{
    check_invariants(pins);
    assert_true(leaf_count == map_count);
    for (size_t i = 0; i < leaf_count; i++) {
        const struct mapping *m = find_mapping(leaves[i].env, leaves[i].va);
        assert_non_null(m);
        assert_true(m->ppn == leaves[i].page + first_ppn && m->bits == (leaves[i].pte & 0xe));
    }
    for (uint64_t i = 0; i < page_count; i++)
        if (pages[i].owner != owners[i] || pages[i].state != states[i])
            fail_msg("page %lu: owner %u, state %u instead of %u, %u", i, pages[i].owner,
                     pages[i].state, owners[i], states[i]);
    check_cache();
}

void model_begin(void)
{
    owners = calloc(page_count, sizeof(*owners));
    states = calloc(page_count, sizeof(*states));
    pins = calloc(page_count, sizeof(*pins));
    host_on_sfence = forget;
}

void model_end(void)
{
    free(owners), free(states), free(pins);
}
