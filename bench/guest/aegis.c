/*
 * The rows on Aegis-V. This program is packed as the first one of an archive of its own, so it runs
 * alone: it measures the kernel's calls, prints on the kernel's log, and ends the machine.
 */
#include <stdio.h>
#include <string.h>
#include "bench/guest/port.h"
#include "bench/guest/rows.h"
#include "libos/proc/proc.h"
#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

volatile uint64_t port_noted;
void *volatile port_page;

static struct aegis_upcall_page upcalls __attribute__((aligned(AEGIS_PAGE_SIZE)));
static struct proc partner;

/* trap.S */
void trap_skip(void);
void trap_note(void);
void trap_unprotect(void);

static bool skip_in_c(struct upcall_light *context)
{
    context->frame->pc += 4;
    return true;
}

_Noreturn static void fail(const char *what, const char *why)
{
    char line[160];
    snprintf(line, sizeof(line), "bench: %s: %s\n", what, why);
    port_print(line);
    aegis_shutdown(1);
    for (;;)
        aegis_yield(0);
}

/* A result that must be none of the errors. */
static uint64_t must(int64_t status, const char *what)
{
    if (status < 0)
        fail(what, aegis_strerror(status));
    return (uint64_t)status;
}

void port_handle(enum port_handler handler)
{
    static void (*const functions[])(void) = {
        [PORT_SKIP] = trap_skip, [PORT_NOTE] = trap_note, [PORT_UNPROTECT] = trap_unprotect};
    if (handler == PORT_SKIP_C) { /* as the library does it */
        upcall_set_light(UPCALL_BREAKPOINT, skip_in_c);
        must(upcall_bind(), "upcall_bind");
        return;
    }
    must(aegis_upcall_bind(&upcalls, (uint64_t)(uintptr_t)functions[handler]), "upcall_bind");
}

void *port_pages(uint64_t count)
{
    void *pages = vm_alloc(count, VM_READ_WRITE);
    must(pages ? 0 : -AEGIS_E_NO_PAGE, "vm_alloc");
    return pages;
}

_Noreturn void port_failed(const char *what, int64_t status)
{
    fail(what, aegis_strerror(status));
}

void port_print(const char *line)
{
    aegis_log(line, strlen(line));
}

/* The partner gives the slice back as soon as it gets it (partner.c); both save the registers that
 * they use. */
static uint64_t run_yield(uint64_t n)
{
    return COUNT_LOOP(n, aegis_yield_bare(partner.env));
}

#define GATE 0 /* index of the gate to the partner that serves */

/* Starts one that serves, and opens a gate to it; returns its number once it accepts. */
static uint32_t spawn_server(void)
{
    char *const arguments[] = {"partner", "serve"};
    const struct aegis_cap none = {0};
    const struct proc_options options = {
        .name = "partner", .argc = 2, .argv = arguments, .caps = &none, .cap_count = 1};
    struct proc server;
    int64_t result = -AEGIS_E_BUSY;
    must(proc_spawn(&server, &options), "partner");
    struct aegis_predicate ready = AEGIS_WHEN(server.start->caps[0].name, NE, 0);
    aegis_wait(&ready, 1, AEGIS_FOREVER);
    must(aegis_gate_bind(GATE, &server.start->caps[0]), "gate_bind");
    while (result == -AEGIS_E_BUSY || result == -AEGIS_E_TIME) {
        aegis_yield(0);
        result = aegis_gate_call(GATE);
    }
    return (uint32_t)must(result, "gate_call");
}

/*
 * The calls alone, from register to register: the partner's entry is nothing but its gate_return.
 * Whoever has registers to save saves them: that depends on what it trusts the other with.
 */
static uint64_t run_transfer(uint64_t n)
{
    static uint32_t server;
    if (!server)
        server = spawn_server();
    aegis_yield(0); /* a slice of its own for each run: none is refused for lack of time */
    uint64_t total = COUNT_LOOP(n, {
        __asm__ volatile("li a0, %0\n"
                         "li a7, %1\n"
                         "ecall" ::"i"(GATE),
                         "i"(AEGIS_CALL_gate_call)
                         : "a0", "a7", "t0", "memory");
    });
    must(aegis_gate_call(GATE) == server ? 0 : -AEGIS_E_STATE, "gate_call");
    return total;
}

/* An address that is mapped by nobody but has its page tables: what page_cycle maps at. */
static uint64_t run_page_cycle(uint64_t n)
{
    static uint64_t va;
    if (!va) {
        va = (uint64_t)(uintptr_t)vm_reserve(1);
        must(va ? 0 : -AEGIS_E_NO_PAGE, "vm_reserve");
        uint64_t ppn = must(aegis_page_alloc(AEGIS_ANY), "page_alloc");
        must(vm_map(0, va, ppn, VM_READ_WRITE, NULL), "vm_map");
        must(aegis_unmap(0, va, 1), "unmap");
        must(aegis_page_free(ppn), "page_free");
    }
    int64_t ppn = 0, failed = 0;
    uint64_t total = COUNT_LOOP(n, {
        ppn = aegis_page_alloc(AEGIS_ANY);
        failed |= aegis_map(0, va, (uint64_t)ppn, VM_READ_WRITE, NULL);
        failed |= aegis_unmap(0, va, 1);
        failed |= aegis_page_free((uint64_t)ppn);
    });
    must(ppn, "page_alloc");
    must(failed, "map, unmap or page_free");
    return total;
}

/* A page whose PTE can be read in the window: tables are donated for it once. */
static uint64_t run_dirty(uint64_t n)
{
    static volatile char *page;
    if (!page) {
        page = port_pages(1);
        must(upcall_bind(),
             "upcall_bind"); /* the library makes the window's tables at the first look */
        vm_dirty((const void *)page);
    }
    *page = 1;
    uint64_t clean = 0;
    uint64_t total = COUNT_LOOP(n, {
        uint64_t va = (uint64_t)(uintptr_t)page;
        __asm__ volatile("" : "+r"(va)); /* as if it were another page each time */
        clean |= ~*(const volatile uint64_t *)AEGIS_WINDOW_PTE(va) & AEGIS_PTE_DIRTY;
    });
    must(clean ? -AEGIS_E_STATE : 0, "the window");
    return total;
}

#define REVOKED 100

#define REVOKED 100
#define IDLE    (AEGIS_REVOKE_SECONDS * 1000000000UL)

/* Spawns a program that holds pages and sleeps; nobody else runs then. */
static struct proc spawn_holder(const char *how)
{
    char *const arguments[] = {"partner", (char *)how};
    const struct aegis_cap none = {0};
    const struct proc_options options = {
        .name = "partner", .argc = 2, .argv = arguments, .caps = &none, .cap_count = 1};
    struct proc_status status;
    struct proc holder;
    if (partner.env) {
        proc_kill(&partner, 0);
        proc_wait(&partner, &status, AEGIS_FOREVER);
    }
    must(proc_spawn(&holder, &options), "partner");
    struct aegis_predicate ready = AEGIS_WHEN(holder.start->caps[0].name, NE, 0);
    aegis_wait(&ready, 1, AEGIS_FOREVER);
    aegis_yield(0); /* it sleeps when this returns */
    return holder;
}

/*
 * Asks for pages, and waits until they are there. Returns the instructions until this program has
 * its slice again, which is after the other's answer, in *asking, and all of them. Under icount an
 * idle nanosecond counts like an instruction.
 */
static uint64_t revoke_pages(const char *how, uint64_t *asking)
{
    struct proc holder = spawn_holder(how);
    struct proc_status status;
    struct aegis_predicate there = AEGIS_WHEN(aegis_env(holder.env)->revoking, EQ, 0);
    uint64_t pages = aegis_env(holder.env)->pages, before = instructions();
    int64_t error = aegis_revoke(holder.env, AEGIS_KIND_PAGE, REVOKED);
    aegis_yield(0);
    *asking = instructions() - before - READ_COST;
    aegis_wait(&there, 1, AEGIS_FOREVER);
    uint64_t all = instructions() - before - 2 * READ_COST;
    must(error, "revoke");
    must(pages - aegis_env(holder.env)->pages == REVOKED ? 0 : -AEGIS_E_STATE, "revoke");
    proc_kill(&holder, 0);
    proc_wait(&holder, &status, AEGIS_FOREVER);
    return all;
}

/*
 * Visible, and of no use: the program keeps its pages and loses them when the deadline is over. The
 * kernel's instructions, but for the call's stubs and some 150 of the program's handler; the time
 * between the answer and the deadline is taken off.
 */
static uint64_t run_revoke(uint64_t n)
{
    uint64_t total = 0, asking;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t all = revoke_pages("keep", &asking);
        total += asking + all - IDLE;
    }
    return total;
}

/* The same without the asking: what invisible revocation would be. */
static uint64_t run_take(uint64_t n)
{
    uint64_t total = 0, asking;
    for (uint64_t i = 0; i < n; i++)
        total += revoke_pages("keep", &asking) - IDLE;
    return total;
}

/* Visible, and answered: the program unmaps a hundred pages of its choice and frees them. */
static uint64_t run_give(uint64_t n)
{
    uint64_t total = 0, asking;
    for (uint64_t i = 0; i < n; i++)
        total += revoke_pages("give", &asking);
    return total;
}

const struct row port_rows[] = {
    {"kernel", "yield_roundtrip", 100, run_yield}, {"kernel", "pct_roundtrip", 100, run_transfer},
    {"kernel", "page_cycle", 100, run_page_cycle}, {"kernel", "dirty", 100, run_dirty},
    {"kernel", "revoke_100", 1, run_revoke},       {"kernel", "revoke_100_invisible", 1, run_take},
    {"kernel", "revoke_100_given", 1, run_give},
};
const uint64_t port_row_count = sizeof(port_rows) / sizeof(port_rows[0]);

int main(void)
{
    const struct proc_options options = {.name = "partner"};
    int64_t status = proc_spawn(&partner, &options);
    if (status < 0)
        fail("partner", proc_strerror(status));
    measure_rows(rows, row_count);
    measure_rows(port_rows, port_row_count);
    port_print("bench: rows done\n");
    aegis_shutdown(0);
    return 0;
}
