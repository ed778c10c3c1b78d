/*
 * map_share: what the caller has mapped, in an environment of its own at the same addresses (design
 * section 3). The right to it is the mapping: of a page of the caller's own, or one with
 * PTE_INHERIT, whose owner thereby let it be handed on. What was mapped with a capability is left
 * out: a new binding needs the capability shown, or revoking it as STALE would mean nothing.
 *
 * Bounds: AEGIS_SHARE_MAX mappings of some 100 instructions, or AEGIS_COPY_MAX copies of some
 * 1,300.
 */
#include <string.h>

#include "kernel/call.h"
#include "kernel/expose.h"
#include "kernel/map_place.h"
#include "kernel/quota.h"

/* Pages from va on that one table of either side maps. */
struct span {
    uint64_t va;
    uint64_t count;
    pte_t *from, *to; /* first entries; NULL without a table */
};

/* Whether env gets pages of its own. */
static inline bool is_new(enum aegis_share how)
{
    return how == AEGIS_SHARE_COPY || how == AEGIS_SHARE_FRESH;
}

/* Whether the page that entry maps is to be put where to is. */
static inline __attribute__((always_inline)) bool is_meant(pte_t entry, enum aegis_share how)
{
    if (!(entry & PTE_V))
        return false;
    if (is_new(how))
        return entry & PTE_R;
    const struct aegis_page *page = page_of(pte_ppn(entry));
    bool own = page->owner == this_hart->env->number;
    /* Rings and maps of handlers are bound to the caller; so is what the kernel or a device uses as
     * it is, of which a child wants a copy of its own. */
    return (own || (entry & PTE_INHERIT)) && page->state == AEGIS_PAGE_DATA &&
           !(own && page->pins && how == AEGIS_SHARE_PRIVATE);
}

/* Whether a megapage is mapped where a table could be. */
static bool is_mega(const struct env *env, uint64_t va)
{
    const pte_t *entry = map_entry(env, va, 1, NULL);

    return entry && (*entry & PTE_LEAF);
}

/* The span at va, at most count pages: 0, or negated STATE. */
static long find_span(const struct env *env, uint64_t va, uint64_t count, struct span *span)
{
    uint64_t left = PTES - pte_index(va, 0);

    span->va = va;
    span->count = count < left ? count : left;
    span->from = map_entry(this_hart->env, va, 0, NULL);
    span->to = map_entry(env, va, 0, NULL);
    return !span->from && is_mega(this_hart->env, va) ? -AEGIS_E_STATE : 0;
}

/* How many pages of a span are to be put into env, or negated NO_TABLE. */
static long count_span(const struct env *env, const struct span *span, enum aegis_share how)
{
    long found = 0;

    if (!span->from || (!span->to && is_mega(env, span->va)))
        return 0;
    for (uint64_t i = 0; i < span->count; i++) {
        if (!is_meant(span->from[i], how))
            continue;
        if (!span->to)
            return -AEGIS_E_NO_TABLE;
        found += !(span->to[i] & PTE_V);
    }
    return found;
}

/* The page itself, which a copy on write makes read-only on both sides. */
static void share(struct aegis_page *table, pte_t *to, pte_t *from, uint64_t va,
                  enum aegis_share how)
{
    uint64_t lost = how == AEGIS_SHARE_PRIVATE ? PTE_W : 0;

    map_insert(table, to, page_of(pte_ppn(*from)),
               (*from & (PTE_V | PTE_U | PTE_LEAF) & ~lost) | PTE_INHERIT);
    if (!(*from & lost))
        return;
    *from &= ~lost;
    map_flush(this_hart->env, va);
}

static void make(struct aegis_page *table, pte_t *to, const pte_t *from, enum aegis_share how)
{
    struct aegis_page *page = page_find_free();

    page_take_unclear(page, table->owner);
    if (how == AEGIS_SHARE_COPY)
        memcpy(page_memory(page), page_memory(page_of(pte_ppn(*from))), PAGE_SIZE);
    else
        memset(page_memory(page), 0, PAGE_SIZE);
    map_insert(table, to, page, *from & (PTE_V | PTE_U | PTE_LEAF));
}

static void put_span(const struct span *span, enum aegis_share how)
{
    if (!span->from || !span->to)
        return;
    struct aegis_page *table = map_table_of(span->to);
    for (uint64_t i = 0; i < span->count; i++) {
        if (!is_meant(span->from[i], how) || (span->to[i] & PTE_V))
            continue;
        if (is_new(how))
            make(table, &span->to[i], &span->from[i], how);
        else
            share(table, &span->to[i], &span->from[i], span->va + i * PAGE_SIZE, how);
    }
}

static long check_arguments(uint32_t number, uint64_t va, uint64_t count, uint32_t how,
                            struct env **env)
{
    long error = env_target(number, env);

    if (!error && (*env == this_hart->env || how >= AEGIS_SHARES))
        error = -AEGIS_E_INVALID;
    if (!error)
        error = place_check_range(va, count);
    if (!error && count > (is_new(how) ? AEGIS_COPY_MAX : AEGIS_SHARE_MAX))
        error = -AEGIS_E_RANGE;
    return error;
}

long call_map_share(uint32_t number, uint64_t va, uint64_t count, uint32_t how)
{
    struct span span;
    struct env *env;
    uint64_t found = 0;
    long error = check_arguments(number, va, count, how, &env);

    if (error)
        return error;
    for (uint64_t done = 0; done < count; done += span.count) {
        error = find_span(env, va + done * PAGE_SIZE, count - done, &span);
        long n = error ? error : count_span(env, &span, how);
        if (n < 0)
            return n;
        found += (uint64_t)n;
    }
    if (is_new(how) && info->free_pages < found)
        return -AEGIS_E_NO_PAGE;
    if (is_new(how) && !quota_allows(env->number, AEGIS_QUOTA_PAGES, found))
        return -AEGIS_E_QUOTA;
    for (uint64_t done = 0; done < count; done += span.count) {
        find_span(env, va + done * PAGE_SIZE, count - done, &span);
        put_span(&span, how);
    }
    return (long)found;
}
