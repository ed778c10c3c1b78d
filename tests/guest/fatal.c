/*
 * An exception that nobody handles ends the program that took it, with the cause on record, and
 * nobody else. The kernel's log names the program: tests/system looks for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/proc/proc.h"
#include "libos/upcall/upcall.h"
#include "test.h"

static bool decline(struct upcall_context *c)
{
    (void)c;
    return false;
}

static bool fault_for_ever(struct upcall_context *c)
{
    (void)c;
    __asm__ volatile("c.ebreak");
    return true;
}

static void null_load(void)
{
    __asm__ volatile("ld a0, 0(zero)" ::: "a0");
}

static void null_store(void)
{
    __asm__ volatile("sd zero, 8(zero)");
}

static void illegal(void)
{
    __asm__ volatile(".4byte 0");
}

static void declined(void)
{
    upcall_set(UPCALL_BREAKPOINT, decline);
    __asm__ volatile("c.ebreak");
}

static void too_deep(void)
{
    upcall_set(UPCALL_BREAKPOINT, fault_for_ever);
    __asm__ volatile("c.ebreak");
}

static void foreign(void)
{
    __asm__ volatile("li a7, 93\n ecall" ::: "a0", "a7");
}

static void wild_depth(void)
{
    /* A depth word that the program has broken itself: the kernel bounds it. */
    static _Alignas(AEGIS_PAGE_SIZE) union {
        struct aegis_upcall_page page;
        char whole[AEGIS_PAGE_SIZE];
    } own;
    CHECK_OK(aegis_upcall_bind(&own.page, (uint64_t)wild_depth));
    own.page.depth = UINT64_MAX;
    __asm__ volatile("c.ebreak");
}

static void end_with_status(void)
{
    exit(77);
}

static void aborts(void)
{
    abort();
}

static const struct {
    const char *name;
    void (*act)(void);
    enum aegis_exit_reason reason;
    uint64_t value;
} deaths[] = {
    {"null-load", null_load, AEGIS_EXIT_EXCEPTION, UPCALL_LOAD_PAGE},
    {"null-store", null_store, AEGIS_EXIT_EXCEPTION, UPCALL_STORE_PAGE},
    {"illegal", illegal, AEGIS_EXIT_EXCEPTION, UPCALL_ILLEGAL},
    {"declined", declined, AEGIS_EXIT_EXCEPTION, UPCALL_BREAKPOINT},
    {"too-deep", too_deep, AEGIS_EXIT_DEPTH, UPCALL_BREAKPOINT},
    {"wild-depth", wild_depth, AEGIS_EXIT_DEPTH, UPCALL_BREAKPOINT},
    {"foreign", foreign, AEGIS_EXIT_EXCEPTION, UPCALL_FOREIGN},
    {"status", end_with_status, AEGIS_EXIT_STATUS, 77},
    {"abort", aborts, AEGIS_EXIT_STATUS, 134},
};
#define DEATHS (sizeof deaths / sizeof *deaths)

static struct proc_status spawn_and_wait(const char *how)
{
    char *const argv[] = {"fatal", (char *)(uintptr_t)how};
    struct proc_options options = {.name = "fatal", .argc = 2, .argv = argv};
    struct proc proc;
    struct proc_status status;
    int64_t error = proc_spawn(&proc, &options);
    if (error < 0)
        FAIL("spawn: %s", proc_strerror(error));
    CHECK_EQ(proc_wait(&proc, &status, AEGIS_FOREVER), 1);
    return status;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < DEATHS; i++)
        if (!strcmp(test_argument(argc, argv, 1), deaths[i].name)) {
            deaths[i].act();
            return 0;
        }
    for (size_t i = 0; i < DEATHS; i++) {
        struct proc_status status = spawn_and_wait(deaths[i].name);
        if (status.reason != deaths[i].reason || status.value != deaths[i].value) {
            char text[128];
            FAIL("%s: %s", deaths[i].name, proc_describe(&status, text, sizeof text));
        }
        if (status.reason == AEGIS_EXIT_EXCEPTION)
            CHECK(status.pc >= AEGIS_PROGRAM_BASE && status.pc < exos.upper);
    }
    struct proc_status status = spawn_and_wait("null-store");
    CHECK_EQ(status.address, 8);

    struct raw raw;
    RAW(&raw, foreign, 0);
    struct aegis_env_info info = raw_finish(&raw);
    CHECK_EQ(info.exit_reason, AEGIS_EXIT_EXCEPTION);
    CHECK_EQ(info.exit_value, UPCALL_FOREIGN);
    return 0;
}
