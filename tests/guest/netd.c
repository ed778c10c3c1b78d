#include "netd.h"

#include "libos/net/filter.h"
#include "libos/time/time.h"
#include "test.h"

#define LIMIT 120000000000UL /* ns */

struct proc netd;

struct aegis_cap netd_call(void)
{
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, netd.env, AEGIS_RIGHT_CALL, &cap));
    return cap;
}

void netd_introduce(void)
{
    exos.start->caps[TEST_CAP_MONITOR] = netd_call();
}

/* It serves from then on. The checked kernel takes its time for netd's handler. */
static void await_ring(uint32_t binding)
{
    uint64_t limit = time_after(LIMIT);
    while (!aegis_binding(binding)->slots) {
        if (time_now() > limit || aegis_env(netd.env)->state != AEGIS_ENV_LIVE)
            FAIL("netd doesn't begin");
        aegis_wait(NULL, 0, time_after(LIMIT / 1000));
    }
}

void netd_start(void)
{
    static char name[] = "netd", argument[] = "ip=10.0.2.15/24,10.0.2.2";
    char *const argv[] = {name, argument, NULL};
    const struct aegis_cap caps[] = {exos.start->caps[TEST_CAP_ROOT],
                                     exos.start->caps[TEST_CAP_LOOP]};
    struct net_filter received, sent;
    uint8_t mac[6];
    struct aegis_net_binding request = {.parent = exos.start->caps[TEST_CAP_ROOT]};
    struct proc_options options = {
        .name = name, .argc = 2, .argv = argv, .caps = caps, .cap_count = 2};

    for (size_t i = 0; i < sizeof mac; i++)
        mac[i] = aegis_info()->netifs[0].mac[i];
    net_filter_neighbours(&received, NULL);
    net_filter_neighbours(&sent, mac);
    CHECK_OK(proc_create(&netd, &options));
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, netd.env, AEGIS_RIGHT_CONTROL, &request.owner));
    request.ingress = received.words;
    request.ingress_size = received.size;
    request.egress = sent.words;
    request.egress_size = sent.size;
    int64_t arp = aegis_net_bind(&request);
    CHECK(arp >= 0);
    CHECK_OK(proc_start(&netd));
    await_ring((uint32_t)arp);
}

void netd_end(void)
{
    struct proc_status ignored;
    CHECK_OK(proc_kill(&netd, 0));
    while (!proc_wait(&netd, &ignored, AEGIS_FOREVER))
        ;
}
