/*
 * The first program of the test archive, in the agent's place: runs each test in an environment of
 * its own, one after the other, and prints on the log "PASS name" or "FAIL name: why", then "DONE",
 * and ends the machine with status 0 if all passed, else 1.
 */
#include <stdio.h>
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "test.h"

#define LIMIT 60000000000UL /* ns a test */

static const char *const tests[] = {
#define TEST(name) #name,
#include "tests.def"
#undef TEST
};

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
    int64_t error = proc_spawn(&proc, &options);
    if (error < 0) {
        snprintf(why, TEST_WHY_SIZE, "%s", proc_strerror(error));
        return;
    }
    struct aegis_predicate ended = aegis_when_ended(proc.env);
    bool late = aegis_wait(&ended, 1, time_after(LIMIT)) != 0;
    if (late)
        proc_kill(&proc, 0);
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    strncat(said, test_why(proc.start), sizeof said - 1);
    proc_wait(&proc, &status, AEGIS_FOREVER);
    int64_t lost = (int64_t)(before - aegis_info()->free_pages);
    if (late || status.reason != AEGIS_EXIT_STATUS || status.value != 0)
        snprintf(why, TEST_WHY_SIZE, "%s%s%s%s", late ? "ran out of time: " : "", said,
                 *said ? ": " : "", proc_describe(&status, text, sizeof text));
    else if (lost)
        snprintf(why, TEST_WHY_SIZE, "%lld pages are lost", (long long)lost);
}

int main(void)
{
    struct aegis_cap caps[TEST_CAPS] = {0};
    char why[TEST_WHY_SIZE];
    unsigned failed = 0;

    if (aegis_info()->netif_count)
        aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[0].root, AEGIS_RIGHT_DELEGATE,
                       &caps[TEST_CAP_ROOT]);
    run("nothing", caps, why); /* this program's own heap gets its size before pages are counted */
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        run(tests[i], caps, why);
        if (*why)
            printf("FAIL %s: %s\n", tests[i], why);
        else
            printf("PASS %s\n", tests[i]);
        failed += *why != 0;
    }
    printf("DONE %u tests, %u failed\n", (unsigned)(sizeof tests / sizeof *tests), failed);
    aegis_shutdown(failed ? 1 : 0);
}
