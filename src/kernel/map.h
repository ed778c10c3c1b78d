/*
 * PTEs as the software TLB: a cache of secure bindings between an environment's addresses and
 * pages, which the library fills as it likes (Engler, Kaashoek, O'Toole 1995, sections 3.1
 * and 5.1).
 *
 * Invariant: a PTE of an environment is valid and a leaf <=> its location is on the list page.links
 * of the page that it maps, the first page of a megapage; page.refs counts the leaves that map the
 * page, megapages among them; a page that a leaf maps is DATA, RING or WINDOW; PTE_OWN is set =>
 * the page belongs to the environment; on each list those with PTE_INHERIT, none of them a
 * megapage's, come first. env.leaf.region is no region, or env.leaf.table serves it;
 * so for each of env.former. The window's PTEs are apart (map_window.h).
 */
#ifndef AEGIS_KERNEL_MAP_H
#define AEGIS_KERNEL_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/env.h"
#include "kernel/page.h"
#include "kernel/rv64/paging.h"

#define MEGAPAGE_SIZE ((uint64_t)AEGIS_MEGAPAGE << PAGE_SHIFT)
_Static_assert(MEGAPAGE_SIZE == 1UL << REGION_SHIFT, "env_offsets.h");

/*
 * The PTE's bits for software (section 4.3.1). The page belonged to the environment when it was
 * mapped, or came to it by this mapping; its owner has none left when a page changes hands, so it
 * still does.
 */
#define PTE_OWN     0x100
#define PTE_INHERIT AEGIS_PTE_INHERIT /* inherit.h */

/*
 * A list node in the page of reverse links: the neighbours of one PTE on its page's list. Behind
 * the last is nothing; before the first is the last, so that either end is at hand.
 */
struct link {
    uint32_t next;
    uint32_t previous;
};

/*
 * Where a walk for mappings of a page goes on: all those before at are env's to keep, or stay for
 * it. What is inserted may come before them, so then the walk begins anew; at is no mapping that
 * was removed.
 */
extern struct walk {
    const struct aegis_page *page; /* NULL: none goes on */
    const struct aegis_page *list; /* whose list it has come to: the page's, or as map.c says */
    uint32_t env, at;
} map_walk_on;

/* Whether a walk goes on, so that mappings change by map_insert and map_remove alone. */
static inline bool map_is_walked(void)
{
    return __builtin_expect(map_walk_on.page != NULL, 0);
}

/* Makes a root table for a new environment of page, which is donated, or clear, and becomes PTABLE.
 */
void map_init_root(struct aegis_page *page, bool clear);

/* Clears a root that has no entries left but those of each. */
void map_clear_root(pte_t *root);

/*
 * Links a donated table of a level, which is clear or will be, for the region that holds va, and
 * the page of its reverse links below root; the entry must be empty.
 */
void map_insert_table(pte_t *entry, struct aegis_page *table, struct aegis_page *links,
                      unsigned int level, uint64_t va, bool clear);

/*
 * The entry for va at level (0 to 2) of env's tables, or NULL if a table above it is missing;
 * *table is the page that holds it, if table is not NULL.
 */
pte_t *map_entry(const struct env *env, uint64_t va, unsigned int level, struct aegis_page **table);

/* map_entry(env, va, 0, NULL), which remembers the table for map_leaf. */
pte_t *map_walk(const struct env *env, uint64_t va);

/* Whether env->leaf is about the table that serves va, so that map_leaf needs no walk. */
static inline bool map_is_at_hand(const struct env *env, uint64_t va)
{
    return va >> REGION_SHIFT == env->leaf.region;
}

/*
 * What map_walk finds, at once for the region that was asked for last: programs name neighbours, in
 * the calls that they make often.
 */
static inline pte_t *map_leaf(const struct env *env, uint64_t va)
{
    return map_is_at_hand(env, va) ? &env->leaf.table[pte_index(va, 0)] : map_walk(env, va);
}

/* The same for a look at memory, which leaves env->leaf with what is mapped and unmapped. */
static inline pte_t *map_look(const struct env *env, uint64_t va)
{
    uint64_t region = va >> REGION_SHIFT;

    if (region == env->leaf.region)
        return &env->leaf.table[pte_index(va, 0)];
    for (size_t i = 0; i < LEAVES_FORMER; i++)
        if (region == env->former[i].region)
            return &env->former[i].table[pte_index(va, 0)];
    return map_walk(env, va);
}

/* To be called when a table leaves env's page tables. */
static inline void map_forget_leaf(struct env *env)
{
    env->leaf.region = UINT64_MAX;
    for (size_t i = 0; i < LEAVES_FORMER; i++)
        env->former[i].region = UINT64_MAX;
}

/* The table that holds entry, one of an environment's. */
static inline struct aegis_page *map_table_of(const pte_t *entry)
{
    return page_of(virt_to_phys(entry) >> PAGE_SHIFT);
}

#define MAP_GROUP 32 /* entries that are looked at together */

/* Whether so many are 0. */
static inline bool map_is_empty(const pte_t *at)
{
#define EIGHT(n)                                                                                   \
    (at[n] | at[(n) + 1] | at[(n) + 2] | at[(n) + 3] | at[(n) + 4] | at[(n) + 5] | at[(n) + 6] |   \
     at[(n) + 7])
    return !(EIGHT(0) | EIGHT(8) | EIGHT(16) | EIGHT(24));
#undef EIGHT
}

/* The next entry from i on that isn't 0, or end, a multiple of 8: most tables are nearly empty. */
static inline size_t map_next_entry(const pte_t *table, size_t i, size_t end)
{
    while (i < end && !table[i])
        i += i % 8 == 0 && !(table[i + 1] | table[i + 2] | table[i + 3] | table[i + 4] |
                             table[i + 5] | table[i + 6] | table[i + 7])
                 ? 8
                 : 1;
    return i;
}

/* Fills an empty leaf entry, in table, with page, or with the megapage that begins there, and PTE
 * bits. */
void map_insert(struct aegis_page *table, pte_t *entry, struct aegis_page *page, uint64_t bits);

/* Empties a valid leaf entry in table. The caller flushes. */
void map_remove(struct aegis_page *table, pte_t *entry);

/* The same of count entries from that of va on, of a table of level 0 of env, which waits for
 * nothing; flushes each. */
void map_remove_run(const struct env *env, struct aegis_page *table, pte_t *entry, uint64_t va,
                    uint64_t count);

/*
 * The same of all in a table of level 0 that is about to go, of an environment that is ending and
 * whose translations are forgotten: the table is clear then. Returns how many there were.
 */
size_t map_remove_table(const struct aegis_page *table);

/* map_remove of the mapping at a location (map_list.h), and flushes it. */
void map_remove_at(uint32_t location);

/* Removes every mapping of a page, in whatever environment, and flushes each. */
void map_remove_all(struct aegis_page *page);

/*
 * The same of at most *most mappings in environments other than keep, whose severing it is: unless
 * that is 0, those that others inherited like keep stay (inherit.h). Lowers *most by how many, a
 * megapage counting for several, and several that are kept for one. Returns whether none is left;
 * if not, the next call goes on where this one stopped. The page may be in any state.
 */
bool map_remove_foreign(struct aegis_page *page, uint32_t keep, size_t *most);

/* Whether the list of page holds slot of table, with neighbours that hold it as theirs. */
bool map_is_linked(const struct aegis_page *page, const struct aegis_page *table, size_t slot);

/* Whether on the list of page those with PTE_INHERIT, which are no megapages, come first. */
bool map_is_in_order(const struct aegis_page *page);

/* Whether the cache holds what belongs to table, beside its memory. */
bool map_is_linking(const struct aegis_page *table, const struct leaf_cache *leaf);

/* How many PTEs the list of page holds; stops at most. */
uint32_t map_count_links(const struct aegis_page *page, uint32_t most);

/* PTE bits of AEGIS_PROT_*, or 0 if they have no valid meaning. */
static inline uint64_t map_bits(uint32_t prot)
{
    /* W needs R, and something is allowed: AEGIS_PROT_* is the PTE's R, W and X, one bit lower. */
    const uint32_t valid = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7;

    return prot < 8 && (valid >> prot & 1) ? (uint64_t)prot << 1 | PTE_U | PTE_V : 0;
}

/* Forgets cached translations of va in env (Privileged Architecture, section 4.2.1). */
static inline void map_flush(const struct env *env, uint64_t va)
{
    sfence_page(va, env->asid);
}

/*
 * Mends a page fault that the PTE doesn't justify: A or D clear on hardware that leaves them to
 * software (section 4.3.1), or a translation cached before the PTE was valid. Returns whether to
 * retry.
 */
bool map_mend_fault(const struct env *env, uint64_t va, uint64_t cause);

#endif
