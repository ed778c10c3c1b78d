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

/* Whether self may hand on the page that entry maps. Rings and maps of handlers are bound to it. */
static inline __attribute__((always_inline)) bool may_share(const struct aegis_page *page,
                                                            pte_t entry, uint32_t self)
{
    return (page->owner == self || (entry & PTE_INHERIT)) && page->state == AEGIS_PAGE_DATA &&
           page->refs < INHERIT_MAPPINGS_MAX;
}

/* Whether the page that entry maps is to be put where to is. */
static inline bool is_meant(pte_t entry, enum aegis_share how)
{
    if (!(entry & PTE_V))
        return false;
    return is_new(how) ? entry & PTE_R
                       : may_share(page_of(pte_ppn(entry)), entry, this_hart->env->number);
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

/* Lists of which most begin in one table. */
struct lists {
    uint32_t table; /* that the last one began in: its index */
    struct link *links;
};

/* link_of */
static inline struct link *first_link(struct lists *lists, uint32_t location)
{
    if (__builtin_expect(location >> SLOT_BITS != lists->table, 0)) {
        lists->table = location >> SLOT_BITS;
        lists->links = links_of(table_at(location));
    }
    return &lists->links[location & (PTES - 1)];
}

/* Puts the mapping at a location, whose links are `link`, in front of a page's others. */
static inline __attribute__((always_inline)) void lead(struct lists *lists, struct aegis_page *page,
                                                       uint32_t location, struct link *link)
{
    uint32_t next = page->links;
    struct link *first = first_link(lists, next);

    *link = (struct link){.next = next, .previous = first->previous};
    first->previous = location;
    page->links = location;
    page->refs++;
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

/*
 * The pages themselves: map_insert, of pages that are mapped, which a copy on write makes read-only
 * on both sides. What the kernel or a device uses as it is stays the caller's: a child wants a copy
 * of its own. Variables hold what the compiler can't know to stay as it is.
 */
static long put_shared(const struct span *span, enum aegis_share how)
{
    const struct env *self = this_hart->env;
    struct aegis_page *const all = pages, *table = map_table_of(span->to);
    const uint64_t base = first_ppn, lost = how == AEGIS_SHARE_PRIVATE ? PTE_W : 0;
    const uint32_t from_owner = self->number, to_owner = table->owner;
    uint32_t location = (uint32_t)(table - pages) << SLOT_BITS | (uint32_t)pte_index(span->va, 0);
    struct link *link = &links_of(table)[pte_index(span->va, 0)];
    struct lists lists = {.table = UINT32_MAX};
    pte_t *from = span->from, *end = from + span->count, *to = span->to;
    long found = 0, pinned = 0;

    for (; from < end; from++, to++, link++, location++) {
        pte_t entry = *from;
        struct aegis_page *page = all + (pte_ppn(entry) - base);
        if (!(entry & PTE_V) || (*to & PTE_V) || !may_share(page, entry, from_owner))
            continue;
        if (lost && page->pins && page->owner == from_owner) {
            pinned = AEGIS_SHARE_PINNED;
            continue;
        }
        found++;
        if (map_is_walked() && (page == map_walk_on.page || page == map_walk_on.list))
            map_walk_on.page = NULL;
        lead(&lists, page, location, link);
        /* PPN as it is; of the bits below it, what a mapping allows. */
        *to = (entry & ~(lost | PTE_A | PTE_D | PTE_OWN)) | PTE_INHERIT;
        if (__builtin_expect(page->owner == to_owner && !(page->level & AEGIS_PAGE_BOUND), 0))
            *to |= PTE_OWN;
        if (entry & lost) {
            *from = entry & ~lost;
            map_flush(self, span->source + (uint64_t)(from - span->from) * PAGE_SIZE);
        }
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
