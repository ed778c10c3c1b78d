/* An environment with memory, one binding and its ring. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "frames.h"
#include "host.h"

#define HALF 0xffffffff

uint32_t a;
long one;
struct aegis_ring *ring;
static uint8_t *slots;

long bind_for_a(const struct net_request *request)
{
    struct net_request asked = *request;

    world_call_as(FIRST_ENV);
    asked.parent =
        net_cap(AEGIS_KIND_BINDING, 0, asked.tap ? AEGIS_RIGHT_TAP : AEGIS_RIGHT_DELEGATE);
    world_call_as(a);
    return net_bind(&asked);
}

int frames_boot(void **state)
{
    (void)state;
    net_boot(2);
    a = world_child("a");
    world_call_as(a);
    net_memory();
    ring = world_memory(RING_AT, 1 + SLOTS / 2);
    slots = (uint8_t *)ring + PAGE_SIZE;
    one = bind_for_a(&(struct net_request){.in = HALF, .out = HALF});
    assert_true(one > 0);
    assert_int_equal(call_net_ring((uint32_t)one, RING_AT, SLOTS), 0);
    return 0;
}

int frames_leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

int frames_as_a(void **state)
{
    (void)state;
    world_call_as(a);
    return 0;
}

struct aegis_counters counters(void)
{
    struct aegis_counters c;

    assert_int_equal(call_net_counters((uint32_t)one, NET_AT, 0), 0);
    assert_true(user_read(&c, NET_AT, sizeof(c)));
    return c;
}

const struct aegis_slot_header *next(const uint8_t **frame)
{
    if (ring->tail == ring->head)
        return NULL;
    const uint8_t *slot = slots + ring->tail % SLOTS * AEGIS_SLOT_SIZE;
    *frame = slot + AEGIS_SLOT_FRAME;
    return (const struct aegis_slot_header *)slot;
}
