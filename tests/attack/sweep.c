/*
 * The exhaustion sweep: every call of calls.def by a child that may have 0, 1, 2 ... more of
 * everything than it has, until it succeeds. After each failure what the kernel counts is as
 * before.
 */
#include <string.h>

#include "ash/ash.h"
#include "attack.h"
#include "libos/vm/vm.h"

/* Stand for what is known only later, in a recipe's arguments. */
#define PAGE_ONE (1UL << 60)
#define PAGE_TWO (PAGE_ONE + 1)
#define ANY_FREE (PAGE_ONE + 2) /* with a free one behind it */

#define NAME_AT    (RAW_DATA + 512)
#define REQUEST_AT (RAW_DATA + 768)
#define FIRST_AT   (RAW_DATA + 1024)
#define SECOND_AT  (RAW_DATA + 2048)
#define MAP_VA     (RAW_DATA + 4 * AEGIS_PAGE_SIZE)
#define NEVER      UINT64_MAX

/* How a call succeeds: its arguments, and how many of the scarcest kind it needs. */
static const struct recipe {
    uint64_t number;
    uint64_t a[5];
    uint64_t needs;
} recipes[] = {
    {AEGIS_CALL_slice_alloc, {0, AEGIS_SLOT_ANY, 0}, 1},
    {AEGIS_CALL_page_alloc, {AEGIS_ANY}, 1},
    {AEGIS_CALL_page_alloc_run, {ANY_FREE, 2}, 2},
    {AEGIS_CALL_page_free, {PAGE_ONE}, 0},
    {AEGIS_CALL_cap_mint, {AEGIS_KIND_PAGE, PAGE_ONE, AEGIS_RIGHT_READ, FIRST_AT}, 0},
    {AEGIS_CALL_table_insert, {0, FREE_VA, 1, AEGIS_ANY, AEGIS_ANY}, 2},
    {AEGIS_CALL_map, {0, MAP_VA, PAGE_ONE, VM_READ_WRITE}, 0},
    {AEGIS_CALL_env_create, {PAGE_ONE, PAGE_TWO, NAME_AT}, 1},
    {AEGIS_CALL_net_bind, {REQUEST_AT}, 1},
    {AEGIS_CALL_handler_load, {REQUEST_AT}, 1},
};

struct counters {
    uint64_t free_pages, arena_free, code_free, bindings, envs;
    struct aegis_account account;
};

static struct counters count(uint32_t child)
{
    const volatile struct aegis_info *info = aegis_info();
    struct counters c = {info->free_pages, info->arena_free, info->code_free, 0, 0, {{0}, {0}}};
    for (uint32_t i = 0; i < info->binding_count; i++)
        c.bindings += aegis_binding(i)->owner != 0;
    for (uint32_t i = 1; i < info->env_count; i++)
        c.envs += aegis_env(i)->state != AEGIS_ENV_NONE;
    c.account = ((const struct aegis_account *)info->accounts)[child];
    return c;
}

static void *in_data(const struct raw *raw, uint64_t va)
{
    return (char *)raw->data + (va - RAW_DATA);
}

/* What net_bind and handler_load are asked for. */
static void put_requests(const struct raw *raw, uint64_t number)
{
    struct filter_image in, out;
    struct {
        struct ash_header header;
        struct ash_insn insns[2];
    } image = {.header = {.magic = ASH_MAGIC,
                          .version = ASH_VERSION,
                          .event = ASH_EVENT_FRAME,
                          .insns = 2,
                          .name = "swept"},
               .insns = {{0xb7, 0, 0, 2}, {0x95, 0, 0, 0}}};
    if (number == AEGIS_CALL_handler_load) {
        memcpy(in_data(raw, FIRST_AT), &image, sizeof image);
        *(struct aegis_handler_request *)in_data(raw, REQUEST_AT) = (struct aegis_handler_request){
            .image = (const void *)FIRST_AT, .image_size = sizeof image};
        return;
    }
    filter_udp_to(&in, 4715);
    filter_sent_udp(&out, 0, 4715);
    memcpy(in_data(raw, FIRST_AT), in.words, in.size);
    memcpy(in_data(raw, SECOND_AT), out.words, out.size);
    *(struct aegis_net_binding *)in_data(raw, REQUEST_AT) =
        (struct aegis_net_binding){.parent = exos.start->caps[ATTACK_CAP_ROOT],
                                   .ingress = (const void *)FIRST_AT,
                                   .ingress_size = in.size,
                                   .egress = (const void *)SECOND_AT,
                                   .egress_size = out.size};
}

static uint64_t free_pair(void)
{
    uint64_t page = page_in_state(AEGIS_PAGE_FREE);
    while (aegis_page(page)->state != AEGIS_PAGE_FREE ||
           aegis_page(page + 1)->state != AEGIS_PAGE_FREE)
        page++;
    return page;
}

#define BYTES                                                                                      \
    16384 /* more than one of what is swept takes of the kinds that are counted in bytes */

static void limit(const struct raw *raw, uint64_t more)
{
    struct aegis_limits limits = {0};
    limits.limit[AEGIS_QUOTA_PAGES] = aegis_env(raw->env)->pages;
    limits.limit[AEGIS_QUOTA_SLOTS] = limits.limit[AEGIS_QUOTA_ENVS] = 1;
    for (size_t kind = 0; kind < AEGIS_QUOTAS; kind++)
        limits.limit[kind] += kind < AEGIS_QUOTA_ARENA ? more : more * BYTES;
    CHECK_OK(aegis_quota_set(raw->env, &limits));
}

/* A child that may have so many more makes the call; its result. Its failure has changed nothing.
 */
static int64_t attempt(const struct recipe *r, uint64_t more)
{
    struct raw raw;
    uint64_t pages[3] = {test_page(), test_page(), 0};
    raw_create(&raw, "swept", blob_call, blob_call_end);
    CHECK_OK(aegis_page_give(pages[0], raw.env));
    CHECK_OK(aegis_page_give(pages[1], raw.env));
    put_requests(&raw, r->number);
    limit(&raw, more);
    pages[2] = free_pair();
    for (int i = 0; i < 5; i++)
        raw.data[8 + i] =
            r->a[i] < PAGE_ONE || r->a[i] > ANY_FREE ? r->a[i] : pages[r->a[i] - PAGE_ONE];
    raw.data[14] = r->number;
    struct counters before = count(raw.env);
    raw_start(&raw, 0);
    while (!*(volatile uint64_t *)raw.data)
        aegis_yield(raw.env);
    int64_t result = (int64_t)raw.data[1];
    struct counters after = count(raw.env);
    if (result < 0 && memcmp(&before, &after, sizeof before))
        FAIL("call 0x%llx failed with %s and %llu more, and left something",
             (unsigned long long)r->number, aegis_error_name(result), (unsigned long long)more);
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    if (r->number == AEGIS_CALL_env_create && result >= 0)
        child_end((uint32_t)result); /* it has become this program's */
    return result;
}

static void sweep(uint64_t number)
{
    struct recipe recipe = {.number = number, .needs = NEVER};
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        if (recipes[i].number == number)
            recipe = recipes[i];
    if (recipe.needs == NEVER) { /* with nothing in its arguments */
        attempt(&recipe, 0);
        return;
    }
    for (uint64_t more = 0; more < recipe.needs; more++)
        CHECK_ERROR(attempt(&recipe, more), QUOTA);
    int64_t result = attempt(&recipe, recipe.needs);
    if (result < 0)
        FAIL("call 0x%llx: %s", (unsigned long long)number, aegis_error_name(result));
}

int64_t exhaustion_sweep(void)
{
    static const uint16_t numbers[] = {
#define AEGIS_CALL0(number, name, ...) number,
#define AEGIS_CALL1                    AEGIS_CALL0
#define AEGIS_CALL2                    AEGIS_CALL0
#define AEGIS_CALL3                    AEGIS_CALL0
#define AEGIS_CALL4                    AEGIS_CALL0
#define AEGIS_CALL5                    AEGIS_CALL0
#include "abi/calls.def"
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] != AEGIS_CALL_env_end) /* of itself */
            sweep(numbers[i]);
    return 0;
}
