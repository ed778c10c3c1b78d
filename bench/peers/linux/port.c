/*
 * The rows on Linux: handlers are signal handlers, protection is mprotect.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench/guest/port.h"
#include "bench/guest/rows.h"

volatile uint64_t port_noted;
void *volatile port_page;

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void skip(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    ((ucontext_t *)context)->uc_mcontext.__gregs[REG_PC] += 4;
}

static void note(int signal, siginfo_t *info, void *context)
{
    port_noted = instructions();
    skip(signal, info, context);
}

static void unprotect(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    mprotect(port_page, PAGE_SIZE, PROT_READ | PROT_WRITE);
}

void port_handle(enum port_handler handler)
{
    static void (*const functions[])(int, siginfo_t *, void *) = {
        [PORT_SKIP] = skip, [PORT_SKIP_C] = skip, [PORT_NOTE] = note, [PORT_UNPROTECT] = unprotect};
    static const int signals[] = {SIGTRAP, SIGILL, SIGSEGV};
    struct sigaction action = {.sa_sigaction = functions[handler], .sa_flags = SA_SIGINFO};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], &action, NULL) < 0)
            fail("rows: sigaction");
}

void *port_pages(uint64_t count)
{
    void *pages =
        mmap(NULL, count * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        fail("rows: mmap");
    memset(pages, 1, count * PAGE_SIZE);
    return pages;
}

void port_protect(void *page, uint64_t count, bool writable)
{
    if (mprotect(page, count * PAGE_SIZE, writable ? PROT_READ | PROT_WRITE : PROT_READ) < 0)
        fail("rows: mprotect");
}

void port_print(const char *line)
{
    if (write(1, line, strlen(line)) < 0)
        exit(1);
}

/* Two processes of one real-time priority give the processor to each other by sched_yield. */
static uint64_t run_yield(uint64_t n)
{
    struct sched_param priority = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
        fail("rows: sched_setscheduler");
    pid_t child = fork();
    if (child < 0)
        fail("rows: fork");
    if (child == 0)
        for (;;)
            sched_yield();
    sched_yield();
    uint64_t total = COUNT_LOOP(n, sched_yield());
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return total;
}

/* Mapping and unmapping a page that is touched between: nearest to allocate, map, unmap, free. */
static uint64_t run_page_cycle(uint64_t n)
{
    return COUNT_LOOP(n, {
        char *page =
            mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *(volatile char *)page = 1;
        munmap(page, PAGE_SIZE);
    });
}

/* Whether a page is mapped and dirty, as a program can learn it: its entry in /proc/self/pagemap.
 */
static uint64_t run_dirty(uint64_t n)
{
    static char *page;
    static int fd = -1;
    if (!page) {
        page = port_pages(1);
        fd = open("/proc/self/pagemap", O_RDONLY);
        if (fd < 0)
            fail("rows: /proc/self/pagemap");
    }
    uint64_t entry;
    off_t place = (off_t)((uintptr_t)page / PAGE_SIZE * sizeof(entry));
    return COUNT_LOOP(n, {
        if (pread(fd, &entry, sizeof(entry), place) != sizeof(entry))
            fail("rows: pagemap");
    });
}

const struct row port_rows[] = {
    {"kernel", "yield_roundtrip", 20, run_yield},
    {"kernel", "page_cycle", 20, run_page_cycle},
    {"kernel", "dirty", 20, run_dirty},
};
const uint64_t port_row_count = sizeof(port_rows) / sizeof(port_rows[0]);

int main(void)
{
    measure_rows(rows, row_count);
    measure_rows(port_rows, port_row_count);
    return 0;
}
