/*
 * The helpers: what handlers can call. Arguments are untrusted; an address that isn't in the
 * sandbox aborts the run.
 */
#include <string.h>

#include "ash/trace.h"

/* Results of Linux's helpers, by its errno numbers. */
#define LINUX_E2BIG  7
#define LINUX_EEXIST 17
#define LINUX_EINVAL 22
#define FAIL(number) ((uint64_t) - (int64_t)(number))

/* linux/bpf.h: flags of bpf_map_update_elem. */
#define UPDATE_ANY     0
#define UPDATE_NOEXIST 1
#define UPDATE_EXIST   2

const struct ash_helper_row ash_helpers[ASH_HELPER_COUNT] = {
#define ASH_HELPER(id, number, name, arguments, cost, summary) {name, number, arguments, cost},
#include "ash/helpers.def"
#undef ASH_HELPER
};

unsigned ash_helper_index(int32_t number)
{
    unsigned i = 0;
    while (i < ASH_HELPER_COUNT && ash_helpers[i].number != number)
        i++;
    return i;
}

bool ash_charge(struct ash_run *run, uint32_t units)
{
    run->fuel -= (int32_t)units;
    if (run->fuel >= 0)
        return true;
    run->abort.reason = ASH_ABORT_FUEL;
    return false;
}

uint8_t *ash_reach_or_abort(struct ash_run *run, uint64_t address, uint64_t size, bool store)
{
    uint32_t reason;
    uint8_t *p = ash_reach(run, address, size, store, &reason);
    if (!p) {
        run->abort.reason = reason;
        run->abort.address = address;
    }
    return p;
}

static uint32_t load_32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The map that a handle names, or null and the run is aborted. */
static const struct ash_map_info *map_of(struct ash_run *run, uint64_t handle)
{
    uint64_t map = handle - ASH_MAP_HANDLE(0);
    if (map < run->program->image.header->maps)
        return &run->program->image.maps[map];
    run->abort.reason = ASH_ABORT_MAP;
    run->abort.address = handle;
    return NULL;
}

/* The sandbox address of an entry; 0 if there is none. */
static uint64_t entry_of(struct ash_run *run, const struct ash_map_info *map, uint64_t handle,
                         uint32_t index)
{
    if (index >= map->entries)
        return 0;
    unsigned region = ASH_REGION_MAP + (unsigned)(handle - ASH_MAP_HANDLE(0));
    return run->regions[region].low + (uint64_t)index * ash_map_stride(map);
}

static uint64_t lookup(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                       uint64_t r5)
{
    (void)r3, (void)r4, (void)r5;
    const struct ash_map_info *map = map_of(run, r1);
    const uint8_t *key = map ? ash_reach_or_abort(run, r2, 4, false) : NULL;
    return key ? entry_of(run, map, r1, load_32(key)) : 0;
}

static uint64_t update(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                       uint64_t r5)
{
    (void)r5;
    const struct ash_map_info *map = map_of(run, r1);
    if (!map || !ash_charge(run, (map->value_size + 7) / 8))
        return 0;
    const uint8_t *key = ash_reach_or_abort(run, r2, 4, false);
    const uint8_t *value = key ? ash_reach_or_abort(run, r3, map->value_size, false) : NULL;
    if (!value)
        return 0;
    if (r4 > UPDATE_EXIST)
        return FAIL(LINUX_EINVAL);
    uint64_t entry = entry_of(run, map, r1, load_32(key));
    if (!entry)
        return FAIL(LINUX_E2BIG);
    if (r4 == UPDATE_NOEXIST)
        return FAIL(LINUX_EEXIST);
    uint8_t *to = ash_reach_or_abort(run, entry, map->value_size, true);
    if (to)
        memmove(to, value, map->value_size);
    return 0;
}

static uint64_t time(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                     uint64_t r5)
{
    (void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
    return run->services && run->services->time ? run->services->time(run->owner) : 0;
}

static uint64_t random(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                       uint64_t r5)
{
    (void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
    return run->services && run->services->random ? run->services->random(run->owner) : 0;
}

static uint64_t hart(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                     uint64_t r5)
{
    (void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
    return run->hart;
}

static uint64_t redirect(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                         uint64_t r5)
{
    (void)r3, (void)r4, (void)r5;
    if (r2 != 0)
        return ASH_ABORTED;
    run->redirect = (uint32_t)r1;
    return ASH_REDIRECT;
}

/* Sum of 32-bit words; size is a multiple of 4. What it returns is congruent to it modulo 65,535.
 */
static uint64_t sum_words(const uint8_t *p, uint64_t size, bool negate)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < size; i += 4)
        sum += negate ? ~load_32(p + i) : load_32(p + i);
    return sum;
}

/* As Linux: the 32-bit sum before it is folded to 16 bits. */
static uint64_t csum_diff(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                          uint64_t r5)
{
    uint64_t from = (uint32_t)r2, to = (uint32_t)r4;
    if ((from | to) % 4 || from + to > ASH_SUM_MAX)
        return FAIL(LINUX_EINVAL);
    if (!ash_charge(run, (uint32_t)(from + to + 7) / 8))
        return 0;
    const uint8_t *old = from ? ash_reach_or_abort(run, r1, from, false) : NULL;
    if (from && !old)
        return 0;
    const uint8_t *new = to ? ash_reach_or_abort(run, r3, to, false) : NULL;
    if (to && !new)
        return 0;
    uint64_t sum = (uint32_t)r5 + sum_words(old, from, true) + sum_words(new, to, false);
    while (sum >> 32)
        sum = (uint32_t)sum + (sum >> 32);
    return sum;
}

/* Moves the frame's ends; false if the frame would be too short or leave its buffer. */
static bool move_frame(struct ash_run *run, int64_t data, int64_t end)
{
    struct ash_region *frame = &run->regions[ASH_REGION_FRAME];
    if (data < run->frame_low || end > run->frame_high || end - data < ASH_HEADER_MIN)
        return false;
    run->frame += data - frame->low;
    run->md.data = run->md.data_meta = frame->low = (uint32_t)data;
    run->md.data_end = frame->end = (uint32_t)end;
    run->modified = 1;
    return true;
}

static uint64_t adjust_head(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                            uint64_t r5)
{
    (void)r3, (void)r4, (void)r5;
    if (r1 != ASH_BASE(ASH_REGION_CONTEXT)) {
        run->abort.reason = ASH_ABORT_GUARD;
        run->abort.address = r1;
        return 0;
    }
    int64_t old = run->md.data, data = old + (int32_t)r2;
    uint64_t more = data < old && data >= run->frame_low ? (uint64_t)(old - data) : 0;
    if (!ash_charge(run, (uint32_t)(more + 7) / 8))
        return 0;
    if (!move_frame(run, data, run->md.data_end))
        return FAIL(LINUX_EINVAL);
    if (more) /* what an earlier frame left there is not this handler's to read */
        memset(run->frame, 0, more);
    return 0;
}

static uint64_t adjust_tail(struct ash_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                            uint64_t r5)
{
    (void)r3, (void)r4, (void)r5;
    int64_t old = run->md.data_end, end = old + (int32_t)r2;
    if (r1 != ASH_BASE(ASH_REGION_CONTEXT)) {
        run->abort.reason = ASH_ABORT_GUARD;
        run->abort.address = r1;
        return 0;
    }
    uint64_t more = end > old && end <= run->frame_high ? (uint64_t)(end - old) : 0;
    if (!ash_charge(run, (uint32_t)(more + 7) / 8))
        return 0;
    if (!move_frame(run, run->md.data, end))
        return FAIL(LINUX_EINVAL);
    if (more)
        memset(run->frame + (old - run->md.data), 0, more);
    return 0;
}

ash_helper_function *const ash_helper_functions[ASH_HELPER_COUNT] = {
    [ASH_HELPER_BIT_LOOKUP] = lookup,
    [ASH_HELPER_BIT_UPDATE] = update,
    [ASH_HELPER_BIT_TIME] = time,
    [ASH_HELPER_BIT_TRACE] = ash_trace,
    [ASH_HELPER_BIT_RANDOM] = random,
    [ASH_HELPER_BIT_HART] = hart,
    [ASH_HELPER_BIT_REDIRECT] = redirect,
    [ASH_HELPER_BIT_CSUM_DIFF] = csum_diff,
    [ASH_HELPER_BIT_ADJUST_HEAD] = adjust_head,
    [ASH_HELPER_BIT_ADJUST_TAIL] = adjust_tail,
};
