/* virtio over MMIO: what is negotiated, what is refused by name, and queues laid out as the
 * specification draws them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "host.h"
#include "kernel/boot_memory.h"
#include "kernel/drivers/virtio.h"
#include "kernel/phys.h"
#include "slot.h"

#define EVENT_IDX (1UL << 29)
#define VERSION_1 (1UL << 32)

static struct virtio device;

static void probe(void *found)
{
    *(bool *)found = virtio_probe(&device, &slot);
}

static void an_empty_slot_is_passed_over(void **state)
{
    (void)state;
    bool found = true;

    device_init(&model, 0, VERSION_1, 8);
    assert_int_equal(host_run(probe, &found), HOST_RETURNED);
    assert_false(found);
    device_init(&model, VIRTIO_ID_NET, VERSION_1, 8);
    model.magic ^= 1;
    found = true;
    assert_int_equal(host_run(probe, &found), HOST_RETURNED);
    assert_false(found);
    device_init(&model, VIRTIO_ID_NET, VERSION_1, 8);
    assert_int_equal(host_run(probe, &found), HOST_RETURNED);
    assert_true(found && device.id == VIRTIO_ID_NET && device.irq == 5);
}

static void a_legacy_device_is_named_with_the_flag_that_mends_it(void **state)
{
    (void)state;
    bool found;

    device_init(&model, VIRTIO_ID_NET, VERSION_1, 8);
    model.version = 1;
    assert_int_equal(host_run(probe, &found), HOST_REFUSED);
    assert_string_equal(host_text, "virtio-net at 0x10001000 is a legacy device (version 1): start "
                                   "QEMU with -global virtio-mmio.force-legacy=false");
    model.version = 3;
    assert_int_equal(host_run(probe, &found), HOST_REFUSED);
    assert_string_equal(host_text, "virtio-net at 0x10001000 has version 3, and 2 is needed");
}

static struct {
    uint64_t required, wanted;
} features;

static void negotiate(void *unused)
{
    (void)unused;
    virtio_negotiate(&device, features.required, features.wanted);
}

/* Probes a device that offers these, and negotiates. */
static enum host_end meet(uint64_t offered, uint64_t required, uint64_t wanted, uint32_t size)
{
    bool found;

    device_init(&model, VIRTIO_ID_NET, offered, size);
    assert_int_equal(host_run(probe, &found), HOST_RETURNED);
    features.required = required;
    features.wanted = wanted;
    return host_run(negotiate, NULL);
}

static void features_are_what_is_needed_and_what_is_wanted_and_offered(void **state)
{
    (void)state;
    assert_int_equal(meet(VERSION_1 | 0xff, 1 << 5, 1 << 3 | EVENT_IDX, 8), HOST_RETURNED);
    assert_true(model.accepted == (VERSION_1 | 1 << 5 | 1 << 3));
    assert_true(device.features == model.accepted && !virtio_has(&device, VIRTIO_F_EVENT_IDX));
    /* Reset, then one step after the other (section 3.1.1). */
    static const uint32_t steps[] = {0, 1, 3, 11};
    assert_int_equal(model.step_count, 4);
    assert_memory_equal(model.steps, steps, sizeof(steps));
    virtio_start(&device);
    assert_int_equal(model.status, 15);
    virtio_reset(&device);
    assert_int_equal(model.status, 0);
}

static void a_feature_that_is_missing_is_refused_by_number(void **state)
{
    (void)state;
    assert_int_equal(meet(VERSION_1, 1 << 5, 0, 8), HOST_REFUSED);
    assert_string_equal(host_text, "virtio-net doesn't offer feature bit 5, which is needed");
    assert_int_equal(meet(0xffffffff, 0, 0, 8), HOST_REFUSED);
    assert_string_equal(host_text, "virtio-net doesn't offer feature bit 32, which is needed");
}

static void make(void *queue)
{
    virtio_make_queue(&device, 1, 256, queue);
}

static void a_device_that_takes_nothing_of_it_is_refused(void **state)
{
    (void)state;
    bool found;
    struct virtq queue;

    device_init(&model, VIRTIO_ID_NET, VERSION_1, 8);
    model.deaf = true;
    assert_int_equal(host_run(probe, &found), HOST_RETURNED);
    features.required = features.wanted = 0;
    assert_int_equal(host_run(negotiate, NULL), HOST_REFUSED);
    assert_string_equal(host_text, "virtio-net refuses the features 0x100000000");
    assert_int_equal(meet(VERSION_1, 0, 0, 0), HOST_RETURNED);
    assert_int_equal(host_run(make, &queue), HOST_REFUSED);
    assert_string_equal(host_text, "virtio-net has no queue 1");
}

static void a_queue_lies_as_the_specification_draws_it(void **state)
{
    (void)state;
    struct virtq queue;

    for (uint32_t most = 1; most <= 1024;
         most = most * 2 + (most == 64)) { /* also no powers of 2 */
        assert_int_equal(meet(VERSION_1 | EVENT_IDX, 0, EVENT_IDX, most), HOST_RETURNED);
        assert_int_equal(host_run(make, &queue), HOST_RETURNED);
        const struct device_queue *q = &model.queues[1];
        uint32_t n = q->size;
        assert_true(n <= most && n <= 256 && 2 * n > (most < 256 ? most : 255));
        assert_true(q->ready && queue.size == n && queue.event_idx);
        /* Three parts, aligned to 16, 2 and 4, that don't overlap (section 2.7). */
        assert_true(q->driver >= q->desc + 16 * n && q->device >= q->driver + 6 + 2 * n);
        uint64_t end = q->device + 6 + 8 * n, last = (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1UL);
        const uint8_t *memory = host_at(q->desc, last - q->desc);
        for (uint64_t i = 0; i < last - q->desc; i++)
            assert_int_equal(memory[i], 0);
        size_t count; /* what was taken is taken to the end of its last page */
        assert_true(boot_memory_free(&count)[0].start >= last);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, slot_begin, slot_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_slot_is_passed_over),
        TEST(a_legacy_device_is_named_with_the_flag_that_mends_it),
        TEST(features_are_what_is_needed_and_what_is_wanted_and_offered),
        TEST(a_feature_that_is_missing_is_refused_by_number),
        TEST(a_device_that_takes_nothing_of_it_is_refused),
        TEST(a_queue_lies_as_the_specification_draws_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
