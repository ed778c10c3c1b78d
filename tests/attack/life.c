/* Attacks on time and on the life of environments, and noise. */
#include <stdlib.h>
#include <string.h>

#include "attack.h"
#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define SECOND 1000000000UL

/* Runaways in all slots there are. */
int64_t bomb_of_environments(void)
{
    static struct raw raws[AEGIS_SLOTS];
    const volatile struct aegis_slot *slots =
        (const volatile struct aegis_slot *)aegis_info()->slots;
    uint32_t count = 0, left = 0;
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        left += slots[i].env == 0;
    while (count < left) {
        raw_create(&raws[count], "spin", blob_spin, blob_spin_end);
        raw_start(&raws[count++], 0);
    }
    uint64_t page = test_page(), root = test_page();
    int64_t result = aegis_env_create(page, root, "one more\0\0\0\0\0\0\0");
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(aegis_page_free(root));
    aegis_wait(NULL, 0, time_after(SECOND / 5));
    for (uint32_t i = 0; i < count; i++)
        CHECK_OK(aegis_env_end(raws[i].env, 0));
    for (uint32_t i = 0; i < count; i++)
        raw_finish(&raws[i]);
    return result;
}

/* A few that never give the processor away: others get their slices. */
int64_t runaways(void)
{
    struct raw raws[3];
    for (int i = 0; i < 3; i++) {
        raw_create(&raws[i], "spin", blob_spin, blob_spin_end);
        raw_start(&raws[i], 0);
    }
    uint64_t before = aegis_env(exos.env)->slices;
    for (int i = 0; i < 5; i++)
        aegis_yield(0);
    CHECK(aegis_env(exos.env)->slices >= before + 5);
    for (int i = 0; i < 3; i++) {
        CHECK(raws[i].data[0] > 0);
        CHECK_OK(aegis_env_end(raws[i].env, 0));
        raw_finish(&raws[i]);
    }
    return 0;
}

/* Ten thousand lives: no page is lost (the supervisor counts). */
int64_t ten_thousand_environments(void)
{
    uint64_t before = aegis_info()->free_pages;
    for (int i = 0; i < 10000; i++)
        child_end(child_make());
    CHECK_EQ(aegis_info()->free_pages, before);
    return 0;
}

/* A child that is asked for pages and doesn't hear: they are taken, and it goes on without. */
int64_t revocation_ignored(void)
{
    struct raw raw;
    raw_create(&raw, "spin", blob_spin, blob_spin_end);
    for (int i = 0; i < 4; i++)
        CHECK_OK(aegis_page_give(test_page(), raw.env));
    uint32_t pages = aegis_env(raw.env)->pages;
    raw_start(&raw, 0);
    CHECK_OK(aegis_revoke(raw.env, AEGIS_KIND_PAGE, 4));
    uint64_t limit = time_after(10 * SECOND);
    while (aegis_env(raw.env)->pages > pages - 4 && time_now() < limit)
        aegis_yield(0);
    CHECK_EQ(aegis_env(raw.env)->pages, pages - 4);
    uint64_t rounds = raw.data[0];
    aegis_yield(0);
    aegis_yield(raw.env);
    CHECK(raw.data[0] > rounds);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    return 0;
}

/* The calls that the table may be tried with, at random or in order: those that end or stop the
 * caller are left out. */
static const uint16_t numbers[] = {
#define AEGIS_CALL0(number, name, ...) number,
#define AEGIS_CALL1                    AEGIS_CALL0
#define AEGIS_CALL2                    AEGIS_CALL0
#define AEGIS_CALL3                    AEGIS_CALL0
#define AEGIS_CALL4                    AEGIS_CALL0
#define AEGIS_CALL5                    AEGIS_CALL0
#include "abi/calls.def"
};

/* Calls that restart keep none of the registers that a function keeps: the compiler has to. */
static int64_t call(uint64_t number, uint64_t all)
{
    register uint64_t a0 __asm__("a0") = all;
    register uint64_t a1 __asm__("a1") = all;
    register uint64_t a2 __asm__("a2") = all;
    register uint64_t a3 __asm__("a3") = all;
    register uint64_t a4 __asm__("a4") = all;
    register uint64_t a5 __asm__("a5") = all;
    register uint64_t a7 __asm__("a7") = number;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a7)
                     :
                     : "memory", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a6", "ra", "s0", "s1",
                       "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
    return (int64_t)a0;
}

/* Every call with one odd value in all its arguments: what it does with it is its affair. */
int64_t arguments_at_every_boundary(void)
{
    static const uint64_t values[] = {2,
                                      3,
                                      0xfff,
                                      0x1001,
                                      0x7fff,
                                      0xffff,
                                      0x10001,
                                      INT32_MAX,
                                      1UL << 31,
                                      UINT32_MAX,
                                      1UL << 32,
                                      AEGIS_WINDOW_BASE,
                                      AEGIS_USER_END - 1,
                                      AEGIS_USER_END,
                                      1UL << 47,
                                      0xffffffbfffffffff,
                                      0xffffffc080000000,
                                      0xffffffff80200000,
                                      INT64_MAX,
                                      1UL << 63,
                                      UINT64_MAX - 7,
                                      UINT64_MAX};
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            uint32_t low = (uint32_t)values[v];
            bool ends = numbers[n] == AEGIS_CALL_env_end && (low == 0 || low == exos.env);
            /* Where its slices end is the attacker's own affair, and the end of it. */
            ends |= numbers[n] == AEGIS_CALL_slice_bind;
            bool stops = numbers[n] == AEGIS_CALL_wait || numbers[n] == AEGIS_CALL_yield ||
                         numbers[n] == AEGIS_CALL_gate_accept;
            if (ends || stops)
                continue;
            int64_t result = call(numbers[n], values[v]);
            CHECK(result >= 0 || strcmp(aegis_error_name(result), "?"));
        }
    return 0;
}

/* The request changes in the caller's memory while the download goes on. */
int64_t request_changed_during_the_call(void)
{
    struct raw raw;
    raw_create(&raw, "spin", blob_spin,
               blob_spin_end); /* counts in its first word: the image's address */
    raw_start(&raw, 0);
    struct aegis_handler_request *request = (struct aegis_handler_request *)raw.data;
    for (int i = 0; i < 20; i++) {
        request->image_size = 256;
        raw.data[0] = (uint64_t)raw.data + 512;
        int64_t result = aegis_handler_load(request);
        CHECK(result == -AEGIS_E_HANDLER || result == -AEGIS_E_ADDRESS);
        aegis_yield(0);
    }
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    return 0;
}

/* Programs full of noise (tests/guest/calls.c), over all numbers: each is gone with all that it
 * had. */
int64_t noise(void)
{
    for (unsigned seed = 1000; seed < 1012; seed++) {
        char text[16];
        char *const argv[] = {"calls", utoa(seed, text, 10)};
        struct proc_options options = {.name = "calls",
                                       .argc = 2,
                                       .argv = argv,
                                       .caps = exos.start->caps,
                                       .cap_count = ATTACK_CAPS};
        struct proc proc;
        struct proc_status status;
        CHECK_OK(proc_spawn(&proc, &options));
        struct aegis_predicate ended = aegis_when_ended(proc.env);
        if (aegis_wait(&ended, 1, time_after(5 * SECOND)) != 0)
            proc_kill(&proc, 0); /* it may have waited for ever on something */
        aegis_wait(&ended, 1, AEGIS_FOREVER);
        if (*test_why(proc.start)) /* an answer that is no error's number */
            FAIL("seed %u: %s", seed, test_why(proc.start));
        proc_wait(&proc, &status, AEGIS_FOREVER);
        for (uint32_t env = 1; env < aegis_info()->env_count; env++)
            if (aegis_env(env)->state != AEGIS_ENV_NONE && aegis_env(env)->owner == exos.env)
                child_end(env);
    }
    return 0;
}
