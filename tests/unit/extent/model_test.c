/*
 * The library against a model that keeps a list and looks at each block of each extent: the same
 * changes, drawn at random, must be taken or refused alike, for the same reason, and leave the same
 * extents; so must what is found.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sim.h"

struct row {
    bool used, read_only;
    uint64_t first, count;
    int parent, depth;
};
static struct row model[SIM_SLOTS];

static bool has(const struct row *row, uint64_t block)
{
    return block >= row->first && block < row->first + row->count;
}

static bool valid(uint32_t slot)
{
    return slot < SIM_SLOTS && model[slot].used;
}

/* Does a child of parent, but for one, have the block? */
static bool child_has(uint32_t parent, uint64_t block, int but)
{
    for (int s = 1; s < SIM_SLOTS; s++)
        if (model[s].used && s != but && model[s].parent == (int)parent && has(&model[s], block))
            return true;
    return false;
}

static int lowest_free(void)
{
    for (int s = 1; s < SIM_SLOTS; s++)
        if (!model[s].used)
            return s;
    return -EXTENT_E_FULL;
}

static int model_allocate(uint32_t parent, uint64_t first, uint64_t count, bool read_only)
{
    int slot;

    if (!valid(parent))
        return -EXTENT_E_NOT_FOUND;
    if (count == 0)
        return -EXTENT_E_RANGE;
    for (uint64_t b = first; b < first + count; b++)
        if (!has(&model[parent], b))
            return -EXTENT_E_NOT_CONTAINED;
    if (model[parent].read_only)
        return -EXTENT_E_READ_ONLY;
    if (model[parent].depth == EXTENT_DEPTH - 1)
        return -EXTENT_E_DEPTH;
    for (uint64_t b = first; b < first + count; b++)
        if (child_has(parent, b, -1))
            return -EXTENT_E_TAKEN;
    slot = lowest_free();
    if (slot > 0)
        model[slot] =
            (struct row){true, read_only, first, count, (int)parent, model[parent].depth + 1};
    return slot;
}

static int model_free(uint32_t slot)
{
    if (!valid(slot))
        return -EXTENT_E_NOT_FOUND;
    if (slot == 0)
        return -EXTENT_E_IS_ROOT;
    for (int s = 1; s < SIM_SLOTS; s++)
        if (model[s].used && model[s].parent == (int)slot)
            return -EXTENT_E_CHILDREN;
    model[slot] = (struct row){0};
    return 0;
}

static int model_split(uint32_t slot, uint64_t keep, bool read_only)
{
    struct row *row = &model[slot % SIM_SLOTS];
    int other;

    if (!valid(slot))
        return -EXTENT_E_NOT_FOUND;
    if (slot == 0)
        return -EXTENT_E_IS_ROOT;
    if (keep == 0 || keep >= row->count)
        return -EXTENT_E_RANGE;
    for (int s = 1; s < SIM_SLOTS; s++)
        if (model[s].used && model[s].parent == (int)slot && has(&model[s], row->first + keep) &&
            has(&model[s], row->first + keep - 1))
            return -EXTENT_E_CHILDREN;
    other = lowest_free();
    if (other < 0)
        return other;
    model[other] = *row;
    model[other].first += keep;
    model[other].count -= keep;
    model[other].read_only |= read_only;
    row->count = keep;
    for (int s = 1; s < SIM_SLOTS; s++)
        if (model[s].used && model[s].parent == (int)slot && model[s].first >= model[other].first)
            model[s].parent = other;
    return other;
}

static int model_resize(uint32_t slot, uint64_t count)
{
    struct row *row = &model[slot % SIM_SLOTS];

    if (!valid(slot))
        return -EXTENT_E_NOT_FOUND;
    if (slot == 0)
        return -EXTENT_E_IS_ROOT;
    if (count == 0 || count == row->count)
        return -EXTENT_E_RANGE;
    for (uint64_t b = row->first; b < row->first + count; b++)
        if (!has(&model[row->parent], b))
            return -EXTENT_E_NOT_CONTAINED;
    for (uint64_t b = row->first; b < row->first + count; b++)
        if (child_has((uint32_t)row->parent, b, (int)slot))
            return -EXTENT_E_TAKEN;
    for (uint64_t b = row->first + count; b < row->first + row->count; b++)
        if (child_has(slot, b, -1))
            return -EXTENT_E_CHILDREN;
    row->count = count;
    return 0;
}

static int64_t model_gap(uint32_t parent, uint64_t count)
{
    uint64_t run = 0;

    if (!valid(parent))
        return -EXTENT_E_NOT_FOUND;
    if (count == 0)
        return -EXTENT_E_RANGE;
    for (uint64_t b = model[parent].first; has(&model[parent], b); b++) {
        run = child_has(parent, b, -1) ? 0 : run + 1;
        if (run == count)
            return (int64_t)(b + 1 - count);
    }
    return -EXTENT_E_NO_ROOM;
}

static int model_at(uint64_t block)
{
    int found = -EXTENT_E_NOT_FOUND, depth = -1;

    for (int s = 0; s < SIM_SLOTS; s++)
        if (model[s].used && model[s].depth > depth && has(&model[s], block)) {
            found = s;
            depth = model[s].depth;
        }
    return found;
}

static int model_find(uint64_t first, uint64_t count)
{
    int found = -EXTENT_E_NOT_FOUND, depth = -1;

    for (int s = 0; s < SIM_SLOTS; s++)
        if (model[s].used && model[s].first == first && model[s].count == count &&
            model[s].depth > depth) {
            found = s;
            depth = model[s].depth;
        }
    return found;
}

static struct sim_table live, copy;
static struct sim_disk disk;

static void assert_same(void)
{
    for (int s = 0; s < SIM_SLOTS; s++) {
        const struct extent_entry *entry = &live.entries[s];

        assert_int_equal(!!(entry->flags & EXTENT_USED), model[s].used);
        assert_int_equal(!!(entry->flags & EXTENT_READ_ONLY), model[s].read_only);
        assert_int_equal(entry->first, model[s].first);
        assert_int_equal(entry->count, model[s].count);
        assert_int_equal(entry->depth, model[s].depth);
        assert_int_equal(entry->parent, model[s].parent);
    }
}

/* What the disk has is what memory has, and holds the invariant. */
static void assert_reads_back(void)
{
    struct extent_fault fault;

    assert_int_equal(sim_open(&copy, &disk.durable, &fault), 0);
    assert_true(sim_same(copy.entries, live.entries));
    assert_int_equal(copy.table.used, live.table.used);
    assert_memory_equal(copy.order, live.order, live.table.used * sizeof *live.order);
}

/* Mostly one in use; half of those from the last ones on the disk, so that some place gets crowded.
 */
static uint32_t some_slot(uint64_t *state)
{
    uint32_t used = live.table.used, last = used < 20 || sim_random(state, 2) ? used : 20;

    return sim_random(state, 8) == 0 ? sim_random(state, SIM_SLOTS + 2)
                                     : live.order[used - 1 - sim_random(state, last)];
}

/* One change to both. */
static int change(uint64_t *state, uint32_t growth)
{
    uint32_t slot = some_slot(state), kind = sim_random(state, 16);
    const struct row *row = &model[slot < SIM_SLOTS ? slot : 0];
    struct extent_new make = {.read_only = sim_random(state, 64) == 0};
    uint64_t first =
        row->first + sim_random(state, (uint32_t)row->count + 2) - (sim_random(state, 16) == 0);
    uint64_t count = sim_random(state, sim_random(state, 2) ? 5 : 60);
    uint64_t keep = sim_random(state, (uint32_t)row->count + 2);
    int got, wanted;

    if (kind < growth) {
        int64_t gap = extent_gap(&live.table, slot, count);

        assert_int_equal(gap, model_gap(slot, count));
        first = gap > 0 && sim_random(state, 2) ? (uint64_t)gap : first;
        count = sim_random(state, 8) == 0 ? row->count : count;
        got = extent_allocate(&live.table, slot, first, count, &make);
        wanted = model_allocate(slot, first, count, make.read_only);
    } else if (kind < growth + 2) {
        got = extent_split(&live.table, slot, keep, &make);
        wanted = model_split(slot, keep, make.read_only);
    } else if (kind < growth + 4) {
        got = extent_resize(&live.table, slot, count);
        wanted = model_resize(slot, count);
    } else {
        got = extent_free(&live.table, slot);
        wanted = model_free(slot);
    }
    assert_int_equal(got, wanted);
    return got;
}

static void run(uint64_t seed, int changes, uint32_t growth, uint32_t least_used)
{
    struct row before[SIM_SLOTS];
    uint64_t state = seed;
    uint32_t most = 0;
    int refused[64] = {0};

    sim_create(&live, &disk);
    memset(model, 0, sizeof model);
    model[0] = (struct row){true, false, SIM_STORED, SIM_BLOCKS - SIM_STORED, 0, 0};
    for (int i = 0; i < changes; i++) {
        memcpy(before, model, sizeof before);
        int status = change(&state, growth);
        uint64_t block = sim_random(&state, SIM_BLOCKS + 5);

        assert_same();
        if (status < 0)
            refused[-status]++;
        else if (sim_random(&state, 4) == 0) {
            extent_undo(&live.table);
            memcpy(model, before, sizeof before);
            assert_same();
        } else
            sim_commit(&live, &disk);
        assert_reads_back();
        most = live.table.used > most ? live.table.used : most;
        assert_int_equal(extent_at(&live.table, block), model_at(block));
        assert_int_equal(extent_find(&live.table, block, 3), model_find(block, 3));
        const struct row *row = &model[some_slot(&state) % SIM_SLOTS];
        if (row->used)
            assert_int_equal(extent_find(&live.table, row->first, row->count),
                             model_find(row->first, row->count));
    }
    assert_true(most >= least_used && (least_used < SIM_SLOTS || refused[EXTENT_E_FULL]));
    assert_true(refused[EXTENT_E_NOT_FOUND] && refused[EXTENT_E_RANGE] && refused[EXTENT_E_TAKEN] &&
                refused[EXTENT_E_NOT_CONTAINED] && refused[EXTENT_E_CHILDREN] &&
                refused[EXTENT_E_IS_ROOT]);
}

static void few_extents_change_as_in_the_model(void **state)
{
    (void)state;
    run(1, 4000, 6, 5);
}

static void a_full_table_changes_as_in_the_model(void **state)
{
    (void)state;
    run(2, 3000, 12, SIM_SLOTS);
}

int main(int argc, char **argv)
{
    if (argc == 3) { /* model_test SEED CHANGES */
        run(strtoull(argv[1], NULL, 10), atoi(argv[2]), 9, 10);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_extents_change_as_in_the_model),
        cmocka_unit_test(a_full_table_changes_as_in_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
