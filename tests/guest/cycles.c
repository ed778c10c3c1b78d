/*
 * Downloading and forgetting, ten thousand times: the kernel's arenas and pages are as before, and
 * so are the numbers that it gives.
 */
#include <string.h>

#include "ash/ash.h"
#include "filter.h"
#include "libos/net/headers.h"
#include "libos/vm/vm.h"
#include "test.h"

#define HANDLERS 10000
#define BINDINGS 500 /* each rebuilds the classifier twice */

struct image {
    struct ash_header header;
    struct ash_map_info map;
    struct ash_insn insns[6];
};

/* Adds to a map's first word, then lets the frame pass. */
static const struct image counting = {
    .header = {.magic = ASH_MAGIC,
               .version = ASH_VERSION,
               .event = ASH_EVENT_FRAME,
               .insns = 6,
               .maps = 1,
               .name = "counting"},
    .map = {.name = "n", .type = ASH_MAP_ARRAY, .key_size = 4, .value_size = 8, .entries = 1},
    .insns = {{0x18, 1 | 6 << 4, 0, 0},
              {0, 0, 0, 0},
              {0xb7, 0, 0, ASH_PASS},
              {0xdb, 1, 0, 0}, /* atomic: adds r0 */
              {0xb7, 0, 0, ASH_PASS},
              {0x95, 0, 0, 0}},
};

struct totals {
    uint64_t code, arena, pages;
};

static struct totals totals(void)
{
    return (struct totals){aegis_info()->code_free, aegis_info()->arena_free,
                           aegis_info()->free_pages};
}

static void check_totals(struct totals before)
{
    CHECK_EQ(aegis_info()->code_free, before.code);
    CHECK_EQ(aegis_info()->arena_free, before.arena);
    CHECK_EQ(aegis_info()->free_pages, before.pages);
}

static uint32_t bind(uint16_t port)
{
    struct filter_image in, out;
    filter_udp_to(&in, port);
    filter_sent_type(&out, 0, ETH_TYPE_IPV4);
    int64_t binding = filter_bind(&in, &out);
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    return (uint32_t)binding;
}

/* A checked kernel looks at everything after each few calls: there it is a tenth. */
static int rounds(int count)
{
    return strstr((const char *)(uintptr_t)aegis_info()->bootargs, "check=") ? count / 10 : count;
}

static void handlers(uint32_t binding, void *map)
{
    const struct aegis_handler_request request = {.image = &counting,
                                                  .image_size = sizeof counting,
                                                  .maps = map,
                                                  .maps_size = AEGIS_PAGE_SIZE};
    int64_t number = -1;
    for (int i = rounds(HANDLERS); i > 0; i--) {
        int64_t handler = aegis_handler_load(&request);
        if (handler < 0)
            FAIL("handler_load, %d rounds before the end: %s", i, aegis_error_name(handler));
        CHECK(number < 0 || handler == number);
        number = handler;
        if (i % 2)
            CHECK_OK(aegis_handler_bind((uint32_t)handler, binding));
        CHECK_OK(aegis_handler_unload((uint32_t)handler));
    }
}

int main(void)
{
    void *map = vm_alloc(1, VM_READ_WRITE);
    CHECK(map);
    struct totals none = totals();
    uint32_t binding = bind(7);
    struct totals one = totals();
    handlers(binding, map);
    check_totals(one);
    for (int i = rounds(BINDINGS); i > 0; i--)
        CHECK_OK(aegis_net_unbind(bind((uint16_t)(1000 + i))));
    check_totals(one);
    CHECK_OK(aegis_net_unbind(binding));
    check_totals(none);
    CHECK_OK(vm_free(map));
    return 0;
}
