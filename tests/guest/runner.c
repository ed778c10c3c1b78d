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

static bool leaked(const char *name, uint64_t before)
{
    uint64_t now = aegis_info()->free_pages;
    if (now == before)
        return false;
    printf("FAIL %s: %lld pages are lost\n", name, (long long)(before - now));
    return true;
}

/* The program's end is its result; what it leaves in the start block is why. */
static bool run(const char *name, const struct aegis_cap *caps)
{
    char *const argv[] = {(char *)(uintptr_t)name, NULL};
    struct proc_options options = {
        .name = name, .argc = 1, .argv = argv, .caps = caps, .cap_count = TEST_CAPS};
    uint64_t before = aegis_info()->free_pages;
    struct proc proc;
    struct proc_status status;
    char why[TEST_WHY_SIZE] = "", text[128];

    int64_t error = proc_spawn(&proc, &options);
    if (error < 0) {
        printf("FAIL %s: %s\n", name, proc_strerror(error));
        return false;
    }
    struct aegis_predicate ended = aegis_when_ended(proc.env);
    if (aegis_wait(&ended, 1, time_after(LIMIT)) != 0) {
        proc_kill(&proc, 0);
        strcpy(why, "ran out of time; ");
    }
    aegis_wait(&ended, 1, AEGIS_FOREVER);
    strncat(why, test_why(proc.start), sizeof why - strlen(why) - 1);
    proc_wait(&proc, &status, AEGIS_FOREVER);
    if (status.reason == AEGIS_EXIT_STATUS && status.value == 0)
        return !leaked(name, before);
    printf("FAIL %s: %s%s%s\n", name, why, *why ? ": " : "",
           proc_describe(&status, text, sizeof text));
    return false;
}

int main(void)
{
    struct aegis_cap caps[TEST_CAPS] = {0};
    unsigned failed = 0;

    if (aegis_info()->netif_count)
        aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[0].root, AEGIS_RIGHT_DELEGATE,
                       &caps[TEST_CAP_ROOT]);
    run("nothing",
        caps); /* so that this program's own heap has its size before pages are counted */
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (run(tests[i], caps))
            printf("PASS %s\n", tests[i]);
        else
            failed++;
    }
    printf("DONE %u tests, %u failed\n", (unsigned)(sizeof tests / sizeof *tests), failed);
    aegis_shutdown(failed ? 1 : 0);
}
