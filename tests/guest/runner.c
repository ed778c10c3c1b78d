/*
 * The first program of the test archive, in the agent's place: runs each test in an environment of
 * its own, one after the other, and prints on the log "PASS name" or "FAIL name: why", then "DONE",
 * and ends the machine with status 0 if all passed, else 1. Boot argument tests=NAME,NAME...: only
 * these; limit=SECONDS: what a test may take.
 */
#include <stdio.h>
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "test.h"

static const char *const tests[] = {
#define TEST(name) #name,
#include "tests.def"
#undef TEST
};

/* Children that a failed test has left belong to its owner, this program. */
static void end_orphans(void)
{
    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        if (env != exos.env && aegis_env(env)->owner == exos.env) {
            struct aegis_predicate ended = aegis_when_ended(env);
            aegis_env_end(env, 0);
            aegis_wait(&ended, 1, AEGIS_FOREVER);
            aegis_env_free(env);
        }
}

/* Those that start netd, which needs the interface. */
static bool gets_root(const char *name)
{
    return aegis_info()->netif_count && (!strcmp(name, "ports") || !strcmp(name, "sockets"));
}

/* Runs one and puts into why how it failed; empty if it passed. */
static void run(const char *name, const struct aegis_cap *caps, char why[TEST_WHY_SIZE])
{
    char *const argv[] = {(char *)(uintptr_t)name, NULL};
    struct proc_options options = {
        .name = name, .argc = 1, .argv = argv, .caps = caps, .cap_count = TEST_CAPS};
    uint64_t before = aegis_info()->free_pages;
    struct proc proc;
    struct proc_status status;
    char text[128], said[TEST_WHY_SIZE] = "";

    why[0] = 0;
    int64_t error = proc_create(&proc, &options);
    if (error == 0 && gets_root(name))
        aegis_net_give(aegis_info()->netifs[0].root, proc.env); /* and back when it ends */
    if (error == 0)
        error = proc_start(&proc);
    if (error < 0) {
        snprintf(why, TEST_WHY_SIZE, "%s", proc_strerror(error));
        return;
    }
    struct aegis_predicate ended = aegis_when_ended(proc.env);
    bool late = aegis_wait(&ended, 1, time_after(test_limit() * 1000000000)) != 0;
    if (late)
        proc_kill(&proc, 0);
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    strncat(said, test_why(proc.start), sizeof said - 1);
    proc_wait(&proc, &status, AEGIS_FOREVER);
    end_orphans();
    int64_t lost = (int64_t)(before - aegis_info()->free_pages);
    if (late || status.reason != AEGIS_EXIT_STATUS || status.value != 0)
        snprintf(why, TEST_WHY_SIZE, "%s%s%s%s", late ? "ran out of time: " : "", said,
                 *said ? ": " : "", proc_describe(&status, text, sizeof text));
    else if (lost)
        snprintf(why, TEST_WHY_SIZE, "%lld pages are lost", (long long)lost);
}

/* Its use is bound by a capability for all of it, and by no other. */
static void check_console_bind(bool absent, char why[TEST_WHY_SIZE])
{
    const uint32_t both = AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE;
    struct aegis_cap caps[4] = {0}; /* forged, of another kind, of too few rights, right */
    const int64_t wanted[] = {-AEGIS_E_CAPABILITY, -AEGIS_E_CAPABILITY, -AEGIS_E_RIGHTS,
                              absent ? -AEGIS_E_NO_DEVICE : 0};

    aegis_cap_mint(AEGIS_KIND_MACHINE, 0, AEGIS_RIGHT_CONTROL, &caps[1]);
    aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ, &caps[2]);
    aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, both, &caps[3]);
    caps[0] = caps[3];
    caps[0].mac ^= 1;
    for (size_t i = 0; i < 4; i++) {
        int64_t got = aegis_console_bind(&caps[i]);
        if (got != wanted[i])
            snprintf(why, TEST_WHY_SIZE, "console_bind, capability %u: %s", (unsigned)i,
                     aegis_error_name(got));
    }
}

/*
 * What only this program may try, since the console is its own: each bad address gets ADDRESS,
 * whether the kernel would read there or write; without a console, NO_DEVICE.
 */
static void console(char why[TEST_WHY_SIZE])
{
    const uint64_t bad[] = {0,
                            0x7000,
                            (uint64_t)run & ~7UL,
                            AEGIS_EXPOSED_BASE,
                            AEGIS_USER_END - 8,
                            0xffffffff80200000,
                            UINT64_MAX - 7};
    int64_t wanted = aegis_console_write("", 0) < 0 ? -AEGIS_E_NO_DEVICE : -AEGIS_E_ADDRESS;
    why[0] = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool readable = bad[i] == ((uint64_t)run & ~7UL) || bad[i] == AEGIS_EXPOSED_BASE;
        int64_t got = aegis_console_read((void *)bad[i], 16);
        if (got == wanted && !readable)
            got = aegis_console_write((const void *)bad[i], 16);
        if (got != wanted)
            snprintf(why, TEST_WHY_SIZE, "at 0x%llx: %s", (unsigned long long)bad[i],
                     aegis_error_name(got));
    }
    check_console_bind(wanted == -AEGIS_E_NO_DEVICE, why);
    if (aegis_console_read(why, UINT64_MAX) !=
        (wanted == -AEGIS_E_ADDRESS ? -AEGIS_E_RANGE : wanted))
        strcpy(why, "a length beyond all bounds");
}

/* Prints how a test ended; returns whether it failed. */
static bool report(const char *name, const char *why)
{
    if (*why)
        printf("FAIL %s: %s\n", name, why);
    else
        printf("PASS %s\n", name);
    return *why != 0;
}

/* Whether the boot arguments ask for a test. */
static bool is_wanted(const char *name)
{
    char arguments[AEGIS_BOOTARGS_SIZE + 1] = "", *rest;

    for (size_t i = 0; i < AEGIS_BOOTARGS_SIZE; i++)
        arguments[i] = aegis_info()->bootargs[i];
    char *list = strstr(arguments, "tests=");
    if (!list)
        return true;
    for (char *asked = strtok_r(list + 6, ", ", &rest); asked; asked = strtok_r(NULL, ", ", &rest))
        if (!strcmp(asked, name))
            return true;
    return false;
}

int main(void)
{
    struct aegis_cap caps[TEST_CAPS] = {0};
    char why[TEST_WHY_SIZE];
    unsigned failed = 0;

    aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE,
                   &caps[TEST_CAP_CONSOLE]);
    if (aegis_info()->netif_count) {
        uint32_t root = aegis_info()->netifs[0].root;
        aegis_cap_mint(AEGIS_KIND_BINDING, root, AEGIS_RIGHT_DELEGATE, &caps[TEST_CAP_ROOT]);
        aegis_cap_mint(AEGIS_KIND_BINDING, root, AEGIS_RIGHT_MONITOR, &caps[TEST_CAP_MONITOR]);
    }
    aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netif_count, AEGIS_RIGHT_DELEGATE,
                   &caps[TEST_CAP_LOOP]);
    if (aegis_info()->disk_count)
        aegis_cap_mint(AEGIS_KIND_EXTENT, aegis_info()->disks[0].extents,
                       AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE | AEGIS_RIGHT_DELEGATE,
                       &caps[TEST_CAP_DISK]);
    run("nothing", caps, why); /* this program's own heap gets its size before pages are counted */
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (!is_wanted(tests[i]))
            continue;
        run(tests[i], caps, why);
        failed += report(tests[i], why);
    }
    console(why); /* examples has had it, and it has come back */
    failed += report("console", why);
    printf("DONE %u tests, %u failed\n", (unsigned)(sizeof tests / sizeof *tests) + 1, failed);
    aegis_shutdown(failed ? 1 : 0);
}
