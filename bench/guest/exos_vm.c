/*
 * Rows of group vm that only ExOS has: what the hardware noted in a PTE, read by its owner; and
 * page tables of the program's own (an inverted one, examples/apps/inverted.c) beside the
 * hardware's, for pages that lie side by side and pages that lie 4 MiB apart.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include "bench/guest/measure.h"
#include "bench/guest/port.h"
#include "examples/apps/inverted.h"
#include "libos/vm/internal.h"
#include "libos/vm/table.h"
#include "libos/vm/vm.h"

static uint64_t run_dirty(uint64_t n)
{
    static volatile char *page;
    uint64_t clean = 0;
    if (!page)
        page = vm_alloc(1, VM_READ_WRITE);
    if (!page)
        exit(1);
    *page = 1;
    uint64_t total = COUNT_LOOP(n, {
        const void *at = (const void *)page;
        __asm__ volatile("" : "+r"(at)); /* as if it were another page each time */
        clean |= !vm_dirty(at);
    });
    if (clean)
        exit(1);
    return total;
}

#define PAGES  128
#define DENSE  1UL
#define SPARSE 1024UL /* pages from one to the next */

struct space {
    uint64_t apart;
    const struct vm_table *table; /* NULL: the hardware's */
    char *at;
};

static void make(struct space *s)
{
    size_t bytes = PAGES * s->apart * PAGE_SIZE;
    s->at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (s->at == MAP_FAILED || (s->table && vm_set_table(s->at, PAGES * s->apart, s->table) != 0))
        exit(1);
}

/* Each page is touched for the first time, its page tables included. */
static uint64_t touch(const struct space *s)
{
    uint64_t start = instructions();
    for (uint64_t i = 0; i < PAGES; i++)
        *(volatile char *)(s->at + i * s->apart * PAGE_SIZE) = 1;
    return instructions() - start - READ_COST;
}

static uint64_t look_up(const struct space *s)
{
    uint64_t found = 0, ppn, start = instructions();
    for (uint64_t i = 0; i < PAGES; i++) {
        const char *page = s->at + i * s->apart * PAGE_SIZE;
        if (s->table)
            found += s->table->lookup(s->table->state, (uint64_t)page, &ppn);
        else
            found += vm_pte(page) & AEGIS_PTE_VALID;
    }
    uint64_t total = instructions() - start - READ_COST;
    if (found != PAGES)
        exit(1);
    return total;
}

enum what { FIRST, LOOK_UP, REFILL };

/* Instructions a page, times n; munmap and what a row doesn't count come after and before. */
static uint64_t run_space(uint64_t n, uint64_t apart, bool inverted, enum what what)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct space s = {.apart = apart, .table = inverted ? inverted_make(PAGES) : NULL};
        make(&s);
        uint64_t first = touch(&s);
        if (what == LOOK_UP) {
            total += look_up(&s);
        } else if (what == REFILL) {
            vm_flush(s.at, PAGES * apart);
            total += touch(&s);
        } else {
            total += first;
        }
        munmap(s.at, PAGES * apart * PAGE_SIZE);
        vm_flush(s.at, PAGES * apart); /* the next one takes its tables anew */
        if (s.table)
            inverted_free(s.table);
    }
    return total / PAGES;
}

#define ROW(function, apart, inverted, what)                                                       \
    static uint64_t function(uint64_t n)                                                           \
    {                                                                                              \
        return run_space(n, apart, inverted, what);                                                \
    }
ROW(first_hardware_dense, DENSE, false, FIRST)
ROW(first_hardware_sparse, SPARSE, false, FIRST)
ROW(first_inverted_dense, DENSE, true, FIRST)
ROW(first_inverted_sparse, SPARSE, true, FIRST)
ROW(look_up_hardware_dense, DENSE, false, LOOK_UP)
ROW(look_up_hardware_sparse, SPARSE, false, LOOK_UP)
ROW(look_up_inverted_dense, DENSE, true, LOOK_UP)
ROW(look_up_inverted_sparse, SPARSE, true, LOOK_UP)
ROW(refill_inverted_dense, DENSE, true, REFILL)
ROW(refill_inverted_sparse, SPARSE, true, REFILL)

const struct row exos_vm_rows[] = {{"vm", "dirty", 100, run_dirty},
                                   {"vm", "first_hardware_dense", 1, first_hardware_dense},
                                   {"vm", "first_hardware_sparse", 1, first_hardware_sparse},
                                   {"vm", "first_inverted_dense", 1, first_inverted_dense},
                                   {"vm", "first_inverted_sparse", 1, first_inverted_sparse},
                                   {"vm", "lookup_hardware_dense", 1, look_up_hardware_dense},
                                   {"vm", "lookup_hardware_sparse", 1, look_up_hardware_sparse},
                                   {"vm", "lookup_inverted_dense", 1, look_up_inverted_dense},
                                   {"vm", "lookup_inverted_sparse", 1, look_up_inverted_sparse},
                                   {"vm", "refill_inverted_dense", 1, refill_inverted_dense},
                                   {"vm", "refill_inverted_sparse", 1, refill_inverted_sparse},
                                   {0}};
