/*
 * Group vm: virtual memory as a program sees it (Engler, Kaashoek, O'Toole 1995, table 10; Appel
 * and Li, "Virtual Memory Primitives for User Programs", ASPLOS 1991; Bershad et al. 1995, table
 * 4). Faults go to a handler that the program sets: of a region on ExOS, of SIGSEGV elsewhere.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"

#if !defined(__linux__)
#include "libos/vm/vm.h"
#endif

#define MANY 100 /* pages */

static char *pages; /* MANY of them, touched */
static volatile uint64_t noted;
static char *volatile next_page; /* what the handler protects, if it is to protect any */

_Noreturn static void failed(const char *what)
{
    port_print("bench: vm: ");
    port_print(what);
    port_print(" failed\n");
    exit(1);
}

static void protect(char *page, uint64_t count, int prot)
{
    if (mprotect(page, count * PAGE_SIZE, prot) != 0)
        failed("mprotect");
}

/* The page may be written to again, and another perhaps not. */
static __attribute__((noinline)) bool resolve(uint64_t address)
{
    protect((char *)(address & ~(PAGE_SIZE - 1)), 1, PROT_READ | PROT_WRITE);
    if (next_page)
        protect(next_page, 1, PROT_READ);
    return true;
}

#if defined(__linux__)
static void on_signal(int number, siginfo_t *info, void *context)
{
    noted = instructions();
    (void)number, (void)context;
    resolve((uint64_t)info->si_addr);
}

static void handle_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSEGV, &action, NULL) != 0)
        failed("sigaction");
}
#else
static bool on_fault(void *context, uint64_t address, uint32_t access, struct upcall_light *at)
{
    noted = instructions();
    (void)context, (void)access, (void)at;
    return resolve(address);
}

static void handle_faults(void)
{
    if (vm_set_handler(pages, MANY, on_fault, NULL) != 0)
        failed("vm_set_handler");
}
#endif

/* The pages as each row begins: writable, touched, faults handled. */
static char *ready(void)
{
    if (!pages) {
        pages = mmap(NULL, MANY * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                     -1, 0);
        if (pages == MAP_FAILED)
            failed("mmap");
        for (uint64_t i = 0; i < MANY; i++)
            pages[i * PAGE_SIZE] = 1;
        handle_faults();
    }
    next_page = NULL;
    return pages;
}

/* The page of number i in an order that jumps about. */
static char *jump(uint64_t i)
{
    return pages + i * 37 % MANY * PAGE_SIZE;
}

static uint64_t count_protect(uint64_t n, uint64_t count, int before, int then)
{
    char *first = ready();
    uint64_t total = 0;
    for (uint64_t i = 0; i < n; i++) {
        protect(first, count, before);
        uint64_t start = instructions();
        protect(first, count, then);
        total += instructions() - start - READ_COST;
    }
    protect(first, count, PROT_READ | PROT_WRITE);
    return total;
}

static uint64_t run_protect_1(uint64_t n)
{
    return count_protect(n, 1, PROT_READ | PROT_WRITE, PROT_READ);
}

static uint64_t run_protect_100(uint64_t n)
{
    return count_protect(n, MANY, PROT_READ | PROT_WRITE, PROT_READ);
}

static uint64_t run_unprotect_100(uint64_t n)
{
    return count_protect(n, MANY, PROT_READ, PROT_READ | PROT_WRITE);
}

/* From the store to the handler's first instruction. */
static uint64_t run_trap(uint64_t n)
{
    volatile char *page = ready();
    uint64_t total = 0;
    for (uint64_t i = 0; i < n; i++) {
        protect((char *)page, 1, PROT_READ);
        uint64_t start = instructions();
        *page = 1;
        total += noted - start - READ_COST;
    }
    return total;
}

/* From the store until it is done, the page unprotected by the handler. */
static uint64_t run_fault(uint64_t n)
{
    volatile char *page = ready();
    uint64_t total = 0;
    for (uint64_t i = 0; i < n; i++) {
        protect((char *)page, 1, PROT_READ);
        uint64_t start = instructions();
        *page = 1;
        total += instructions() - start - READ_COST;
    }
    return total;
}

/* Appel and Li's prot1 + trap + unprot. */
static uint64_t run_appel_1(uint64_t n)
{
    char *first = ready();
    uint64_t total = 0;
    protect(first, MANY, PROT_READ);
    for (uint64_t i = 0; i < n; i++) {
        volatile char *page = jump(i);
        next_page = jump(i + MANY - 1); /* unprotected the last time */
        uint64_t start = instructions();
        *page = 1;
        total += instructions() - start - READ_COST;
    }
    next_page = NULL;
    protect(first, MANY, PROT_READ | PROT_WRITE);
    return total;
}

/* Appel and Li's protN + trap + unprot, a page. */
static uint64_t run_appel_2(uint64_t n)
{
    char *first = ready();
    uint64_t total = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t start = instructions();
        protect(first, MANY, PROT_READ);
        for (uint64_t k = 0; k < MANY; k++)
            *(volatile char *)jump(k) = 1;
        total += instructions() - start - READ_COST;
    }
    return total / MANY;
}

static uint64_t run_demand_zero(uint64_t n)
{
    uint64_t total = 0;
    char *fresh =
        mmap(NULL, n * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
        failed("mmap");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t start = instructions();
        *(volatile char *)(fresh + i * PAGE_SIZE) = 1;
        total += instructions() - start - READ_COST;
    }
    if (munmap(fresh, n * PAGE_SIZE) != 0)
        failed("munmap");
    return total;
}

const struct row vm_rows[] = {{"vm", "trap", 100, run_trap},
                              {"vm", "fault", 100, run_fault},
                              {"vm", "prot1", 100, run_protect_1},
                              {"vm", "prot100", 20, run_protect_100},
                              {"vm", "unprot100", 20, run_unprotect_100},
                              {"vm", "appel1", 100, run_appel_1},
                              {"vm", "appel2", 5, run_appel_2},
                              {"vm", "demand_zero", 50, run_demand_zero},
                              {0}};
