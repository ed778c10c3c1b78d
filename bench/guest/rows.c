/*
 * The rows of group kernel that any system has: null call, exceptions, protection.
 */
#include "bench/guest/port.h"
#include "bench/guest/rows.h"

#define MANY 100 /* pages of prot100 and unprot100 */

/* 4 bytes long also where compressed instructions are allowed: handlers skip by 4. */
#define BREAKPOINT()                                                                               \
    __asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "memory")

/* An opcode for extensions that nobody has (custom-0), as one traps that a library emulates; and a
 * write to a register that may be read: OpenSBI, which sees illegal instructions first, looks
 * whether it should emulate that itself. */
#define ILLEGAL()     __asm__ volatile(".word 0x0000000b" ::: "memory")
#define ILLEGAL_CSR() __asm__ volatile(".word 0xc0001073 # a write to cycle" ::: "memory")

/* A call may change what a function may (psABI); naming its number is counted as part of it. */
static uint64_t run_null(uint64_t n)
{
    return COUNT_LOOP(n, __asm__ volatile("li a7, %0\n"
                                          "ecall" ::"i"(PORT_NULL_CALL)
                                          : "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0",
                                            "t1", "t2", "t3", "t4", "t5", "t6", "memory"));
}

/*
 * The counter is read right before the instruction that traps; counted are that instruction and
 * what follows until the handler's first.
 */
static uint64_t run_entry(uint64_t n)
{
    uint64_t total = 0;
    port_handle(PORT_NOTE);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t before = instructions();
        BREAKPOINT();
        total += port_noted - before - READ_COST;
    }
    return total;
}

static uint64_t run_roundtrip(uint64_t n)
{
    port_handle(PORT_SKIP);
    return COUNT_LOOP(n, BREAKPOINT());
}

static uint64_t run_roundtrip_c(uint64_t n)
{
    port_handle(PORT_SKIP_C);
    return COUNT_LOOP(n, BREAKPOINT());
}

static uint64_t run_illegal(uint64_t n)
{
    port_handle(PORT_SKIP);
    return COUNT_LOOP(n, ILLEGAL());
}

static uint64_t run_illegal_csr(uint64_t n)
{
    port_handle(PORT_SKIP);
    return COUNT_LOOP(n, ILLEGAL_CSR());
}

static char *pages(void)
{
    static char *mapped;
    if (!mapped)
        mapped = port_pages(MANY);
    return mapped;
}

/* Instructions of protecting count pages n times; each time they are made writable again,
 * uncounted. */
static uint64_t count_protect(uint64_t n, uint64_t count, bool writable)
{
    char *first = pages();
    uint64_t total = 0;
    for (uint64_t i = 0; i < n; i++) {
        port_protect(first, count, !writable);
        uint64_t before = instructions();
        port_protect(first, count, writable);
        total += instructions() - before - READ_COST;
    }
    port_protect(first, count, true);
    return total;
}

static uint64_t run_protect_1(uint64_t n)
{
    return count_protect(n, 1, false);
}

static uint64_t run_protect_100(uint64_t n)
{
    return count_protect(n, MANY, false);
}

static uint64_t run_unprotect_100(uint64_t n)
{
    return count_protect(n, MANY, true);
}

static uint64_t run_fault(uint64_t n)
{
    volatile char *page = pages();
    uint64_t total = 0;
    port_handle(PORT_UNPROTECT);
    port_page = (void *)page;
    for (uint64_t i = 0; i < n; i++) {
        port_protect((void *)page, 1, false);
        uint64_t before = instructions();
        *page = 1;
        total += instructions() - before - READ_COST;
    }
    return total;
}

const struct row rows[] = {
    {"kernel", "null_syscall", 100, run_null},
    {"kernel", "exception_entry", 100, run_entry},
    {"kernel", "exception_roundtrip", 100, run_roundtrip},
    {"kernel", "exception_roundtrip_c", 100, run_roundtrip_c},
    {"kernel", "illegal_roundtrip", 100, run_illegal},
    {"kernel", "illegal_csr_roundtrip", 100, run_illegal_csr},
    {"kernel", "prot1", 100, run_protect_1},
    {"kernel", "prot100", 20, run_protect_100},
    {"kernel", "unprot100", 20, run_unprotect_100},
    {"kernel", "fault", 100, run_fault},
};
const uint64_t row_count = sizeof(rows) / sizeof(rows[0]);
