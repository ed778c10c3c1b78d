/*
 * map_share: what the caller has mapped, in an environment of its own, at the same addresses for a
 * fork or at others for a program that is being loaded (design section 3). The right to it is the
 * mapping: of a page of the caller's own, or one with PTE_INHERIT, whose owner thereby let it be
 * handed on. What was mapped with a capability is left out: a new binding needs the capability
 * shown, or revoking it as STALE would mean nothing.
 *
 * Bounds: AEGIS_SHARE_MAX mappings of some 100 instructions, or AEGIS_COPY_MAX copies of some
 * 1,300.
 */
#include <string.h>

#include "kernel/call.h"
#include "kernel/expose.h"
#include "kernel/inherit.h"
#include "kernel/map_list.h"
#include "kernel/map_place.h"
#include "kernel/quota.h"

/* Pages that one table of either side maps: at source for the caller, at va for env. */
struct span {
    uint64_t va, source;
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
    /* Rings and maps of handlers are bound to the caller. */
    return (page->owner == this_hart->env->number || (entry & PTE_INHERIT)) &&
           page->state == AEGIS_PAGE_DATA && page->refs < INHERIT_MAPPINGS_MAX;
}

/* What the kernel or a device uses as it is stays the caller's: a child wants a copy of its own. */
static inline bool is_pinned(pte_t entry)
{
    const struct aegis_page *page = page_of(pte_ppn(entry));

    return page->pins && page->owner == this_hart->env->number;
}

/* Whether a megapage is mapped where a table could be. */
static bool is_mega(const struct env *env, uint64_t va)
{
    const pte_t *entry = map_entry(env, va, 1, NULL);

    return entry && (*entry & PTE_LEAF);
}

/* The span at va and source, at most count pages: 0, or negated STATE. */
static long find_span(const struct env *env, uint64_t va, uint64_t source, uint64_t count,
                      struct span *span)
{
    uint64_t index =
        pte_index(va, 0) > pte_index(source, 0) ? pte_index(va, 0) : pte_index(source, 0);
    uint64_t left = PTES - index;

    span->va = va;
    span->source = source;
    span->count = count < left ? count : left;
    span->from = map_entry(this_hart->env, source, 0, NULL);
    span->to = map_entry(env, va, 0, NULL);
    return !span->from && is_mega(this_hart->env, source) ? -AEGIS_E_STATE : 0;
}

/* How many new pages a span takes in env, or negated NO_TABLE. */
static long count_span(const struct env *env, const struct span *span, enum aegis_share how)
{
    long found = 0;

    if (!span->from || (!span->to && is_mega(env, span->va)) || (span->to && !is_new(how)))
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

/* Where pages are put: what is the same for all of them. */
struct shared {
    struct aegis_page *table;
    struct link *links; /* of that */
    uint32_t location;  /* of its first PTE */
    uint64_t lost;      /* PTE bits that both sides lose */
    bool walked;        /* a walk goes on (map.h) */
    uint32_t last;      /* the table that the last page's list began in */
    struct link *last_links;
};

/* link_of: most lists begin in one table. */
static inline struct link *first_link(struct shared *s, uint32_t location)
{
    if (location >> SLOT_BITS != s->last) {
        s->last = location >> SLOT_BITS;
        s->last_links = links_of(table_at(location));
    }
    return &s->last_links[location & (PTES - 1)];
}

/* The page itself, which a copy on write makes read-only on both sides: map_insert, of a page that
 * is mapped. */
static inline void share(struct shared *s, struct aegis_page *page, size_t slot, pte_t *to,
                         pte_t *from)
{
    uint32_t location = s->location | (uint32_t)slot;
    bool own = page->owner == s->table->owner && !(page->level & AEGIS_PAGE_BOUND);

    if (__builtin_expect(s->walked && (page == map_walk_on.page || page == map_walk_on.list), 0))
        map_walk_on.page = NULL;
    struct link *first = first_link(s, page->links);
    s->links[slot] = (struct link){.next = page->links, .previous = first->previous};
    first->previous = location;
    page->links = location;
    page->refs++;
    pte_t entry = *from & ~s->lost;
    *from = entry;
    /* PPN as it is; of the bits below it, what a mapping allows. */
    *to = (entry & ~(pte_t)(PTE_A | PTE_D | PTE_OWN)) | PTE_INHERIT | (own ? PTE_OWN : 0);
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

static long put_new(const struct span *span, enum aegis_share how)
{
    struct aegis_page *table = map_table_of(span->to);
    long found = 0;

    for (uint64_t i = 0; i < span->count; i++) {
        if (!is_meant(span->from[i], how) || (span->to[i] & PTE_V))
            continue;
        make(table, &span->to[i], &span->from[i], how);
        found++;
    }
    return found;
}

static long put_shared(const struct span *span, enum aegis_share how)
{
    struct aegis_page *table = map_table_of(span->to);
    size_t slot = pte_index(span->va, 0);
    struct shared s = {.table = table,
                       .links = links_of(table),
                       .location = (uint32_t)(table - pages) << SLOT_BITS,
                       .lost = how == AEGIS_SHARE_PRIVATE ? PTE_W : 0,
                       .walked = map_is_walked(),
                       .last = UINT32_MAX};
    long found = 0, pinned = 0;

    for (uint64_t i = 0; i < span->count; i++) {
        pte_t entry = span->from[i];
        if (!is_meant(entry, how) || (span->to[i] & PTE_V))
            continue;
        if (s.lost && is_pinned(entry)) {
            pinned = AEGIS_SHARE_PINNED;
            continue;
        }
        found++;
        share(&s, page_of(pte_ppn(entry)), slot + i, &span->to[i], &span->from[i]);
        if (entry & s.lost)
            map_flush(this_hart->env, span->va + i * PAGE_SIZE);
    }
    return found | pinned;
}

static long put_span(const struct span *span, enum aegis_share how)
{
    if (!span->from || !span->to)
        return 0;
    return is_new(how) ? put_new(span, how) : put_shared(span, how);
}

/* Of two spans' results. */
static long sum(long a, long b)
{
    return (((a & ~AEGIS_SHARE_PINNED) + (b & ~AEGIS_SHARE_PINNED)) |
            ((a | b) & AEGIS_SHARE_PINNED));
}

static long check_arguments(uint32_t number, uint64_t va, uint64_t count, uint32_t how,
                            uint64_t source, struct env **env)
{
    long error = env_target(number, env);

    if (!error && (*env == this_hart->env || how >= AEGIS_SHARES))
        error = -AEGIS_E_INVALID;
    if (!error)
        error = place_check_range(va, count);
    if (!error)
        error = place_check_range(source, count);
    if (!error && count > (is_new(how) ? AEGIS_COPY_MAX : AEGIS_SHARE_MAX))
        error = -AEGIS_E_RANGE;
    return error;
}

#define SPANS                                                                                      \
    3 /* that AEGIS_SHARE_MAX pages can lie in: either side passes to another table once */
_Static_assert(AEGIS_SHARE_MAX <= PTES, "at most once");

long call_map_share(uint32_t number, uint64_t va, uint64_t count, uint32_t how, uint64_t source)
{
    struct span spans[SPANS];
    struct env *env;
    size_t used = 0;
    uint64_t needed = 0;
    long error = check_arguments(number, va, count, how, source, &env), found = 0;

    if (error)
        return error;
    for (uint64_t done = 0; done < count; done += spans[used++].count) {
        uint64_t offset = done * PAGE_SIZE;
        error = find_span(env, va + offset, source + offset, count - done, &spans[used]);
        long n = error ? error : count_span(env, &spans[used], how);
        if (n < 0)
            return n;
        needed += (uint64_t)n;
    }
    if (is_new(how) && info->free_pages < needed)
        return -AEGIS_E_NO_PAGE;
    if (is_new(how) && !quota_allows(env->number, AEGIS_QUOTA_PAGES, needed))
        return -AEGIS_E_QUOTA;
    for (size_t i = 0; i < used; i++)
        found = sum(found, put_span(&spans[i], how));
    return found;
}
