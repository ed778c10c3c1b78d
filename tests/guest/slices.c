/* The slice vector: slots by name, as many as one likes, lent and given, taken, and none at all. */
#include <string.h>

#include "libos/proc/proc.h"
#include "libos/time/time.h"
#include "test.h"

static const volatile struct aegis_slot *slots;

/* Slots from the end of the vector, where nobody takes any by himself. */
enum { NAMED = AEGIS_SLOTS - 1, LENT = AEGIS_SLOTS - 2 };

static void sleep_slices(uint64_t count)
{
    aegis_wait(NULL, 0, time_now() + count * aegis_info()->slice);
}

static void by_name_and_any(void)
{
    uint32_t account = aegis_env(exos.env)->account;
    uint64_t used = aegis_account(account)->used[AEGIS_QUOTA_SLOTS];
    CHECK_EQ(aegis_slice_alloc(0, NAMED, NULL), NAMED);
    CHECK_EQ(slots[NAMED].owner, exos.env);
    CHECK_EQ(slots[NAMED].env, exos.env);
    CHECK_ERROR(aegis_slice_alloc(0, NAMED, NULL), IN_USE);
    int64_t any = aegis_slice_alloc(0, AEGIS_SLOT_ANY, NULL);
    CHECK(any >= 0 && any < LENT && slots[any].env == exos.env);
    CHECK_EQ(aegis_env(exos.env)->slots, 3);
    CHECK_EQ(aegis_account(account)->used[AEGIS_QUOTA_SLOTS], used + 2);
    uint64_t generation = slots[NAMED].generation;
    CHECK_OK(aegis_slice_free(0, NAMED));
    CHECK_EQ(slots[NAMED].generation, generation + 1);
    CHECK_OK(aegis_slice_free(0, (uint32_t)any));
    CHECK_ERROR(aegis_slice_free(0, NAMED), OWNER);
    CHECK_EQ(aegis_account(account)->used[AEGIS_QUOTA_SLOTS], used);
}

/* Three slots are three times the time of one. */
static void shares(void)
{
    struct raw one, three;
    raw_create(&one, "one", blob_spin, blob_spin_end);
    raw_create(&three, "three", blob_spin, blob_spin_end);
    for (int i = 0; i < 2; i++) {
        int64_t slot = aegis_slice_alloc(0, AEGIS_SLOT_ANY, NULL);
        CHECK(slot >= 0);
        CHECK_OK(aegis_slice_give(0, (uint32_t)slot, three.env));
    }
    CHECK_EQ(aegis_env(three.env)->slots, 3);
    raw_start(&one, 0);
    raw_start(&three, 0);
    /* In slices, not in time: the host may take the processor away from all of them together. */
    struct aegis_predicate some = AEGIS_WHEN(aegis_env(one.env)->slices, GE, 8);
    CHECK_EQ(aegis_wait(&some, 1, test_deadline()), 0);
    uint64_t a = aegis_env(one.env)->slices, b = aegis_env(three.env)->slices;
    if (b + 3 < 3 * a || b > 3 * a + 3)
        FAIL("%u slices with one slot, %u with three", (unsigned)a, (unsigned)b);
    CHECK_OK(aegis_env_end(one.env, 0));
    CHECK_OK(aegis_env_end(three.env, 0));
    raw_finish(&one);
    raw_finish(&three);
}

#define HOP_FROM (AEGIS_SLOTS / 4) /* beyond the slots of those that are there */

/* In each of its slices it leaves its slot for the next one, which has yet to come up. */
static _Noreturn void hopper(void)
{
    const volatile struct aegis_env_info *self = aegis_env(exos.env);
    uint32_t slot = 0, next = HOP_FROM;
    for (slots = (const volatile struct aegis_slot *)aegis_info()->slots;
         slots[slot].owner != exos.env;)
        slot++;
    for (;; next = slot + 1 < AEGIS_SLOTS ? slot + 1 : HOP_FROM) {
        CHECK_EQ(aegis_slice_alloc(0, next, NULL), next);
        CHECK_OK(aegis_slice_free(0, slot));
        slot = next;
        for (uint64_t slices = self->slices; self->slices == slices;)
            continue;
    }
}

/* A slot that is left for a later one is no second turn in a round. */
static void hopping(void)
{
    char *const arguments[] = {"slices", "hopper"};
    struct proc_options options = {.name = "slices", .argc = 2, .argv = arguments};
    struct proc_status status;
    struct proc hops;
    struct raw raw;
    raw_create(&raw, "stays", blob_spin, blob_spin_end);
    CHECK_OK(proc_spawn(&hops, &options));
    raw_start(&raw, 0);
    struct aegis_predicate some = AEGIS_WHEN(aegis_env(raw.env)->slices, GE, 8);
    CHECK_EQ(aegis_wait(&some, 1, test_deadline()), 0);
    uint64_t stayed = aegis_env(raw.env)->slices, hopped = aegis_env(hops.env)->slices;
    if (hopped > stayed + 3 || hopped < stayed / 2)
        FAIL("%u slices for who stays, %u for who hops", (unsigned)stayed, (unsigned)hopped);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    CHECK_OK(proc_kill(&hops, 0));
    CHECK_EQ(proc_wait(&hops, &status, AEGIS_FOREVER), 1);
}

/* Without a slot it runs on what others give it, and ends all the same. */
static void without_a_slot(void)
{
    struct raw raw;
    uint32_t slot = 0;
    raw_create(&raw, "slotless", blob_spin, blob_spin_end);
    while (slots[slot].env != raw.env)
        slot++;
    CHECK_OK(aegis_slice_free(0, slot)); /* its owner may */
    CHECK_EQ(aegis_env(raw.env)->slots, 0);
    raw_start(&raw, 0);
    sleep_slices(3);
    CHECK_EQ(*(volatile uint64_t *)raw.data, 0);
    uint64_t count, limit = test_deadline();
    do { /* what is left of a slice may be too little to begin in */
        CHECK(time_now() < limit);
        CHECK_OK(aegis_yield(raw.env));
    } while (!(count = *(volatile uint64_t *)raw.data));
    sleep_slices(3);
    CHECK_EQ(*(volatile uint64_t *)raw.data, count);
    CHECK_OK(aegis_env_end(raw.env, 5));
    CHECK_EQ(raw_finish(&raw).exit_value, 5);
}

/* The child does to the slot LENT as it is told; places in the block that both share. */
enum { STAGE, SHOWN, ANSWER, CAPS };
enum { BORROW = 1, LEAVE };

static _Noreturn void child(void)
{
    struct aegis_cap *caps = exos.start->caps;
    for (uint64_t seen = 0;;) {
        while (__atomic_load_n(&caps[STAGE].name, __ATOMIC_ACQUIRE) == seen)
            aegis_yield(0);
        seen = caps[STAGE].name;
        caps[ANSWER].name =
            (uint64_t)(caps[STAGE].mac == BORROW ? aegis_slice_alloc(0, LENT, &caps[SHOWN])
                                                 : aegis_slice_free(0, LENT));
        __atomic_store_n(&caps[ANSWER].generation, seen, __ATOMIC_RELEASE);
    }
}

static struct proc proc;

static int64_t ask(uint64_t what)
{
    struct aegis_cap *caps = proc.start->caps;
    uint64_t stage = caps[STAGE].name + 1;
    caps[STAGE].mac = what;
    __atomic_store_n(&caps[STAGE].name, stage, __ATOMIC_RELEASE);
    struct aegis_predicate done = AEGIS_WHEN(caps[ANSWER].generation, EQ, stage);
    aegis_wait(&done, 1, AEGIS_FOREVER);
    return (int64_t)caps[ANSWER].name;
}

static void lending(void)
{
    struct aegis_cap cap;
    CHECK_EQ(aegis_slice_alloc(0, LENT, NULL), LENT);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_SLICE, LENT, AEGIS_RIGHT_DELEGATE, &cap));
    CHECK_ERROR(ask(LEAVE), OWNER);
    CHECK_EQ(ask(BORROW), -AEGIS_E_CAPABILITY);
    proc.start->caps[SHOWN] = cap;
    CHECK_EQ(ask(BORROW), LENT);
    CHECK_EQ(slots[LENT].env, proc.env);
    CHECK_EQ(slots[LENT].owner, exos.env);
    CHECK_EQ(aegis_env(proc.env)->slots, 2);
    CHECK_EQ(ask(BORROW), -AEGIS_E_IN_USE);
    CHECK_OK(ask(LEAVE));
    CHECK_EQ(slots[LENT].env, exos.env);

    CHECK_EQ(ask(BORROW), LENT);
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_SLICE, LENT, AEGIS_REVOKE_STALE));
    CHECK_EQ(slots[LENT].env, proc.env); /* what is lent stays lent */
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_SLICE, LENT, AEGIS_REVOKE_SEVER));
    CHECK_EQ(slots[LENT].env, exos.env);
    CHECK_EQ(ask(BORROW), -AEGIS_E_CAPABILITY);

    CHECK_OK(
        aegis_cap_mint(AEGIS_KIND_SLICE, LENT, AEGIS_RIGHT_DELEGATE, &proc.start->caps[SHOWN]));
    CHECK_EQ(ask(BORROW), LENT);
    CHECK_OK(aegis_slice_free(0, LENT)); /* lent or not */
    CHECK_EQ(slots[LENT].owner, 0);
    CHECK_EQ(aegis_env(proc.env)->slots, 1);
    CHECK_EQ(ask(BORROW), -AEGIS_E_CAPABILITY);
}

/* Who ends gives back what it was lent. */
static void lent_to_the_dead(void)
{
    struct proc_status status;
    CHECK_EQ(aegis_slice_alloc(0, LENT, NULL), LENT);
    CHECK_OK(
        aegis_cap_mint(AEGIS_KIND_SLICE, LENT, AEGIS_RIGHT_DELEGATE, &proc.start->caps[SHOWN]));
    CHECK_EQ(ask(BORROW), LENT);
    CHECK_OK(proc_kill(&proc, 0));
    proc_wait(&proc, &status, AEGIS_FOREVER);
    CHECK_EQ(slots[LENT].env, exos.env);
    CHECK_OK(aegis_slice_free(0, LENT));
    CHECK_EQ(aegis_env(exos.env)->slots, 1);
}

/* Asked for a slot, a program that doesn't listen loses one: the one that it had last. */
static void revoked(void)
{
    struct raw raw;
    raw_create(&raw, "deaf", blob_spin, blob_spin_end);
    int64_t slot = aegis_slice_alloc(0, NAMED, NULL);
    CHECK_EQ(slot, NAMED);
    CHECK_OK(aegis_slice_give(0, NAMED, raw.env));
    raw_start(&raw, 0);
    CHECK_OK(aegis_revoke(raw.env, AEGIS_KIND_SLICE, 1));
    struct aegis_predicate gone = AEGIS_WHEN(aegis_env(raw.env)->revoking, EQ, 0);
    CHECK_EQ(aegis_wait(&gone, 1, test_deadline()), 0);
    CHECK_EQ(aegis_env(raw.env)->slots, 1);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
}

int main(int argc, char **argv)
{
    if (!strcmp(test_argument(argc, argv, 1), "child"))
        child();
    if (!strcmp(test_argument(argc, argv, 1), "hopper"))
        hopper();
    slots = (const volatile struct aegis_slot *)aegis_info()->slots;
    by_name_and_any();
    shares();
    hopping();
    without_a_slot();
    char *const arguments[] = {"slices", "child"};
    struct aegis_cap caps[CAPS];
    memset(caps, 0, sizeof caps);
    struct proc_options options = {
        .name = "slices", .argc = 2, .argv = arguments, .caps = caps, .cap_count = CAPS};
    CHECK_OK(proc_spawn(&proc, &options));
    lending();
    lent_to_the_dead();
    revoked();
    return 0;
}
