#include "kernel/slice.h"

#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/quota.h"

#define SLICES_A_SECOND    100
#define EPILOGUES_A_SECOND 5000 /* 200 us: 20,000 instructions where one takes 10 ns */

struct aegis_slot *slice_slots;
uint32_t slice_slot_end;
struct env *slice_runs[AEGIS_SLOTS];
union slice_chores slice_chores;
uint64_t slice_fresh;
_Static_assert(AEGIS_SLOTS <= 64, "a bit each");

void slice_init(void)
{
    slice_slots = expose_alloc(AEGIS_SLOTS * sizeof(*slice_slots), &info->slots);
    info->slice = (uint32_t)(info->timebase / SLICES_A_SECOND);
    info->epilogue = (uint32_t)(info->timebase / EPILOGUES_A_SECOND);
}

/* The first free slot, or AEGIS_SLOTS. */
static uint32_t find_free(void)
{
    uint32_t i = 0;

    while (i < AEGIS_SLOTS && slice_slots[i].owner)
        i++;
    return i;
}

bool slice_is_free(void)
{
    return find_free() < AEGIS_SLOTS;
}

/* Nobody runs in a slot any more. */
static void leave(struct aegis_slot *slot)
{
    struct aegis_env_info *i = &env_infos[slot->env];

    if (--i->slots == 0 && i->state == AEGIS_ENV_ENDING)
        slice_chores.ending_without++;
}

static void enter(struct aegis_slot *slot, uint32_t env)
{
    struct aegis_env_info *i = &env_infos[env];

    slot->env = env;
    slice_runs[slot - slice_slots] = env_table[env];
    if (i->slots++ == 0 && i->state == AEGIS_ENV_ENDING)
        slice_chores.ending_without--;
}

static void take(uint32_t number, uint32_t env)
{
    slice_fresh &= ~(1UL << number);
    slice_slots[number].owner = env;
    enter(&slice_slots[number], env);
    quota_add(env, AEGIS_QUOTA_SLOTS, 1);
    if (number >= slice_slot_end)
        slice_slot_end = number + 1;
}

bool slice_grant(uint32_t env)
{
    uint32_t number = find_free();

    if (number == AEGIS_SLOTS)
        return false;
    take(number, env);
    return true;
}

/* The slot is nobody's; capabilities for it are worth nothing to its next owner. */
static void release(struct aegis_slot *slot)
{
    leave(slot);
    quota_subtract(slot->owner, AEGIS_QUOTA_SLOTS, 1);
    slot->owner = 0;
    slot->env = 0;
    slice_runs[slot - slice_slots] = NULL;
    slot->generation++;
    while (slice_slot_end > 0 && slice_slots[slice_slot_end - 1].owner == 0)
        slice_slot_end--;
}

/* A slot that was lent is its owner's to run in again. */
static void take_back(struct aegis_slot *slot)
{
    leave(slot);
    enter(slot, slot->owner);
}

void slice_begin_env(struct env *env)
{
    for (uint32_t i = 0; i < slice_slot_end; i++)
        if (slice_slots[i].env == env->number)
            slice_runs[i] = env;
}

void slice_end_env(uint32_t env)
{
    for (struct aegis_slot *slot = slice_slots; slot < slice_slots + slice_slot_end; slot++)
        if (slot->owner == env)
            release(slot); /* which may lower slice_slot_end */
        else if (slot->env == env)
            take_back(slot);
    slice_chores.ending_without--; /* with its last slot it was counted, if not before */
}

uint64_t slice_held(const struct env *env)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < slice_slot_end; i++)
        count += slice_slots[i].owner == env->number;
    return count;
}

bool slice_take(uint32_t env, uint32_t *number)
{
    uint32_t found = AEGIS_SLOTS;

    for (uint32_t i = 0; i < slice_slot_end; i++)
        if (slice_slots[i].owner == env && (found == AEGIS_SLOTS || slice_slots[found].env == env))
            found = i;
    if (found == AEGIS_SLOTS)
        return false;
    release(&slice_slots[found]);
    *number = found;
    return true;
}

bool slice_valid(uint64_t index)
{
    return index < AEGIS_SLOTS; /* of hart 0, the only one that runs (docs/limits.md) */
}

uint32_t slice_owner(uint64_t index)
{
    return slice_slots[index].owner;
}

uint64_t *slice_generation(uint64_t index)
{
    return &slice_slots[index].generation;
}

bool slice_sever(uint64_t index)
{
    struct aegis_slot *slot = &slice_slots[index];

    if (slot->env != slot->owner)
        take_back(slot);
    return true;
}

/* Which slot (hart, number) is: its index, or a negated error. */
static long find(uint32_t hart, uint32_t number)
{
    if (hart >= info->harts || number >= AEGIS_SLOTS)
        return -AEGIS_E_RANGE;
    return hart == 0 ? (long)number : -AEGIS_E_STATE;
}

/* A slot of somebody else's, by its capability. */
static long borrow(struct aegis_slot *slot, uint64_t index, uaddr_t capability)
{
    long error = cap_check_user(capability, AEGIS_KIND_SLICE, index, AEGIS_RIGHT_DELEGATE);

    if (error)
        return error;
    if (slot->owner == 0 || slot->env != slot->owner)
        return -AEGIS_E_IN_USE;
    leave(slot);
    enter(slot, this_hart->env->number);
    return (long)index;
}

long call_slice_alloc(uint32_t hart, uint32_t number, uaddr_t capability)
{
    uint32_t self = this_hart->env->number;
    bool any = number == AEGIS_SLOT_ANY && capability == 0;
    long found = find(hart, any ? 0 : number);

    if (found < 0)
        return found;
    if (capability)
        return borrow(&slice_slots[found], (uint64_t)found, capability);
    if (any)
        number = find_free();
    if (number == AEGIS_SLOTS)
        return -AEGIS_E_NO_SLOT;
    if (slice_slots[number].owner)
        return -AEGIS_E_IN_USE;
    if (!quota_allows(self, AEGIS_QUOTA_SLOTS, 1))
        return -AEGIS_E_QUOTA;
    take(number, self);
    if (number > this_hart->slot)
        slice_fresh |= 1UL << number;
    return (long)number;
}

long call_slice_free(uint32_t hart, uint32_t number)
{
    uint32_t self = this_hart->env->number;
    long found = find(hart, number);

    if (found < 0)
        return found;
    struct aegis_slot *slot = &slice_slots[found];
    if (slot->owner == 0)
        return -AEGIS_E_OWNER;
    if (slot->owner == self || env_infos[slot->owner].owner == self)
        release(slot);
    else if (slot->env == self)
        take_back(slot);
    else
        return -AEGIS_E_OWNER;
    return 0;
}

long call_slice_give(uint32_t hart, uint32_t number, uint32_t env)
{
    uint32_t self = this_hart->env->number;
    struct env *target;
    long found = find(hart, number);

    if (found < 0)
        return found;
    struct aegis_slot *slot = &slice_slots[found];
    if (slot->owner != self)
        return -AEGIS_E_OWNER;
    long error = env_target(env, &target);
    if (error)
        return error;
    leave(slot);
    quota_move(self, target->number, AEGIS_QUOTA_SLOTS);
    slot->owner = target->number;
    slot->generation++;
    enter(slot, target->number);
    return 0;
}
