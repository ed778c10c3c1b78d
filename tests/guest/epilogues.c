/* The program's own end and beginning of a slice: nothing is lost, the prologue chooses, and an
 * epilogue that stays is paid for, then ended. */
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/slice/slice.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"
#include "test.h"

static volatile uint64_t begun;

/* Uses what registers it can, whole numbers and others. */
static uint64_t __attribute__((noinline)) chain(uint64_t rounds)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    double x = 1, y = 2, z = 3;
    for (uint64_t i = 0; i < rounds; i++) {
        a = a * 6364136223846793005UL + b, b = (b ^ c) + i, c = c << 1 | d >> 63, d += e * 3;
        e = e * 2862933555777941757UL + f, f ^= g + a, g = g >> 7 | g << 57, h += g ^ c;
        x = x * 0.5 + y, y = y * 0.25 + z + (double)(i & 7), z = z * 0.125 + x;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ (uint64_t)(x * 1e6) ^ (uint64_t)(y * 1e6) ^
           (uint64_t)(z * 1e6);
}

static void ends(struct aegis_context *context)
{
    CHECK(context->pc != 0);
}

static void begins(struct aegis_context *context)
{
    CHECK(context->x[1] != 0);
    begun++;
}

static void nothing_is_lost(void)
{
    struct raw other; /* so that slices end */
    uint64_t rounds = 100000, wanted, from = slice_ends();
    raw_create(&other, "spin", blob_spin, blob_spin_end);
    raw_start(&other, 0);
    CHECK_OK(slice_set(ends, begins));
    wanted = chain(rounds);
    while (slice_ends() < from + 20)
        CHECK_EQ(chain(rounds), wanted);
    CHECK(begun >= 19);
    /* A loaded host takes the processor away for longer than an epilogue may last, but not always.
     */
    CHECK(aegis_env(exos.env)->overruns < slice_ends() - from);
    CHECK_OK(slice_set(NULL, NULL));
    CHECK_OK(aegis_env_end(other.env, 0));
    raw_finish(&other);
}

/* Two threads, of which each slice runs the other: a scheduler in five lines. */
static struct aegis_context waiting;
static volatile uint64_t turns[2], stop;
static uint8_t thread_stack[4096] __attribute__((aligned(16)));

static void exchange(struct aegis_context *context)
{
    struct aegis_context last = *context;
    *context = waiting;
    waiting = last;
}

static void count_turns(uint64_t which)
{
    while (!stop)
        turns[which]++;
}

static _Noreturn void thread(void)
{
    count_turns(1);
    for (;;)
        ;
}

static void the_prologue_chooses(void)
{
    uint64_t from = slice_ends(), deadline = 0;
    memset(&waiting, 0, sizeof waiting);
    waiting.pc = (uint64_t)thread;
    waiting.x[1] = (uint64_t)(thread_stack + sizeof thread_stack);
    __asm__("mv %0, tp" : "=r"(waiting.x[3]));
    CHECK_OK(slice_set(NULL, exchange));
    while (slice_ends() < from + 7 || turns[1] == 0) {
        turns[0]++;
        CHECK(++deadline < 1UL << 36);
    }
    CHECK_OK(slice_set(NULL, NULL));
    stop = 1;
    CHECK(turns[0] > 0 && turns[1] > 0);
}

static void never_ends(struct aegis_context *context)
{
    (void)context;
    for (;;)
        ;
}

static _Noreturn void hog(void)
{
    CHECK_OK(slice_set(never_ends, NULL));
    for (;;)
        ;
}

/* It is interrupted, owes what it took, and in the end is ended for it. */
static void one_that_stays(void)
{
    char *const arguments[] = {"epilogues", "hog"};
    struct proc_options options = {.name = "epilogues", .argc = 2, .argv = arguments};
    struct proc_status status;
    struct proc proc;
    CHECK_OK(proc_spawn(&proc, &options));
    struct aegis_predicate over = AEGIS_WHEN(aegis_env(proc.env)->charged, NE, 0);
    CHECK_EQ(aegis_wait(&over, 1, test_deadline()), 0);
    CHECK(aegis_env(proc.env)->overruns >= 1);
    CHECK(aegis_env(proc.env)->charged >= aegis_info()->epilogue);
    CHECK_EQ(proc_wait(&proc, &status, test_deadline()), 1);
    CHECK_EQ(status.reason, AEGIS_EXIT_OVERRUN);
    CHECK(status.value >= AEGIS_OVERRUNS_MAX);
}

static volatile bool has_faulted;

/* A leaf: its stack pointer is the stack's very top. */
static void faults(struct aegis_context *context)
{
    (void)context;
    __asm__ volatile("c.ebreak");
    has_faulted = true;
}

static bool skip_slowly(struct upcall_context *context)
{
    static bool is_under_way;
    context->pc += 2;
    if (is_under_way)
        return true; /* the hook's */
    is_under_way = true;
    struct upcall_context before = *context;
    while (!has_faulted)
        ;
    CHECK(!memcmp(context, &before, sizeof before));
    is_under_way = false;
    return true;
}

static void a_hook_takes_an_exception_inside_another(void)
{
    upcall_handler before = upcall_set(UPCALL_BREAKPOINT, skip_slowly);
    CHECK_OK(slice_set(faults, NULL));
    __asm__ volatile("c.ebreak" ::: "memory");
    CHECK(has_faulted);
    CHECK_OK(slice_set(NULL, NULL));
    upcall_set(UPCALL_BREAKPOINT, before);
}

int main(int argc, char **argv)
{
    if (!strcmp(test_argument(argc, argv, 1), "hog"))
        hog();
    nothing_is_lost();
    the_prologue_chooses();
    a_hook_takes_an_exception_inside_another();
    one_that_stays();
    return 0;
}
