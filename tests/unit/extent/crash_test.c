/*
 * The crash argument, tried: changes drawn at random are written to a disk whose cache, when power
 * is lost, has passed on any of the writes since the last flush, each whole or some of its sectors.
 * What is then read is the table before the change or the one after it.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sim.h"

static struct sim_disk disk;
static struct sim_table live, read_back;
static long crashes, seen_old, seen_new, seen_failed;

/* What may be found on the disk: before, after the change under way, or what an earlier failed one
 * would have made. */
struct allowed {
    struct extent_entry old[SIM_SLOTS], new[SIM_SLOTS], failed[SIM_SLOTS];
    bool new_too, failed_too;
};

static void check_image(sim_image *image, const struct allowed *allowed)
{
    struct extent_fault fault;
    int status = sim_open(&read_back, image, &fault);

    if (status != 0)
        fail_msg("%s", extent_strerror(status));
    crashes++;
    if (sim_same(read_back.entries, allowed->old))
        seen_old++;
    else if (allowed->new_too && sim_same(read_back.entries, allowed->new))
        seen_new++;
    else if (allowed->failed_too && sim_same(read_back.entries, allowed->failed))
        seen_failed++;
    else
        fail_msg("neither the table before the change nor the one after it");
}

/* Every set of the writes in the cache, whole and torn; of many writes, some sets. */
static void check_crashes(const struct allowed *allowed, uint64_t *state)
{
    static sim_image image;
    bool all = disk.count <= 4;
    uint64_t sets = all ? 1UL << disk.count : 16;

    for (uint64_t set = 0; set < sets; set++) {
        uint64_t mask = all ? set : (uint64_t)sim_random(state, UINT32_MAX);

        for (int torn = 0; torn < 3; torn++) {
            sim_crash(&disk, mask, torn > 0, state, &image);
            check_image(&image, allowed);
        }
    }
}

/* Write the change that live has; with trouble, one of the steps fails, and the write may have
 * happened or not. Returns whether it was written. */
static bool write_with_crashes(struct allowed *allowed, uint64_t *state, bool trouble)
{
    uint32_t failing = trouble ? sim_random(state, 8) : UINT32_MAX;
    struct extent_step step;
    bool wiped = false;

    memcpy(allowed->new, live.entries, sizeof allowed->new);
    allowed->new_too = false;
    for (uint32_t i = 0; extent_step(&live.table, &step); i++) {
        if (step.kind == EXTENT_STEP_WRITE && step.block < 2)
            allowed->new_too = wiped || !allowed->failed_too;
        if (i == failing) {
            if (step.kind == EXTENT_STEP_WRITE && sim_random(state, 2))
                sim_do(&disk, &step);
            if (allowed->new_too) { /* its header was handed out */
                memcpy(allowed->failed, allowed->new, sizeof allowed->failed);
                allowed->failed_too = true;
            }
            extent_undo(&live.table);
            assert_true(sim_same(live.entries, allowed->old));
            allowed->new_too = false;
            check_crashes(allowed, state);
            return false;
        }
        sim_do(&disk, &step);
        if (step.kind == EXTENT_STEP_FLUSH && allowed->failed_too) {
            allowed->failed_too = false; /* its header is wiped */
            wiped = true;
        }
        check_crashes(allowed, state);
    }
    memcpy(allowed->old, live.entries, sizeof allowed->old);
    allowed->new_too = allowed->failed_too = false;
    check_crashes(allowed, state); /* now it is on the disk to stay */
    return true;
}

static void run(uint64_t seed, int changes, bool trouble)
{
    struct allowed *allowed = calloc(1, sizeof *allowed);
    uint64_t state = seed;
    int written = 0;

    crashes = seen_old = seen_new = seen_failed = 0;
    sim_create(&live, &disk);
    memcpy(allowed->old, live.entries, sizeof allowed->old);
    for (int i = 0; i < changes; i++) {
        if (sim_change(&live, &state) < 0)
            continue;
        written += write_with_crashes(allowed, &state, trouble && sim_random(&state, 2));
        if (sim_random(&state, 16) == 0) { /* boot: the table is read from what is durable */
            struct extent_fault fault;

            if (disk.count == 0 && !allowed->failed_too)
                assert_int_equal(sim_open(&live, &disk.durable, &fault), 0);
        }
    }
    assert_true(written > changes / 8 && seen_old > crashes / 10 && seen_new > 0);
    assert_true(!trouble || seen_failed > 0);
    free(allowed);
}

static void a_loss_of_power_leaves_the_table_before_or_after(void **state)
{
    (void)state;
    run(1, 400, false);
}

static void a_failed_write_is_undone_and_harms_no_later_change(void **state)
{
    (void)state;
    run(2, 600, true);
}

static void a_new_disk_has_no_table_or_an_empty_one(void **state)
{
    (void)state;
    struct extent_memory memory = sim_memory(&live);
    struct extent_step step;
    struct extent_fault fault;
    static sim_image image;
    uint64_t random = 3;
    int blank = 0, empty = 0;

    /* On what was a disk with another table: nothing of that may come back. */
    sim_create(&live, &disk);
    assert_true(extent_allocate(&live.table, 0, 100, 5, &(struct extent_new){0}) > 0);
    sim_commit(&live, &disk);
    assert_int_equal(extent_create(&live.table, SIM_BLOCKS, SIM_TABLE, "another salt, 16", &memory),
                     0);
    for (int i = 0; extent_step(&live.table, &step); i++) {
        sim_do(&disk, &step);
        for (int n = 0; n < 64; n++) {
            sim_crash(&disk, sim_random(&random, UINT32_MAX), n % 2, &random, &image);
            int status = sim_open(&read_back, &image, &fault);
            bool begun = i > 2; /* wiped, flushed */

            if (begun && status == 0) {
                assert_int_equal(read_back.table.used, 1);
                empty++;
            } else if (begun) {
                assert_true(status == -EXTENT_E_BLANK || status == -EXTENT_E_HEADERS);
                blank++;
            }
        }
    }
    assert_true(blank > 0 && empty > 0);
    assert_int_equal(sim_open(&read_back, &disk.durable, &fault), 0);
}

static void a_header_torn_at_any_byte_is_the_one_before_or_after(void **state)
{
    (void)state;
    struct allowed *allowed = calloc(1, sizeof *allowed);
    static sim_image image;
    struct extent_step step;

    sim_create(&live, &disk);
    memcpy(allowed->old, live.entries, sizeof allowed->old);
    assert_true(extent_allocate(&live.table, 0, 100, 5, &(struct extent_new){0}) > 0);
    memcpy(allowed->new, live.entries, sizeof allowed->new);
    allowed->new_too = true;
    while (extent_step(&live.table, &step)) {
        for (size_t cut = 0; step.kind == EXTENT_STEP_WRITE && step.block < 2 && cut <= 512;
             cut++) {
            memcpy(image, disk.durable, sizeof image);
            memcpy(image[step.block], step.data, cut);
            check_image(&image, allowed);
            memcpy(image, disk.durable, sizeof image);
            memcpy(&image[step.block][cut], (const uint8_t *)step.data + cut, 512 - cut);
            check_image(&image, allowed);
        }
        sim_do(&disk, &step);
    }
    assert_true(seen_new > 0);
    free(allowed);
}

int main(int argc, char **argv)
{
    /* crash_test SEED CHANGES: as many by hand as wanted. */
    if (argc == 3) {
        run(strtoull(argv[1], NULL, 10), atoi(argv[2]), true);
        printf("%ld losses of power: %ld before, %ld after, %ld as a failed write would\n", crashes,
               seen_old, seen_new, seen_failed);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_of_power_leaves_the_table_before_or_after),
        cmocka_unit_test(a_failed_write_is_undone_and_harms_no_later_change),
        cmocka_unit_test(a_new_disk_has_no_table_or_an_empty_one),
        cmocka_unit_test(a_header_torn_at_any_byte_is_the_one_before_or_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
