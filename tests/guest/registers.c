/* No register of any kind carries over from one environment to another, and each keeps its own. */
#include <string.h>

#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define SP        2
#define A0        10
#define FCSR_WORD 64 /* of the dump, behind x and f */

static void check_clean(const uint64_t *dump, uint64_t argument)
{
    for (int n = 1; n < 32; n++) {
        uint64_t wanted = n == A0 ? argument : 0;
        if (n != SP && dump[n] != wanted)
            FAIL("x%d of a new environment is 0x%llx, not 0x%llx", n, (unsigned long long)dump[n],
                 (unsigned long long)wanted);
    }
    for (int n = 0; n < 32; n++)
        if (dump[32 + n])
            FAIL("f%d of a new environment is 0x%llx", n, (unsigned long long)dump[32 + n]);
    CHECK_EQ(dump[FCSR_WORD], 0);
}

static void dump_is_clean(void)
{
    struct raw dump;
    uint64_t copy[FCSR_WORD + 1];
    raw_create(&dump, "dump", blob_dump, blob_dump_end);
    raw_start(&dump, 0x1234);
    struct aegis_predicate ended = aegis_when_ended(dump.env);
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    memcpy(copy, dump.data, sizeof copy);
    struct aegis_env_info info = raw_finish(&dump);
    CHECK_EQ(info.exit_reason, AEGIS_EXIT_STATUS);
    CHECK_EQ(info.exit_value, 0);
    check_clean(copy, 0x1234);
}

/* A sibling ends with all registers full; the next environment, in the same number and pages, sees
 * zeros. */
static void nothing_is_left_of_the_dead(void)
{
    for (int i = 0; i < 20; i++) {
        struct raw fill;
        RAW(&fill, fill, 0x5a5a5a5a00000000);
        struct aegis_predicate ended = aegis_when_ended(fill.env);
        aegis_wait(&ended, 1, AEGIS_FOREVER);
        CHECK_EQ(fill.data[AEGIS_PAGE_SIZE / 8 - 1], 1);
        raw_finish(&fill);
        dump_is_clean();
    }
}

/* Until both were interrupted, and not starved, and have come round. */
static void go_on_beside(const struct raw *one, const struct raw *two)
{
    uint64_t from[] = {aegis_env(one->env)->slices, aegis_env(two->env)->slices};
    uint64_t limit = test_deadline();
    const volatile uint64_t *rounds[] = {one->data + 1, two->data + 1};

    while (aegis_env(one->env)->slices < from[0] + 8 || aegis_env(two->env)->slices < from[1] + 8 ||
           *rounds[0] <= 100 || *rounds[1] <= 100) {
        CHECK(time_now() < limit);
        aegis_wait(NULL, 0, time_after(20000000));
        dump_is_clean();
    }
}

static void wait_for_end(const struct raw *raw)
{
    struct aegis_predicate ended = aegis_when_ended(raw->env);
    CHECK_EQ(aegis_wait(&ended, 1, test_deadline()), 0);
}

/* Two environments with different values in all registers, interrupted at any place; a third one
 * starts clean. */
static void everyone_keeps_his_own(void)
{
    struct raw one, two;
    RAW(&one, keep, 0x1111111100000000);
    RAW(&two, keep, 0x2222222200000000);
    go_on_beside(&one, &two);
    one.data[0] = two.data[0] = 1;
    CHECK_EQ(raw_finish(&one).exit_value, 0);
    CHECK_EQ(raw_finish(&two).exit_value, 0);
}

static void start_faulting(struct raw *raw, uint64_t argument)
{
    uint64_t page = test_page();
    raw_create(raw, "faults", blob_faults, blob_faults_end);
    CHECK_OK(aegis_page_give(page, raw->env));
    CHECK_OK(vm_map(raw->env, RAW_FRAMES, page, VM_READ_WRITE, NULL));
    raw_start(raw, argument);
}

/*
 * The same, while each takes exceptions: illegal instructions with and without the floating-point
 * registers being its own at the time, which those in between take away, and page faults.
 */
static void everyone_keeps_his_own_over_exceptions(void)
{
    struct raw one, two;
    start_faulting(&one, 0x0505050500000000);
    start_faulting(&two, 0x0a0a0a0a00000000);
    go_on_beside(&one, &two);
    one.data[0] = two.data[0] = 1;
    wait_for_end(&one);
    wait_for_end(&two);
    CHECK(one.data[2] - 4 * one.data[1] <= 4 && two.data[2] - 4 * two.data[1] <= 4);
    CHECK_EQ(raw_finish(&one).exit_value, 0);
    CHECK_EQ(raw_finish(&two).exit_value, 0);
}

/*
 * Across a call: ra, sp, gp, tp, s0 to s11 and f registers stay; t and a registers behind a0 are
 * zero or hold what they held, but nothing of the kernel's.
 */
static void calls_keep_what_the_abi_says(void)
{
    uint64_t in[32], out[32];
    double fin[32], fout[32];
    for (unsigned n = 0; n < 32; n++) {
        in[n] = 0x100 + n;
        fin[n] = n + 0.5;
    }
    in[17] = AEGIS_CALL_null;
    around_null(in, out, fin, fout);
    CHECK_EQ(out[A0], 0);
    for (int n = 1; n < 32; n++) {
        bool kept = n == 1 || n == 3 || n == 8 || n == 9 || (n >= 18 && n <= 27);
        if (n != 2 && n != 4 && n != A0 && out[n] != in[n] && (kept || out[n]))
            FAIL("x%d after a call is 0x%llx", n, (unsigned long long)out[n]);
    }
    CHECK(!memcmp(fout, fin, sizeof fin));
}

/* wait and yield through the stubs, while others use every register. */
static void stubs_keep_what_a_function_keeps(void)
{
    struct raw other;
    RAW(&other, keep, 0x3333333300000000);
    for (int i = 0; i < 20; i++) {
        register double f __asm__("fs1") = 1.0 + i;
        register uint64_t s __asm__("s5") = 1000 + (uint64_t)i;
        __asm__ volatile("" : "+f"(f), "+r"(s));
        if (i % 2)
            aegis_wait(NULL, 0, time_after(2000000));
        else
            aegis_yield(0);
        __asm__ volatile("" : "+f"(f), "+r"(s));
        CHECK(f == 1.0 + i);
        CHECK_EQ(s, 1000 + i);
    }
    other.data[0] = 1;
    CHECK_EQ(raw_finish(&other).exit_value, 0);
}

int main(void)
{
    nothing_is_left_of_the_dead();
    everyone_keeps_his_own();
    everyone_keeps_his_own_over_exceptions();
    calls_keep_what_the_abi_says();
    stubs_keep_what_a_function_keeps();
    return 0;
}
