/* Call numbers and arguments that nobody meant: unknown numbers, and seeded noise in every
 * register. */
#include <stdlib.h>
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

/* Calls that restart keep none of the registers that a function keeps: the compiler has to. */
static int64_t call(uint64_t number, const uint64_t *a)
{
    register uint64_t a0 __asm__("a0") = a[0];
    register uint64_t a1 __asm__("a1") = a[1];
    register uint64_t a2 __asm__("a2") = a[2];
    register uint64_t a3 __asm__("a3") = a[3];
    register uint64_t a4 __asm__("a4") = a[4];
    register uint64_t a5 __asm__("a5") = a[5];
    register uint64_t a7 __asm__("a7") = number;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5),
                       "+r"(a7)::"memory", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a6", "ra",
                       "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11");
    return (int64_t)a0;
}

static bool is_call(uint64_t number)
{
    static const uint16_t numbers[] = {
#define AEGIS_CALL0(number, name, ...) number,
#define AEGIS_CALL1                    AEGIS_CALL0
#define AEGIS_CALL2                    AEGIS_CALL0
#define AEGIS_CALL3                    AEGIS_CALL0
#define AEGIS_CALL4                    AEGIS_CALL0
#define AEGIS_CALL5                    AEGIS_CALL0
#include "abi/calls.def"
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

static void unknown_numbers(void)
{
    const uint64_t nothing[6] = {0};
    static const uint64_t far[] = {
        AEGIS_CALL_END, AEGIS_CALL_END + 1, 0x2000,    1UL << 32, AEGIS_CALL_FIRST | 1UL << 32,
        INT64_MAX,      1UL << 63,          UINT64_MAX};
    for (uint64_t n = AEGIS_CALL_FIRST; n < AEGIS_CALL_END; n++)
        if (!is_call(n))
            CHECK_EQ(call(n, nothing), -AEGIS_E_NO_CALL);
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        CHECK_EQ(call(far[i], nothing), -AEGIS_E_NO_CALL);
}

/* A 32-bit parameter is the low half of its register, whatever stands above. */
static void upper_halves_dont_count(void)
{
    uint64_t page = test_page(), junk = 0xdeadbeefUL << 32;
    struct aegis_cap cap;
    const uint64_t mint[6] = {junk | AEGIS_KIND_PAGE, page, junk | AEGIS_RIGHT_READ,
                              (uint64_t)&cap};
    CHECK_EQ(call(AEGIS_CALL_cap_mint, mint), 0);
    CHECK_EQ(cap.name, AEGIS_CAP_NAME(AEGIS_KIND_PAGE, AEGIS_RIGHT_READ, page));
    const uint64_t give[6] = {page, junk | exos.parent};
    CHECK_EQ(call(AEGIS_CALL_page_give, give), -AEGIS_E_OWNER);
    CHECK_OK(aegis_page_free(page));
}

/* A call that the fuzzer may issue in the child: not those that would only end or stop it. */
static uint64_t random_call(uint64_t *seed)
{
    static const uint16_t numbers[] = {
        AEGIS_CALL_null,
        AEGIS_CALL_yield,
        AEGIS_CALL_wait,
        AEGIS_CALL_log,
        AEGIS_CALL_entropy,
        AEGIS_CALL_cap_mint,
        AEGIS_CALL_cap_derive,
        AEGIS_CALL_cap_revoke,
        AEGIS_CALL_page_alloc,
        AEGIS_CALL_page_alloc_run,
        AEGIS_CALL_page_free,
        AEGIS_CALL_page_give,
        AEGIS_CALL_table_insert,
        AEGIS_CALL_map,
        AEGIS_CALL_protect,
        AEGIS_CALL_unmap,
        AEGIS_CALL_map_batch,
        AEGIS_CALL_table_remove,
        AEGIS_CALL_map_share,
        AEGIS_CALL_map_own,
        AEGIS_CALL_env_create,
        AEGIS_CALL_env_start,
        AEGIS_CALL_env_end,
        AEGIS_CALL_env_free,
        AEGIS_CALL_upcall_bind,
        AEGIS_CALL_resume,
        AEGIS_CALL_repossession_bind,
        AEGIS_CALL_revoke,
        AEGIS_CALL_quota_set,
        AEGIS_CALL_gate_bind,
        AEGIS_CALL_gate_unbind,
        AEGIS_CALL_gate_accept,
        AEGIS_CALL_gate_call,
        AEGIS_CALL_gate_return,
        AEGIS_CALL_gate_send,
        AEGIS_CALL_net_bind,
        AEGIS_CALL_net_unbind,
        AEGIS_CALL_net_ring,
        AEGIS_CALL_net_send,
        AEGIS_CALL_net_counters,
        AEGIS_CALL_net_give,
        AEGIS_CALL_console_read,
        AEGIS_CALL_handler_load,
        AEGIS_CALL_handler_bind,
        AEGIS_CALL_handler_unload,
        AEGIS_CALL_handler_status,
        AEGIS_CALL_extent_alloc,
        AEGIS_CALL_extent_free,
        AEGIS_CALL_extent_split,
        AEGIS_CALL_extent_resize,
        AEGIS_CALL_extent_claim,
        AEGIS_CALL_disk_bind,
        AEGIS_CALL_disk_unbind,
        AEGIS_CALL_disk_ring,
        AEGIS_CALL_disk_submit,
        AEGIS_CALL_console_write,
        AEGIS_CALL_shutdown,
    };
    if (rand_r((unsigned *)seed) % 16 == 0) /* foreign ones, free ones, and beyond */
        return (uint64_t)(rand_r((unsigned *)seed) % 0x2001);
    return numbers[rand_r((unsigned *)seed) % (sizeof numbers / sizeof *numbers)];
}

/* Foreign calls do nothing. */
static bool skip(struct upcall_context *context)
{
    context->pc += 4;
    return true;
}

static uint64_t random_argument(uint64_t *seed, const uint64_t *pages, void *scratch)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      7,
                                      8,
                                      16,
                                      32,
                                      64,
                                      127,
                                      128,
                                      255,
                                      256,
                                      1023,
                                      1024,
                                      4095,
                                      4096,
                                      0x10000,
                                      0x2000000000,
                                      0x2000001000,
                                      0x2000200000,
                                      AEGIS_EXPOSED_BASE,
                                      AEGIS_USER_END,
                                      1UL << 31,
                                      1UL << 32,
                                      0xffffffc080000000,
                                      0xffffffff80200000,
                                      INT64_MAX,
                                      UINT64_MAX};
    unsigned *state = (unsigned *)seed;
    switch (rand_r(state) % 8) {
    case 0:
        return pages[rand_r(state) % 8];
    case 1:
        return (uint64_t)scratch + (uint64_t)(rand_r(state) % 4096 & ~7);
    case 2:
        return aegis_info()->first_ppn + (uint64_t)rand_r(state) % aegis_info()->page_count;
    case 3:
        return 0x2000000000 + ((uint64_t)rand_r(state) % 16 << 12);
    case 4:
        return (uint64_t)rand_r(state) << 33 ^ (uint64_t)rand_r(state) << 5;
    default:
        return values[(unsigned)rand_r(state) % (sizeof values / sizeof *values)];
    }
}

/* Arguments of calls about gates that come further than noise does: capabilities that open them, to
 * oneself and to a server. Who would accept waits for ever: it has odd entries. */
static void make_sensible(uint64_t *seed, uint64_t number, uint64_t a[6],
                          const struct aegis_cap own[2])
{
    unsigned *state = (unsigned *)seed;
    if (number < AEGIS_CALL_gate_bind || number > AEGIS_CALL_gate_send)
        return;
    if (rand_r(state) % 4)
        a[0] %= 2 * AEGIS_GATES;
    if (number == AEGIS_CALL_gate_bind && rand_r(state) % 4)
        a[1] = (uint64_t)&own[rand_r(state) % 2];
    if (number == AEGIS_CALL_gate_accept)
        a[rand_r(state) % 2] |= 1;
}

#define FUZZ_CALLS 3000

/* Ends in whatever way the noise leads to; only the kernel has to stay as it is. */
static int fuzz(uint64_t seed)
{
    uint64_t pages[8], a[6], state[2] = {seed, 0};
    uint64_t *scratch = vm_alloc(1, VM_READ_WRITE);
    upcall_set(UPCALL_FOREIGN, skip);
    for (int i = 0; i < 8; i++)
        pages[i] = test_page();
    memcpy(scratch, exos.start->caps, sizeof(struct aegis_cap));
    struct raw server;
    RAW(&server, mirror, 0);
    struct aegis_cap own[2];
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CALL, &own[0]));
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, server.env, AEGIS_RIGHT_CALL, &own[1]));
    for (int i = 0; i < FUZZ_CALLS; i++) {
        uint64_t number = random_call(state);
        for (int j = 0; j < 6; j++)
            a[j] = random_argument(state, pages, scratch);
        if (number == AEGIS_CALL_wait)
            a[2] = 0; /* looks once */
        if (number == AEGIS_CALL_log)
            a[1] = UINT64_MAX - (a[1] & 1); /* nothing is printed */
        /* Foreign calls need their handler: half of the seeds leave one alone, half the other. */
        if (seed % 2 ? number < AEGIS_CALL_FIRST : number == AEGIS_CALL_upcall_bind)
            continue;
        if (number == AEGIS_CALL_yield || number == AEGIS_CALL_resume ||
            (number == AEGIS_CALL_env_end && (uint32_t)a[0] == 0))
            continue;
        make_sensible(state, number, a, own);
        if (number == AEGIS_CALL_gate_call) { /* registers come back as the server likes */
            aegis_gate_call((uint32_t)a[0]);
            continue;
        }
        int64_t result = call(number, a);
        if (result < 0 && number >= AEGIS_CALL_FIRST) /* foreign calls leave a0 alone */
            CHECK(strcmp(aegis_error_name(result), "?"));
        if (rand_r((unsigned *)state) % 4 == 0)
            scratch[(unsigned)rand_r((unsigned *)state) % 512] =
                random_argument(state, pages, scratch);
    }
    return 0;
}

/* Owners of all pages, to say which were lost. */
static uint16_t *owners;

static uint16_t owner_and_state(const volatile struct aegis_page *page)
{
    return (uint16_t)(page->owner << 4 | page->state);
}

static void remember_pages(void)
{
    if (!owners)
        owners = vm_alloc(vm_pages(aegis_info()->page_count * sizeof *owners), VM_READ_WRITE);
    for (uint64_t i = 0; i < aegis_info()->page_count; i++)
        owners[i] = owner_and_state(aegis_page(aegis_info()->first_ppn + i));
}

_Noreturn static void report_lost(unsigned seed, unsigned envs)
{
    for (uint64_t i = 0; i < aegis_info()->page_count; i++) {
        const volatile struct aegis_page *page = aegis_page(aegis_info()->first_ppn + i);
        if (owners[i] != owner_and_state(page))
            FAIL("seed %u, %u environments left: page 0x%llx, state %u, pins %u, refs %u, was "
                 "%u's, is %u's",
                 seed, envs, (unsigned long long)(aegis_info()->first_ppn + i),
                 (unsigned)page->state, (unsigned)page->pins, (unsigned)page->refs,
                 (unsigned)owners[i] >> 4, (unsigned)page->owner);
    }
    FAIL("seed %u: the number of free pages is wrong", seed);
}

/* Programs full of noise, one after the other: each is gone with all that it had. */
static void noise(void)
{
    for (unsigned seed = 1; seed <= 40; seed++) {
        char text[16];
        char *const argv[] = {"calls", utoa(seed, text, 10)};
        struct proc_options options = {.name = "calls",
                                       .argc = 2,
                                       .argv = argv,
                                       .caps = exos.start->caps,
                                       .cap_count = TEST_CAPS};
        struct proc proc;
        struct proc_status status;
        uint64_t before = aegis_info()->free_pages, envs = 0;
        CHECK_OK(proc_spawn(&proc, &options));
        if (!proc_wait(&proc, &status, time_after(5000000000))) {
            proc_kill(&proc, 0); /* it may have waited for ever on something */
            proc_wait(&proc, &status, AEGIS_FOREVER);
        }
        /* Children that the noise made belong to this program now. */
        for (uint32_t env = 1; env < aegis_info()->env_count; env++)
            if (aegis_env(env)->state != AEGIS_ENV_NONE && aegis_env(env)->owner == exos.env) {
                struct aegis_predicate ended = aegis_when_ended(env);
                aegis_env_end(env, 0);
                aegis_wait(&ended, 1, AEGIS_FOREVER);
                CHECK_OK(aegis_env_free(env));
                envs++;
            }
        if (seed > 1 && aegis_info()->free_pages != before)
            report_lost(seed, (unsigned)envs);
        remember_pages();
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return fuzz((uint64_t)atoi(argv[1]));
    unknown_numbers();
    upper_halves_dont_count();
    noise();
    return 0;
}
