#include "agent.h"

#include <stdio.h>
#include <string.h>

#include "apps/program.h"
#include "libos/console/console.h"
#include "libos/net/filter.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"

#define READY_LIMIT                                                                                \
    10000000000UL /* ns for netd's other process, which may have to find a DHCP server */
#define DRAIN_LIMIT 1000000000UL /* ns for the last reply to leave */

/* Each interface gets a netd of its own: one that fails takes nothing else with it. */
static void start_netd(uint32_t netif, const char *address)
{
    struct net_filter filter;

    net_filter_neighbours(&filter, NULL); /* the agent adds whose it is */
    const struct control_bytes image = {(const uint8_t *)filter.words, (uint32_t)filter.size};
    struct control_load load = {.app = NETD, .netif = netif, .ingress = image, .egress = image};
    struct refusal refusal;
    char argument[72];

    snprintf(load.name, sizeof load.name, "arp%u", (unsigned)netif);
    snprintf(argument, sizeof argument, "ip=%s", address);
    if (!binding_make(&load, argument, true, &refusal))
        fprintf(stderr, "agent: no netd on interface %u: %s\n", (unsigned)netif, refusal.text);
}

/* So that the machine answers when it is said to be ready; but not for one that ends or takes its
 * time. */
static void await_ready(const struct proc *proc)
{
    struct aegis_predicate when[] = {
        {(const volatile uint64_t *)&proc->start->cap_count, UINT64_C(1) << 32, 0, AEGIS_WAKE_NE},
        aegis_when_ended(proc->env),
    };
    _Static_assert(offsetof(struct exos_start, ready) ==
                           offsetof(struct exos_start, cap_count) + sizeof(uint32_t) &&
                       offsetof(struct exos_start, cap_count) % 8 == 0,
                   "ready is the word's upper half");
    aegis_wait(when, 2, time_after(READY_LIMIT));
}

/* Gives an interface's root binding away, and with that of the first one the loop interface's, for
 * what programs are told of their ports. */
static int64_t give_roots(uint32_t netif, uint32_t env)
{
    int64_t status = aegis_net_give(aegis_info()->netifs[netif].root, env);

    if (status == 0 && netif == 0)
        status = aegis_net_give(aegis_info()->netifs[aegis_info()->netif_count].root, env);
    return status;
}

/* netd's other process, which has what nobody takes. */
static void start_frames(uint32_t netif, const char *address)
{
    char argument[72];
    char *const argv[] = {NETD, "frames", argument, NULL};
    int64_t status;

    snprintf(argument, sizeof argument, "ip=%s", address);
    struct app *app = app_make(NETD_FRAMES, netif, 3, argv, NULL, &status);
    if (app)
        status = give_roots(netif, app->proc.env);
    if (app && status == 0)
        status = app_start(app);
    if (status == 0) {
        await_ready(&app->proc);
        return;
    }
    fprintf(stderr, "agent: nothing answers on interface %u but programs: %s\n", (unsigned)netif,
            proc_strerror(status));
    if (app)
        app_abandon(app);
}

static void start_network(void)
{
    struct net_address address;
    char text[64];
    uint32_t count = aegis_info()->netif_count;

    if (!net_boot_address(&address, text))
        fprintf(stderr,
                "agent: the boot arguments' ip= is not ADDRESS/PREFIX,GATEWAY; taking ip=%s\n",
                text);
    for (uint32_t i = 0; i < count; i++) {
        start_netd(i, text);
        start_frames(i, text);
    }
    printf("agent: ready, %s on %u network interface%s\n", text, (unsigned)count,
           count == 1 ? "" : "s");
}

/* What init has handed over. It is kept here, since what is in the start block goes down to
 * children: the shell's programs have no business with it. */
static struct aegis_cap handed[EXOS_CAPS_MAX];
static uint32_t handed_count;

static void take_capabilities(void)
{
    if (!exos.start || exos.start->cap_count > EXOS_CAPS_MAX)
        return;
    handed_count = exos.start->cap_count;
    memcpy(handed, exos.start->caps, sizeof handed);
    memset(exos.start->caps, 0, sizeof exos.start->caps);
    exos.start->cap_count = 0;
}

struct aegis_cap agent_root(uint32_t netif)
{
    const struct aegis_cap none = {0};

    return netif <= aegis_info()->netif_count && netif + 1 < handed_count ? handed[1 + netif]
                                                                          : none;
}

const struct aegis_cap *agent_root_extent(uint32_t disk)
{
    size_t place = 2 + aegis_info()->netif_count + disk;

    return place < handed_count ? &handed[place] : NULL;
}

/* A machine without a console is served as it booted. */
static bool take_console(void)
{
    int64_t status = -AEGIS_E_CAPABILITY;

    if (handed_count > aegis_info()->netif_count + 1)
        status = aegis_console_bind(&handed[0]);
    if (status == 0 || status == -AEGIS_E_NO_DEVICE)
        return true;
    fprintf(stderr, "agent: the console: %s; only init can start an agent\n",
            aegis_strerror(status));
    return false;
}

const char program_name[] = "agent";
const char program_usage[] = "agent  (init starts it: it serves aegisctl)";

int main(int argc, char **argv)
{
    take_help(argc, argv);
    take_capabilities();
    if (!take_console())
        return 1;
    start_network();
    session_open();
    for (;;) {
        apps_reap();
        int stop = session_serve();
        if (stop >= 0) {
            console_drain(time_after(DRAIN_LIMIT));
            return stop; /* init ends the machine with it */
        }
        captures_answer();
        consoles_serve();
        struct aegis_predicate when[AEGIS_PREDICATES_MAX] = {console_readable(), apps_when_ended()};
        uint64_t deadline = AEGIS_FOREVER;
        size_t count = 2;
        count += consoles_wait(when + count, &deadline);
        size_t room = count > 2 ? AEGIS_PREDICATES_MAX : EXOS_WAIT_MAX; /* with the doorbell */
        count += captures_wait(when + count, room - count, &deadline);
        exos_wait(when, count, deadline);
    }
}
