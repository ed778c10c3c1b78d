/*
 * The sets of a table while the trie is built: intervals in a treap, whose priorities nobody can
 * foresee, so that it is as deep as a random tree. They stay disjoint (trie.c).
 */
#include "dpf/insert.h"

#define TREAP 30 /* operations that a way through a treap may take */

/* The entry of a table that has a value in common with the interval, or 0. */
static uint32_t find_entry(const struct dpf_trie *trie, const struct trie_node *node,
                           const struct dpf_range *interval)
{
    uint32_t e = (uint32_t)node->build.entries;
    while (e) {
        const struct trie_entry *entry = trie_entry(trie, e);
        if (interval->high < entry->low)
            e = entry->left;
        else if (interval->low > entry->high)
            e = entry->right;
        else
            break;
    }
    return e;
}

/* Whether the interval that was found lies to the table as those of the set before it do. */
static bool goes_on_alike(struct insertion *in, const struct trie_node *node)
{
    const struct dpf_range *interval = &in->paths.search.found;
    uint32_t number = find_entry(in->trie, node, interval);
    paths_pay(&in->paths, TREAP);
    if (number) {
        const struct trie_entry *e = trie_entry(in->trie, number);
        if (e->low != interval->low || e->high != interval->high)
            return false;
        if (in->intervals > 0 && (!in->entry || trie_entry(in->trie, in->entry)->child != e->child))
            return false;
    }
    if (!number && in->intervals > 0 && in->entry)
        return false;
    in->entry = number;
    in->intervals++;
    return true;
}

/* On to the atom's next interval; false if that was the last one. */
static bool search_on(struct insertion *in, const struct atom *atom)
{
    uint64_t high = in->paths.search.found.high;
    if (high == atom->mask)
        return false;
    paths_search(&in->paths, atom, dpf_next_under(high, atom->mask));
    return true;
}

enum relation treap_relate(struct insertion *in, const struct trie_node *node,
                           const struct atom *atom, uint32_t *child)
{
    enum paths_answer found;
    do {
        found = paths_interval(&in->paths);
        if (found == PATHS_MORE)
            return MORE;
        if (found == PATHS_YES && !goes_on_alike(in, node))
            return CLASHING;
    } while (found == PATHS_YES && search_on(in, atom));
    if (!in->entry)
        return DISJOINT;
    const struct trie_entry *entry = trie_entry(in->trie, in->entry);
    *child = entry->child;
    return entry->set == in->intervals ? EQUAL : CLASHING;
}

static uint64_t priority(const struct dpf_trie *trie, const struct trie_entry *entry)
{
    return trie_mix(entry->low ^ trie->seed);
}

/* Puts an entry into a treap: below those of higher priority, above the rest, which it splits. */
static void insert_entry(struct dpf_trie *trie, struct trie_node *node, uint32_t number)
{
    struct trie_entry *entry = trie_entry(trie, number);
    uint32_t root = (uint32_t)node->build.entries, *link = &root;
    while (*link && priority(trie, trie_entry(trie, *link)) >= priority(trie, entry)) {
        struct trie_entry *e = trie_entry(trie, *link);
        link = entry->low < e->low ? &e->left : &e->right;
    }
    uint32_t rest = *link, *left = &entry->left, *right = &entry->right;
    *link = number;
    while (rest) {
        struct trie_entry *e = trie_entry(trie, rest);
        if (e->low < entry->low) {
            *left = rest;
            left = &e->right;
            rest = e->right;
        } else {
            *right = rest;
            right = &e->left;
            rest = e->left;
        }
    }
    *left = *right = 0;
    node->build.entries = root;
}

void treap_start(struct insertion *in, const struct atom *atom)
{
    in->intervals = in->entry = 0;
    in->noted = 0;
    paths_search(&in->paths, atom, 0);
}

/* Puts the interval that was found into the table. */
static void add_interval(struct insertion *in)
{
    struct dpf_trie *trie = in->trie;
    const struct dpf_range *interval = &in->paths.search.found;
    if (insert_space(trie) < sizeof(struct trie_entry)) {
        in->full = true;
        return;
    }
    struct trie_entry *entry = trie_entry(trie, ++trie->entries);
    *entry = (struct trie_entry){interval->low, interval->high, 0, 0, trie->nodes, 0};
    insert_entry(trie, trie_node(trie, in->open), trie->entries);
    paths_pay(&in->paths, TREAP);
    in->intervals++;
}

bool treap_add(struct insertion *in, const struct atom *atom)
{
    struct dpf_trie *trie = in->trie;
    while (!in->full && in->noted == 0) {
        enum paths_answer found = paths_interval(&in->paths);
        if (found == PATHS_MORE)
            return false;
        if (found == PATHS_YES)
            add_interval(in);
        if (found == PATHS_NO || !search_on(in, atom))
            in->noted = 1;
    }
    /* Each entry knows how many its set has. */
    for (; !in->full && in->noted <= in->intervals; in->noted++) {
        if (!paths_pay(&in->paths, 1))
            return false;
        trie_entry(trie, trie->entries - (in->noted - 1))->set = in->intervals;
    }
    return true;
}
