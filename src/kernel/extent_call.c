/* The calls that make, change and claim extents, and bind them: each checks everything first, and
 * leaves the writing to extent_table.c. */
#include "kernel/extent_call.h"

#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/disk.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/extent.h"
#include "kernel/quota.h"
#include "kernel/user.h"

/* The library's refusals, as the calls'. Those that aren't here can't come. */
static long error_of(int64_t error)
{
    switch (-error) {
    case EXTENT_E_BUSY:
        return -AEGIS_E_BUSY;
    case EXTENT_E_TAKEN:
    case EXTENT_E_CHILDREN:
    case EXTENT_E_IS_ROOT:
        return -AEGIS_E_IN_USE;
    case EXTENT_E_NO_ROOM:
        return -AEGIS_E_NO_SPACE;
    case EXTENT_E_FULL:
        return -AEGIS_E_NO_SLOT;
    case EXTENT_E_READ_ONLY:
        return -AEGIS_E_RIGHTS;
    default: /* NOT_FOUND, RANGE, NOT_CONTAINED, DEPTH */
        return -AEGIS_E_RANGE;
    }
}

static struct disk *disk_of(uint32_t index)
{
    return &disks[extents[index].disk];
}

static uint32_t slot_of(uint32_t index)
{
    return index - disk_of(index)->info->extents;
}

static bool is_root(uint32_t index)
{
    return extents[index].parent == index;
}

/* Whether the caller has a right to an extent: as its owner, or by a capability (0: none). */
static long check_right(uint32_t index, uint32_t right, uaddr_t capability)
{
    if (capability)
        return cap_check_user(capability, AEGIS_KIND_EXTENT, index, right);
    return extents[index].owner == this_hart->env->number ? 0 : -AEGIS_E_OWNER;
}

/* Whether an extent, and its disk's table, can be changed now: 0, or negated STATE or BUSY. */
static long check_change(uint32_t index)
{
    const struct disk *disk = disk_of(index);

    if (!disk->table.present || (disk->info->flags & AEGIS_DISK_READ_ONLY) ||
        extents[index].state != AEGIS_EXTENT_READY)
        return -AEGIS_E_STATE;
    return table_is_idle(disk) && !extents[index].busy ? 0 : -AEGIS_E_BUSY;
}

/* Whether self's account has room for so many blocks of an extent's. */
static bool may_have(uint32_t parent, uint64_t count)
{
    return !is_root(parent) || quota_allows(this_hart->env->number, AEGIS_QUOTA_BLOCKS, count);
}

long call_extent_alloc(uaddr_t address)
{
    struct aegis_extent_request r;
    long error;

    if (!user_read(&r, address, sizeof(r)))
        return -AEGIS_E_ADDRESS;
    if (!extent_valid(r.parent) || r.count == 0)
        return -AEGIS_E_RANGE;
    uint32_t parent = (uint32_t)r.parent;
    error = check_right(parent, AEGIS_RIGHT_DELEGATE, (uaddr_t)r.capability);
    if (error)
        return error;
    if (r.flags & ~(uint64_t)(AEGIS_EXTENT_READ_ONLY | AEGIS_EXTENT_SEALED))
        return -AEGIS_E_INVALID;
    error = check_change(parent);
    if (error)
        return error;
    if (!may_have(parent, r.count))
        return -AEGIS_E_QUOTA;
    struct disk *disk = disk_of(parent);
    struct extent_table *table = &disk->table.table;
    int64_t first = (int64_t)r.first;
    if (r.first == AEGIS_ANY)
        first = extent_gap(table, slot_of(parent), r.count);
    else if (r.first > disk->info->blocks)
        return -AEGIS_E_RANGE;
    if (first < 0)
        return error_of(first);
    const struct extent_new make = {.secret = r.flags & AEGIS_EXTENT_SEALED ? r.secret : NULL,
                                    .label = r.label,
                                    .read_only = r.flags & AEGIS_EXTENT_READ_ONLY};
    int slot = extent_allocate(table, slot_of(parent), (uint64_t)first, r.count, &make);
    if (slot < 0)
        return error_of(slot);

    uint32_t index = disk->info->extents + (uint32_t)slot;
    extent_appear(disk, (uint32_t)slot);
    extent_charge(index, is_root(parent) ? r.count : 0);
    table_begin(disk, &(struct table_change){.kind = EXTENT_ADD,
                                             .extent = index,
                                             .zero = (uint64_t)first,
                                             .zero_end = (uint64_t)first + r.count});
    return (long)index;
}

long call_extent_free(uint32_t index, uint32_t how)
{
    uint32_t self = this_hart->env->number;

    if (!extent_valid(index))
        return -AEGIS_E_RANGE;
    if (how > AEGIS_EXTENT_RETURN)
        return -AEGIS_E_INVALID;
    if (extents[index].owner != self && extents[extents[index].parent].owner != self)
        return -AEGIS_E_OWNER;
    if (is_root(index) || (how == AEGIS_EXTENT_RETURN && extents[index].children))
        return -AEGIS_E_IN_USE;
    if (how == AEGIS_EXTENT_FORGET) {
        if (extents[index].state != AEGIS_EXTENT_READY)
            return -AEGIS_E_STATE;
        extent_disown(index);
        return 0;
    }
    long error = check_change(index);
    if (error)
        return error;
    int status = extent_free(&disk_of(index)->table.table, slot_of(index));
    if (status < 0)
        return error_of(status);

    extent_drop(index, 0);
    extents[index].state = AEGIS_EXTENT_ENDING;
    table_begin(disk_of(index), &(struct table_change){.kind = EXTENT_REMOVE, .extent = index});
    return 0;
}

long call_extent_split(uint32_t index, uint64_t keep, uaddr_t secret)
{
    uint8_t copy[AEGIS_SECRET_SIZE];

    if (secret && !user_read(copy, secret, sizeof(copy)))
        return -AEGIS_E_ADDRESS;
    if (!extent_valid(index))
        return -AEGIS_E_RANGE;
    if (extents[index].owner != this_hart->env->number)
        return -AEGIS_E_OWNER;
    if (keep == 0 || keep >= extents[index].count)
        return -AEGIS_E_RANGE;
    if (is_root(index))
        return -AEGIS_E_IN_USE;
    long error = check_change(index);
    if (error)
        return error;
    struct disk *disk = disk_of(index);
    const struct extent_new make = {.secret = secret ? copy : NULL,
                                    .label = extents[index].label,
                                    .read_only = extents[index].flags & AEGIS_EXTENT_READ_ONLY};
    int slot = extent_split(&disk->table.table, slot_of(index), keep, &make);
    if (slot < 0)
        return error_of(slot);

    uint32_t rest = disk->info->extents + (uint32_t)slot;
    extent_appear(disk, (uint32_t)slot);
    if (extent_charges[index]) { /* each half its own, whoever is taken one of them meanwhile */
        extent_charge(index, keep);
        extent_charge(rest, extents[rest].count);
    }
    extents[index].state = AEGIS_EXTENT_CHANGING;
    table_begin(disk, &(struct table_change){.kind = EXTENT_SPLIT, .extent = index, .other = rest});
    return (long)rest;
}

long call_extent_resize(uint32_t index, uint64_t count, uaddr_t capability)
{
    if (!extent_valid(index))
        return -AEGIS_E_RANGE;
    struct aegis_extent_info *i = &extents[index];
    if (i->owner != this_hart->env->number)
        return -AEGIS_E_OWNER;
    uint64_t more = count > i->count ? count - i->count : 0;
    long error = more ? check_right(i->parent, AEGIS_RIGHT_DELEGATE, capability) : 0;
    if (!error && is_root(index))
        error = -AEGIS_E_IN_USE;
    if (!error)
        error = check_change(index);
    if (!error && more && extents[i->parent].busy)
        error = -AEGIS_E_BUSY;
    if (error)
        return error;
    if (!may_have(i->parent, more))
        return -AEGIS_E_QUOTA;
    struct disk *disk = disk_of(index);
    int status = extent_resize(&disk->table.table, slot_of(index), count);
    if (status < 0)
        return error_of(status);

    uint64_t charged = is_root(i->parent) ? count : 0;
    if (more)
        extent_charge(index, charged);
    i->state = AEGIS_EXTENT_CHANGING;
    table_begin(disk, &(struct table_change){.kind = EXTENT_RESIZE,
                                             .extent = index,
                                             .zero = i->first + i->count,
                                             .zero_end = i->first + i->count + more,
                                             .charged = charged});
    return 0;
}

long call_extent_claim(uint32_t number, uint64_t first, uint64_t count, uaddr_t secret)
{
    uint8_t copy[AEGIS_SECRET_SIZE];

    if (!user_read(copy, secret, sizeof(copy)))
        return -AEGIS_E_ADDRESS;
    if (number >= info->disk_count)
        return -AEGIS_E_RANGE;
    const struct disk *disk = &disks[number];
    if (!disk->table.present)
        return -AEGIS_E_STATE;
    int slot = extent_unlock(&disk->table.table, first, count, copy);
    if (slot < 0)
        return -AEGIS_E_CAPABILITY;
    uint32_t index = disk->info->extents + (uint32_t)slot;
    if (extents[index].state != AEGIS_EXTENT_READY)
        return -AEGIS_E_STATE;
    if (extents[index].owner)
        return -AEGIS_E_IN_USE;
    if (!may_have(extents[index].parent, count))
        return -AEGIS_E_QUOTA;

    extents[index].owner = this_hart->env->number;
    extent_charge(index, is_root(extents[index].parent) ? count : 0);
    return (long)index;
}

long call_disk_bind(uint32_t index, uint32_t rights, uaddr_t capability)
{
    const uint32_t all = AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE;
    struct env *self = this_hart->env;
    uint32_t binding = 0;

    if (!extent_valid(index))
        return -AEGIS_E_RANGE;
    if (rights == 0 || (rights & ~all))
        return -AEGIS_E_INVALID;
    long error = check_right(index, rights, capability);
    if (error)
        return error;
    bool is_read_only = (extents[index].flags & AEGIS_EXTENT_READ_ONLY) ||
                        (disk_of(index)->info->flags & AEGIS_DISK_READ_ONLY);
    if ((rights & AEGIS_RIGHT_WRITE) && is_read_only)
        return -AEGIS_E_RIGHTS;
    if (extents[index].state == AEGIS_EXTENT_ENDING)
        return -AEGIS_E_STATE;
    while (binding < AEGIS_DISK_BINDINGS && extent_rights(self, binding))
        binding++;
    if (binding == AEGIS_DISK_BINDINGS)
        return -AEGIS_E_NO_SLOT;

    self->extents[binding].extent = index;
    self->extents[binding].rights = rights;
    self->extents[binding].epoch = extent_epochs[index];
    return binding;
}

long call_disk_unbind(uint32_t binding)
{
    struct env *self = this_hart->env;

    if (binding >= AEGIS_DISK_BINDINGS || !extent_rights(self, binding))
        return -AEGIS_E_RANGE;
    self->extents[binding].rights = 0;
    return 0;
}
