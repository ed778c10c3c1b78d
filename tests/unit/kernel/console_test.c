/* The control console: whose it is, and what happens while the host takes nothing. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "device.h"
#include "kernel/drivers/virtio_console.h"
#include "world.h"

#define EVENT_IDX (1UL << 29)
#define VERSION_1 (1UL << 32)
#define IRQ       3
#define TX        1
#define BUFFERS   16
#define BUFFER    1024 /* bytes of one */
#define TEXT_AT   0x100000UL

static struct device_model model;
static char *text; /* at TEXT_AT, two pages of the first environment's */

static void make_console(void)
{
    struct virtio device = {.registers = model.registers, .irq = IRQ, .id = VIRTIO_ID_CONSOLE};

    device_init(&model, VIRTIO_ID_CONSOLE, VERSION_1 | EVENT_IDX, BUFFERS);
    console_init(&device);
}

static int boot(void **state)
{
    (void)state;
    world_before_free = make_console;
    world_boot(NULL, 0);
    text = world_memory(TEXT_AT, 2);
    for (size_t i = 0; i < 2 * PAGE_SIZE; i++)
        text[i] = (char)(i * 7);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free(host_memory);
    return 0;
}

/* The device takes the next chain, which must be what was written from text + at on. */
static uint16_t take(size_t at, uint32_t length)
{
    struct device_piece piece;
    size_t count;
    uint16_t head;

    assert_true(device_take(&model, TX, &head, &piece, 1, &count));
    assert_int_equal(count, 1);
    assert_int_equal(piece.length, length);
    assert_false(piece.is_written);
    assert_memory_equal(piece.memory, text + at, length);
    return head;
}

static void a_host_that_takes_nothing_makes_it_full(void **state)
{
    uint16_t heads[BUFFERS];

    (void)state;
    for (size_t i = 0; i < BUFFERS / 4; i++)
        assert_int_equal(call_console_write(TEXT_AT, 4 * BUFFER), 4 * BUFFER);
    assert_int_equal(info->console_pending, BUFFERS);
    assert_int_equal(call_console_write(TEXT_AT, 1), -AEGIS_E_FULL);
    assert_int_equal(call_console_write(TEXT_AT, 0), 0);
    for (size_t i = 0; i < BUFFERS; i++)
        heads[i] = take(i % 4 * BUFFER, BUFFER);

    /* One buffer comes back: so much is taken, and no more. */
    uint64_t space = info->console_space;
    device_use(&model, TX, heads[5], 0);
    host_interrupt(IRQ);
    assert_int_equal(info->console_space, space + 1);
    assert_int_equal(call_console_write(TEXT_AT + 100, 3 * BUFFER), BUFFER);
    assert_int_equal(call_console_write(TEXT_AT, 1), -AEGIS_E_FULL);
    assert_int_equal(take(100, BUFFER), heads[5]);

    for (size_t i = 0; i < BUFFERS; i++)
        device_use(&model, TX, heads[i], 0);
    host_interrupt(IRQ);
    assert_int_equal(info->console_pending, 0);
}

static void it_is_the_first_environments_alone(void **state)
{
    (void)state;
    world_call_as(world_child("other"));
    assert_int_equal(call_console_write(TEXT_AT, 1), -AEGIS_E_OWNER);
    assert_int_equal(call_console_read(TEXT_AT, 1), -AEGIS_E_OWNER);
    world_call_as(FIRST_ENV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_takes_nothing_makes_it_full),
        cmocka_unit_test(it_is_the_first_environments_alone),
    };
    return cmocka_run_group_tests(tests, boot, leave);
}
