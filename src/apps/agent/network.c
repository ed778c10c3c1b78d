/*
 * The network's programs: each interface gets a netd, and netd's other process. One that ends is
 * started anew; where netd is then, programs find in a page that they may all read.
 */
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "libos/net/directory.h"
#include "libos/net/filter.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define READY_LIMIT                                                                                \
    10000000000UL /* ns for netd's other process, which may have to find a DHCP server */
#define END_LIMIT   1000000000UL /* ns for one to end that was ended, */
#define LEAST_LIFE  10           /* s that one lives that is worth starting again; */
#define SHORT_LIVES 4            /* so many shorter ones in a row, and no more are started */

/* A program of an interface's; env 0: there is none. */
struct part {
    uint32_t env, serial;
};

static struct interface {
    struct part netd, frames;
    uint64_t begun; /* in seconds since boot */
    uint32_t short_lives;
} interfaces[AEGIS_NETIF_MAX];

static char address[64]; /* the value of ip= */
static struct net_directory *directory;

static void note(struct part *part, uint32_t env)
{
    *part = (struct part){env, env ? aegis_env(env)->serial : 0};
}

static bool is_live(const struct part *part)
{
    return part->env && aegis_env(part->env)->serial == part->serial &&
           aegis_env(part->env)->state == AEGIS_ENV_LIVE;
}

static void tell(const struct part *netd)
{
    struct aegis_cap cap = {0};

    if (!directory)
        return;
    if (netd && is_live(netd))
        aegis_cap_mint(AEGIS_KIND_ENV, netd->env, AEGIS_RIGHT_CALL, &cap);
    __atomic_fetch_add(&directory->version, 1, __ATOMIC_SEQ_CST);
    directory->netd = cap;
    __atomic_fetch_add(&directory->version, 1, __ATOMIC_SEQ_CST);
}

bool network_directory(struct aegis_cap *cap)
{
    int64_t ppn = directory ? vm_page_at(directory) : -1;
    return ppn >= 0 && aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)ppn, AEGIS_RIGHT_READ, cap) == 0;
}

/* Each interface gets a netd of its own: one that fails takes nothing else with it. */
static void start_netd(uint32_t netif)
{
    struct net_filter filter;

    net_filter_neighbours(&filter, NULL); /* the agent adds whose it is */
    const struct control_bytes image = {(const uint8_t *)filter.words, (uint32_t)filter.size};
    struct control_load load = {.app = NETD, .netif = netif, .ingress = image, .egress = image};
    struct refusal refusal;
    char argument[72];

    snprintf(load.name, sizeof load.name, "arp%u", (unsigned)netif);
    snprintf(argument, sizeof argument, "ip=%s", address);
    const struct binding *b = binding_make(&load, argument, true, &refusal);
    note(&interfaces[netif].netd, b ? b->env : 0);
    if (!b)
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
static void start_frames(uint32_t netif)
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
        note(&interfaces[netif].frames, app->proc.env);
        await_ready(&app->proc);
        return;
    }
    fprintf(stderr, "agent: nothing answers on interface %u but programs: %s\n", (unsigned)netif,
            proc_strerror(status));
    if (app)
        app_abandon(app);
}

static uint64_t seconds_now(void)
{
    return time_now() / aegis_info()->timebase;
}

static void begin(uint32_t netif)
{
    interfaces[netif].begun = seconds_now();
    start_netd(netif);
    if (netif == 0)
        tell(&interfaces[netif].netd);
    start_frames(netif);
}

/* Its root binding comes back with its end. */
static void end_frames(struct interface *i)
{
    struct aegis_predicate ended = aegis_when_ended(i->frames.env);

    if (!is_live(&i->frames))
        return;
    aegis_env_end(i->frames.env, 0);
    aegis_wait(&ended, 1, time_after(END_LIMIT));
    apps_reap();
}

/* Whether there is sense in starting anew what has ended. */
static bool is_worth_it(struct interface *i)
{
    if (seconds_now() - i->begun >= LEAST_LIFE)
        i->short_lives = 0;
    return i->short_lives++ < SHORT_LIVES;
}

void network_look(void)
{
    for (uint32_t n = 0; n < aegis_info()->netif_count; n++) {
        struct interface *i = &interfaces[n];
        bool has_netd = !i->netd.env || is_live(&i->netd);
        if (has_netd && (!i->frames.env || is_live(&i->frames)))
            continue;
        if (!has_netd && n == 0)
            tell(NULL);
        bool again = is_worth_it(i);
        printf("agent: netd on interface %u %s\n", (unsigned)n,
               again ? "is started anew" : "ends too often, and isn't started anew");
        end_frames(i);
        note(&i->frames, 0);
        if (again && has_netd)
            start_frames(n);
        else if (again)
            begin(n);
        else if (!has_netd)
            note(&i->netd, 0);
    }
}

void network_begin(void)
{
    struct net_address parsed;
    uint32_t count = aegis_info()->netif_count;

    if (!net_boot_address(&parsed, address))
        fprintf(stderr,
                "agent: the boot arguments' ip= is not ADDRESS/PREFIX,GATEWAY; taking ip=%s\n",
                address);
    directory = vm_alloc_run(1);
    if (directory)
        *directory = (struct net_directory){.magic = NET_DIRECTORY_MAGIC};
    for (uint32_t i = 0; i < count; i++)
        begin(i);
    printf("agent: ready, %s on %u network interface%s\n", address, (unsigned)count,
           count == 1 ? "" : "s");
}
