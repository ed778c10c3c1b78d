/*
 * init: the first program. It owns the machine, and does nothing with it but keep an agent running:
 * it hands the agent what that needs, waits for its end, and
 *
 *   if the agent has chosen to end    ends the machine with the agent's status
 *   if it was ended by anything else  ends all that it left, and starts another
 *
 * A new agent begins with nothing: programs, bindings and handlers of the one before are gone.
 */
#include <stdio.h>
#include <string.h>

#include "apps/program.h"
#include "libos/proc/proc.h"
#include "libos/start/error.h"
#include "libos/time/time.h"

#define AGENT       "agent"
#define SOON        1000000000UL /* ns: an agent that ends before is broken rather than unlucky, */
#define ATTEMPTS    5            /* and after so many in a row there is no use in another */
#define GIVEN_UP    1            /* the machine's exit status then */
#define STATUS_MAX  0xff         /* what ends by a signal says so in the bits above */
#define ROOT_RIGHTS (AEGIS_RIGHT_DELEGATE | AEGIS_RIGHT_TAP)
#define DISK_RIGHTS (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE | AEGIS_RIGHT_DELEGATE)
#define CONSOLE     (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE)

_Static_assert(EXOS_CAPS_MAX >= 1 + AEGIS_NETIFS + AEGIS_DISKS_MAX,
               "the console, each interface and each disk");

/* What the agent gets: the console, then the root binding of each network interface, the loop
 * interface's last, then the root extent of each disk (of one that can't be read: none that is of
 * use). */
static size_t mint(struct aegis_cap caps[EXOS_CAPS_MAX])
{
    uint32_t count = aegis_info()->netif_count + 1;

    aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, CONSOLE, &caps[0]);
    for (uint32_t i = 0; i < count; i++)
        aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[i].root, ROOT_RIGHTS, &caps[1 + i]);
    caps += 1 + count;
    for (uint32_t i = 0; i < aegis_info()->disk_count; i++) {
        memset(&caps[i], 0, sizeof caps[i]);
        aegis_cap_mint(AEGIS_KIND_EXTENT, aegis_info()->disks[i].extents, DISK_RIGHTS, &caps[i]);
    }
    return 1 + count + aegis_info()->disk_count;
}

/* Runs an agent to its end. */
static int64_t run_agent(struct proc_status *status)
{
    static char name[] = AGENT;
    static char *const argv[] = {name, NULL};
    struct aegis_cap caps[EXOS_CAPS_MAX];
    struct proc_options options = {.name = name, .argc = 1, .argv = argv, .caps = caps};
    struct proc agent;

    options.cap_count = mint(caps);
    int64_t error = proc_create(&agent, &options);
    for (uint32_t i = 0; error == 0 && i <= aegis_info()->netif_count; i++)
        aegis_net_give(aegis_info()->netifs[i].root, agent.env); /* back here when it ends */
    if (error == 0)
        error = proc_start(&agent);
    while (error == 0 && !proc_wait(&agent, status, AEGIS_FOREVER))
        ;
    return error;
}

/* What the agent started belongs to its owner now, init. Ends all of it. */
static uint32_t end_children(void)
{
    uint32_t ended = 0;

    for (uint32_t env = 1; env < aegis_info()->env_count; env++) {
        if (env == exos.env || aegis_env(env)->owner != exos.env ||
            aegis_env(env)->state == AEGIS_ENV_NONE)
            continue;
        struct aegis_predicate is_ended = aegis_when_ended(env);
        aegis_env_end(env, 0); /* refused if it is ending or has ended: all the better */
        aegis_wait(&is_ended, 1, AEGIS_FOREVER);
        aegis_env_free(env);
        ended++;
    }
    return ended;
}

static _Noreturn void end_machine(uint64_t status)
{
    for (;;) {
        int64_t error = aegis_shutdown(status);
        fprintf(stderr, "init: shutdown: %s\n", aegis_strerror(error));
        aegis_wait(NULL, 0, AEGIS_FOREVER);
    }
}

const char program_name[] = "init";
const char program_usage[] = "init  (the first program of the machine: it keeps an agent running)";

int main(int argc, char **argv)
{
    take_help(argc, argv);
    if (!exos.boot) {
        fprintf(stderr, "init: has to be the first program of the machine\n");
        return 1;
    }
    for (int attempts = 0; attempts < ATTEMPTS;) {
        struct proc_status status;
        char text[128];
        uint64_t soon = time_after(SOON);
        int64_t error = run_agent(&status);
        if (error < 0) {
            fprintf(stderr, "init: " AGENT ": %s\n", proc_strerror(error));
            end_machine(GIVEN_UP);
        }
        if (status.reason == AEGIS_EXIT_STATUS && status.value <= STATUS_MAX)
            end_machine(status.value);
        attempts = time_now() < soon ? attempts + 1 : 0;
        uint32_t ended = end_children();
        printf("init: the agent has ended: %s; %u programs of its ended, too\n",
               proc_describe(&status, text, sizeof text), (unsigned)ended);
    }
    fprintf(stderr, "init: %d agents in a row ended within a second\n", ATTEMPTS);
    end_machine(GIVEN_UP);
}
