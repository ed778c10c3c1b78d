/*
 * Every address that an application passes: null, unmapped, in the kernel, wrapping, running off
 * its page, and read-only where the kernel would write. Each gets ADDRESS, and changes nothing.
 */
#include <string.h>

#include "ash/ash.h"
#include "filter.h"
#include "libos/net/headers.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"
#include "test.h"

static int64_t binding;      /* of this program, without a ring */
static int64_t handler;      /* of this program */
static uint64_t others_page; /* mapping it wants a capability */
static struct aegis_net_binding request;
static struct filter_image ingress, egress;

static int64_t try_wait(void *p)
{
    return aegis_wait(p, 1, 0);
}
static int64_t try_log(void *p)
{
    return aegis_log(p, 16);
}
static int64_t try_entropy(void *p)
{
    return aegis_entropy(p, 16);
}
static int64_t try_cap_mint(void *p)
{
    return aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CONTROL, p);
}
static int64_t try_derive(void *p)
{
    struct aegis_cap cap;
    return aegis_cap_derive(p, AEGIS_RIGHT_CONTROL, &cap);
}
static int64_t try_derived(void *p)
{
    struct aegis_cap cap;
    CHECK_OK(aegis_cap_mint(AEGIS_KIND_ENV, exos.env, AEGIS_RIGHT_CONTROL, &cap));
    return aegis_cap_derive(&cap, AEGIS_RIGHT_CONTROL, p);
}
static int64_t try_console_bind(void *p)
{
    return aegis_console_bind(p);
}
static int64_t try_gate_bind(void *p)
{
    return aegis_gate_bind(0, p);
}
static int64_t try_quota_set(void *p)
{
    struct raw raw;
    raw_create(&raw, "end", blob_end, blob_end_end);
    int64_t result = aegis_quota_set(raw.env, p);
    raw_start(&raw, 0);
    raw_finish(&raw);
    return result;
}
static int64_t try_resume(void *p)
{
    return aegis_resume(p, 0);
}
static int64_t try_map_batch(void *p)
{
    return aegis_map_batch(0, p, 1);
}
static int64_t try_map(void *p)
{
    return p ? aegis_map(0, 0x2000000000, others_page, AEGIS_PROT_READ, p) : -AEGIS_E_ADDRESS;
}
static int64_t try_env_create(void *p)
{
    uint64_t a = test_page(), b = test_page();
    int64_t result = aegis_env_create(a, b, p);
    CHECK_OK(aegis_page_free(a));
    CHECK_OK(aegis_page_free(b));
    return result;
}
static int64_t try_net_bind(void *p)
{
    return aegis_net_bind(p);
}
static int64_t try_ingress(void *p)
{
    struct aegis_net_binding r = request;
    r.ingress = p;
    return aegis_net_bind(&r);
}
static int64_t try_egress(void *p)
{
    struct aegis_net_binding r = request;
    r.egress = p;
    return aegis_net_bind(&r);
}
static int64_t try_net_send(void *p)
{
    return aegis_net_send((uint32_t)binding, p, 1);
}
static int64_t try_frame(void *p)
{
    struct aegis_frame_out out = {.address = p, .length = 16};
    return aegis_net_send((uint32_t)binding, &out, 1);
}
static int64_t try_net_counters(void *p)
{
    return aegis_net_counters((uint32_t)binding, p, NULL);
}

/* Of a binding that isn't this program's own, so that the capability counts. */
static int64_t try_counters_capability(void *p)
{
    struct aegis_counters counters;
    return p ? aegis_net_counters(aegis_info()->netifs[0].root, &counters, p) : -AEGIS_E_ADDRESS;
}

/* Of a slot that this program doesn't own: NULL would ask for it as a free one. */
static int64_t try_slice_alloc(void *p)
{
    return p ? aegis_slice_alloc(0, 0, p) : -AEGIS_E_ADDRESS;
}

static int64_t try_handler_load(void *p)
{
    return aegis_handler_load(p);
}
static int64_t try_image(void *p)
{
    struct aegis_handler_request r = {.image = p, .image_size = 16};
    return aegis_handler_load(&r);
}
static int64_t try_message(void *p)
{
    struct aegis_handler_request r = {.image = &ingress, .image_size = 16, .message = p};
    return p ? aegis_handler_load(&r) : -AEGIS_E_ADDRESS;
}
static int64_t try_handler_status(void *p)
{
    return aegis_handler_status((uint32_t)handler, p);
}

/* The smallest handler: PASS. */
static int64_t make_handler(void)
{
    static struct {
        struct ash_header header;
        struct ash_insn insns[2];
    } image __attribute__((aligned(8))) = {{.magic = ASH_MAGIC,
                                            .version = ASH_VERSION,
                                            .event = ASH_EVENT_FRAME,
                                            .insns = 2,
                                            .name = "pass"},
                                           {{0xb7, 0, 0, ASH_PASS}, {0x95, 0, 0, 0}}};
    struct aegis_handler_request r = {.image = &image, .image_size = sizeof image};
    int64_t made = aegis_handler_load(&r);
    CHECK(made >= 0);
    return made;
}

static int64_t try_extent_alloc(void *p)
{
    return aegis_extent_alloc(p);
}
static int64_t try_extent_split(void *p)
{
    return p ? aegis_extent_split(AEGIS_NO_EXTENT, 1, p) : -AEGIS_E_ADDRESS;
}
static int64_t try_extent_claim(void *p)
{
    return aegis_extent_claim(UINT32_MAX, 0, 1, p);
}
/* A machine without a disk has no extent that a capability could be for. */
static bool no_extent(const void *p)
{
    return !p || aegis_info()->disk_count == 0;
}
static int64_t try_disk_bind(void *p)
{
    return no_extent(p) ? -AEGIS_E_ADDRESS : aegis_disk_bind(0, AEGIS_RIGHT_READ, p);
}
static int64_t try_disk_submit(void *p)
{
    return aegis_disk_submit(p, 1);
}

/* Rows without `part` stand for one P of calls.def each. */
static const struct {
    const char *name;
    int64_t (*attempt)(void *p);
    size_t size; /* bytes that the kernel touches */
    bool written, part;
} rows[] = {
    {"wait", try_wait, sizeof(struct aegis_predicate), false, false},
    {"log", try_log, 16, false, false},
    {"entropy", try_entropy, 16, true, false},
    {"cap_mint", try_cap_mint, sizeof(struct aegis_cap), true, false},
    {"slice_alloc", try_slice_alloc, sizeof(struct aegis_cap), false, false},
    {"cap_derive", try_derive, sizeof(struct aegis_cap), false, false},
    {"cap_derive result", try_derived, sizeof(struct aegis_cap), true, false},
    {"console_bind", try_console_bind, sizeof(struct aegis_cap), false, false},
    {"gate_bind", try_gate_bind, sizeof(struct aegis_cap), false, false},
    {"quota_set", try_quota_set, sizeof(struct aegis_limits), false, false},
    {"resume", try_resume, sizeof(struct aegis_context), false, false},
    {"map_batch", try_map_batch, sizeof(struct aegis_map_op), false, false},
    {"map", try_map, sizeof(struct aegis_cap), false, false},
    {"env_create", try_env_create, AEGIS_NAME_SIZE, false, false},
    {"net_bind", try_net_bind, sizeof(struct aegis_net_binding), false, false},
    {"net_bind ingress", try_ingress, 16, false, true},
    {"net_bind egress", try_egress, 16, false, true},
    {"net_send", try_net_send, sizeof(struct aegis_frame_out), false, false},
    {"net_send frame", try_frame, 16, false, true},
    {"net_counters", try_net_counters, sizeof(struct aegis_counters), true, false},
    {"net_counters capability", try_counters_capability, sizeof(struct aegis_cap), false, false},
    {"handler_load", try_handler_load, sizeof(struct aegis_handler_request), false, false},
    {"handler_load image", try_image, 16, false, true},
    {"handler_load message", try_message, AEGIS_MESSAGE_SIZE, true, true},
    {"handler_status", try_handler_status, sizeof(struct aegis_handler_status), true, false},
    {"extent_alloc", try_extent_alloc, sizeof(struct aegis_extent_request), false, false},
    {"extent_split", try_extent_split, AEGIS_SECRET_SIZE, false, false},
    {"extent_claim", try_extent_claim, AEGIS_SECRET_SIZE, false, false},
    {"disk_bind", try_disk_bind, sizeof(struct aegis_cap), false, false},
    {"disk_submit", try_disk_submit, sizeof(struct aegis_disk_request), false, false},
};

/* upcall_bind and net_ring below, repossession_bind in giving.c, console_read and console_write in
 * runner.c, extent_resize and disk_ring in disks.c: they take pages, and an owner. */
#define ELSEWHERE 7
enum {
    POINTERS = 0
#define V(type, name, ...)
#define P(type, name, ...) +1
#define E(...)
#define AEGIS_CALL0(number, name, e, s)
#define AEGIS_CALL1(number, name, a, e, s)             a
#define AEGIS_CALL2(number, name, a, b, e, s)          a b
#define AEGIS_CALL3(number, name, a, b, c, e, s)       a b c
#define AEGIS_CALL4(number, name, a, b, c, d, e, s)    a b c d
#define AEGIS_CALL5(number, name, a, b, c, d, f, e, s) a b c d f
#include "abi/calls.def"
};
#define PARTS 5
_Static_assert(POINTERS == sizeof rows / sizeof *rows - PARTS + ELSEWHERE,
               "a pointer of calls.def has no row in this file");

static void expect(const char *name, int64_t (*attempt)(void *), uint64_t address)
{
    int64_t got = attempt((void *)address);
    if (got != -AEGIS_E_ADDRESS)
        FAIL("%s at 0x%llx gives %s", name, (unsigned long long)address, aegis_error_name(got));
}

static void each_pointer(void)
{
    /* A page between two holes, and the same read-only. */
    char *hole = vm_reserve(3), *frozen = vm_alloc(1, AEGIS_PROT_READ);
    uint64_t page = test_page();
    CHECK(hole && frozen);
    CHECK_OK(vm_map(0, (uint64_t)hole + AEGIS_PAGE_SIZE, page, VM_READ_WRITE, NULL));
    uint64_t begin = (uint64_t)hole + AEGIS_PAGE_SIZE, end = begin + AEGIS_PAGE_SIZE;
    memset((void *)begin, 0, AEGIS_PAGE_SIZE);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = rows[i].size;
        const uint64_t bad[] = {
            0,
            8,
            0x7000,
            (uint64_t)hole,
            begin - 8,
            end,
            end - size + 8,
            end - 8,
            AEGIS_USER_END - 8,
            AEGIS_USER_END,
            AEGIS_USER_END - size / 2,
            1UL << 47,
            1UL << 62,
            0xffffffc000000000,
            0xffffffc080200000,
            0xffffffff80200000,
            0xfffffffffffffff8,
            UINT64_MAX - size + 1,
            UINT64_MAX - size / 2,
        };
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++)
            expect(rows[i].name, rows[i].attempt, bad[j]);
        if (rows[i].written) {
            expect(rows[i].name, rows[i].attempt, (uint64_t)frozen);
            expect(rows[i].name, rows[i].attempt, AEGIS_EXPOSED_BASE);
            expect(rows[i].name, rows[i].attempt, (uint64_t)each_pointer & ~7UL);
            memset((void *)begin, 0x55, AEGIS_PAGE_SIZE);
            expect(rows[i].name, rows[i].attempt, end - size + 8); /* nothing of it is written */
            for (uint64_t at = begin; at < end; at++)
                CHECK_EQ(*(volatile uint8_t *)at, 0x55);
        }
    }
    CHECK_OK(aegis_unmap(0, begin, 1));
    CHECK_OK(aegis_page_free(page));
    CHECK_OK(vm_free(hole));
    CHECK_OK(vm_free(frozen));
}

static void ranges_of_lengths(void)
{
    char text[8] = "";
    CHECK_ERROR(aegis_log(text, UINT64_MAX), RANGE);
    CHECK_ERROR(aegis_log(text, 1UL << 40), RANGE);
    CHECK_ERROR(aegis_entropy(text, UINT64_MAX), RANGE);
    CHECK_ERROR(aegis_entropy(text, 257), RANGE);
    CHECK_ERROR(aegis_net_send((uint32_t)binding, NULL, 0), RANGE);
    CHECK_ERROR(aegis_net_send((uint32_t)binding, NULL, AEGIS_SEND_MAX + 1), RANGE);
    CHECK_ERROR(aegis_net_send((uint32_t)binding, NULL, UINT64_MAX), RANGE);
}

static void upcall_pages(void)
{
    struct aegis_upcall_page *frozen = vm_alloc(1, AEGIS_PROT_READ),
                             *good = vm_alloc(1, VM_READ_WRITE);
    CHECK_ERROR(aegis_upcall_bind(NULL, (uint64_t)upcall_pages), ADDRESS);
    CHECK_ERROR(aegis_upcall_bind((void *)0x7000, 0x10000), ADDRESS);
    CHECK_ERROR(aegis_upcall_bind(frozen, 0x10000), ADDRESS);
    CHECK_ERROR(aegis_upcall_bind((void *)AEGIS_EXPOSED_BASE, 0x10000), ADDRESS);
    CHECK_ERROR(aegis_upcall_bind((void *)0xffffffff80200000, 0x10000), ADDRESS);
    CHECK_ERROR(aegis_upcall_bind((void *)exos.start, 0x10000), ADDRESS); /* the parent's page */
    CHECK_ERROR(aegis_upcall_bind((void *)((char *)good + 1), 0x10000), ALIGNMENT);
    CHECK_ERROR(aegis_upcall_bind((void *)((char *)good + AEGIS_PAGE_SIZE - 64), 0x10000),
                ALIGNMENT);
    CHECK_ERROR(aegis_upcall_bind(good, 0x10001), ALIGNMENT);
    CHECK_ERROR(aegis_upcall_bind(good, AEGIS_USER_END), RANGE);
    CHECK_ERROR(aegis_upcall_bind(good, 0xffffffff80200000), RANGE);
    CHECK_OK(aegis_upcall_bind(good, (uint64_t)upcall_pages & ~1UL));
    CHECK_EQ(aegis_page((uint64_t)vm_page_at(good))->pins, 1);
    CHECK_OK(aegis_upcall_bind(NULL, 0));
    CHECK_EQ(aegis_page((uint64_t)vm_page_at(good))->pins, 0);
    CHECK_OK(upcall_bind()); /* the library's, which has what pointers point to looked at */
    CHECK_OK(vm_free(frozen));
    CHECK_OK(vm_free(good));
}

static void ring_pages(void)
{
    uint32_t b = (uint32_t)binding;
    struct aegis_ring *one = vm_alloc(1, VM_READ_WRITE), *frozen = vm_alloc(2, AEGIS_PROT_READ);
    struct aegis_ring *good = vm_alloc(2, VM_READ_WRITE);
    CHECK_ERROR(aegis_net_ring(b, NULL, 2), ADDRESS);
    CHECK_ERROR(aegis_net_ring(b, one, 2), ADDRESS); /* the second page is a hole */
    CHECK_ERROR(aegis_net_ring(b, frozen, 2), ADDRESS);
    CHECK_ERROR(aegis_net_ring(b, (void *)AEGIS_EXPOSED_BASE, 2), ADDRESS);
    CHECK_ERROR(aegis_net_ring(b, (void *)0xffffffff80200000, 2), ADDRESS);
    CHECK_ERROR(aegis_net_ring(b, (void *)0xfffffffffffff000, 2), ADDRESS);
    CHECK_ERROR(aegis_net_ring(b, (void *)((char *)good + 64), 2), ALIGNMENT);
    CHECK_ERROR(aegis_net_ring(b, good, 0), RANGE);
    CHECK_ERROR(aegis_net_ring(b, good, 1), RANGE);
    CHECK_ERROR(aegis_net_ring(b, good, 3), RANGE);
    CHECK_ERROR(aegis_net_ring(b, good, 2 * AEGIS_RING_SLOTS), RANGE);
    CHECK_ERROR(aegis_net_ring(b, good, UINT64_MAX), RANGE);
    CHECK_EQ(aegis_page((uint64_t)vm_page_at(one))->pins, 0);
    CHECK_OK(vm_free(one));
    CHECK_OK(vm_free(frozen));
    CHECK_OK(vm_free(good));
}

int main(void)
{
    struct raw raw;
    CHECK(aegis_info()->netif_count > 0); /* the machine needs a network device for this */
    filter_udp_to(&ingress, 4711);
    filter_sent_type(&egress, 0, ETH_TYPE_IPV4);
    request = (struct aegis_net_binding){.parent = exos.start->caps[TEST_CAP_ROOT],
                                         .ingress = ingress.words,
                                         .ingress_size = ingress.size,
                                         .egress = egress.words,
                                         .egress_size = egress.size};
    binding = aegis_net_bind(&request);
    handler = make_handler();
    if (binding < 0)
        FAIL("net_bind: %s", aegis_error_name(binding));
    raw_create(&raw, "spin", blob_spin, blob_spin_end);
    others_page = test_page();
    CHECK_OK(vm_map(0, 0x2000000000, others_page, AEGIS_PROT_READ, NULL)); /* tables for try_map */
    CHECK_OK(aegis_unmap(0, 0x2000000000, 1));
    CHECK_OK(aegis_page_give(others_page, raw.env));

    each_pointer();
    ranges_of_lengths();
    upcall_pages();
    ring_pages();

    CHECK_OK(aegis_net_unbind((uint32_t)binding));
    CHECK_OK(aegis_env_end(raw.env, 0));
    raw_finish(&raw);
    return 0;
}
