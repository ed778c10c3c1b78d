#include "invariants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"
#include "kernel/netif.h"

struct leaf leaves[LEAVES_MAX];
size_t leaf_count;

/* What the walk finds of each page, by index. */
static struct seen {
    uint32_t refs, pins;
    uint32_t links; /* leaves on its list: a megapage is on that of its first page */
    uint32_t uses;  /* as a table, as links, as an environment's state or root: at most 1 */
    uint32_t lists; /* owners' lists and the free list that it is on */
} * seen;

#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg(#condition " does not hold: " __VA_ARGS__);                                   \
    } while (0)

static uint64_t index_of(const void *memory)
{
    return (virt_to_phys(memory) >> 12) - first_ppn;
}

/* A page of env's that serves as a table, as links, as root or as state: nobody else uses it. */
static void use(uint64_t index, uint32_t env, uint8_t state)
{
    REQUIRE(index < page_count, "env %u", env);
    REQUIRE(pages[index].owner == env, "page %lu of env %u", index, env);
    REQUIRE(pages[index].state == state, "page %lu of env %u: state %u", index, env,
            pages[index].state);
    REQUIRE(++seen[index].uses == 1, "page %lu", index);
}

/* Section 4.3.1 of the Privileged Architecture: V 1, R 2, W 4, X 8, U 16, G 32, A 64, D 128. */
static void add_leaf(uint32_t env, uint64_t va, uint64_t pte, uint64_t table, uint64_t slot)
{
    uint64_t index = (pte >> 10 & 0xfffffffffff) - first_ppn;
    uint64_t count = pages[table].level ? 512 : 1;

    REQUIRE((index + first_ppn) % count == 0, "env %u, va 0x%lx: misaligned", env, va);

    REQUIRE(pte & 16, "env %u, va 0x%lx: not for user mode", env, va);
    REQUIRE(!(pte & 32), "env %u, va 0x%lx: global", env, va);
    REQUIRE(!(pte & 4) || (pte & 2), "env %u, va 0x%lx: W without R", env, va);
    REQUIRE(pte >> 54 == 0, "env %u, va 0x%lx: reserved bits", env, va);
    for (uint64_t i = index; i < index + count; i++) {
        REQUIRE(i < page_count, "env %u, va 0x%lx", env, va);
        uint8_t state = pages[i].state;
        REQUIRE(state == AEGIS_PAGE_DATA || state == AEGIS_PAGE_RING || state == AEGIS_PAGE_WINDOW,
                "env %u, va 0x%lx: state %u", env, va, state);
        REQUIRE((pages[i].owner == env) == (pte >> 8 & 1), "env %u, va 0x%lx: owner %u", env, va,
                pages[i].owner);
        seen[i].refs++;
    }
    seen[index].links++;
    REQUIRE(leaf_count < LEAVES_MAX, "too many mappings for this test");
    leaves[leaf_count++] = (struct leaf){
        .env = env, .location = (uint32_t)(table << 9 | slot), .va = va, .pte = pte, .page = index};
}

static void walk_table(uint32_t env, uint64_t index, uint64_t va, unsigned int level)
{
    const uint64_t *entries = ppn_to_virt(first_ppn + index);

    use(index, env, AEGIS_PAGE_PTABLE);
    REQUIRE(pages[index].level == level && (uint64_t)pages[index].region << 12 == va,
            "table %lu: level %u, region 0x%x", index, pages[index].level, pages[index].region);
    REQUIRE(pages[index].links < page_count, "table %lu has no links", index);
    use(pages[index].links, env, AEGIS_PAGE_PTABLE);
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t at = va | i << (12 + 9 * level);
        if (!(entries[i] & 1))
            REQUIRE(entries[i] == 0, "env %u, va 0x%lx: 0x%lx", env, at, entries[i]);
        else if (level == 0 || (entries[i] & 0xe))
            add_leaf(env, at, entries[i], index, i);
        else {
            REQUIRE((entries[i] & 0x3ff) == 1, "env %u, va 0x%lx: 0x%lx", env, at, entries[i]);
            walk_table(env, (entries[i] >> 10) - first_ppn, at, level - 1);
        }
    }
}

/* The table that a PTE leads to, or the address of a page of zeroes where it leads nowhere. */
static uint64_t shown(uint64_t pte)
{
    return (pte & 0xf) == 1 ? pte >> 10 : 0;
}

/*
 * A table of the window shows the tables that the entries of `above` lead to, in its order, and
 * zeroes for the rest. NULL: nothing but zeroes.
 */
static void walk_shown(const uint64_t *entries, const uint64_t *above, size_t count)
{
    for (size_t i = 0; i < 512; i++) {
        uint64_t table = above && i < count ? shown(above[i]) : 0;
        REQUIRE((entries[i] & 0x3ff) == 0x53, "window: entry %zu is 0x%lx", i, entries[i]);
        if (table)
            REQUIRE(entries[i] >> 10 == table, "window: entry %zu", i);
        else
            for (size_t word = 0; word < 512; word++)
                REQUIRE(((const uint64_t *)ppn_to_virt(entries[i] >> 10))[word] == 0,
                        "window: entry %zu is not zero", i);
    }
}

static void walk_window(const struct env *env, uint64_t entry)
{
    const uint64_t *root = (const uint64_t *)env->root;
    const uint64_t *parts = ppn_to_virt(entry >> 10);

    use((entry >> 10) - first_ppn, env->number, AEGIS_PAGE_PTABLE);
    for (size_t i = 0; i < 512; i++) {
        const uint64_t *part = ppn_to_virt(parts[i] >> 10);
        REQUIRE((parts[i] & 0x3ff) == 1, "window of env %u: part %zu", env->number, i);
        if (pages[index_of(part)].state == AEGIS_PAGE_KERNEL) { /* all windows share it */
            walk_shown(part, NULL, 0);
            continue;
        }
        use(index_of(part), env->number, AEGIS_PAGE_PTABLE);
        bool has = i < 254 && (root[i] & 1);
        walk_shown(part,
                   i == 255 ? root
                   : has    ? ppn_to_virt(root[i] >> 10)
                            : NULL,
                   i == 255 ? 254 : 512);
    }
}

static void walk_root(const struct env *env)
{
    const uint64_t *root = (const uint64_t *)env->root;

    use(index_of(root), env->number, AEGIS_PAGE_PTABLE);
    for (uint64_t i = 0; i < 512; i++) {
        bool shared = i >= 256 || i == AEGIS_EXPOSED_BASE >> 30;
        if (shared)
            REQUIRE(root[i] == kernel_root[i], "env %u: root entry %lu", env->number, i);
        else if (i == AEGIS_WINDOW_BASE >> 30 && (root[i] & 1))
            walk_window(env, root[i]);
        else if (root[i] & 1) {
            REQUIRE((root[i] & 0x3ff) == 1, "env %u: root entry %lu", env->number, i);
            walk_table(env->number, (root[i] >> 10) - first_ppn, i << 30, 1);
        } else
            REQUIRE(root[i] == 0, "env %u: root entry %lu", env->number, i);
    }
}

static void pin(const void *memory)
{
    seen[index_of(memory)].pins++;
}

static void walk_env(uint32_t number)
{
    const struct env *env = env_table[number];
    uint8_t state = env_infos[number].state;
    bool has = state == AEGIS_ENV_CREATED || state == AEGIS_ENV_LIVE || state == AEGIS_ENV_ENDING;

    REQUIRE(has == (env != NULL), "env %u: state %u", number, state);
    if (!env) {
        REQUIRE(env_infos[number].pages == 0, "env %u is gone", number);
        return;
    }
    REQUIRE(env->number == number, "env %u", number);
    use(index_of(env), number, AEGIS_PAGE_ENV);
    walk_root(env);
    if (env->upcall)
        pin(env->upcall);
    if (env->repossession)
        pin(env->repossession);
    for (uint32_t i = 0; i < env->wake.count; i++)
        if (env->wake.has_pages && env->wake.predicates[i].pinned)
            pin(ppn_to_virt(first_ppn + (uint64_t)(env->wake.predicates[i].pinned - pages)));
}

/* A doubly linked list from head on; each of its pages has owner and, if free, state FREE. */
static uint32_t walk_list(uint32_t head, uint32_t owner, bool is_free)
{
    uint32_t count = 0, previous = NO_PAGE;

    for (uint32_t i = head; i != NO_PAGE; previous = i, i = pages[i].next) {
        REQUIRE(i < page_count, "list of env %u: index %u", owner, i);
        REQUIRE(pages[i].previous == previous, "list of env %u: page %u", owner, i);
        REQUIRE(pages[i].owner == owner, "page %u on the list of env %u", i, owner);
        REQUIRE((pages[i].state == AEGIS_PAGE_FREE) == is_free, "page %u: state %u", i,
                pages[i].state);
        REQUIRE(++seen[i].lists == 1, "page %u", i);
        count++;
    }
    return count;
}

static void walk_bindings(void)
{
    for (uint32_t i = 0; i < info->binding_count; i++) {
        const struct aegis_binding_info *b = netif_binding(i);
        if (!b)
            continue;
        const struct binding *binding = netif_binding_state(i);
        REQUIRE((binding->ring != NULL) == (b->slots != 0), "binding %u: %u slots", i, b->slots);
        for (uint32_t n = 0; binding->ring && n < binding->ring_page_count; n++) {
            uint32_t page = binding->ring_pages[n];
            REQUIRE(pages[page].state == AEGIS_PAGE_RING && pages[page].owner == b->owner,
                    "binding %u: page %u", i, page);
            seen[page].pins++;
        }
    }
    for (uint32_t i = 0; i < info->netif_count; i++)
        for (uint32_t slot = 0; slot < NIC_TX_SLOTS; slot++)
            for (uint32_t n = 0; n < netifs[i].nic.tx_slots[slot].pinned_count; n++)
                seen[netifs[i].nic.tx_slots[slot].pinned[n] - pages].pins++;
}

static int by_location(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;

    return (x->location > y->location) - (x->location < y->location);
}

/* The reverse links of one page: exactly the leaves that map it, each once, in both directions. */
static void walk_links(uint64_t index)
{
    uint32_t previous = NO_PAGE, count = 0;
    uint32_t first_previous = NO_PAGE; /* the last, so that they go round backwards */
    bool others = false;

    for (uint32_t at = pages[index].links; at != NO_PAGE; count++) {
        const struct leaf key = {.location = at};
        const struct leaf *leaf = bsearch(&key, leaves, leaf_count, sizeof(*leaves), by_location);
        REQUIRE(leaf, "page %lu: a link names location 0x%x, which maps nothing", index, at);
        REQUIRE(leaf->page == index, "page %lu: location 0x%x maps another", index, at);
        REQUIRE(count < seen[index].links, "page %lu: its links go round", index);
        const uint32_t *link =
            (const uint32_t *)ppn_to_virt(first_ppn + pages[at >> 9].links) + 2 * (at & 511);
        if (previous == NO_PAGE)
            first_previous = link[1];
        else
            REQUIRE(link[1] == previous, "page %lu: location 0x%x", index, at);
        REQUIRE(!others || !(leaf->pte & AEGIS_PTE_INHERIT), "page %lu: an heir at 0x%x", index,
                at);
        others |= !(leaf->pte & AEGIS_PTE_INHERIT);
        previous = at;
        at = link[0];
    }
    REQUIRE(first_previous == previous, "page %lu: before the first is 0x%x", index,
            first_previous);
    REQUIRE(count == seen[index].links, "page %lu: %u links, %u mappings", index, count,
            seen[index].links);
}

static void check_page(uint64_t i, const uint16_t *extra)
{
    const struct aegis_page *page = &pages[i];
    bool owned = page->state != AEGIS_PAGE_FREE && page->state != AEGIS_PAGE_KERNEL;

    REQUIRE(seen[i].lists == (page->state != AEGIS_PAGE_KERNEL), "page %lu: state %u", i,
            page->state);
    REQUIRE(owned == (page->owner != 0), "page %lu: state %u, owner %u", i, page->state,
            page->owner);
    REQUIRE(page->refs == seen[i].refs, "page %lu: %u refs, %u found", i, page->refs, seen[i].refs);
    uint32_t pins = seen[i].pins + (extra ? extra[i] : 0);
    REQUIRE(page->pins == pins, "page %lu: %u pins, %u found", i, page->pins, pins);
    if (page->state == AEGIS_PAGE_PTABLE || page->state == AEGIS_PAGE_ENV)
        REQUIRE(seen[i].uses == 1, "page %lu: state %u, but nothing uses it", i, page->state);
    else
        walk_links(i);
}

void check_invariants(const uint16_t *extra)
{
    if (!seen)
        seen = calloc(page_count, sizeof(*seen));
    memset(seen, 0, page_count * sizeof(*seen));
    leaf_count = 0;
    for (uint32_t number = 1; number < ENV_COUNT; number++) {
        uint32_t count = walk_list(env_page_lists[number], number, false);
        REQUIRE(count == env_infos[number].pages, "env %u owns %u pages, %u found", number,
                env_infos[number].pages, count);
        walk_env(number);
    }
    const struct aegis_page *first = page_find_free();
    uint32_t count = walk_list(first ? (uint32_t)(first - pages) : NO_PAGE, 0, true);
    REQUIRE(count == info->free_pages, "%lu pages are free, %u found", info->free_pages, count);
    walk_bindings();
    qsort(leaves, leaf_count, sizeof(*leaves), by_location);
    for (uint64_t i = 0; i < page_count; i++)
        check_page(i, extra);
}
