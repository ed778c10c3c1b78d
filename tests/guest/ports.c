/*
 * netd and the ports that it gives: one taker a port, whoever ends gives back, nobody gets more
 * than the capability says; neighbours that the network really has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apps/netd/quota.h"
#include "filter.h"
#include "hostile.h"
#include "libos/gate/gate.h"
#include "libos/net/filter.h"
#include "libos/net/headers.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "netd.h"
#include "test.h"

#define SECOND 1000000000UL
#define SLIRP  0x0202000a /* 10.0.2.2 as on the wire: QEMU's user network */
#define NOBODY 0xc802000a

/* Takes all the ports it can get, how many goes to *taken, and then lets a child of its own try.
 * Returns 0, 1 if that got one, or an errno value if it was for another reason than their number.
 */
static int take_all(uint32_t *taken)
{
    uint64_t words[GATE_WORDS];
    int status;

    do
        memcpy(words, (uint64_t[GATE_WORDS]){NETD_TAKE, (uint64_t)IPV4_UDP << 16}, sizeof words);
    while (net_ask(words) == 0 && ++*taken);
    if (errno != ENOBUFS)
        return errno;
    pid_t pid = fork();
    if (pid == 0) {
        struct net_lease lease;
        _exit(net_lease(&lease, IPV4_UDP, 0, 8) == 0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

/* As a child: does that, says how it went, and keeps them until it is ended. */
static _Noreturn void hoard(void)
{
    uint32_t taken = 0;
    int error = net_service() ? take_all(&taken) : ENETDOWN;

    __atomic_store_n(&exos.start->ready, error ? UINT32_MAX : taken, __ATOMIC_RELEASE);
    for (;;)
        aegis_wait(NULL, 0, AEGIS_FOREVER);
}

/* As a child: takes the port that it is told, and says with its status how that went. */
static int take_and_end(const char *port)
{
    struct net_lease lease;
    uint64_t words[GATE_WORDS] = {NETD_ADDRESS, 0x0a000263UL << 32, 24};

    if (!strcmp(port, "hoard"))
        hoard();
    if (!strcmp(port, "address"))
        return net_service() && net_ask(words) ? errno : 100;
    if (*port == 'b')
        return hostile_run((uint32_t)atoi(port + 1));
    return net_lease(&lease, IPV4_UDP, (uint16_t)atoi(port), 8) ? errno : 100;
}

/* This program again, with netd's capability; returns its status. */
static uint64_t child(char *port)
{
    static char name[] = "ports";
    char *const argv[] = {name, port, NULL};
    struct aegis_cap cap = netd_call();
    struct proc_options options = {
        .name = name, .argc = 2, .argv = argv, .caps = &cap, .cap_count = 1};
    struct proc proc;
    struct proc_status status;

    CHECK_OK(proc_spawn(&proc, &options));
    while (!proc_wait(&proc, &status, AEGIS_FOREVER))
        ;
    CHECK_EQ(status.reason, AEGIS_EXIT_STATUS);
    return status.value;
}

static void one_taker_a_port(void)
{
    struct net_lease a, b, c;

    CHECK_OK(net_lease(&a, IPV4_UDP, 4000, 8));
    CHECK_EQ(a.port, 4000);
    CHECK(net_lease(&b, IPV4_UDP, 4000, 8) == -1 && errno == EADDRINUSE);
    CHECK_EQ(child("4000"), EADDRINUSE);
    CHECK_OK(net_lease(&b, IPV4_TCP, 4000, 8)); /* ports of other protocols are others */
    CHECK_OK(net_lease(&c, IPV4_UDP, 0, 8));
    CHECK(c.port >= NETD_EPHEMERAL_LOW);
    net_lease_end(&c);
    net_lease_end(&b);
    net_lease_end(&a);
    CHECK_EQ(child("4000"), 100);
    CHECK_OK(net_lease(&a, IPV4_UDP, 4000, 8)); /* it has ended without a word */
    net_lease_end(&a);
    CHECK(net_lease(&a, 2, 4000, 8) == -1 && errno == EPROTONOSUPPORT);
}

/* Who takes all he gets, by himself and by children, leaves some to others. */
static void nobody_takes_all(void)
{
    static char name[] = "ports", argument[] = "hoard";
    char *const argv[] = {name, argument, NULL};
    struct aegis_cap cap = netd_call();
    struct proc_options options = {
        .name = name, .argc = 2, .argv = argv, .caps = &cap, .cap_count = 1};
    uint32_t half = aegis_info()->binding_count / 4, taken;
    struct proc_status ignored;
    struct net_lease lease;
    struct proc proc;

    half = half > 512 ? 512 : half;
    CHECK_OK(proc_create(&proc, &options));
    CHECK_OK(proc_start(&proc));
    while (!(taken = __atomic_load_n(&proc.start->ready, __ATOMIC_ACQUIRE)) &&
           aegis_env(proc.env)->state == AEGIS_ENV_LIVE)
        aegis_wait(NULL, 0, time_after(SECOND / 100));
    CHECK(taken > half - 4 && taken <= half);
    CHECK_OK(net_lease(&lease, IPV4_UDP, 0, 8));
    net_lease_end(&lease);
    CHECK_OK(proc_kill(&proc, 0));
    while (!proc_wait(&proc, &ignored, AEGIS_FOREVER))
        ;
    CHECK_OK(net_lease(&lease, IPV4_UDP, 0, 8)); /* netd takes back what was hoarded */
    net_lease_end(&lease);
}

/* Who bound a filter for himself has its ports; netd finds out from the kernel. */
static void a_filter_beside_netd(void)
{
    struct filter_image received, sent;
    struct net_lease lease;

    filter_udp_to(&received, 4001);
    filter_sent_type(&sent, 0, ETH_TYPE_IPV4);
    int64_t mine = filter_bind(&received, &sent);
    CHECK(mine >= 0);
    CHECK(net_lease(&lease, IPV4_UDP, 4001, 8) == -1 && errno == EADDRINUSE);
    CHECK_OK(aegis_net_unbind((uint32_t)mine));
    CHECK_OK(net_lease(&lease, IPV4_UDP, 4001, 8));
    CHECK_ERROR(filter_bind(&received, &sent), OVERLAP);
    net_lease_end(&lease);
}

static int64_t order(uint64_t words[GATE_WORDS])
{
    int64_t status;
    struct aegis_cap cap = netd_call();
    CHECK_OK(aegis_gate_bind(0, &cap));
    while ((status = gate_invoke(0, words)) == -AEGIS_E_BUSY)
        aegis_yield(0);
    CHECK_OK(aegis_gate_unbind(0));
    CHECK_EQ(status, netd.env);
    return (int64_t)words[0];
}

static int64_t bind_inside(const struct aegis_cap *parent, uint8_t protocol, uint16_t port,
                           uint32_t address)
{
    struct net_port_range range = {
        .protocol = protocol, .address = address, .low = port, .high = port};
    struct net_filter received, sent;

    for (size_t i = 0; i < 6; i++)
        range.mac[i] = aegis_info()->netifs[0].mac[i];
    net_filter_received(&received, &range);
    net_filter_sent(&sent, &range);
    return aegis_net_bind(&(struct aegis_net_binding){.parent = *parent,
                                                      .ingress = received.words,
                                                      .ingress_size = received.size,
                                                      .egress = sent.words,
                                                      .egress_size = sent.size});
}

/* The capability is for this port, protocol and address, and only until the port is given back. */
static void no_more_than_asked_for(void)
{
    uint32_t address = __builtin_bswap32(net_service()->address);
    uint64_t words[GATE_WORDS] = {NETD_TAKE, (uint64_t)IPV4_UDP << 16 | 4002};
    CHECK_EQ(order(words), 0);
    struct aegis_cap cap = {words[2], words[3], words[4]};
    CHECK_ERROR(bind_inside(&cap, IPV4_UDP, 4003, address), NOT_CONTAINED);
    CHECK_ERROR(bind_inside(&cap, IPV4_TCP, 4002, address), NOT_CONTAINED);
    CHECK_ERROR(bind_inside(&cap, IPV4_UDP, 4002, address + 1), NOT_CONTAINED);
    CHECK(bind_inside(&cap, IPV4_UDP, 4002, address) >= 0);
    uint64_t others[GATE_WORDS] = {NETD_LEAVE, AEGIS_CAP_INDEX(cap.name) + 1};
    CHECK_EQ(order(others), -EINVAL);
    uint64_t leave[GATE_WORDS] = {NETD_LEAVE, AEGIS_CAP_INDEX(cap.name)};
    uint64_t seen = aegis_env(exos.env)->bindings;
    CHECK_EQ(order(leave), 0); /* with what this program has inside, though it didn't undo it */
    CHECK(aegis_env(exos.env)->bindings != seen);
    CHECK_ERROR(bind_inside(&cap, IPV4_UDP, 4002, address), CAPABILITY);
    struct net_lease lease;
    CHECK_OK(net_lease(&lease, IPV4_UDP, 4002, 8));
    net_lease_end(&lease);
    /* Nonsense. */
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t bad[GATE_WORDS] = {i ? UINT64_MAX - i : NETD_ORDERS, 1};
        CHECK_EQ(order(bad), -ENOSYS);
    }
    uint64_t wide[GATE_WORDS] = {NETD_TAKE, 3UL << 24 | (uint64_t)IPV4_UDP << 16 | 1};
    CHECK_EQ(order(wide), -EPROTONOSUPPORT);
    uint64_t far[GATE_WORDS] = {NETD_RESOLVE, 1UL << 32};
    CHECK_EQ(order(far), -EINVAL);
    uint64_t nobody[GATE_WORDS] = {NETD_RESOLVE6}, group[GATE_WORDS] = {NETD_RESOLVE6, 0x02ff};
    CHECK_EQ(order(nobody), -ENETUNREACH);
    CHECK_EQ(order(group), -ENETUNREACH);
}

static int64_t take_block(uint64_t more, uint16_t port, struct aegis_cap *cap)
{
    uint64_t words[GATE_WORDS] = {NETD_TAKE,
                                  more << NETD_MORE_BIT | (uint64_t)IPV4_TCP << 16 | port};
    int64_t status = order(words);

    *cap = (struct aegis_cap){words[2], words[3], words[4]};
    return status ? status : (int64_t)words[1];
}

/* All ports of a block are its taker's, and no others; a program doesn't get all there are. */
static void blocks(void)
{
    uint32_t address = __builtin_bswap32(net_service()->address), count = 0;
    struct aegis_cap cap, caps[NETD_BLOCK + 1];
    struct net_lease lease;
    int64_t first = take_block(NETD_BLOCK - 1, 0, &cap), status = 0;

    CHECK(first >= NETD_EPHEMERAL_LOW && first % NETD_BLOCK == 0);
    for (uint16_t i = 0; i < NETD_BLOCK; i += NETD_BLOCK - 1) {
        int64_t inside = bind_inside(&cap, IPV4_TCP, (uint16_t)(first + i), address);
        CHECK(inside >= 0);
        CHECK_OK(aegis_net_unbind((uint32_t)inside));
        CHECK(net_lease(&lease, IPV4_TCP, (uint16_t)(first + i), 8) == -1 && errno == EADDRINUSE);
    }
    uint16_t next = (uint16_t)(first + NETD_BLOCK);
    CHECK_ERROR(bind_inside(&cap, IPV4_TCP, next, address), NOT_CONTAINED);
    CHECK_OK(net_lease(&lease, IPV4_TCP, (uint16_t)(first - 1), 8));
    net_lease_end(&lease);
    uint64_t leave[GATE_WORDS] = {NETD_LEAVE, AEGIS_CAP_INDEX(cap.name)};
    CHECK_EQ(order(leave), 0);
    CHECK_EQ(take_block(2, 0, &cap), -EINVAL); /* three */
    CHECK_EQ(take_block(1, 4005, &cap), -EINVAL);
    CHECK_EQ(take_block(NETD_BLOCK, 0, &cap), -EPROTONOSUPPORT);
    while (count <= NETD_BLOCK && (status = take_block(NETD_BLOCK - 1, 0, &caps[count])) > 0)
        count++;
    CHECK(count > 0 && count <= NETD_BLOCK);
    CHECK_EQ(status, -ENOBUFS);
    while (count) {
        uint64_t back[GATE_WORDS] = {NETD_LEAVE, AEGIS_CAP_INDEX(caps[--count].name)};
        CHECK_EQ(order(back), 0);
    }
}

/* Each who joins has it as often as it says so, and leaves as often. */
static void several_have_one_port(void)
{
    uint32_t address = __builtin_bswap32(net_service()->address);
    uint64_t take[GATE_WORDS] = {NETD_TAKE, (uint64_t)IPV4_UDP << 16 | 4004};
    CHECK_EQ(order(take), 0);
    struct aegis_cap cap = {take[2], take[3], take[4]};
    const struct {
        uint64_t name, mac, env;
        int64_t result;
    } rows[] = {
        {cap.name, cap.mac ^ 1, exos.env, -EINVAL},
        {cap.name + 1, cap.mac, exos.env, -EINVAL},
        {cap.name, cap.mac, exos.parent, -EINVAL},
        {cap.name, cap.mac, 0, -EINVAL},
        {cap.name, cap.mac, UINT32_MAX, -EINVAL},
        {cap.name, cap.mac, exos.env | 1UL << 32, -EINVAL},
        {cap.name, cap.mac, netd.env, 0}, /* a child of this program's */
        {cap.name, cap.mac, exos.env, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t join[GATE_WORDS] = {NETD_JOIN, rows[i].name, cap.generation, rows[i].mac,
                                     rows[i].env};
        CHECK_EQ(order(join), rows[i].result);
    }
    for (int i = 0; i < 3; i++) {
        uint64_t leave[GATE_WORDS] = {NETD_LEAVE, AEGIS_CAP_INDEX(cap.name)};
        CHECK_EQ(order(leave), i < 2 ? 0 : -EINVAL);
        int64_t inside = bind_inside(&cap, IPV4_UDP, 4004, address);
        CHECK(inside >= 0); /* netd has it still */
        CHECK_OK(aegis_net_unbind((uint32_t)inside));
    }
    struct net_lease lease;
    CHECK(net_lease(&lease, IPV4_UDP, 4004, 8) == -1 && errno == EADDRINUSE);
}

/* This program has the root binding; its child hasn't. */
static void who_has_the_root_says_what_the_machine_is(void)
{
    static char address[] = "address";
    const uint64_t own = __builtin_bswap32(net_service()->address);
    uint64_t other[GATE_WORDS] = {NETD_ADDRESS, (own + 1) << 32, 24};
    uint64_t wide[GATE_WORDS] = {NETD_ADDRESS, own << 32, 33};
    uint64_t same[GATE_WORDS] = {NETD_ADDRESS, own << 32 | 0x0a000202, 24};
    struct net_lease lease;

    CHECK_EQ(child(address), EPERM);
    CHECK_OK(net_lease(&lease, IPV4_UDP, 4003, 8));
    CHECK_EQ(order(wide), -EINVAL);
    CHECK_EQ(order(same), 0);
    CHECK(net_alive(&lease.net));
    CHECK_EQ(order(other), 0); /* the port was the other address's */
    CHECK(!net_alive(&lease.net));
    same[0] = NETD_ADDRESS;
    CHECK_EQ(order(same), 0);
    net_close(&lease.net);
    CHECK_OK(net_lease(&lease, IPV4_UDP, 4003, 8));
    net_lease_end(&lease);
}

/* What isn't its own a program can't change by any order; what it isn't about stays. */
static void each_order_is_refused_about_what_is_anothers(void)
{
    struct net_lease lease;
    char binding[12] = "b";

    CHECK_OK(net_lease_family(&lease, IPV4_TCP, NET_BOTH, 4020, 8));
    CHECK_OK(net_lease_loop(&lease, 8));
    snprintf(binding + 1, sizeof binding - 1, "%u", (unsigned)lease.binding);
    CHECK_EQ(child(binding), 0);
    CHECK(net_alive(&lease.net) && net_alive(&lease.loop));
    CHECK_EQ(net_find_local(IPV4_TCP, 4020), 0);
    net_lease_end(&lease);
}

static void neighbours(void)
{
    const struct net_host *host = net_service();
    uint8_t mac[6] = {0};

    CHECK_EQ(host->address, 0x0f02000a);
    CHECK_EQ(host->mask, 0x00ffffff);
    CHECK_OK(net_next_hop(SLIRP, mac, test_deadline()));
    CHECK(!memcmp(mac, "\x52\x55\x0a\x00\x02\x02", 6)); /* as QEMU makes it of the address */
    memset(mac, 0, 6);
    CHECK_OK(net_next_hop(0x08080808, mac, 0)); /* through the gateway, which is known by now */
    CHECK_EQ(mac[0], 0x52);
    CHECK_OK(net_next_hop(0xff02000a, mac, 0));
    CHECK_EQ(mac[5], 0xff);
    CHECK(net_next_hop(NOBODY, mac, time_after(SECOND / 4)) == -1 && errno == EAGAIN);
    CHECK(net_next_hop(NOBODY, mac, test_deadline()) == -1 && errno == EHOSTUNREACH);
    CHECK(net_next_hop(host->address, mac, 0) == -1 && errno == ENETUNREACH);
    CHECK(net_next_hop(0x010000e0, mac, 0) == -1 && errno == ENETUNREACH);
    /* The page is netd's: it can be read here, no more. */
    int64_t status =
        aegis_protect(0, (uint64_t)host->neighbours, 1, AEGIS_PROT_READ | AEGIS_PROT_WRITE);
    CHECK(status < 0);
}

/* netd's end is an error, not a hang; what was bound goes on. */
static void without_netd(const struct net_lease *lease)
{
    struct net_lease other;
    uint8_t mac[6];

    CHECK_OK(net_next_hop(SLIRP, mac, test_deadline()));
    netd_end();
    CHECK(net_next_hop(SLIRP, mac, 0) == -1 && errno == ENETDOWN); /* its page has gone, too */
    CHECK(net_lease(&other, IPV4_UDP, 0, 8) == -1 && errno == ENETDOWN);
    CHECK(net_alive(&lease->net));
}

static bool has_root(uint32_t env, uint32_t giver)
{
    const volatile struct aegis_binding_info *root = aegis_binding(aegis_info()->netifs[0].root);
    return root->owner == env && root->binder == giver && root->slots == 0;
}

/* The runner has given the interface's root to this program: it can be given on, and comes back. */
static void the_root_goes_from_hand_to_hand(void)
{
    uint32_t root = aegis_info()->netifs[0].root;
    struct raw child;
    struct net net;

    CHECK(has_root(exos.env, exos.parent));
    CHECK_OK(net_open(&net, root, 8));
    CHECK_EQ(aegis_binding(root)->slots, 8);
    CHECK_OK(aegis_net_give(root, 0)); /* it is: nothing changes */
    CHECK_EQ(aegis_binding(root)->slots, 8);
    raw_create(&child, "sleep", blob_sleep, blob_sleep_end);
    uint64_t mine = aegis_env(exos.env)->bindings, theirs = aegis_env(child.env)->bindings;
    CHECK_OK(aegis_net_give(root, child.env));
    CHECK(has_root(child.env, exos.env));
    CHECK(aegis_env(exos.env)->bindings != mine && aegis_env(child.env)->bindings != theirs);
    CHECK_ERROR(aegis_net_ring(root, net.ring, 8), OWNER);
    vm_free(net.ring); /* it is an ordinary page again */
    CHECK_ERROR(aegis_net_unbind(root), IN_USE);
    CHECK_OK(aegis_net_give(root, 0)); /* taken back by who gave it */
    CHECK(has_root(exos.env, 1));
    CHECK_OK(aegis_net_give(root, child.env));
    raw_start(&child, 0);
    CHECK_OK(aegis_env_end(child.env, 0));
    raw_finish(&child);
    CHECK(has_root(exos.env, 1));
}

int main(int argc, char **argv)
{
    struct net_lease lease;

    if (argc == 2 && *argv[1])
        return take_and_end(argv[1]);
    if (aegis_info()->netif_count == 0)
        return 0;
    CHECK(!net_service() && errno == ENETDOWN);
    the_root_goes_from_hand_to_hand();
    netd_start();
    netd_introduce();
    CHECK(net_service() != NULL);
    one_taker_a_port();
    a_filter_beside_netd();
    no_more_than_asked_for();
    several_have_one_port();
    blocks();
    who_has_the_root_says_what_the_machine_is();
    nobody_takes_all();
    each_order_is_refused_about_what_is_anothers();
    neighbours();
    CHECK_OK(net_lease(&lease, IPV4_UDP, 4010, 8));
    without_netd(&lease);
    net_close(&lease.net);
    return 0;
}
