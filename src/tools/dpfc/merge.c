#include "tools/dpfc/merge.h"

#include <stdlib.h>
#include <string.h>

#define BUDGET 100000 /* steps of one comparison: the kernel's patience is less */

/* The tables' secret in the kernel; here any number, so that listings are the same each time. */
#define SEED 77

static _Alignas(8) uint8_t scratch[DPF_SCRATCH_SIZE];

static bool contains(const struct dpf_member *outer, const struct dpf_member *inner)
{
    return dpf_contains(outer->filter, inner->filter, BUDGET, scratch) == DPF_YES;
}

/* How two filters get along: the narrower ranks above the wider. */
static bool rank(struct merge *merge, size_t a, size_t b, char *error)
{
    struct dpf_member *m = merge->members;
    if (dpf_overlaps(m[a].filter, m[b].filter, BUDGET, scratch) == DPF_NO)
        return true;
    bool outer = contains(&m[a], &m[b]), inner = contains(&m[b], &m[a]);
    if (outer != inner) {
        m[outer ? b : a].rank++;
        return true;
    }
    snprintf(error, DPFLIFT_ERROR_SIZE,
             "%.200s and %.200s %s: the kernel would not bind both; narrow one", merge->texts[a],
             merge->texts[b], outer ? "take the same frames" : "overlap");
    return false;
}

bool merge_build(struct merge *merge, char *error)
{
    for (size_t i = 0; i < merge->count; i++) {
        merge->members[i].id = (uint32_t)i;
        merge->members[i].rank = 0;
    }
    for (size_t a = 0; a < merge->count; a++)
        for (size_t b = a + 1; b < merge->count; b++)
            if (!rank(merge, a, b, error))
                return false;
    size_t size = dpf_trie_size(merge->members, merge->count, scratch);
    merge->trie = aligned_alloc(8, (size + 7) / 8 * 8);
    int wrong = merge->trie
                    ? dpf_trie_build(merge->trie, size, SEED, merge->members, merge->count, scratch)
                    : DPF_E_SPACE;
    if (wrong)
        snprintf(error, DPFLIFT_ERROR_SIZE, "%s", dpf_strerror(wrong));
    return !wrong;
}
