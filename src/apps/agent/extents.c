/* Extents that a user asks for on behalf of a program: made, claimed, or those that the agent has.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "libos/disk/disk.h"
#include "libos/start/error.h"

#define RIGHTS (AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE | AEGIS_RIGHT_DELEGATE)
#define BLOCK  AEGIS_DISK_BLOCK

static bool same_label(uint32_t extent, const char *label)
{
    const volatile uint8_t *has = aegis_extent(extent)->label;

    for (size_t i = 0; i < AEGIS_SECRET_SIZE; i++) {
        if (has[i] != (uint8_t)label[i])
            return false;
        if (!label[i])
            return true;
    }
    return label[AEGIS_SECRET_SIZE] == 0;
}

/* The agent's own extent of that label, or -1. */
static int64_t find(const char *label)
{
    for (uint32_t i = 0; i < aegis_info()->extent_count; i++)
        if (aegis_extent(i)->state == AEGIS_EXTENT_READY && aegis_extent(i)->owner == exos.env &&
            same_label(i, label))
            return i;
    return -1;
}

/* The blocks of a size like 4096, 64K, 10M or 1G; 0 if it is none. */
static uint64_t parse_size(const char *text)
{
    char *end;
    uint64_t size = strtoull(text, &end, 10);
    const char *unit = *end ? strchr("KMG", *end) : "";

    if (!isdigit((unsigned char)*text) || !unit || (*unit && end[1]))
        return 0;
    unsigned int shift = *unit == 'K' ? 10 : *unit == 'M' ? 20 : *unit == 'G' ? 30 : 0;
    if (size > UINT64_MAX >> shift >> 1)
        return 0;
    return ((size << shift) + BLOCK - 1) / BLOCK;
}

/* Makes an extent on the first disk that has room for it; its number or a negated error. Its secret
 * is for whoever asked: after a reboot nothing else leads to it. */
static int64_t make(const char *label, uint64_t blocks, uint8_t secret[AEGIS_SECRET_SIZE])
{
    struct aegis_extent_request request = {
        .first = AEGIS_ANY, .count = blocks, .flags = AEGIS_EXTENT_SEALED};
    int64_t status = -AEGIS_E_NO_DEVICE;

    aegis_entropy(secret, AEGIS_SECRET_SIZE);
    memcpy(request.secret, secret, AEGIS_SECRET_SIZE);
    memcpy(request.label, label, strnlen(label, AEGIS_SECRET_SIZE));
    for (uint32_t disk = 0; disk < aegis_info()->disk_count; disk++) {
        if ((aegis_info()->disks[disk].flags & (AEGIS_DISK_TABLE | AEGIS_DISK_READ_ONLY)) !=
            AEGIS_DISK_TABLE) {
            status = status == -AEGIS_E_NO_DEVICE ? -AEGIS_E_STATE : status;
            continue;
        }
        request.parent = aegis_info()->disks[disk].extents;
        request.capability = agent_root_extent(disk);
        if (!request.capability)
            break;
        status = disk_allocate(&request);
        if (status >= 0)
            break;
    }
    return status;
}

/* A line for whoever asked: the label, and what names the extent after a reboot. */
static void tell(struct extents *extents, uint32_t extent, const uint8_t *secret)
{
    const volatile struct aegis_extent_info *i = aegis_extent(extent);
    int n = snprintf(extents->names + extents->size, sizeof extents->names - extents->size,
                     "%.16s %" PRIu32 ",%" PRIu64 ",%" PRIu64 ",", (const char *)i->label, i->disk,
                     i->first, i->count);

    extents->size += (size_t)n;
    for (size_t k = 0; k < AEGIS_SECRET_SIZE; k++)
        extents->size += (size_t)snprintf(extents->names + extents->size, 3, "%02x", secret[k]);
    extents->names[extents->size++] = '\n';
}

/* LABEL:SIZE. */
static int64_t make_new(struct extents *extents, char *text, char *colon, struct refusal *refusal)
{
    uint8_t secret[AEGIS_SECRET_SIZE];
    uint64_t blocks = parse_size(colon + 1);

    *colon = 0;
    if (blocks == 0 || !control_is_name(text, AEGIS_SECRET_SIZE)) {
        refuse(refusal, CONTROL_E_MALFORMED,
               "an extent is LABEL:SIZE to make it (up to %d of A-Z a-z 0-9 . _ -; bytes, or with "
               "K, M "
               "or G), LABEL, or DISK,FIRST,COUNT,SECRET",
               AEGIS_SECRET_SIZE - 1);
        return -1;
    }
    if (find(text) >= 0) {
        refuse(refusal, CONTROL_E_NAME_IN_USE, "there is an extent %s already", text);
        return -1;
    }
    int64_t extent = make(text, blocks, secret);
    if (extent >= 0) {
        extents->made[extents->made_count++] = (uint32_t)extent;
        tell(extents, (uint32_t)extent, secret);
    } else if (extent == -AEGIS_E_STATE) {
        refuse(refusal, CONTROL_E_KERNEL,
               "making the extent %s: no disk has a table of extents that can be written (aegisctl "
               "disk init makes one)",
               text);
    } else {
        refuse(refusal, CONTROL_E_KERNEL, "making the extent %s: %s", text, aegis_strerror(extent));
    }
    return extent;
}

/* DISK,FIRST,COUNT,SECRET: by its secret, which proves that the asker may, also if the agent has it
 * already. */
static int64_t claim(const char *text)
{
    int64_t extent = disk_claim(text);
    char *rest;

    if (extent != -AEGIS_E_IN_USE)
        return extent;
    uint64_t disk = strtoull(text, &rest, 10), first = strtoull(rest + 1, &rest, 10);
    uint64_t count = strtoull(rest + 1, &rest, 10);
    int64_t found = -1;
    uint32_t matches = 0;
    for (uint32_t i = 0; i < aegis_info()->extent_count; i++) {
        const volatile struct aegis_extent_info *e = aegis_extent(i);
        if (e->state == AEGIS_EXTENT_NONE || e->disk != disk || e->first != first ||
            e->count != count || !(e->flags & AEGIS_EXTENT_SEALED))
            continue;
        matches++;
        if (e->state == AEGIS_EXTENT_READY && e->owner == exos.env)
            found = i;
    }
    /* One may fill another: then nobody says whose secret it was. */
    if (matches == 1 && found >= 0)
        return found;
    return extent;
}

/* What one of the texts means: an extent's number, or negative with *refusal. */
static int64_t resolve(struct extents *extents, char *text, struct refusal *refusal)
{
    char *colon = strchr(text, ':');

    if (colon)
        return make_new(extents, text, colon, refusal);
    bool is_claim = strchr(text, ',');
    int64_t extent = is_claim ? claim(text) : find(text);
    if (extent < 0 && is_claim) /* without the secret in it */
        refuse(refusal, CONTROL_E_KERNEL, "claiming the extent %.*s: %s", (int)strcspn(text, ","),
               text, aegis_strerror(extent));
    else if (extent < 0)
        refuse(refusal, CONTROL_E_NO_NAME,
               "no extent here is %s; %s:SIZE makes it, and after a reboot "
               "DISK,FIRST,COUNT,SECRET leads to it",
               text, text);
    return extent;
}

void extents_give_back(struct extents *extents)
{
    while (extents->made_count > 0)
        disk_release(extents->made[--extents->made_count]);
}

static bool resolve_all(struct extents *extents, const struct control_bytes *asked,
                        struct refusal *refusal)
{
    static char copy[CONTROL_EXTENTS_MAX];

    extents->count = extents->size = extents->made_count = 0;
    memcpy(copy, asked->data, asked->size);
    for (uint32_t at = 0, next; at < asked->size; at = next) {
        if (extents->count == EXTENTS_MAX || !memchr(copy + at, 0, asked->size - at))
            return refuse(refusal, CONTROL_E_MALFORMED, "the extents are no more than %d strings",
                          EXTENTS_MAX);
        next = at + (uint32_t)strlen(copy + at) + 1;
        int64_t extent = resolve(extents, copy + at, refusal);
        if (extent < 0)
            return false;
        struct aegis_cap *cap = &extents->caps[extents->count++];
        int64_t status = aegis_cap_mint(AEGIS_KIND_EXTENT, (uint64_t)extent, RIGHTS, cap);
        if (status < 0)
            return refuse(refusal, CONTROL_E_KERNEL, "a capability for the extent: %s",
                          aegis_strerror(status));
    }
    return true;
}

bool extents_resolve(struct extents *extents, const struct control_bytes *asked,
                     struct refusal *refusal)
{
    bool done = resolve_all(extents, asked, refusal);

    if (!done)
        extents_give_back(extents);
    return done;
}
