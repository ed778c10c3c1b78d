/* Threads beside processes: one reads a pipe while others compute, and a fork's child has one
 * thread, which makes more.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/slice/slice.h"
#include "libos/thread/thread.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "libos/wait/wait.h"
#include "test.h"

#define BYTES 5000

static int ends[2];
static volatile bool stop;
static volatile uint64_t computed, got;

static void *compute(void *argument)
{
    while (!stop)
        computed++;
    return argument;
}

static void *read_all(void *argument)
{
    uint8_t bytes[100];
    for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < n; i++) {
            CHECK_EQ(bytes[i], (uint8_t)got);
            got++;
        }
    return argument;
}

static void *write_all(void *argument)
{
    for (uint64_t i = 0; i < BYTES; i++) {
        uint8_t byte = (uint8_t)i;
        CHECK_EQ(write(ends[1], &byte, 1), 1);
        if (i % 500 == 0)
            usleep(1000);
    }
    CHECK_OK(close(ends[1]));
    return argument;
}

static void one_waits_while_others_run(void)
{
    pthread_t threads[3];
    CHECK_OK(pipe(ends));
    CHECK_EQ(pthread_create(&threads[0], NULL, compute, NULL), 0);
    CHECK_EQ(pthread_create(&threads[1], NULL, read_all, NULL), 0);
    while (computed == 0)
        sched_yield();
    CHECK_EQ(got, 0);
    CHECK_EQ(pthread_create(&threads[2], NULL, write_all, NULL), 0);
    CHECK_EQ(pthread_join(threads[2], NULL), 0);
    CHECK_EQ(pthread_join(threads[1], NULL), 0);
    CHECK_EQ(got, BYTES);
    stop = true;
    CHECK_EQ(pthread_join(threads[0], NULL), 0);
    CHECK_OK(close(ends[0]));
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static sem_t is_held, end_it;
static unsigned handled;

static void *hold(void *argument)
{
    CHECK_EQ(pthread_mutex_lock(&held), 0);
    CHECK_OK(sem_post(&is_held));
    CHECK_OK(sem_wait(&end_it));
    CHECK_EQ(pthread_mutex_unlock(&held), 0);
    return argument;
}

static void before(void)
{
    handled += 1;
}

static void in_parent(void)
{
    handled += 10;
}

static void in_child(void)
{
    handled += 100;
}

/* Ends with 0 if the child is as it should be. */
static _Noreturn void be_child(void)
{
    pthread_t thread;
    uint64_t before_ = computed;
    CHECK_EQ(handled, 101);
    CHECK_EQ(thread_count(), 1);
    CHECK_EQ(pthread_mutex_lock(&held), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_unlock(&held), 0);
    sched_yield();
    CHECK_EQ(computed, before_); /* nobody computes here */
    CHECK_EQ(pthread_create(&thread, NULL, compute, NULL), 0);
    while (computed == before_) /* slices preempt here, too */
        ;
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    _exit(7);
}

static void a_child_has_one_thread(void)
{
    pthread_t holder, computer;
    int status;
    stop = false;
    CHECK_OK(sem_init(&is_held, 0, 0));
    CHECK_OK(sem_init(&end_it, 0, 0));
    CHECK_EQ(pthread_atfork(before, in_parent, in_child), 0);
    CHECK_EQ(pthread_create(&holder, NULL, hold, NULL), 0);
    CHECK_EQ(pthread_create(&computer, NULL, compute, NULL), 0);
    CHECK_OK(sem_wait(&is_held));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        be_child();
    CHECK_EQ(handled, 11);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK_EQ(pthread_mutex_trylock(&held), EBUSY);
    CHECK_OK(sem_post(&end_it));
    stop = true;
    CHECK_EQ(pthread_join(holder, NULL), 0);
    CHECK_EQ(pthread_join(computer, NULL), 0);
}

/* Many times, each while other threads are somewhere else. */
static void again_and_again(void)
{
    pthread_t computers[3];
    stop = false;
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&computers[i], NULL, compute, NULL), 0);
    for (int i = 0; i < 20; i++) {
        int status;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(thread_count() == 1 ? i : 99);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == i);
    }
    stop = true;
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(computers[i], NULL), 0);
}

/*
 * Makes each page that a fork's child would get as a copy that is due one here as well: all that
 * can be written but the stack and what is resident (EXOS_HOT).
 */
static void make_all_due(void)
{
    for (const struct vm_region *r = vm_region_next(0); r; r = vm_region_next(r->end)) {
        if (r->inherit != VM_COPY || r->kind == VM_STACK || !(r->prot & AEGIS_PROT_WRITE))
            continue;
        for (uint64_t va = r->start; (va = vm_next_present(va, r->end)) < r->end;
             va += AEGIS_PAGE_SIZE)
            aegis_protect(0, va, 1, AEGIS_PROT_READ);
    }
}

static volatile uint64_t some_data[3 * AEGIS_PAGE_SIZE / 8]; /* at least a page of its own */
static uint64_t handled_in_slices;

/* What happens while nothing stores here but what ends and begins slices, on the stack of a
 * handler: its frame, and theirs, leave one for a fault. */
static bool sleep_of_slices(struct upcall_context *at)
{
    uint64_t handled = upcall_count(), slices = slice_ends(), deadline = test_deadline();
    while (slice_ends() < slices + 3 && time_now() < deadline)
        ;
    handled = upcall_count() - handled;
    bool enough = slice_ends() >= slices + 3;
    handled_in_slices = enough ? handled : UINT64_MAX;
    at->pc += 4;
    return true;
}

/*
 * Handlers of faults may run when a process has all its memory as copies that are due, and slices
 * end while they do: then there may be no frame left for another fault. So what either writes to is
 * resident, whatever else the program has happened to write before.
 */
static void what_handlers_write_to_is_there(void)
{
    int status;
    pid_t pid = fork(); /* from now on a store to a page that can't be written makes a copy */
    if (pid == 0)
        _exit(0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    upcall_handler before = upcall_set(UPCALL_BREAKPOINT, sleep_of_slices);

    make_all_due();
    uint64_t handled = upcall_count();
    some_data[AEGIS_PAGE_SIZE / 8] = 1;
    CHECK_EQ(upcall_count() - handled, 1); /* and none within that */

    make_all_due();
    __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "memory");
    CHECK_EQ(handled_in_slices, 0);
    upcall_set(UPCALL_BREAKPOINT, before);
}

/* With the other's, more predicates than the kernel takes at a time; then they are fewer again. */
static void *wait_for_nothing(void *argument)
{
    static uint64_t words[EXOS_WAIT_MAX];
    struct aegis_predicate when[EXOS_WAIT_MAX];

    for (size_t i = 0; i < EXOS_WAIT_MAX; i++)
        when[i] = AEGIS_WHEN(words[i], NE, 0);
    CHECK_EQ(exos_wait(when, EXOS_WAIT_MAX, time_after(*(uint64_t *)argument)), EXOS_WAIT_MAX);
    return argument;
}

static void an_end_is_seen_when_fewer_wait(void)
{
    for (uint64_t ns = 1500000; ns < 8000000; ns += 1000000) {
        pthread_t thread;
        pid_t pid = fork();
        if (pid == 0) {
            usleep(20000);
            _exit(0);
        }
        CHECK_EQ(pthread_create(&thread, NULL, wait_for_nothing, &ns), 0);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

int main(void)
{
    what_handlers_write_to_is_there();
    one_waits_while_others_run();
    an_end_is_seen_when_fewer_wait();
    a_child_has_one_thread();
    again_and_again();
    return 0;
}
