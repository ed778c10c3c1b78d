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

static _Alignas(AEGIS_PAGE_SIZE) union {
    struct aegis_upcall_page page;
    char whole[AEGIS_PAGE_SIZE];
} own;

static void bind_own(uint64_t handler)
{
    CHECK_OK(aegis_upcall_bind(&own.page, handler));
}

/* A depth word that the program has broken itself: the kernel bounds it. */
static void wild_depth(void)
{
    bind_own((uint64_t)skip_handler);
    own.page.depth = UINT32_MAX;
    __asm__ volatile("ebreak");
}

static void full_depth(void)
{
    bind_own((uint64_t)skip_handler);
    own.page.depth = AEGIS_UPCALL_FRAMES;
    __asm__ volatile("ebreak");
}

/* Whose first instruction is an exception again. */
static void __attribute__((naked)) break_handler(void)
{
    __asm__ volatile("ebreak");
}

static void handler_breaks(void)
{
    bind_own((uint64_t)break_handler);
    __asm__ volatile("ebreak");
}

static void handler_unmapped(void)
{
    bind_own(0x6000);
    __asm__ volatile("ebreak");
}

static void handler_not_executable(void)
{
    bind_own((uint64_t)&own & ~1UL);
    __asm__ volatile("ebreak");
}

/* The kernel has its own way to the frames; the handler has none. */
static void frames_unmapped(void)
{
    bind_own((uint64_t)skip_handler);
    CHECK_OK(aegis_unmap(0, (uint64_t)&own, 1));
    __asm__ volatile("ebreak");
}

/* Handlers of the library bring their own stack, so an exception with none is one as others. */
static void bad_stack(void)
{
    upcall_set(UPCALL_STORE_PAGE, decline);
    __asm__ volatile("li sp, 0x7000\n sd zero, 8(sp)");
}

static void kernels_stack(void)
{
    upcall_set(UPCALL_STORE_PAGE, decline);
    __asm__ volatile("li sp, 0xfffffff800005000\n sd zero, -8(sp)");
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
    {"full-depth", full_depth, AEGIS_EXIT_DEPTH, UPCALL_BREAKPOINT},
    {"handler-breaks", handler_breaks, AEGIS_EXIT_DEPTH, UPCALL_BREAKPOINT},
    {"handler-unmapped", handler_unmapped, AEGIS_EXIT_DEPTH, UPCALL_FETCH_PAGE},
    {"handler-not-executable", handler_not_executable, AEGIS_EXIT_DEPTH, UPCALL_FETCH_PAGE},
    {"frames-unmapped", frames_unmapped, AEGIS_EXIT_DEPTH, UPCALL_LOAD_PAGE},
    {"bad-stack", bad_stack, AEGIS_EXIT_EXCEPTION, UPCALL_STORE_PAGE},
    {"kernels-stack", kernels_stack, AEGIS_EXIT_EXCEPTION, UPCALL_STORE_PAGE},
    {"foreign", foreign, AEGIS_EXIT_EXCEPTION, UPCALL_FOREIGN},
    {"status", end_with_status, AEGIS_EXIT_STATUS, 77},
    {"abort", aborts, AEGIS_EXIT_STATUS, 6 << 8} /* SIGABRT */,
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
    status = spawn_and_wait("handler-unmapped");
    CHECK_EQ(status.pc, 0x6000);
    CHECK_EQ(status.address, 0x6000);
    status = spawn_and_wait("frames-unmapped");
    CHECK_EQ(status.address, (uint64_t)&own.page.frames[AEGIS_UPCALL_FRAMES - 1] + 8);
    status = spawn_and_wait("bad-stack");
    CHECK_EQ(status.address, 0x7008);

    struct raw raw;
    RAW(&raw, foreign, 0);
    struct aegis_env_info info = raw_finish(&raw);
    CHECK_EQ(info.exit_reason, AEGIS_EXIT_EXCEPTION);
    CHECK_EQ(info.exit_value, UPCALL_FOREIGN);
    return 0;
}
