/* Extents: opening them, and making and giving them back. */
#include <stdlib.h>
#include <string.h>

#include "libos/disk/internal.h"
#include "libos/time/time.h"

#define BUSY_LIMIT 2000000000UL /* ns to wait for others' changes of a table */
#define BUSY_PAUSE 1000000UL    /* ns, where there is nothing to wait on */

int64_t disk_open(struct disk *disk, uint32_t extent, uint32_t rights,
                  const struct aegis_cap *capability)
{
    int64_t error = disk_make_ring();
    if (error < 0)
        return error;
    int64_t binding = aegis_disk_bind(extent, rights, capability);
    if (binding < 0)
        return binding;

    const volatile struct aegis_extent_info *info = aegis_extent(extent);
    const volatile struct aegis_disk_info *device = &aegis_info()->disks[info->disk];
    /* One part of a page more than it has pages, where memory begins within one. */
    uint64_t pages = device->pieces - 1 < AEGIS_DISK_PAGES ? device->pieces - 1 : AEGIS_DISK_PAGES;
    *disk = (struct disk){.size = info->count * AEGIS_DISK_BLOCK,
                          .most = (pages ? pages : 1) * AEGIS_PAGE_SIZE,
                          .unit = device->block_size,
                          .extent = extent,
                          .binding = (uint32_t)binding,
                          .number = info->disk};
    return 0;
}

/* A decimal number and the comma behind it; *text moves on. False if that isn't there. */
static bool take_number(const char **text, uint64_t *number)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    *number = strtoull(*text, &end, 10);
    *text = end + 1;
    return *end == ',';
}

static bool take_secret(const char *text, uint8_t secret[AEGIS_SECRET_SIZE])
{
    if (strlen(text) != 2 * AEGIS_SECRET_SIZE ||
        strspn(text, "0123456789abcdefABCDEF") != 2 * AEGIS_SECRET_SIZE)
        return false;
    for (size_t i = 0; i < AEGIS_SECRET_SIZE; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        secret[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

int64_t disk_claim(const char *name)
{
    uint8_t secret[AEGIS_SECRET_SIZE];
    uint64_t number, first, count;

    if (!take_number(&name, &number) || !take_number(&name, &first) ||
        !take_number(&name, &count) || !take_secret(name, secret))
        return -AEGIS_E_INVALID;
    if (number >= aegis_info()->disk_count)
        return -AEGIS_E_NO_DEVICE;
    return aegis_extent_claim((uint32_t)number, first, count, secret);
}

/* The capability that the program was started with for an extent of that label, or NULL. */
static const struct aegis_cap *find_given(const char *label, uint32_t *extent)
{
    for (uint32_t i = 0; exos.start && i < exos.start->cap_count && i < EXOS_CAPS_MAX; i++) {
        const struct aegis_cap *cap = &exos.start->caps[i];
        uint64_t index = AEGIS_CAP_INDEX(cap->name);
        if (AEGIS_CAP_KIND(cap->name) != AEGIS_KIND_EXTENT || index >= aegis_info()->extent_count)
            continue;
        *extent = (uint32_t)index;
        const char *has = (const char *)aegis_extent(*extent)->label;
        if (*label && strlen(label) <= AEGIS_SECRET_SIZE && !strncmp(has, label, AEGIS_SECRET_SIZE))
            return cap;
    }
    return NULL;
}

int64_t disk_open_name(struct disk *disk, const char *name, uint32_t rights)
{
    uint32_t given;
    const struct aegis_cap *cap = strchr(name, ',') ? NULL : find_given(name, &given);

    if (cap)
        return disk_open(disk, given, rights, cap);
    int64_t extent = disk_claim(name);
    return extent < 0 ? extent : disk_open(disk, (uint32_t)extent, rights, NULL);
}

void disk_close(struct disk *disk)
{
    aegis_disk_unbind(disk->binding);
    memset(disk, 0, sizeof *disk);
}

/* Wait while a change of the disk's table is on its way, at most until deadline. */
static bool wait_settled(uint32_t number, uint64_t deadline)
{
    const volatile struct aegis_disk_info *info = &aegis_info()->disks[number];
    /* The flags are the upper half of the word that begins with block_size. */
    struct aegis_predicate settled = {.word = (const volatile uint64_t *)&info->block_size,
                                      .mask = (uint64_t)AEGIS_DISK_CHANGING << 32,
                                      .op = AEGIS_WAKE_EQ};
    return aegis_wait(&settled, 1, deadline) == 0;
}

static void pause_a_bit(void)
{
    aegis_wait(NULL, 0, time_after(BUSY_PAUSE));
}

/* The result of a call that changes a table, once no other change stands in its way. */
#define RETRY(number, call)                                                                        \
    ({                                                                                             \
        uint64_t deadline_ = time_after(BUSY_LIMIT);                                               \
        int64_t result_;                                                                           \
        while ((result_ = (call)) == -AEGIS_E_BUSY && time_now() < deadline_)                      \
            if (wait_settled((number), deadline_))                                                 \
                pause_a_bit(); /* requests to the extent are under way */                          \
        result_;                                                                                   \
    })

static bool is_ready(uint32_t extent)
{
    return aegis_extent(extent)->state == AEGIS_EXTENT_READY;
}

int64_t disk_allocate(const struct aegis_extent_request *request)
{
    uint32_t number;

    if (request->parent >= aegis_info()->extent_count)
        return -AEGIS_E_RANGE;
    number = aegis_extent((uint32_t)request->parent)->disk;
    int64_t extent = RETRY(number, aegis_extent_alloc(request));
    if (extent < 0)
        return extent;
    wait_settled(number, AEGIS_FOREVER);
    return is_ready((uint32_t)extent) && aegis_extent((uint32_t)extent)->owner == exos.env
               ? extent
               : -AEGIS_E_DEVICE;
}

int64_t disk_release(uint32_t extent)
{
    const volatile struct aegis_extent_info *info = aegis_extent(extent);

    if (extent >= aegis_info()->extent_count)
        return -AEGIS_E_RANGE;
    uint32_t number = info->disk, owner = info->owner;
    int64_t error = RETRY(number, aegis_extent_free(extent, AEGIS_EXTENT_RETURN));
    if (error < 0)
        return error;
    wait_settled(number, AEGIS_FOREVER);
    return is_ready(extent) && info->owner == owner ? -AEGIS_E_DEVICE : 0;
}

int64_t disk_resize(uint32_t extent, uint64_t count, const struct aegis_cap *capability)
{
    const volatile struct aegis_extent_info *info = aegis_extent(extent);

    if (extent >= aegis_info()->extent_count)
        return -AEGIS_E_RANGE;
    int64_t error = RETRY(info->disk, aegis_extent_resize(extent, count, capability));
    if (error < 0)
        return error;
    wait_settled(info->disk, AEGIS_FOREVER);
    return info->count == count ? 0 : -AEGIS_E_DEVICE;
}

int64_t disk_split(uint32_t extent, uint64_t keep, const uint8_t *secret)
{
    const volatile struct aegis_extent_info *info = aegis_extent(extent);

    if (extent >= aegis_info()->extent_count)
        return -AEGIS_E_RANGE;
    int64_t rest = RETRY(info->disk, aegis_extent_split(extent, keep, secret));
    if (rest < 0)
        return rest;
    wait_settled(info->disk, AEGIS_FOREVER);
    return info->count == keep ? rest : -AEGIS_E_DEVICE;
}
