/*
 * The first program of the attack archive. Prints "HELD name" or "BROKE name: why" for each row of
 * INDEX, then "DONE", and ends the machine with status 0 if all held. heavy=1 in the boot arguments
 * takes the HEAVY rows instead of the others; a machine without devices, the BARE ones.
 */
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "victim.h"

#define LIMIT 60000000000UL /* ns for a row or an answer */
#define DISKS 3             /* that rows about disks need */

static struct aegis_cap caps[ATTACK_CAPS];
static struct net asker;
static struct proc victim;
static uint64_t questions;

static struct {
    struct proc proc;
    struct attack_order *order; /* the attacker's page */
    bool alive;
} attacker;

/* What the kernel counts. */
struct counts {
    uint64_t pages; /* free, or the attacker's */
    uint64_t envs;
    uint64_t slots;
    uint64_t bindings;
    uint64_t extents;
};

static struct counts count(void)
{
    const volatile struct aegis_info *info = aegis_info();
    const volatile struct aegis_slot *slots = (const volatile struct aegis_slot *)info->slots;
    struct counts c = {.pages = info->free_pages};
    if (attacker.alive)
        c.pages += aegis_env(attacker.proc.env)->pages;
    for (uint32_t i = 1; i < info->env_count; i++)
        c.envs += aegis_env(i)->state != AEGIS_ENV_NONE;
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        c.slots += slots[i].env != 0;
    for (uint32_t i = 0; i < info->binding_count; i++)
        c.bindings += aegis_binding(i)->owner != 0;
    for (uint32_t i = 0; i < info->extent_count; i++)
        c.extents += aegis_extent(i)->state != AEGIS_EXTENT_NONE;
    return c;
}

_Noreturn static void give_up(const char *what, int64_t error)
{
    printf("BROKE supervisor: %s: %s\n", what, error < 0 ? aegis_error_name(error) : "");
    aegis_shutdown(1);
    for (;;)
        ;
}

static void must(const char *what, int64_t result)
{
    if (result < 0)
        give_up(what, result);
}

static uint32_t bind(uint32_t netif, uint16_t to, uint16_t from, uint32_t owner)
{
    struct filter_image in, out;
    struct aegis_net_binding request = {.ingress = in.words, .egress = out.words};

    filter_udp_to(&in, to);
    filter_sent_udp(&out, netif, from);
    request.ingress_size = in.size;
    request.egress_size = out.size;
    must("cap_mint", aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[netif].root,
                                    AEGIS_RIGHT_DELEGATE, &request.parent));
    if (owner)
        must("cap_mint",
             aegis_cap_mint(AEGIS_KIND_ENV, owner, AEGIS_RIGHT_CONTROL, &request.owner));
    int64_t binding = net_bind(&request);
    must("net_bind", binding);
    return (uint32_t)binding;
}

/* With a sibling, so that two bindings of one interface have rings, and a number used before. */
static void open_asker(void)
{
    static struct net sibling;

    must("net_unbind", aegis_net_unbind(bind(1, SPARE_PORT, SPARE_PORT, 0)));
    bind(1, ASKER_PORT, ASKER_PORT, 0);
    bool opened = net_open_next(&asker, 4) == 1;
    bind(1, SPARE_PORT, SPARE_PORT, 0);
    if (!opened || net_open_next(&sibling, 2) != 1)
        give_up("the asker's rings", 0);
}

static void start_victim(void)
{
    char *const argv[] = {"victim"};
    struct proc_options options = {
        .name = "victim", .argc = 1, .argv = argv, .caps = caps, .cap_count = ATTACK_CAPS};

    must("victim", proc_create(&victim, &options));
    attack_desk(victim.start)->binding = bind(0, VICTIM_PORT, VICTIM_PORT, victim.env);
    must("victim", proc_start(&victim));
    struct aegis_predicate ready = AEGIS_WHEN(attack_desk(victim.start)->done, NE, 0);
    if (aegis_wait(&ready, 1, time_after(LIMIT)) != 0)
        give_up(test_why(victim.start), 0);
    caps[ATTACK_CAP_VICTIM_PAGE] = victim.start->caps[ATTACK_CAP_VICTIM_PAGE];
    must("cap_mint", aegis_cap_mint(AEGIS_KIND_ENV, victim.env, AEGIS_RIGHT_CALL,
                                    &caps[ATTACK_CAP_VICTIM_ENV]));
}

static void put_question(uint8_t *frame)
{
    struct question question = {.number = ++questions};

    memset(frame, 0, QUESTION_FRAME);
    for (int i = 0; i < 6; i++) {
        frame[ETH_DESTINATION + i] = aegis_info()->netifs[0].mac[i];
        frame[ETH_SOURCE + i] = aegis_info()->netifs[1].mac[i];
    }
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    frame[IPV4_PROTOCOL] = IPV4_UDP;
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_SOURCE, ASKER_PORT);
    net_put16(frame + ETH_SIZE + IPV4_LEAST + UDP_DESTINATION, VICTIM_PORT);
    memcpy(frame + QUESTION_OFFSET, &question, sizeof question);
}

/* Asks the victim; what is wrong with it, or NULL. */
static const char *ask(void)
{
    static uint8_t frame[QUESTION_FRAME];
    const struct aegis_frame_out out = {.address = frame, .length = sizeof frame};
    struct question question;

    put_question(frame);
    if (net_send(&asker, &out, 1) != 1)
        return "the victim can't be asked";
    struct aegis_predicate arrived = net_readable(&asker);
    if (aegis_wait(&arrived, 1, time_after(LIMIT)) != 0)
        return aegis_env(victim.env)->state == AEGIS_ENV_LIVE ? "the victim doesn't answer"
                                                              : "the victim has ended";
    memcpy(&question, net_frame(net_next(&asker)) + QUESTION_OFFSET, sizeof question);
    net_release(&asker);
    if (question.number != questions)
        return "the victim answered another question";
    if (question.counted != questions)
        return "the victim's handler missed frames";
    return question.checksum == victim_sum(NULL) ? NULL : "the victim's memory has changed";
}

static void start_attacker(void)
{
    char *const argv[] = {"attacker"};
    struct proc_options options = {
        .name = "attacker", .argc = 1, .argv = argv, .caps = caps, .cap_count = ATTACK_CAPS};

    must("attacker", proc_create(&attacker.proc, &options));
    attack_desk(attacker.proc.start)->victim = victim.env;
    attack_desk(attacker.proc.start)->binding = attack_desk(victim.start)->binding;
    attack_desk(attacker.proc.start)->victim_va = attack_desk(victim.start)->victim_va;
    must("attacker", proc_start(&attacker.proc));
    struct aegis_predicate ready = AEGIS_WHEN(attack_desk(attacker.proc.start)->done, NE, 0);
    if (aegis_wait(&ready, 1, time_after(LIMIT)) != 0)
        give_up(test_why(attacker.proc.start), 0);
    attacker.order = vm_attach(&attacker.proc.start->caps[ATTACK_CAP_DESK], VM_READ_WRITE);
    if (!attacker.order)
        give_up("the attacker's page", 0);
    attacker.alive = true;
}

/*
 * Disks: capabilities for their roots, and an extent in the middle of the first for the victim's
 * data, which nobody else may reach.
 */
static void open_disks(void)
{
    const enum attack_cap roots[] = {ATTACK_CAP_DISK, ATTACK_CAP_SLOW, ATTACK_CAP_BLANK};
    struct aegis_extent_request request = {
        .parent = aegis_info()->disks[0].extents, .first = 20, .count = 4};

    for (size_t i = 0; i < 3; i++)
        must("cap_mint", aegis_cap_mint(AEGIS_KIND_EXTENT, aegis_info()->disks[i].extents,
                                        AEGIS_RIGHT_DELEGATE, &caps[roots[i]]));
    int64_t extent = aegis_extent_alloc(&request);
    must("extent_alloc", extent);
    while (aegis_extent((uint32_t)extent)->state != AEGIS_EXTENT_READY)
        aegis_yield(0);
    must("cap_mint", aegis_cap_mint(AEGIS_KIND_EXTENT, (uint64_t)extent, AEGIS_RIGHT_READ,
                                    &caps[ATTACK_CAP_EXTENT]));
}

/* Extents that it has left are nobody's; who owns the root may give their blocks back. */
static void free_extents(void)
{
    for (uint32_t i = 0; i < aegis_info()->extent_count; i++) {
        if (aegis_extent(i)->state == AEGIS_EXTENT_NONE || aegis_extent(i)->owner)
            continue;
        while (aegis_extent_free(i, AEGIS_EXTENT_RETURN) == -AEGIS_E_BUSY)
            aegis_yield(0);
        while (aegis_extent(i)->state != AEGIS_EXTENT_NONE)
            aegis_yield(0);
    }
}

/* Children that the attacker has left belong to its owner, this program. */
static void end_orphans(void)
{
    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        if (env != exos.env && env != victim.env && aegis_env(env)->state != AEGIS_ENV_NONE &&
            aegis_env(env)->owner == exos.env) {
            struct aegis_predicate ended = aegis_when_ended(env);
            aegis_env_end(env, 0);
            aegis_wait(&ended, 1, AEGIS_FOREVER);
            aegis_env_free(env);
        }
}

/* Waits for the attacker's end, and says how it came. */
static void bury_attacker(char why[TEST_WHY_SIZE])
{
    struct proc_status status;
    char text[128];

    snprintf(why, TEST_WHY_SIZE, "%s", test_why(attacker.proc.start));
    attacker.alive = false;
    vm_free(attacker.order);
    proc_wait(&attacker.proc, &status, AEGIS_FOREVER);
    if (!*why)
        snprintf(why, TEST_WHY_SIZE, "the attacker ended: %s",
                 proc_describe(&status, text, sizeof text));
    end_orphans();
    free_extents();
}

/* Has the attacker make a row; false with why if it did not get what it should have got. */
static bool make_row(size_t row, char why[TEST_WHY_SIZE])
{
    const struct attack *attack = &attacks[row];
    struct attack_desk *desk = attack_desk(attacker.proc.start);
    struct aegis_predicate over[] = {AEGIS_WHEN(desk->done, EQ, row + 1),
                                     aegis_when_ended(attacker.proc.env)};

    attacker.order->row = row + 1;
    switch (aegis_wait(over, 2, time_after(LIMIT))) {
    case 0:
        if (desk->result == attack->wanted)
            return true;
        snprintf(why, TEST_WHY_SIZE, "%s (%lld), not %s", aegis_error_name(desk->result),
                 (long long)desk->result, aegis_error_name(attack->wanted));
        return false;
    case 1:
        bury_attacker(why);
        return attack->wanted == ATTACK_ENDS;
    default:
        proc_kill(&attacker.proc, 0);
        bury_attacker(why);
        snprintf(why, TEST_WHY_SIZE, "it ran out of time");
        return false;
    }
}

static bool check_counts(struct counts before, char why[TEST_WHY_SIZE])
{
    struct counts now = count();

    if (!memcmp(&now, &before, sizeof now))
        return true;
    snprintf(why, TEST_WHY_SIZE,
             "leaked: pages %lld, environments %lld, slots %lld, bindings %lld, extents %lld",
             (long long)(before.pages - now.pages), (long long)(now.envs - before.envs),
             (long long)(now.slots - before.slots), (long long)(now.bindings - before.bindings),
             (long long)(now.extents - before.extents));
    return false;
}

static bool try_row(size_t row)
{
    char why[TEST_WHY_SIZE] = "";
    bool first = attacks[row].kind == ATTACK_FIRST || attacks[row].kind == ATTACK_BARE, held;
    struct counts alone = count(); /* without an attacker */
    uint64_t begin = time_now();

    if (!first && !attacker.alive)
        start_attacker();
    else if (attacker.alive)
        alone.pages = 0;
    struct counts before = count();
    if (first) {
        int64_t result = attacks[row].function();
        held = result == attacks[row].wanted;
        snprintf(why, sizeof why, "%s (%lld)", aegis_error_name(result), (long long)result);
    } else {
        held = make_row(row, why);
    }
    if (held && (first || attacker.alive))
        held = check_counts(before, why);
    else if (held && alone.pages)
        held = check_counts(alone, why);
    const char *wrong = held && attacks[row].kind != ATTACK_BARE ? ask() : NULL;
    if (wrong)
        snprintf(why, sizeof why, "%s", wrong);
    held &= !wrong;
    if (held)
        printf("HELD %s, %u ms\n", attacks[row].name,
               (unsigned)(time_to_ns(time_now() - begin) / 1000000));
    else
        printf("BROKE %s: %s\n", attacks[row].name, why);
    return held;
}

/* Which rows this boot takes: without disks, none about them. */
static bool is_wanted(const struct attack *attack, bool bare, bool heavy)
{
    bool about_disks = !strncmp(attack->name, "disk_", 5) || !strncmp(attack->name, "extent_", 7);

    if (about_disks && aegis_info()->disk_count < DISKS)
        return false;
    return attack->kind == ATTACK_BARE ? bare : !bare && (attack->kind == ATTACK_HEAVY) == heavy;
}

int main(void)
{
    bool bare = aegis_info()->netif_count < 3;
    bool heavy = strstr((const char *)(uintptr_t)aegis_info()->bootargs, "heavy=1");
    unsigned broken = 0;

    if (!bare) {
        open_asker();
        must("cap_mint", aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[0].root,
                                        AEGIS_RIGHT_DELEGATE, &caps[ATTACK_CAP_ROOT]));
        must("cap_mint", aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[0].root,
                                        AEGIS_RIGHT_TAP, &caps[ATTACK_CAP_TAP]));
        must("cap_mint", aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netifs[2].root,
                                        AEGIS_RIGHT_DELEGATE, &caps[ATTACK_CAP_STUCK]));
        must("cap_mint", aegis_cap_mint(AEGIS_KIND_BINDING, aegis_info()->netif_count,
                                        AEGIS_RIGHT_DELEGATE, &caps[ATTACK_CAP_LOOP]));
        must("cap_mint", aegis_cap_mint(AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE,
                                        &caps[ATTACK_CAP_CONSOLE]));
        if (aegis_info()->disk_count >= DISKS)
            open_disks();
        start_victim();
        const char *wrong = ask();
        if (wrong)
            give_up(wrong, 0);
    }
    for (size_t i = 0; i < attack_count; i++)
        if (is_wanted(&attacks[i], bare, heavy))
            broken += !try_row(i);
    printf("DONE, %u broken\n", broken);
    aegis_shutdown(broken ? 1 : 0);
}
