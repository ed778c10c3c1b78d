/* Rings of received frames: the owner reads what was put, in order; whatever the owner writes
 * there, the kernel writes nothing but slots; the pages are the owner's again afterwards. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sanitizer/asan_interface.h>
#include "invariants.h"
#include "net.h"
#include "random.h"
#include "kernel/netif.h"
#include "kernel/ring.h"

#define FIRST FIRST_ENV
#define RW    (AEGIS_PROT_READ | AEGIS_PROT_WRITE)
#define ROOT  0 /* the binding that all tests use */
#define AT    0x100000UL
#define MOST  (1 + AEGIS_RING_SLOTS / 2) /* pages of the largest ring */
#define LONG  1778                       /* bytes of the longest frame that a buffer holds */

static uint32_t a;
static uint8_t
    *memory[MOST]; /* the host's address of each page at AT, which lie apart and in no order */
static uint64_t ppns[MOST];
static struct binding *binding;
static struct aegis_ring *ring;

static int boot(void **state)
{
    static uint64_t spare[3 * MOST];

    (void)state;
    net_boot(1);
    a = world_child("a");
    for (size_t i = 0; i < 3 * MOST; i++)
        spare[i] = world_page();
    for (size_t i = 0; i < MOST; i++) {
        ppns[i] =
            spare[(i * 29 % MOST) * 3 + 1]; /* each with a page on both sides that is nobody's */
        memory[i] = ppn_to_virt(ppns[i]);
        world_map(AT + i * PAGE_SIZE, ppns[i], RW);
    }
    for (size_t i = 0; i < 3 * MOST; i++)
        if (i % 3 != 1)
            ASAN_POISON_MEMORY_REGION(ppn_to_virt(spare[i]), PAGE_SIZE);
    binding = netif_binding_state(ROOT);
    ring = (struct aegis_ring *)memory[0];
    return 0;
}

static int leave(void **state)
{
    (void)state;
    ASAN_UNPOISON_MEMORY_REGION(host_memory, WORLD_SIZE);
    free(host_memory);
    return 0;
}

/* Each test begins with no ring, as FIRST. */
static int begin(void **state)
{
    (void)state;
    world_call_as(FIRST);
    for (size_t i = 0; i < MOST; i++)
        memset(memory[i], 0, PAGE_SIZE);
    return 0;
}

static int end(void **state)
{
    (void)state;
    host_on_fence = NULL;
    ring_release(binding);
    netif_binding(ROOT)->slots = 0;
    return 0;
}

static uint8_t *slot_at(uint64_t number, uint64_t slots)
{
    uint64_t i = number % slots;

    return memory[1 + i / 2] + i % 2 * AEGIS_SLOT_SIZE;
}

static bool put(const uint8_t *bytes, size_t length, uint64_t time)
{
    struct ring_frame frame = {.pieces = {{bytes, length}}, .count = 1, .flags = 0, .time = time};

    return ring_put(binding, ROOT, &frame);
}

/* Frame number k of a test: its length and bytes follow from k. */
static size_t make(uint64_t k, uint8_t *bytes)
{
    size_t length = k * 131 % (LONG + 1);

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(k + i * 7);
    return length;
}

static void check_slot(uint64_t place, uint64_t slots, uint64_t k)
{
    const uint8_t *slot = slot_at(place, slots);
    const struct aegis_slot_header *header = (const struct aegis_slot_header *)slot;
    uint8_t bytes[LONG];

    assert_int_equal(header->length, make(k, bytes));
    assert_memory_equal(slot + AEGIS_SLOT_FRAME, bytes, header->length);
    assert_true(header->binding == ROOT && header->time == k && header->flags == 0);
}

/* An owner that reads as abi.h says, at its own pace: every frame that was put, once and in order.
 */
static void play(uint64_t first, uint64_t slots)
{
    uint64_t k = 0, taken = 0, dropped = 0;
    uint8_t bytes[LONG];

    ring->tail = first;
    assert_int_equal(call_net_ring(ROOT, AT, slots), 0);
    assert_true(ring->head == first);
    while (taken < 20 * slots) {
        for (uint64_t n = random_below(slots + 3); n > 0; n--) {
            bool room = k - taken < slots;
            assert_true(put(bytes, make(k, bytes), k) == room);
            k += room;
            dropped += !room;
            assert_true(ring->head == first + k && ring->dropped == dropped);
        }
        for (uint64_t n = random_below(slots + 1); n > 0 && taken < k; n--, taken++) {
            assert_true(ring->tail != ring->head);
            check_slot(ring->tail, slots, taken);
            ring->tail++;
        }
    }
    ring_release(binding);
}

static void every_frame_arrives_once_and_in_order(void **state)
{
    (void)state;
    seed_random(9);
    for (uint64_t slots = 2; slots <= AEGIS_RING_SLOTS; slots *= 2)
        play(0, slots);
}

static void counts_go_on_where_an_old_ring_ended_and_over_the_end_of_64_bits(void **state)
{
    (void)state;
    seed_random(10);
    play(12345, 8);
    play(0 - 5UL, 4);
    play(0 - 70UL, 64);
    play(UINT64_MAX, AEGIS_RING_SLOTS);
}

static void a_full_ring_drops_and_counts_and_keeps_what_it_has(void **state)
{
    (void)state;
    uint8_t bytes[LONG];

    assert_int_equal(call_net_ring(ROOT, AT, 4), 0);
    uint64_t frames = env_infos[netif_row(ROOT)->owner].frames;
    for (uint64_t k = 0; k < 4; k++)
        assert_true(put(bytes, make(k, bytes), k));
    for (uint64_t k = 4; k < 9; k++)
        assert_false(put(bytes, make(k, bytes), k));
    assert_true(ring->dropped == 5 && ring->head == 4);
    assert_true(env_infos[netif_row(ROOT)->owner].frames == frames + 4); /* of all its rings */
    for (uint64_t k = 0; k < 4; k++)
        check_slot(k, 4, k);
    ring->tail = 1;
    assert_true(put(bytes, make(9, bytes), 9));
    check_slot(0, 4, 9);
}

/*
 * Whatever stands in the header page, at whatever time: frames go into slots, the header's two
 * words change, and nothing else (what lies around the pages is poisoned).
 */
static void whatever_the_owner_writes_only_its_ring_is_written(void **state)
{
    (void)state;
    static uint8_t before[PAGE_SIZE];
    uint8_t bytes[LONG];
    uint64_t puts = 0;

    memset(bytes, 0xab, sizeof(bytes));
    assert_int_equal(call_net_ring(ROOT, AT, 8), 0);
    seed_random(11);
    for (int i = 0; i < 3000; i++) {
        switch (random_below(4)) {
        case 0:
            ring->tail = ring->head + random_below(20) - 10;
            break;
        case 1:
            ring->tail = random_below(UINT64_MAX);
            break;
        case 2:
            ring->head = random_below(UINT64_MAX); /* the kernel keeps its own */
            ring->dropped = random_below(UINT64_MAX);
            break;
        default:
            ring->tail = puts;
        }
        memcpy(before, memory[0], PAGE_SIZE);
        bool want = puts - ring->tail < 8;
        assert_true(put(bytes, LONG, 1) == want);
        puts += want;
        struct aegis_ring *after = (struct aegis_ring *)before;
        if (want)
            after->head = puts;
        else
            after->dropped++;
        assert_memory_equal(memory[0], before, PAGE_SIZE);
    }
    assert_true(puts > 1000);
}

static void no_slot_touches_another(void **state)
{
    (void)state;
    uint8_t bytes[LONG];

    assert_int_equal(call_net_ring(ROOT, AT, AEGIS_RING_SLOTS), 0);
    for (uint64_t i = 0; i < AEGIS_RING_SLOTS; i++) {
        memset(slot_at(i, AEGIS_RING_SLOTS), 0xee, AEGIS_SLOT_SIZE);
        memset(bytes, (int)i, LONG);
        /* The addresses of an IPv4 header, 26 and 30 behind an Ethernet header, lie on 8 bytes. */
        assert_int_equal(((uintptr_t)slot_at(i, AEGIS_RING_SLOTS) + AEGIS_SLOT_FRAME + 26) % 8, 0);
        assert_true(put(bytes, LONG, i));
    }
    for (uint64_t i = 0; i < AEGIS_RING_SLOTS; i++) {
        const uint8_t *slot = slot_at(i, AEGIS_RING_SLOTS);
        for (size_t n = 0; n < LONG; n++)
            assert_int_equal(slot[AEGIS_SLOT_FRAME + n], (uint8_t)i);
        for (size_t n = AEGIS_SLOT_FRAME + LONG; n < AEGIS_SLOT_SIZE; n++)
            assert_int_equal(slot[n], 0xee);
    }
}

static void a_frame_in_pieces_is_one_frame(void **state)
{
    (void)state;
    const uint8_t one[128] = {1}, two[700] = {2}, three[686] = {3};
    struct ring_frame frame = {.pieces = {{one, 128}, {two, 700}, {three, 686}},
                               .count = 3,
                               .flags = AEGIS_FRAME_SENT,
                               .time = 77};

    assert_int_equal(call_net_ring(ROOT, AT, 2), 0);
    assert_true(ring_put(binding, 42, &frame));
    const uint8_t *slot = slot_at(0, 2);
    const struct aegis_slot_header *header = (const struct aegis_slot_header *)slot;
    assert_true(header->length == 1514 && header->flags == AEGIS_FRAME_SENT);
    assert_true(header->binding == 42 && header->time == 77);
    assert_true(slot[22] == 1 && slot[22 + 128] == 2 && slot[22 + 828] == 3 &&
                slot[22 + 1513] == 0);
}

/* Whether slot 0 was whole, and hidden, when the kernel put its fence. */
static bool was_whole, was_hidden;
static int fences;

static void look(const char *before, const char *after)
{
    const uint8_t *slot = slot_at(0, 2);

    assert_true(strchr(before, 'w') && strchr(after, 'w'));
    was_whole = slot[0] == 64 && slot[AEGIS_SLOT_FRAME + 63] == 0x5c && slot[8] == 99;
    was_hidden = ring->head == 0;
    fences++;
}

static void head_is_written_behind_a_fence_after_the_slot(void **state)
{
    (void)state;
    uint8_t bytes[64];

    memset(bytes, 0x5c, sizeof(bytes));
    assert_int_equal(call_net_ring(ROOT, AT, 2), 0);
    host_on_fence = look;
    assert_true(put(bytes, 64, 99));
    assert_true(fences == 1 && was_whole && was_hidden && ring->head == 1);
}

static void without_a_ring_nothing_is_put(void **state)
{
    (void)state;
    assert_false(put((const uint8_t *)"x", 1, 0));
}

static void ring_pages_are_pinned_and_come_back_as_data(void **state)
{
    (void)state;
    assert_int_equal(call_net_ring(ROOT, AT, 16), 0);
    check_invariants(NULL);
    for (size_t i = 0; i < MOST; i++) {
        bool in = i <= 8;
        assert_int_equal(page_of(ppns[i])->state, in ? AEGIS_PAGE_RING : AEGIS_PAGE_DATA);
        assert_int_equal(page_of(ppns[i])->pins, in);
    }
    assert_true(netif_binding(ROOT)->slots == 16);
    /* Mapped, pinned and no data: neither to be given away nor to become a table. */
    assert_int_equal(call_unmap(0, AT + PAGE_SIZE, 1), 0);
    assert_int_equal(call_page_free(ppns[1]), -AEGIS_E_STATE);
    assert_int_equal(call_table_insert(0, 9UL << 30, 1, ppns[1], ppns[2]), -AEGIS_E_STATE);
    assert_true(put((const uint8_t *)"x", 1, 0)); /* also where the owner doesn't look any more */
    assert_int_equal(call_map(0, AT + PAGE_SIZE, ppns[1], RW, 0), 0);
    ring_release(binding);
    netif_binding(ROOT)->slots = 0;
    check_invariants(NULL);
    for (size_t i = 0; i < MOST; i++)
        assert_true(page_of(ppns[i])->state == AEGIS_PAGE_DATA && page_of(ppns[i])->pins == 0);
    ring_release(binding); /* again: there is none */
    check_invariants(NULL);
}

static void net_ring_refuses_by_name(void **state)
{
    (void)state;
    static const struct {
        uint32_t binding;
        uint64_t at, slots;
        long error;
    } rows[] = {
        {255, AT, 4, -AEGIS_E_RANGE},
        {256, AT, 4, -AEGIS_E_RANGE},
        {UINT32_MAX, AT, 4, -AEGIS_E_RANGE},
        {ROOT, AT, 0, -AEGIS_E_RANGE},
        {ROOT, AT, 1, -AEGIS_E_RANGE},
        {ROOT, AT, 3, -AEGIS_E_RANGE},
        {ROOT, AT, AEGIS_RING_SLOTS * 2, -AEGIS_E_RANGE},
        {ROOT, AT, UINT64_MAX, -AEGIS_E_RANGE},
        {ROOT, AT, 1UL << 32, -AEGIS_E_RANGE},
        {ROOT, AT + 8, 4, -AEGIS_E_ALIGNMENT},
        {ROOT, AT + 2048, 4, -AEGIS_E_ALIGNMENT},
        {ROOT, 0, 4, -AEGIS_E_ADDRESS},
        {ROOT, AT + (MOST - 1) * PAGE_SIZE, 4, -AEGIS_E_ADDRESS}, /* runs out of what is mapped */
        {ROOT, AEGIS_EXPOSED_BASE, 4, -AEGIS_E_ADDRESS},
        {ROOT, AEGIS_EXPOSED_BASE - PAGE_SIZE, 4, -AEGIS_E_ADDRESS},
        {ROOT, AEGIS_USER_END, 4, -AEGIS_E_ADDRESS},
        {ROOT, 0UL - PAGE_SIZE, 4, -AEGIS_E_ADDRESS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        long result = call_net_ring(rows[i].binding, rows[i].at, rows[i].slots);
        if (result != rows[i].error)
            fail_msg("row %zu: %ld instead of %ld", i, result, rows[i].error);
    }
    assert_int_equal(call_protect(0, AT + 2 * PAGE_SIZE, 1, AEGIS_PROT_READ), 0);
    assert_int_equal(call_net_ring(ROOT, AT, 4), -AEGIS_E_ADDRESS); /* one page is read-only */
    assert_int_equal(call_protect(0, AT + 2 * PAGE_SIZE, 1, RW), 0);
    world_call_as(a);
    assert_int_equal(call_net_ring(ROOT, AT, 4), -AEGIS_E_OWNER);
    world_call_as(FIRST);
    assert_int_equal(call_net_ring(ROOT, AT, 4), 0);
    assert_int_equal(call_net_ring(ROOT, AT + 8 * PAGE_SIZE, 4), -AEGIS_E_IN_USE);
    check_invariants(NULL);
}

static void pages_that_can_not_be_a_rings_are_refused(void **state)
{
    (void)state;
    uint64_t other = AT + 70 * PAGE_SIZE;

    /* Somebody else's, mapped writable with its capability. */
    world_call_as(a);
    net_memory();
    uint64_t as_page = world_page();
    struct aegis_cap cap = net_cap(AEGIS_KIND_PAGE, as_page, RW);
    world_call_as(FIRST);
    assert_true(user_write(NET_AT, &cap, sizeof(cap)));
    assert_int_equal(call_unmap(0, AT + PAGE_SIZE, 1), 0);
    assert_int_equal(call_map(0, AT + PAGE_SIZE, as_page, RW, NET_AT), 0);
    assert_int_equal(call_net_ring(ROOT, AT, 2), -AEGIS_E_OWNER);
    assert_int_equal(call_unmap(0, AT + PAGE_SIZE, 1), 0);
    /* One that is as much pinned as can be. */
    world_map(AT + PAGE_SIZE, ppns[1], RW);
    page_of(ppns[1])->pins = UINT16_MAX;
    assert_int_equal(call_net_ring(ROOT, AT, 2), -AEGIS_E_STATE);
    page_of(ppns[1])->pins = 0;
    /* One page under two addresses, so that a slot would be the header. */
    assert_int_equal(call_unmap(0, AT + PAGE_SIZE, 1), 0);
    assert_int_equal(call_map(0, AT + PAGE_SIZE, ppns[0], RW, 0), 0);
    assert_int_equal(call_net_ring(ROOT, AT, 2), -AEGIS_E_STATE);
    assert_int_equal(call_unmap(0, AT + PAGE_SIZE, 1), 0);
    world_map(AT + PAGE_SIZE, ppns[1], RW);
    /* One of a ring that is bound. */
    assert_int_equal(call_net_ring(ROOT, AT, 2), 0);
    struct net_request request = {
        .parent = net_cap(AEGIS_KIND_BINDING, ROOT, AEGIS_RIGHT_DELEGATE), .in = 1, .out = 1};
    long second = net_bind(&request);
    assert_true(second > 0);
    world_map(other, ppns[40], RW);
    assert_int_equal(call_map(0, other + PAGE_SIZE, ppns[1], RW, 0), 0);
    assert_int_equal(call_net_ring((uint32_t)second, other, 2), -AEGIS_E_STATE);
    assert_int_equal(net_unbind((uint32_t)second), 0);
    assert_int_equal(call_unmap(0, other, 2), 0);
    check_invariants(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_frame_arrives_once_and_in_order),
        TEST(counts_go_on_where_an_old_ring_ended_and_over_the_end_of_64_bits),
        TEST(a_full_ring_drops_and_counts_and_keeps_what_it_has),
        TEST(whatever_the_owner_writes_only_its_ring_is_written),
        TEST(no_slot_touches_another),
        TEST(a_frame_in_pieces_is_one_frame),
        TEST(head_is_written_behind_a_fence_after_the_slot),
        TEST(without_a_ring_nothing_is_put),
        TEST(ring_pages_are_pinned_and_come_back_as_data),
        TEST(net_ring_refuses_by_name),
        TEST(pages_that_can_not_be_a_rings_are_refused),
    };

    return cmocka_run_group_tests(tests, boot, leave);
}
