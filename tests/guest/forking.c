/*
 * fork: two processes go on with the same memory, and neither sees what the other writes; whoever
 * ends, whenever, the others keep all of theirs, and nothing is lost.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define PAGES 48
#define WORDS (AEGIS_PAGE_SIZE / sizeof(uint64_t))

static int initialised = 7;
static uint64_t plain[3 * WORDS];

static int status_of(pid_t pid)
{
    int status;
    pid_t got = waitpid(pid, &status, 0);
    if (got != pid)
        FAIL("waitpid(%d) gives %d, errno %d", (int)pid, (int)got, errno);
    return status;
}

static void ends_with(pid_t pid, int value)
{
    int status = status_of(pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != value)
        FAIL("process %d ends with 0x%x, not with %d", (int)pid, (unsigned)status, value);
}

static pid_t forked(void)
{
    pid_t pid = fork();
    if (pid < 0)
        FAIL("fork: errno %d", errno);
    return pid;
}

static void both_go_on(void)
{
    volatile int local = 3;
    uint64_t *heap = malloc(3 * AEGIS_PAGE_SIZE);
    double number = 1.5;
    __asm__ volatile("" : "+f"(number));
    heap[WORDS] = 5;
    plain[WORDS] = 9;
    pid_t before = getpid(), pid = forked();
    if (pid == 0) {
        bool same = local == 3 && heap[WORDS] == 5 && plain[WORDS] == 9 && initialised == 7 &&
                    number == 1.5;
        local = 4, heap[WORDS] = 6, plain[WORDS] = 10, initialised = 8;
        exit(same && getppid() == before && getpid() != before && heap[WORDS] == 6 ? 42 : 1);
    }
    local++, heap[WORDS]++, plain[WORDS]++, initialised++;
    ends_with(pid, 42);
    CHECK(local == 4 && heap[WORDS] == 6 && plain[WORDS] == 10 && initialised == 8);
    initialised = 7;
    free(heap);
}

/* Each level writes what the one below must not see. */
static void generations(void)
{
    for (int depth = 0; depth < 5; depth++) {
        pid_t pid = forked();
        plain[0] = (uint64_t)depth + (pid ? 100 : 200);
        if (pid) {
            int status = status_of(pid);
            bool right =
                plain[0] == (uint64_t)depth + 100 && WIFEXITED(status) && WEXITSTATUS(status) == 42;
            if (depth == 0) {
                CHECK(right);
                return;
            }
            _exit(right ? 42 : depth);
        }
    }
    _exit(plain[0] == 204 ? 42 : 9);
}

/* The memory in the middle of a line of descent outlives who made it. */
static void orphans_keep_theirs(void)
{
    volatile uint64_t *shared = vm_shared_alloc(1);
    CHECK(shared);
    plain[5] = 1;
    pid_t pid = forked();
    if (pid == 0) {
        plain[5] = 2;
        if (forked() == 0) {
            while (aegis_env(exos.env)->owner == exos.parent)
                aegis_yield(0);
            shared[0] = plain[5] == 2 ? 1 : 2;
            plain[5] = 3;
            shared[1] = plain[5];
            _exit(0);
        }
        _exit(1);
    }
    ends_with(pid, 1);
    struct aegis_predicate done = {
        .word = &shared[1], .mask = UINT64_MAX, .value = 3, .op = AEGIS_WAKE_EQ};
    CHECK_EQ(aegis_wait(&done, 1, time_after(20000000000)), 0);
    CHECK_EQ(shared[0], 1);
    CHECK_EQ(plain[5], 1);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    CHECK_OK(vm_free((void *)(uintptr_t)shared));
}

/* Patterns that each process writes anew all over, and checks. */
static uint64_t *field;

static void write_pattern(uint64_t seed)
{
    for (uint64_t i = 0; i < PAGES; i++)
        for (uint64_t w = 0; w < WORDS; w += 128)
            field[i * WORDS + w] = seed * 1000003 + i * 4096 + w;
}

static bool is_pattern(uint64_t seed)
{
    for (uint64_t i = 0; i < PAGES; i++)
        for (uint64_t w = 0; w < WORDS; w += 128)
            if (field[i * WORDS + w] != seed * 1000003 + i * 4096 + w)
                return false;
    return true;
}

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* A child that has children, all of which write and look; the first word of the shared page counts
 * what went wrong. */
static _Noreturn void descend(uint64_t seed, int depth, volatile uint64_t *wrong)
{
    for (int round = 0; round < 4; round++) {
        if (!is_pattern(seed))
            __atomic_fetch_add(wrong, 1, __ATOMIC_RELAXED);
        if (depth < 2 && fork() == 0)
            depth++, round = 0;
        seed = seed * 31 + (uint64_t)depth + 1;
        write_pattern(seed);
        if (random_below(3) == 0)
            aegis_yield(0);
    }
    _exit(is_pattern(seed) ? 0 : 1);
}

static void end_all_others(void)
{
    struct proc_view views[128];
    size_t count = proc_list(views, 128);
    for (size_t i = 0; i < count && i < 128; i++)
        if (views[i].pid != getpid() && views[i].state == PROC_RUNNING)
            kill(views[i].pid, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

/* Processes are ended wherever they are, most of them while they copy. */
static void random_ends(unsigned rounds)
{
    volatile uint64_t *wrong = vm_shared_alloc(1);
    field = vm_alloc(PAGES, VM_READ_WRITE);
    CHECK(wrong && field);
    for (unsigned round = 0; round < rounds; round++) {
        write_pattern(round);
        pid_t pid = forked();
        if (pid == 0)
            descend(round, 0, wrong);
        aegis_wait(NULL, 0, time_after(random_below(4000000)));
        kill(pid, SIGKILL);
        write_pattern(round + 1);
        aegis_wait(NULL, 0, time_after(random_below(2000000)));
        CHECK(is_pattern(round + 1));
        end_all_others();
    }
    CHECK_EQ(*wrong, 0);
    CHECK_OK(vm_free(field));
    CHECK_OK(vm_free((void *)(uintptr_t)wrong));
}

/* With 0, 1, 2 ... pages left, until it succeeds; after each failure nothing is missing. */
static void out_of_memory(void)
{
    static uint64_t kept[1 << 15];
    uint64_t count = 0, least = 0;
    int64_t page;
    pid_t pid = forked(); /* so that all that fork needs for itself is there */
    if (pid == 0)
        _exit(0);
    ends_with(pid, 0);
    for (uint64_t i = 0; i < sizeof kept / sizeof *kept; i += WORDS)
        kept[i] = 1;
    while (count < sizeof kept / sizeof *kept && (page = aegis_page_alloc(AEGIS_ANY)) >= 0)
        kept[count++] = (uint64_t)page;
    for (pid = -1; pid < 0; least++) {
        uint64_t before = aegis_info()->free_pages;
        pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid < 0) {
            CHECK(errno == ENOMEM || errno == EAGAIN);
            CHECK_EQ(aegis_info()->free_pages, before);
            CHECK_OK(aegis_page_free(kept[--count]));
        }
    }
    while (count)
        CHECK_OK(aegis_page_free(kept[--count]));
    status_of(pid); /* it may have had too little to end well */
    CHECK(least > 10);
}

int main(void)
{
    both_go_on();
    generations();
    orphans_keep_theirs();
    random_ends(20);
    out_of_memory();
    return 0;
}
