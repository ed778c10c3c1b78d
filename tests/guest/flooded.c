/*
 * First program of a machine of its own (tests/system/test_charging.py): a victim computes beside a
 * program that frames are flooded for. What the kernel does for those is the flooded one's to pay:
 * the victim's share and its longest pause are measured without a flood, then with one, over so
 * many slices each.
 *
 * Argument of the machine: flood=ring, the frames go to a ring; flood=handler, to a handler that
 * burns its fuel on each; flood=nobody, to no binding, which the first program pays as it holds the
 * root's; flood=disk, no frames come, but the flooded one reads the first disk as fast as it can.
 */
#include <stdio.h>
#include <string.h>

#include "ash/ash.h"
#include "filter.h"
#include "libos/disk/disk.h"
#include "libos/net/net.h"
#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define PORT    4000
#define SLICES  500 /* of each of the two, in a phase */
#define BURNING 4000

/* Places in the start block that a child shares with this program. */
enum { ROUNDS, PAUSE, DISK, BEGIN, CAPS };

static _Noreturn void victim(void)
{
    volatile struct aegis_cap *shared = exos.start->caps;
    uint64_t last = time_now(), longest = 0;
    for (uint64_t rounds = 1;; rounds++) {
        uint64_t now = time_now();
        if (shared[PAUSE].generation) { /* begin again */
            shared[PAUSE].generation = 0;
            longest = 0;
        }
        if (now - last > longest)
            shared[PAUSE].name = longest = now - last;
        last = now;
        shared[ROUNDS].name = rounds;
    }
}

/* Takes frames that come, and computes: it always wants the processor. */
static _Noreturn void flooded(void)
{
    struct net net;
    uint64_t seen = 0;
    int64_t open;
    while ((open = net_open_next(&net, AEGIS_RING_SLOTS)) == 0)
        if (!net_wait_binding(&seen, time_now() + aegis_info()->timebase))
            for (;;)
                ; /* the frames are nobody's */
    CHECK_EQ(open, 1);
    for (;;)
        while (net_next(&net))
            net_release(&net);
}

/* Computes, and from when it is told to on keeps as many reads under way as the kernel takes. */
static _Noreturn void reader(void)
{
    static struct disk_io io = {.then = NULL};
    const struct aegis_cap cap = exos.start->caps[DISK];
    volatile struct aegis_cap *shared = exos.start->caps;
    struct disk disk;
    void *memory = vm_alloc(1, VM_READ_WRITE);
    CHECK(memory);
    CHECK_OK(disk_open(&disk, aegis_info()->disks[0].extents, DISK_READ_ONLY, &cap));
    for (;;)
        if (shared[BEGIN].name && disk_start(&disk, AEGIS_DISK_READ, 0, memory, 512, &io) != 0)
            disk_poll();
}

/* A loop of some thousand instructions, then DROP. */
static void burn(uint32_t binding)
{
    static struct {
        struct ash_header header;
        struct ash_insn insns[5];
    } image __attribute__((aligned(8))) = {{.magic = ASH_MAGIC,
                                            .version = ASH_VERSION,
                                            .event = ASH_EVENT_FRAME,
                                            .insns = 5,
                                            .name = "burn"},
                                           {{0xb7, 1, 0, BURNING / 2}, /* r1 = */
                                            {0x07, 1, 0, -1},          /* r1 -= 1 */
                                            {0x55, 1, -2, 0},          /* if r1 != 0, again */
                                            {0xb7, 0, 0, ASH_DROP},    /* r0 = */
                                            {0x95, 0, 0, 0}}};
    struct aegis_handler_request request = {.image = &image, .image_size = sizeof image};
    int64_t handler = aegis_handler_load(&request);
    CHECK(handler >= 0);
    CHECK_OK(aegis_handler_bind((uint32_t)handler, binding));
}

static void spawn(struct proc *proc, const char *what)
{
    static struct aegis_cap caps[CAPS];
    char name[16];
    strncpy(name, what, sizeof name - 1)[sizeof name - 1] = 0;
    char *const arguments[] = {name, name};
    struct proc_options options = {
        .name = what, .argc = 2, .argv = arguments, .caps = caps, .cap_count = CAPS};
    CHECK_OK(proc_spawn(proc, &options));
}

static bool asked_for(const char *what)
{
    return strstr((const char *)aegis_info()->bootargs, what) != NULL;
}

/* Both that compete; the flooded one is given what it reads. */
static void spawn_both(struct proc *a, struct proc *b)
{
    static struct aegis_cap caps[CAPS];
    bool reads = asked_for("flood=disk");
    char *const arguments[] = {"reader", "reader"};
    struct proc_options options = {
        .name = "flooded", .argc = 2, .argv = arguments, .caps = caps, .cap_count = CAPS};
    spawn(a, "victim");
    if (!reads) {
        spawn(b, "flooded");
        return;
    }
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_EXTENT, aegis_info()->disks[0].extents, AEGIS_RIGHT_READ,
                            &caps[DISK]));
    CHECK_OK(proc_spawn(b, &options));
}

/* The rounds that the victim made while both had so many slices, and its longest pause. */
static void measure(const char *phase, const struct proc *a, const struct proc *b)
{
    volatile struct aegis_cap *shared = a->start->caps;
    shared[PAUSE].generation = 1;
    uint64_t from = aegis_env(a->env)->slices, time = time_now(), rounds = shared[ROUNDS].name;
    struct aegis_predicate over = AEGIS_WHEN(aegis_env(a->env)->slices, GE, from + SLICES);
    CHECK_EQ(aegis_wait(&over, 1, AEGIS_FOREVER), 0);
    uint64_t ticks = time_now() - time;
    printf("%s rounds %llu ticks %llu pause %llu charged %llu received %llu\n", phase,
           (unsigned long long)(shared[ROUNDS].name - rounds), (unsigned long long)ticks,
           (unsigned long long)shared[PAUSE].name,
           (unsigned long long)(aegis_env(b->env)->charged + aegis_env(exos.env)->charged),
           (unsigned long long)(aegis_info()->netifs[0].received + aegis_info()->disks[0].done));
}

int main(int argc, char **argv)
{
    const char *self = test_argument(argc, argv, 1);
    if (!strcmp(self, "victim"))
        victim();
    if (!strcmp(self, "flooded"))
        flooded();
    if (!strcmp(self, "reader"))
        reader();
    struct proc a, b;
    spawn_both(&a, &b);
    if (!asked_for("flood=nobody") && !asked_for("flood=disk")) {
        struct filter_image in, out;
        filter_udp_to(&in, PORT);
        filter_sent_type(&out, 0, 0x88b5);
        struct aegis_net_binding request = {.ingress = in.words,
                                            .ingress_size = in.size,
                                            .egress = out.words,
                                            .egress_size = out.size};
        CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[0].root,
                                AEGIS_RIGHT_DELEGATE, &request.parent));
        CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, b.env, AEGIS_RIGHT_CONTROL, &request.owner));
        int64_t binding = net_bind(&request);
        CHECK(binding > 0);
        if (asked_for("flood=handler"))
            burn((uint32_t)binding);
    }
    aegis_wait(NULL, 0, time_now() + 2 * aegis_info()->timebase);
    measure("QUIET", &a, &b);
    b.start->caps[BEGIN].name = 1;
    aegis_wait(NULL, 0, time_now() + aegis_info()->timebase); /* the flood begins */
    measure("FLOOD", &a, &b);
    return (int)aegis_shutdown(0);
}
