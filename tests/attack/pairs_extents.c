/* The errors of calls about extents. Disk 1 takes 20 requests a second: what is asked of it is on
 * its way for long. */
#include <string.h>

#include "attack.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define LIMIT   20000000000UL /* ns for a change to be on the disk */
#define UNKNOWN 0x7fffffff    /* no extent has that number */

static const struct aegis_cap *cap_of(enum attack_cap which)
{
    return &exos.start->caps[which];
}

static uint32_t root_of(enum attack_cap which)
{
    return (uint32_t)AEGIS_CAP_INDEX(cap_of(which)->name);
}

static uint32_t victims(void)
{
    return root_of(ATTACK_CAP_EXTENT);
}

struct aegis_extent_request extent_wanted(enum attack_cap root, uint64_t count)
{
    struct aegis_extent_request r = {.parent = root_of(root),
                                     .capability = cap_of(root),
                                     .first = AEGIS_ANY,
                                     .count = count,
                                     .flags = AEGIS_EXTENT_SEALED};
    memcpy(r.secret, SECRET, sizeof r.secret);
    return r;
}

void extent_settle(uint32_t extent)
{
    const volatile struct aegis_disk_info *disk = &aegis_info()->disks[aegis_extent(extent)->disk];
    struct aegis_predicate over = {.word = (const volatile uint64_t *)&disk->block_size,
                                   .mask = (uint64_t)AEGIS_DISK_CHANGING << 32,
                                   .op = AEGIS_WAKE_EQ};
    CHECK_EQ(aegis_wait(&over, 1, time_after(LIMIT)), 0);
}

int64_t extent_make(enum attack_cap root, uint64_t count)
{
    struct aegis_extent_request r = extent_wanted(root, count);
    return aegis_extent_alloc(&r);
}

uint32_t extent_made(enum attack_cap root, uint64_t count)
{
    int64_t extent = extent_make(root, count);
    if (extent < 0)
        FAIL("extent_alloc: %s", aegis_error_name(extent));
    extent_settle((uint32_t)extent);
    return (uint32_t)extent;
}

void extent_gone(uint32_t extent)
{
    extent_settle(extent);
    CHECK_OK(aegis_extent_free(extent, AEGIS_EXTENT_RETURN));
    extent_settle(extent);
}

/* An extent inside one of one's own, from its block `at` on. */
static uint32_t made_inside(uint32_t parent, uint64_t at, uint64_t count)
{
    struct aegis_extent_request r = {
        .parent = parent, .first = aegis_extent(parent)->first + at, .count = count};
    int64_t extent = aegis_extent_alloc(&r);
    CHECK(extent >= 0);
    extent_settle((uint32_t)extent);
    return (uint32_t)extent;
}

/* With a change of the slow disk's table on its way, what a call says; the new extent goes again.
 */
static int64_t meanwhile(int64_t (*call)(uint32_t settled, uint32_t making))
{
    uint32_t settled = extent_made(ATTACK_CAP_SLOW, 2);
    int64_t making = extent_make(ATTACK_CAP_SLOW, 1);
    CHECK(making >= 0);
    int64_t result = call(settled, (uint32_t)making);
    extent_gone((uint32_t)making);
    extent_gone(settled);
    return result;
}

int64_t extent_alloc_ADDRESS(void)
{
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_DISK, 1);
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++) {
        CHECK_ERROR(aegis_extent_alloc((const struct aegis_extent_request *)bad_addresses[i]),
                    ADDRESS);
        r.capability = (const struct aegis_cap *)bad_addresses[i];
        if (bad_addresses[i])
            CHECK_EQ(result = aegis_extent_alloc(&r), -AEGIS_E_ADDRESS);
    }
    return result;
}

int64_t extent_alloc_RANGE(void)
{
    uint64_t blocks = aegis_info()->disks[0].blocks;
    const uint64_t wrong[][2] = {
        {0, 1},         {1, 2},         {blocks - 1, 2},
        {blocks, 1},    {1UL << 52, 1}, {UINT64_MAX - 1, 2},
        {1UL << 63, 1}, {INT64_MAX, 1}, {aegis_extent(root_of(ATTACK_CAP_DISK))->first - 1, 1}};
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_DISK, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        r.first = wrong[i][0];
        r.count = wrong[i][1];
        CHECK_ERROR(aegis_extent_alloc(&r), RANGE);
    }
    r = extent_wanted(ATTACK_CAP_DISK, 0);
    CHECK_ERROR(aegis_extent_alloc(&r), RANGE);
    r = extent_wanted(ATTACK_CAP_DISK, 1);
    r.parent = 1UL << 40;
    CHECK_ERROR(aegis_extent_alloc(&r), RANGE);
    r.parent = UNKNOWN;
    return aegis_extent_alloc(&r);
}

int64_t extent_alloc_OWNER(void)
{
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_DISK, 1);
    r.capability = NULL;
    return aegis_extent_alloc(&r);
}

int64_t extent_alloc_CAPABILITY(void)
{
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_DISK, 1);
    r.capability = cap_of(ATTACK_CAP_SLOW); /* another disk's */
    return aegis_extent_alloc(&r);
}

int64_t extent_alloc_RIGHTS(void)
{
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_EXTENT, 1); /* READ */
    return aegis_extent_alloc(&r);
}

int64_t extent_alloc_INVALID(void)
{
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_DISK, 1);
    r.flags = 1UL << 40;
    CHECK_ERROR(aegis_extent_alloc(&r), INVALID);
    r.flags = 1;
    return aegis_extent_alloc(&r);
}

int64_t extent_alloc_STATE(void)
{
    return extent_make(ATTACK_CAP_BLANK, 1);
}

static int64_t alloc_another(uint32_t settled, uint32_t making)
{
    (void)settled, (void)making;
    return extent_make(ATTACK_CAP_SLOW, 1);
}

int64_t extent_alloc_BUSY(void)
{
    return meanwhile(alloc_another);
}

int64_t extent_alloc_IN_USE(void)
{
    struct aegis_extent_request r = extent_wanted(ATTACK_CAP_DISK, 3);
    r.first = aegis_extent(victims())->first - 2;
    return aegis_extent_alloc(&r);
}

int64_t extent_alloc_NO_SPACE(void)
{
    return extent_make(ATTACK_CAP_DISK, aegis_extent(root_of(ATTACK_CAP_DISK))->count);
}

/* Takes all slots of disk 0's table, then makes a call; its result. */
static int64_t with_all_slots(int64_t (*call)(uint32_t extent))
{
    static uint32_t made[256];
    uint32_t count = 0;
    uint32_t two = extent_made(ATTACK_CAP_DISK, 2);
    for (;; count++) {
        int64_t extent = extent_make(ATTACK_CAP_DISK, 1);
        if (extent < 0)
            break;
        CHECK(count < sizeof made / sizeof *made);
        extent_settle(made[count] = (uint32_t)extent);
    }
    int64_t result = call(two);
    while (count > 0)
        extent_gone(made[--count]);
    extent_gone(two);
    return result;
}

static int64_t one_more(uint32_t extent)
{
    (void)extent;
    return extent_make(ATTACK_CAP_DISK, 1);
}

int64_t extent_alloc_NO_SLOT(void)
{
    return with_all_slots(one_more);
}

static int64_t split_it(uint32_t extent)
{
    return aegis_extent_split(extent, 1, NULL);
}

int64_t extent_split_NO_SLOT(void)
{
    return with_all_slots(split_it);
}

int64_t extent_free_RANGE(void)
{
    return aegis_extent_free(UNKNOWN, AEGIS_EXTENT_RETURN);
}

int64_t extent_free_INVALID(void)
{
    return aegis_extent_free(victims(), 2);
}

int64_t extent_free_OWNER(void)
{
    CHECK_ERROR(aegis_extent_free(root_of(ATTACK_CAP_DISK), AEGIS_EXTENT_RETURN), OWNER);
    CHECK_ERROR(aegis_extent_free(victims(), AEGIS_EXTENT_FORGET), OWNER);
    return aegis_extent_free(victims(), AEGIS_EXTENT_RETURN);
}

static int64_t free_making(uint32_t settled, uint32_t making)
{
    (void)settled;
    CHECK_ERROR(aegis_extent_free(making, AEGIS_EXTENT_FORGET), STATE);
    return aegis_extent_free(making, AEGIS_EXTENT_RETURN);
}

int64_t extent_free_STATE(void)
{
    return meanwhile(free_making);
}

static int64_t free_settled(uint32_t settled, uint32_t making)
{
    (void)making;
    return aegis_extent_free(settled, AEGIS_EXTENT_RETURN);
}

int64_t extent_free_BUSY(void)
{
    return meanwhile(free_settled);
}

int64_t extent_free_IN_USE(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 4), inner = made_inside(extent, 1, 2);
    int64_t result = aegis_extent_free(extent, AEGIS_EXTENT_RETURN);
    extent_gone(inner);
    extent_gone(extent);
    return result;
}

int64_t extent_split_RANGE(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 4);
    CHECK_ERROR(aegis_extent_split(UNKNOWN, 1, NULL), RANGE);
    CHECK_ERROR(aegis_extent_split(extent, 0, NULL), RANGE);
    CHECK_ERROR(aegis_extent_split(extent, UINT64_MAX, NULL), RANGE);
    int64_t result = aegis_extent_split(extent, 4, NULL);
    extent_gone(extent);
    return result;
}

int64_t extent_split_OWNER(void)
{
    return aegis_extent_split(victims(), 1, NULL);
}

int64_t extent_split_ADDRESS(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 2);
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        if (bad_addresses[i])
            CHECK_EQ(result = aegis_extent_split(extent, 1, (const uint8_t *)bad_addresses[i]),
                     -AEGIS_E_ADDRESS);
    extent_gone(extent);
    return result;
}

static int64_t split_making(uint32_t settled, uint32_t making)
{
    (void)making;
    CHECK_ERROR(aegis_extent_split(settled, 1, NULL), BUSY);
    extent_settle(settled);
    int64_t rest = aegis_extent_split(settled, 1, NULL);
    CHECK(rest >= 0);
    CHECK_ERROR(aegis_extent_resize((uint32_t)rest, 2, cap_of(ATTACK_CAP_SLOW)), STATE);
    CHECK_ERROR(aegis_extent_resize(settled, 2, cap_of(ATTACK_CAP_SLOW)), STATE);
    int64_t result = aegis_extent_split(settled, 1, NULL); /* 2 blocks still: not settled */
    extent_gone((uint32_t)rest);
    return result;
}

int64_t extent_split_STATE(void)
{
    return meanwhile(split_making);
}

static int64_t split_settled(uint32_t settled, uint32_t making)
{
    (void)making;
    return aegis_extent_split(settled, 1, NULL);
}

int64_t extent_split_BUSY(void)
{
    return meanwhile(split_settled);
}

int64_t extent_split_IN_USE(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 4), inner = made_inside(extent, 1, 2);
    int64_t result = aegis_extent_split(extent, 2, NULL);
    extent_gone(inner);
    extent_gone(extent);
    return result;
}

int64_t extent_resize_RANGE(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 2), inner = made_inside(extent, 0, 1);
    CHECK_ERROR(aegis_extent_resize(UNKNOWN, 1, NULL), RANGE);
    CHECK_ERROR(aegis_extent_resize(inner, 0, NULL), RANGE);
    CHECK_ERROR(aegis_extent_resize(inner, UINT64_MAX, NULL), RANGE);
    int64_t result = aegis_extent_resize(inner, 3, NULL);
    extent_gone(inner);
    extent_gone(extent);
    return result;
}

int64_t extent_resize_OWNER(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 1);
    CHECK_ERROR(aegis_extent_resize(extent, 2, NULL), OWNER); /* the parent is somebody's */
    extent_gone(extent);
    return aegis_extent_resize(victims(), 1, NULL);
}

/* What extent_resize says to a capability for the parent of an extent of one's own. */
static int64_t grow_with(const struct aegis_cap *cap)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 1);
    int64_t result = aegis_extent_resize(extent, 2, cap);
    extent_gone(extent);
    return result;
}

int64_t extent_resize_ADDRESS(void)
{
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        if (bad_addresses[i])
            CHECK_EQ(result = grow_with((const struct aegis_cap *)bad_addresses[i]),
                     -AEGIS_E_ADDRESS);
    return result;
}

int64_t extent_resize_CAPABILITY(void)
{
    struct aegis_cap forged = *cap_of(ATTACK_CAP_DISK);
    forged.mac ^= 1;
    CHECK_ERROR(grow_with(cap_of(ATTACK_CAP_SLOW)), CAPABILITY);
    return grow_with(&forged);
}

int64_t extent_resize_RIGHTS(void)
{
    struct aegis_cap reading;
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 2), inner = made_inside(extent, 0, 1);
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_EXTENT, extent, AEGIS_RIGHT_READ, &reading));
    int64_t result = aegis_extent_resize(inner, 2, &reading);
    extent_gone(inner);
    extent_gone(extent);
    return result;
}

static int64_t resize_making(uint32_t settled, uint32_t making)
{
    (void)settled;
    return aegis_extent_resize(making, 2, cap_of(ATTACK_CAP_SLOW));
}

int64_t extent_resize_STATE(void)
{
    return meanwhile(resize_making);
}

static int64_t resize_settled(uint32_t settled, uint32_t making)
{
    (void)making;
    return aegis_extent_resize(settled, 1, NULL);
}

int64_t extent_resize_BUSY(void)
{
    return meanwhile(resize_settled);
}

int64_t extent_resize_IN_USE(void)
{
    uint32_t first = extent_made(ATTACK_CAP_DISK, 1), second = extent_made(ATTACK_CAP_DISK, 1);
    CHECK_EQ(aegis_extent(first)->first + 1, aegis_extent(second)->first);
    int64_t result = aegis_extent_resize(first, 2, cap_of(ATTACK_CAP_DISK));
    extent_gone(second);
    extent_gone(first);
    return result;
}

int64_t extent_claim_RANGE(void)
{
    return aegis_extent_claim(3, 10, 1, (const uint8_t *)SECRET);
}

int64_t extent_claim_ADDRESS(void)
{
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_EQ(result = aegis_extent_claim(0, 10, 1, (const uint8_t *)bad_addresses[i]),
                 -AEGIS_E_ADDRESS);
    return result;
}

int64_t extent_claim_CAPABILITY(void)
{
    const volatile struct aegis_extent_info *theirs = aegis_extent(victims());
    /* It has none: there is nothing that opens it; nor the root. */
    CHECK_ERROR(aegis_extent_claim(0, theirs->first, theirs->count, (const uint8_t[16]){0}),
                CAPABILITY);
    CHECK_ERROR(aegis_extent_claim(0, UINT64_MAX, 2, (const uint8_t[16]){0}), CAPABILITY);
    const volatile struct aegis_extent_info *root = aegis_extent(root_of(ATTACK_CAP_DISK));
    return aegis_extent_claim(0, root->first, root->count, (const uint8_t[16]){0});
}

int64_t extent_claim_STATE(void)
{
    return aegis_extent_claim(2, 10, 1, (const uint8_t *)SECRET);
}

int64_t extent_claim_IN_USE(void)
{
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 1);
    int64_t result = aegis_extent_claim(0, aegis_extent(extent)->first, 1, (const uint8_t *)SECRET);
    extent_gone(extent);
    return result;
}
