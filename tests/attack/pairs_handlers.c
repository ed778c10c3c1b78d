/* The errors of calls about handlers, the console and the machine. */
#include <string.h>

#include "ash/ash.h"
#include "attack.h"
#include "libos/vm/vm.h"

#define INSNS_MOST 4096
#define OWN_PORT   4712

static struct {
    struct ash_header header;
    struct ash_map_info map;
    struct ash_insn insns[2];
} __attribute__((packed, aligned(8))) counting = {
    .header = {.magic = ASH_MAGIC,
               .version = ASH_VERSION,
               .event = ASH_EVENT_FRAME,
               .insns = 2,
               .maps = 1,
               .name = "counting"},
    .map = {.name = "counts", .type = ASH_MAP_ARRAY, .key_size = 4, .value_size = 8, .entries = 1},
    .insns = {{0xb7, 0, 0, 2}, {0x95, 0, 0, 0}},
};

struct plain {
    struct ash_header header;
    struct ash_insn insns[INSNS_MOST];
};

/* A program of count instructions that does nothing and passes the frame. */
static uint64_t make_plain(struct plain *p, uint32_t count)
{
    p->header = (struct ash_header){.magic = ASH_MAGIC,
                                    .version = ASH_VERSION,
                                    .event = ASH_EVENT_FRAME,
                                    .insns = count,
                                    .name = "plain"};
    for (uint32_t i = 0; i + 1 < count; i++)
        p->insns[i] = (struct ash_insn){0xb7, 0, 0, 2};
    p->insns[count - 1] = (struct ash_insn){0x95, 0, 0, 0};
    return sizeof p->header + count * sizeof(struct ash_insn);
}

static struct plain plain;

static struct aegis_handler_request request(uint32_t insns)
{
    return (struct aegis_handler_request){.image = &plain, .image_size = make_plain(&plain, insns)};
}

static struct aegis_handler_request request_map(uint64_t maps)
{
    return (struct aegis_handler_request){.image = &counting,
                                          .image_size = sizeof counting,
                                          .maps = (void *)maps,
                                          .maps_size = AEGIS_PAGE_SIZE};
}

static uint32_t load_plain(void)
{
    struct aegis_handler_request r = request(2);
    int64_t handler = aegis_handler_load(&r);
    if (handler < 0)
        FAIL("handler_load: %s", aegis_error_name(handler));
    return (uint32_t)handler;
}

int64_t handler_load_ADDRESS(void)
{
    struct aegis_handler_request r = request(2);
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++) {
        CHECK_ERROR(aegis_handler_load((struct aegis_handler_request *)bad_addresses[i]), ADDRESS);
        r = request(2);
        r.image = (const void *)bad_addresses[i];
        CHECK_EQ(result = aegis_handler_load(&r), -AEGIS_E_ADDRESS);
        r = request(2);
        r.message = (char *)bad_addresses[i];
        if (bad_addresses[i])
            CHECK_ERROR(aegis_handler_load(&r), ADDRESS);
        r = request_map(bad_addresses[i] & ~0xfffUL);
        CHECK_ERROR(aegis_handler_load(&r), ADDRESS);
    }
    return result;
}

int64_t handler_load_RANGE(void)
{
    struct aegis_handler_request r = request(2);
    r.image_size = AEGIS_HANDLER_MAX + 1;
    CHECK_ERROR(aegis_handler_load(&r), RANGE);
    r = request(2);
    r.fuel = AEGIS_FUEL_MAX + 1;
    CHECK_ERROR(aegis_handler_load(&r), RANGE);
    r = request_map(FREE_VA);
    r.maps_size = UINT64_MAX;
    return aegis_handler_load(&r);
}

int64_t handler_load_ALIGNMENT(void)
{
    struct aegis_handler_request r = request_map(FREE_VA + 8);
    return aegis_handler_load(&r);
}

/* Its maps in a page of somebody else's, which is mapped here to write to. */
int64_t handler_load_OWNER(void)
{
    struct aegis_handler_request r = request_map((uint64_t)exos.start);
    return aegis_handler_load(&r);
}

/* In pages of a ring. */
int64_t handler_load_STATE(void)
{
    struct filter_image in, out;
    filter_udp_to(&in, OWN_PORT);
    filter_sent_udp(&out, 0, OWN_PORT);
    int64_t binding = filter_bind(&in, &out);
    char *memory = vm_alloc(2, VM_READ_WRITE);
    CHECK_OK(aegis_net_ring((uint32_t)binding, (struct aegis_ring *)memory, 2));
    struct aegis_handler_request r = request_map((uint64_t)memory);
    int64_t result = aegis_handler_load(&r);
    CHECK_OK(aegis_net_unbind((uint32_t)binding));
    CHECK_OK(vm_free(memory));
    return result;
}

int64_t handler_load_HANDLER(void)
{
    struct aegis_handler_request r = request(2);
    plain.insns[1].opcode = 0xff; /* no instruction */
    CHECK_ERROR(aegis_handler_load(&r), HANDLER);
    r = request(2);
    plain.insns[1] = (struct ash_insn){0x05, 0, 100, 0}; /* a jump out of it */
    CHECK_ERROR(aegis_handler_load(&r), HANDLER);
    r = request(2);
    plain.insns[0] = (struct ash_insn){0xbf, 0 | 5 << 4, 0, 0}; /* reads what nobody wrote */
    CHECK_ERROR(aegis_handler_load(&r), HANDLER);
    r = request(2);
    r.image_size = 0;
    return aegis_handler_load(&r);
}

/* A path that is longer than a run may be. */
int64_t handler_load_BUDGET(void)
{
    struct aegis_handler_request r = request(8);
    r.fuel = 1;
    return aegis_handler_load(&r);
}

#define HANDLERS_MOST 256

int64_t handler_load_NO_SLOT(void)
{
    static uint32_t handlers[HANDLERS_MOST];
    uint32_t count = 0;
    int64_t result;
    struct aegis_handler_request r = request(2);
    while ((result = aegis_handler_load(&r)) >= 0) {
        CHECK(count < HANDLERS_MOST);
        handlers[count++] = (uint32_t)result;
    }
    while (count > 0)
        CHECK_OK(aegis_handler_unload(handlers[--count]));
    return result;
}

/* The arena is full of filters. */
int64_t handler_load_NO_SPACE(void)
{
    uint32_t bound[ARENA_BINDINGS], count = 0;
    struct aegis_handler_request r = request(INSNS_MOST);
    CHECK_ERROR(arena_fill(bound, &count), NO_SPACE);
    int64_t result = aegis_handler_load(&r);
    while (count > 0)
        CHECK_OK(aegis_net_unbind(bound[--count]));
    return result;
}

/* A child's long download is under way. */
int64_t handler_load_BUSY(void)
{
    struct raw raw;
    struct aegis_handler_request r = request(2);
    int64_t result;
    raw_create(&raw, "load", blob_download, blob_download_end);
    struct plain *theirs = (struct plain *)(raw.data + 64);
    struct aegis_handler_request *request = (struct aegis_handler_request *)(raw.data + 8);
    request->image = (const void *)(RAW_DATA + 512);
    request->image_size = make_plain(theirs, 300);
    raw_start(&raw, 0);
    while (!*(volatile uint64_t *)raw.data)
        aegis_yield(0);
    result = aegis_handler_load(&r);
    if (result >= 0)
        CHECK_OK(aegis_handler_unload((uint32_t)result));
    aegis_env_end(raw.env, 0);
    raw_finish(&raw);
    return result;
}

static uint32_t bind_own(bool tap)
{
    struct filter_image in, out;
    filter_udp_to(&in, OWN_PORT);
    filter_sent_udp(&out, 0, OWN_PORT);
    struct aegis_net_binding r = {.parent =
                                      exos.start->caps[tap ? ATTACK_CAP_TAP : ATTACK_CAP_ROOT],
                                  .ingress = in.words,
                                  .ingress_size = in.size,
                                  .egress = out.words,
                                  .egress_size = tap ? 0 : out.size,
                                  .flags = tap ? AEGIS_BIND_TAP : 0};
    int64_t binding = aegis_net_bind(&r);
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    return (uint32_t)binding;
}

int64_t handler_bind_RANGE(void)
{
    uint32_t handler = load_plain();
    CHECK_ERROR(aegis_handler_bind(handler, UINT32_MAX), RANGE);
    CHECK_OK(aegis_handler_unload(handler));
    CHECK_ERROR(aegis_handler_bind(UINT32_MAX, (uint32_t)DESK->binding), RANGE);
    return aegis_handler_bind(handler, (uint32_t)DESK->binding);
}

/* One's own on the victim's frames, and the victim's on one's own. */
int64_t handler_bind_OWNER(void)
{
    uint32_t handler = load_plain();
    uint32_t binding = bind_own(false);
    CHECK_ERROR(aegis_handler_bind(0, binding), OWNER);
    CHECK_ERROR(aegis_handler_bind(handler, aegis_info()->netifs[0].root), OWNER);
    int64_t result = aegis_handler_bind(handler, (uint32_t)DESK->binding);
    CHECK_OK(aegis_net_unbind(binding));
    CHECK_OK(aegis_handler_unload(handler));
    return result;
}

int64_t handler_bind_IN_USE(void)
{
    uint32_t first = load_plain(), second = load_plain(), binding = bind_own(false);
    CHECK_OK(aegis_handler_bind(first, binding));
    CHECK_ERROR(aegis_handler_bind(first, binding), IN_USE);
    int64_t result = aegis_handler_bind(second, binding);
    CHECK_OK(aegis_handler_unload(first));
    CHECK_OK(aegis_handler_unload(second));
    CHECK_OK(aegis_net_unbind(binding));
    return result;
}

int64_t handler_bind_INVALID(void)
{
    uint32_t handler = load_plain(), tap = bind_own(true), binding = bind_own(false);
    struct filter_image in;
    filter_udp_to(&in, OWN_PORT);
    struct aegis_net_binding r = {
        .ingress = in.words, .ingress_size = in.size, .flags = AEGIS_BIND_SHARE};
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_BINDING, binding, AEGIS_RIGHT_SHARE, &r.parent));
    int64_t sharer = aegis_net_bind(&r);
    CHECK(sharer > 0);
    CHECK_ERROR(aegis_handler_bind(handler, (uint32_t)sharer), INVALID);
    CHECK_OK(aegis_net_unbind(binding)); /* and with it the sharer */
    int64_t result = aegis_handler_bind(handler, tap);
    CHECK_OK(aegis_handler_unload(handler));
    CHECK_OK(aegis_net_unbind(tap));
    return result;
}

int64_t handler_unload_RANGE(void)
{
    return aegis_handler_unload(UINT32_MAX);
}

int64_t handler_unload_OWNER(void)
{
    return aegis_handler_unload(0); /* the victim's */
}

int64_t handler_status_RANGE(void)
{
    struct aegis_handler_status status;
    return aegis_handler_status(UINT32_MAX, &status);
}

int64_t handler_status_OWNER(void)
{
    struct aegis_handler_status status;
    return aegis_handler_status(0, &status);
}

int64_t handler_status_ADDRESS(void)
{
    uint32_t handler = load_plain();
    int64_t result = 0;
    for (size_t i = 0; i < bad_address_count; i++)
        CHECK_EQ(result =
                     aegis_handler_status(handler, (struct aegis_handler_status *)bad_addresses[i]),
                 -AEGIS_E_ADDRESS);
    CHECK_OK(aegis_handler_unload(handler));
    return result;
}

int64_t console_read_OWNER(void)
{
    char bytes[16];
    return aegis_console_read(bytes, sizeof bytes);
}

int64_t console_write_OWNER(void)
{
    return aegis_console_write("forged", 6);
}

int64_t console_read_RANGE(void)
{
    char bytes[16];
    CHECK_ERROR(aegis_console_read(bytes, UINT64_MAX), RANGE);
    return aegis_console_read(bytes, 4097);
}

int64_t console_write_RANGE(void)
{
    CHECK_ERROR(aegis_console_write("", UINT64_MAX), RANGE);
    return aegis_console_write("", 4097);
}

int64_t console_read_ADDRESS(void)
{
    int64_t result = aegis_console_read((void *)AEGIS_EXPOSED_BASE, 16);
    for (size_t i = 0; i < bad_address_count && result == -AEGIS_E_ADDRESS; i++)
        result = aegis_console_read((void *)bad_addresses[i], 16);
    return result;
}

int64_t console_write_ADDRESS(void)
{
    int64_t result = -AEGIS_E_ADDRESS;
    for (size_t i = 0; i < bad_address_count && result == -AEGIS_E_ADDRESS; i++)
        result = aegis_console_write((const void *)bad_addresses[i], 16);
    return result;
}

int64_t shutdown_OWNER(void)
{
    return aegis_shutdown(0);
}

int64_t shutdown_RANGE(void)
{
    return aegis_shutdown(256);
}

int64_t console_read_NO_DEVICE(void)
{
    char bytes[16];
    return aegis_console_read(bytes, sizeof bytes);
}

int64_t console_write_NO_DEVICE(void)
{
    return aegis_console_write("", 0);
}

int64_t net_bind_NO_DEVICE(void)
{
    const struct aegis_net_binding r = {
        .parent.name = AEGIS_CAP_NAME(AEGIS_KIND_BINDING, AEGIS_RIGHT_DELEGATE, 1)};
    return aegis_net_bind(&r); /* 0 is the loop interface's */
}
