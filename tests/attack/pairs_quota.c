/* The errors of quotas: a child with an account of its own that is full tries to get more. */
#include <string.h>

#include "ash/ash.h"
#include "attack.h"
#include "libos/vm/vm.h"

#define IN_DATA(raw, offset) ((void *)((char *)(raw)->data + (offset)))

/* Limits of what the child has already, and so no more. */
static struct aegis_limits limits_of(const struct raw *raw)
{
    struct aegis_limits limits = {0};
    limits.limit[AEGIS_QUOTA_PAGES] = aegis_env(raw->env)->pages;
    limits.limit[AEGIS_QUOTA_SLOTS] = 1;
    limits.limit[AEGIS_QUOTA_ENVS] = 1;
    return limits;
}

/* Has the child, limited to what it has, make a call; its result. */
static int64_t call_limited(struct raw *raw, uint64_t number, const uint64_t a[5])
{
    const struct aegis_limits limits = limits_of(raw);
    CHECK_OK(aegis_quota_set(raw->env, &limits));
    memcpy(raw->data + 8, a, 5 * sizeof *a);
    raw->data[14] = number;
    raw_start(raw, 0);
    while (!*(volatile uint64_t *)raw->data)
        aegis_yield(raw->env);
    int64_t result = (int64_t)raw->data[1];
    CHECK_OK(aegis_env_end(raw->env, 0));
    raw_finish(raw);
    return result;
}

static void make_child(struct raw *raw)
{
    raw_create(raw, "call", blob_call, blob_call_end);
}

int64_t page_alloc_QUOTA(void)
{
    struct raw raw;
    make_child(&raw);
    return call_limited(&raw, AEGIS_CALL_page_alloc, (uint64_t[5]){AEGIS_ANY});
}

int64_t slice_alloc_QUOTA(void)
{
    struct raw raw;
    make_child(&raw);
    return call_limited(&raw, AEGIS_CALL_slice_alloc, (uint64_t[5]){0, AEGIS_SLOT_ANY, 0});
}

int64_t page_alloc_run_QUOTA(void)
{
    struct raw raw;
    make_child(&raw);
    return call_limited(&raw, AEGIS_CALL_page_alloc_run,
                        (uint64_t[5]){page_in_state(AEGIS_PAGE_FREE), 1});
}

int64_t env_create_QUOTA(void)
{
    struct raw raw;
    uint64_t page = test_page(), root = test_page();
    make_child(&raw);
    CHECK_OK(aegis_page_give(page, raw.env));
    CHECK_OK(aegis_page_give(root, raw.env));
    return call_limited(&raw, AEGIS_CALL_env_create, (uint64_t[5]){page, root, RAW_DATA + 512});
}

int64_t net_bind_QUOTA(void)
{
    struct raw raw;
    struct filter_image in, out;
    make_child(&raw);
    filter_udp_to(&in, 4713);
    filter_sent_udp(&out, 0, 4713);
    memcpy(IN_DATA(&raw, 1024), in.words, in.size);
    memcpy(IN_DATA(&raw, 2048), out.words, out.size);
    *(struct aegis_net_binding *)IN_DATA(&raw, 512) =
        (struct aegis_net_binding){.parent = exos.start->caps[ATTACK_CAP_ROOT],
                                   .ingress = (const void *)(RAW_DATA + 1024),
                                   .ingress_size = in.size,
                                   .egress = (const void *)(RAW_DATA + 2048),
                                   .egress_size = out.size};
    return call_limited(&raw, AEGIS_CALL_net_bind, (uint64_t[5]){RAW_DATA + 512});
}

int64_t handler_load_QUOTA(void)
{
    struct raw raw;
    struct {
        struct ash_header header;
        struct ash_insn insns[2];
    } image = {.header = {.magic = ASH_MAGIC,
                          .version = ASH_VERSION,
                          .event = ASH_EVENT_FRAME,
                          .insns = 2,
                          .name = "more"},
               .insns = {{0xb7, 0, 0, 2}, {0x95, 0, 0, 0}}};
    make_child(&raw);
    memcpy(IN_DATA(&raw, 1024), &image, sizeof image);
    *(struct aegis_handler_request *)IN_DATA(&raw, 512) = (struct aegis_handler_request){
        .image = (const void *)(RAW_DATA + 1024), .image_size = sizeof image};
    return call_limited(&raw, AEGIS_CALL_handler_load, (uint64_t[5]){RAW_DATA + 512});
}

/* A child whose account has so many blocks makes calls, one after the other. */
static void make_owner(struct raw *raw, uint64_t blocks)
{
    make_child(raw);
    struct aegis_limits limits = limits_of(raw);
    limits.limit[AEGIS_QUOTA_BLOCKS] = blocks;
    CHECK_OK(aegis_quota_set(raw->env, &limits));
    *(struct aegis_extent_request *)IN_DATA(raw, 512) = extent_wanted(ATTACK_CAP_DISK, 2);
    ((struct aegis_extent_request *)IN_DATA(raw, 512))->capability =
        (const struct aegis_cap *)(RAW_DATA + 1024);
    *(struct aegis_cap *)IN_DATA(raw, 1024) = exos.start->caps[ATTACK_CAP_DISK];
    memcpy(IN_DATA(raw, 1280), SECRET, AEGIS_SECRET_SIZE);
}

static int64_t call_again(const struct raw *raw, bool is_first, uint64_t number,
                          const uint64_t a[5])
{
    memcpy(raw->data + 8, a, 5 * sizeof *a);
    raw->data[14] = number;
    if (is_first)
        raw_start(raw, 0);
    else
        *(volatile uint64_t *)raw->data = 0;
    while (!*(volatile uint64_t *)raw->data)
        aegis_yield(raw->env);
    return (int64_t)raw->data[1];
}

static void end_owner(struct raw *raw)
{
    CHECK_OK(aegis_env_end(raw->env, 0));
    raw_finish(raw);
}

int64_t extent_alloc_QUOTA(void)
{
    struct raw raw;
    make_owner(&raw, 1);
    int64_t result = call_again(&raw, true, AEGIS_CALL_extent_alloc, (uint64_t[5]){RAW_DATA + 512});
    end_owner(&raw);
    return result;
}

/* It makes one, and can't grow it; it ends, and the data stay for who has the secret. */
int64_t extent_resize_QUOTA(void)
{
    struct raw raw;
    make_owner(&raw, 2);
    int64_t extent = call_again(&raw, true, AEGIS_CALL_extent_alloc, (uint64_t[5]){RAW_DATA + 512});
    CHECK(extent >= 0);
    extent_settle((uint32_t)extent);
    int64_t result = call_again(&raw, false, AEGIS_CALL_extent_resize,
                                (uint64_t[5]){(uint64_t)extent, 3, RAW_DATA + 1024});
    CHECK_EQ(aegis_extent((uint32_t)extent)->owner, raw.env);
    end_owner(&raw);
    CHECK_EQ(aegis_extent((uint32_t)extent)->owner, 0);
    CHECK_EQ(
        aegis_extent_claim(0, aegis_extent((uint32_t)extent)->first, 2, (const uint8_t *)SECRET),
        extent);
    extent_gone((uint32_t)extent);
    return result;
}

int64_t extent_claim_QUOTA(void)
{
    struct raw raw;
    uint32_t extent = extent_made(ATTACK_CAP_DISK, 2);
    CHECK_OK(aegis_extent_free(extent, AEGIS_EXTENT_FORGET));
    make_owner(&raw, 1);
    int64_t result = call_again(&raw, true, AEGIS_CALL_extent_claim,
                                (uint64_t[5]){0, aegis_extent(extent)->first, 2, RAW_DATA + 1280});
    end_owner(&raw);
    CHECK_EQ(aegis_extent_claim(0, aegis_extent(extent)->first, 2, (const uint8_t *)SECRET),
             extent);
    extent_gone(extent);
    return result;
}

int64_t quota_set_RANGE(void)
{
    uint32_t child = child_make();
    const struct aegis_limits none = {0};
    CHECK_ERROR(aegis_quota_set(UINT32_MAX, &none), RANGE);
    int64_t result = aegis_quota_set(child, &none); /* less than it has */
    child_end(child);
    return result;
}

int64_t quota_set_OWNER(void)
{
    const struct aegis_limits none = {0};
    CHECK_ERROR(aegis_quota_set(exos.parent, &none), OWNER);
    return aegis_quota_set(VICTIM, &none);
}

int64_t quota_set_STATE(void)
{
    struct raw raw;
    uint64_t page = test_page(), root = test_page();
    make_child(&raw);
    CHECK_OK(aegis_page_give(page, raw.env));
    CHECK_OK(aegis_page_give(root, raw.env));
    const uint64_t a[5] = {page, root, RAW_DATA + 512};
    memcpy(raw.data + 8, a, sizeof a);
    raw.data[14] = AEGIS_CALL_env_create;
    raw_start(&raw, 0);
    while (!*(volatile uint64_t *)raw.data)
        aegis_yield(raw.env);
    uint32_t grandchild = (uint32_t)raw.data[1];
    struct aegis_limits limits = limits_of(&raw);
    limits.limit[AEGIS_QUOTA_SLOTS] = limits.limit[AEGIS_QUOTA_ENVS] = 2;
    int64_t result = aegis_quota_set(raw.env, &limits);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    child_end(grandchild); /* it has become this program's */
    return result;
}

int64_t quota_set_INVALID(void)
{
    const struct aegis_limits all = {{UINT64_MAX}};
    return aegis_quota_set(0, &all);
}

int64_t quota_set_ADDRESS(void)
{
    uint32_t child = child_make();
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_EQ(result = aegis_quota_set(child, (const struct aegis_limits *)bad_addresses[i]),
                 -AEGIS_E_ADDRESS);
    child_end(child);
    return result;
}

/* More than the owner has. */
int64_t quota_set_QUOTA(void)
{
    struct raw raw;
    make_child(&raw);
    struct aegis_limits limits = limits_of(&raw);
    limits.limit[AEGIS_QUOTA_PAGES] = UINT64_MAX;
    int64_t result = aegis_quota_set(raw.env, &limits);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    return result;
}
