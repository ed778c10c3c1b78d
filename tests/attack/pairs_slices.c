/* The errors of calls about the slice vector. */
#include "attack.h"

#define NOWHERE 0x3f00000000UL

/* A slot that the attacker doesn't own: the victim's. */
static uint32_t victims_slot(void)
{
    const volatile struct aegis_slot *slots =
        (const volatile struct aegis_slot *)aegis_info()->slots;
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slots[i].owner == VICTIM)
            return i;
    FAIL("the victim has no slot");
}

static uint32_t own_slot(void)
{
    const volatile struct aegis_slot *slots =
        (const volatile struct aegis_slot *)aegis_info()->slots;
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slots[i].owner == exos.env)
            return i;
    FAIL("the attacker has no slot");
}

int64_t slice_alloc_RANGE(void)
{
    CHECK_ERROR(aegis_slice_alloc(UINT32_MAX, 0, NULL), RANGE);
    CHECK_ERROR(aegis_slice_alloc(aegis_info()->harts, AEGIS_SLOT_ANY, NULL), RANGE);
    CHECK_ERROR(aegis_slice_alloc(0, UINT32_MAX - 1, NULL), RANGE);
    /* Any, of a capability's: which? */
    CHECK_ERROR(aegis_slice_alloc(0, AEGIS_SLOT_ANY, &exos.start->caps[0]), RANGE);
    return aegis_slice_alloc(0, AEGIS_SLOTS, NULL);
}

/* Hart 1 is parked. */
int64_t slice_alloc_STATE(void)
{
    CHECK_ERROR(aegis_slice_alloc(1, 0, &exos.start->caps[0]), STATE);
    CHECK_ERROR(aegis_slice_alloc(1, 0, NULL), STATE);
    return aegis_slice_alloc(1, AEGIS_SLOT_ANY, NULL);
}

int64_t slice_alloc_ADDRESS(void)
{
    for (size_t i = 1; i < bad_address_count; i++) /* without NULL: no capability */
        if (bad_addresses[i])
            CHECK_ERROR(
                aegis_slice_alloc(0, victims_slot(), (const struct aegis_cap *)bad_addresses[i]),
                ADDRESS);
    return aegis_slice_alloc(0, victims_slot(), (const struct aegis_cap *)NOWHERE);
}

/* Forged, for another resource, for another slot, and stale. */
int64_t slice_alloc_CAPABILITY(void)
{
    uint32_t slot = victims_slot(), own = own_slot();
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_SLICE, own, AEGIS_RIGHT_DELEGATE, &cap));
    CHECK_ERROR(aegis_slice_alloc(0, slot, &cap), CAPABILITY);
    cap.name = AEGIS_CAP_NAME(AEGIS_KIND_SLICE, AEGIS_RIGHT_DELEGATE, slot);
    CHECK_ERROR(aegis_slice_alloc(0, slot, &cap), CAPABILITY);
    for (int bit = 0; bit < 64; bit++) {
        cap.mac ^= 1UL << bit;
        CHECK_ERROR(aegis_slice_alloc(0, slot, &cap), CAPABILITY);
    }
    CHECK_ERROR(aegis_cap_mint(AEGIS_KIND_SLICE, slot, AEGIS_RIGHT_DELEGATE, &cap), OWNER);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_SLICE, own, AEGIS_RIGHT_DELEGATE, &cap));
    CHECK_OK(aegis_cap_revoke(AEGIS_KIND_SLICE, own, AEGIS_REVOKE_STALE));
    CHECK_ERROR(aegis_slice_alloc(0, own, &cap), CAPABILITY);
    return aegis_slice_alloc(0, slot, &exos.start->caps[ATTACK_CAP_VICTIM_ENV]);
}

int64_t slice_alloc_IN_USE(void)
{
    struct raw raw;
    struct aegis_cap cap;
    int64_t result, slot = aegis_slice_alloc(0, AEGIS_SLOT_ANY, NULL);
    CHECK(slot >= 0);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_SLICE, (uint64_t)slot, AEGIS_RIGHT_DELEGATE, &cap));
    CHECK_EQ(aegis_slice_alloc(0, (uint32_t)slot, &cap), slot); /* one's own, and run in */
    CHECK_OK(aegis_slice_free(0, (uint32_t)slot));
    raw_create(&raw, "child", blob_end, blob_end_end);
    CHECK_ERROR(aegis_slice_alloc(0, victims_slot(), NULL), IN_USE);
    result = aegis_slice_alloc(0, own_slot(), NULL);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    return result;
}

/* All slots of the vector. */
int64_t slice_alloc_NO_SLOT(void)
{
    uint32_t taken[AEGIS_SLOTS], count = 0;
    int64_t result;
    while ((result = aegis_slice_alloc(0, AEGIS_SLOT_ANY, NULL)) >= 0) {
        CHECK(count < AEGIS_SLOTS);
        taken[count++] = (uint32_t)result;
    }
    while (count)
        CHECK_OK(aegis_slice_free(0, taken[--count]));
    return result;
}

int64_t slice_free_RANGE(void)
{
    CHECK_ERROR(aegis_slice_free(aegis_info()->harts, 0), RANGE);
    return aegis_slice_free(0, AEGIS_SLOTS);
}

int64_t slice_free_STATE(void)
{
    return aegis_slice_free(1, own_slot());
}

/* The victim's, a free one, and the parent's. */
int64_t slice_free_OWNER(void)
{
    CHECK_ERROR(aegis_slice_free(0, AEGIS_SLOTS - 1), OWNER);
    CHECK_ERROR(aegis_slice_free(0, 0), OWNER);
    return aegis_slice_free(0, victims_slot());
}

int64_t slice_give_RANGE(void)
{
    CHECK_ERROR(aegis_slice_give(0, AEGIS_SLOTS, 0), RANGE);
    CHECK_ERROR(aegis_slice_give(0, own_slot(), UINT32_MAX), RANGE);
    return aegis_slice_give(UINT32_MAX, own_slot(), 0);
}

int64_t slice_give_STATE(void)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    CHECK_ERROR(aegis_slice_give(1, own_slot(), raw.env), STATE);
    CHECK_OK(aegis_env_end(raw.env, 0));
    int64_t result = aegis_slice_give(0, own_slot(), raw.env);
    raw_finish(&raw);
    return result;
}

/* Another's slot; and one's own to somebody else. */
int64_t slice_give_OWNER(void)
{
    CHECK_ERROR(aegis_slice_give(0, own_slot(), VICTIM), OWNER);
    CHECK_ERROR(aegis_slice_give(0, own_slot(), exos.parent), OWNER);
    return aegis_slice_give(0, victims_slot(), 0);
}

int64_t slice_bind_ALIGNMENT(void)
{
    CHECK_ERROR(aegis_slice_bind(0x10001, 0), ALIGNMENT);
    return aegis_slice_bind(0x10000, 0x10001);
}

int64_t slice_bind_RANGE(void)
{
    CHECK_ERROR(aegis_slice_bind(UINT64_MAX - 1, 0), RANGE);
    CHECK_ERROR(aegis_slice_bind(0xffffffc000000000UL, 0), RANGE);
    return aegis_slice_bind(0x10000, AEGIS_USER_END);
}

int64_t slice_bind_INVALID(void)
{
    return aegis_slice_bind(0, 0x10000);
}

int64_t slice_bind_STATE(void)
{
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    return aegis_slice_bind(0x10000, 0x10000);
}
