/* Split virtqueues: 16-bit indices that wrap while nothing is lost, doubled or left asleep, and
 * stores in the order that the device needs. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "host.h"
#include "kernel/drivers/virtio.h"
#include "kernel/phys.h"
#include "random.h"
#include "slot.h"

#define EVENT_IDX (1UL << 29)
#define VERSION_1 (1UL << 32)

static struct virtio device;

static bool probed;

static void probe(void *unused)
{
    (void)unused;
    probed = virtio_probe(&device, &slot);
}

static void negotiate(void *wanted)
{
    virtio_negotiate(&device, 0, *(uint64_t *)wanted);
}

static void make(void *queue)
{
    virtio_make_queue(&device, 1, 256, queue);
}

/* The other side of queue 1, and what it was given. */
static struct virtq queue;

static void start(uint64_t wanted, uint32_t size)
{
    device_init(&model, VIRTIO_ID_NET, VERSION_1 | EVENT_IDX, size);
    assert_int_equal(host_run(probe, NULL), HOST_RETURNED);
    assert_true(probed);
    assert_int_equal(host_run(negotiate, &wanted), HOST_RETURNED);
    assert_int_equal(host_run(make, &queue), HOST_RETURNED);
    virtio_start(&device);
    for (uint16_t i = 0; i < queue.size; i++)
        queue.desc[i] = (struct virtq_desc){.address = SLOT_BASE + i, .length = 1};
}

/* Takes what the driver made available, and checks that it is want; false if there is nothing. */
static bool device_gets(uint16_t *head)
{
    struct device_piece piece;
    size_t count;

    if (!device_take(&model, 1, head, &piece, 1, &count))
        return false;
    assert_ptr_equal(piece.memory, host_memory + *head);
    return true;
}

/*
 * Random bursts on both sides until the indices have wrapped twice: each chain arrives once and in
 * order, and comes back with the length that the device gave it.
 */
static void play(uint64_t wanted, uint32_t size)
{
    uint32_t given[1024], sent = 0, got = 0, used = 0, back = 0;
    bool out[1024] = {false};

    start(wanted, size);
    while (back < 140000) {
        for (uint64_t n = random_below(queue.size + 1); n > 0 && sent - back < queue.size; n--) {
            uint16_t head = (uint16_t)random_below(queue.size);
            for (; out[head]; head = (uint16_t)((head + 1) % queue.size))
                ;
            out[head] = true;
            given[sent++ % 1024] = head;
            virtq_add(&queue, head);
        }
        uint16_t head;
        assert_false(device_gets(&head)); /* what isn't published isn't seen */
        virtq_publish(&queue);
        for (; device_gets(&head); got++)
            assert_int_equal(head, given[got % 1024]);
        assert_true(got == sent);
        for (uint64_t n = random_below(queue.size + 1); n > 0 && used < got; n--, used++)
            device_use(&model, 1, (uint16_t)given[used % 1024], used);
        struct virtq_used u;
        while (virtq_take(&queue, &u)) {
            assert_true(u.head == given[back % 1024] && u.length == back);
            out[u.head] = false;
            back++;
        }
        assert_true(back == used);
    }
}

static void nothing_is_lost_or_doubled_while_indices_wrap(void **state)
{
    (void)state;
    seed_random(6);
    play(0, 256);
    play(EVENT_IDX, 256);
    play(EVENT_IDX, 1);
    play(EVENT_IDX, 2);
}

/* The entry with the index that the device named: did the driver's index pass it? By counting. */
static bool passed(uint16_t before, uint16_t after, uint16_t event)
{
    for (uint16_t i = before; i != after; i++)
        if (i == event)
            return true;
    return false;
}

/* Moves both sides' indices to at without playing all the way. */
static void set_indices(uint16_t at)
{
    queue.next_avail = queue.next_used = at;
    queue.avail[1] = at;
    queue.used[1] = at;
    model.queues[1].taken = model.queues[1].used = model.queues[1].told = at;
}

static void the_driver_notifies_when_its_index_passes_the_event(void **state)
{
    (void)state;
    static const uint16_t places[] = {0, 1, 255, 256, 0x7fff, 0x8000, 0xff00, 0xffff};

    start(EVENT_IDX, 256);
    for (size_t p = 0; p < 8; p++)
        for (uint32_t count = 0; count <= 256; count += count < 4 ? 1 : 63)
            for (int distance = -3; distance <= 260; distance++) {
                uint16_t event = (uint16_t)(places[p] + distance);
                set_indices(places[p]);
                queue.used[2 + 4 * queue.size] = event;
                size_t before = model.queues[1].notified;
                for (uint32_t i = 0; i < count; i++)
                    virtq_add(&queue, 0);
                virtq_publish(&queue);
                bool want = passed(places[p], (uint16_t)(places[p] + count), event);
                assert_int_equal(model.queues[1].notified - before, want);
            }
    start(0, 256);
    for (int flag = 0; flag < 2; flag++) {
        size_t before = model.queues[1].notified;
        queue.used[0] = (uint16_t)flag;
        virtq_publish(&queue); /* nothing new: nothing to say */
        virtq_add(&queue, 0);
        virtq_publish(&queue);
        assert_int_equal(model.queues[1].notified - before, !flag);
    }
}

/* After virtq_want_no_interrupt(count), the device stays silent for count chains, and speaks at the
 * next. */
static void interrupts_come_when_asked_for(void **state)
{
    (void)state;
    static const uint16_t places[] = {0, 250, 0x7ff0, 0xfff0, 0xffff};

    start(EVENT_IDX, 256);
    for (size_t p = 0; p < 5; p++)
        for (uint16_t count = 0; count < 256; count = (uint16_t)(count * 2 + 1)) {
            set_indices(places[p]);
            virtq_want_no_interrupt(&queue, count);
            for (uint32_t i = 0; i <= count; i++) {
                size_t before = model.interrupts;
                device_use(&model, 1, 0, 0);
                assert_int_equal(model.interrupts - before, i == count);
            }
        }
    set_indices(0xffff);
    assert_false(virtq_want_interrupt(&queue));
    device_use(&model, 1, 0, 0);
    assert_true(virtq_want_interrupt(&queue)); /* one came before the wish: look again */
    start(0, 256);
    virtq_want_no_interrupt(&queue, 7);
    device_use(&model, 1, 0, 0);
    assert_int_equal(model.interrupts, 0);
    struct virtq_used u;
    assert_true(virtq_take(&queue, &u));
    assert_false(virtq_want_interrupt(&queue));
    device_use(&model, 1, 0, 0);
    assert_int_equal(model.interrupts, 1);
    assert_int_equal(model.interrupt_status, 1);
    virtio_acknowledge(&device);
    assert_int_equal(model.interrupt_status, 0);
}

/*
 * Both sides sleep when they have nothing to do, after asking to be woken, and one that is woken
 * late acts late: in every interleaving all gets done.
 */
static void nobody_sleeps_for_good(void **state)
{
    (void)state;
    struct virtq_used u;
    uint32_t sent = 0, back = 0;
    bool driver_sleeps = false, device_sleeps = false;
    uint16_t head, held[256], first = 0, last = 0;

    start(EVENT_IDX, 256);
    seed_random(7);
    while (back < 100000) {
        size_t notified = model.queues[1].notified, interrupts = model.interrupts;
        switch (random_below(4)) {
        case 0: /* the application sends */
            for (uint64_t n = random_below(9); n > 0 && sent - back < 256; n--, sent++)
                virtq_add(&queue, (uint16_t)(sent % 256));
            virtq_publish(&queue);
            break;
        case 1: /* the driver collects */
            if (driver_sleeps)
                break;
            for (; virtq_take(&queue, &u); back++)
                ;
            driver_sleeps = !virtq_want_interrupt(&queue);
            break;
        case 2: /* the device takes */
            if (device_sleeps)
                break;
            while (device_gets(&head))
                held[last++ % 256] = head;
            device_want_notify(&model, 1, true);
            device_sleeps = queue.avail[1] == model.queues[1].taken;
            break;
        default: /* the device is done with some, and tells of several at once */
            for (uint64_t n = random_below(5); n > 0 && first != last; n--)
                device_use_quietly(&model, 1, held[first++ % 256], 0);
            device_consider(&model, 1);
        }
        device_sleeps &= model.queues[1].notified == notified;
        driver_sleeps &= model.interrupts == interrupts;
        if (driver_sleeps && device_sleeps && first == last)
            assert_true(sent == back); /* nobody would ever act again but the application */
    }
}

static void take(void *used)
{
    virtq_take(&queue, used);
}

static void a_descriptor_that_does_not_exist_is_a_panic_by_name(void **state)
{
    (void)state;
    struct virtq_used u;

    start(0, 256);
    device_use(&model, 1, 256, 0);
    assert_int_equal(host_run(take, &u), HOST_PANICKED);
    assert_string_equal(host_text, "virtio: the device returned descriptor 256 of 256");
}

/* What the device would see if the processor stopped at each fence. */
static char order[256];

static void note(const char *before, const char *after)
{
    strcat(order, before);
    strcat(order, ",");
    strcat(order, after);
    bool shown = queue.avail[1] == queue.next_avail;
    strcat(order, shown ? " shown" : " hidden");
    strcat(order, model.queues[1].notified ? " told;" : ";");
}

static void the_order_of_stores_is_what_the_device_needs(void **state)
{
    (void)state;
    struct virtq_used u;

    start(0, 256);
    host_on_fence = note;
    order[0] = 0;
    virtq_add(&queue, 3);
    virtq_publish(&queue);
    assert_string_equal(order, "w,w hidden;rw,rw shown;w,o shown;");
    assert_int_equal(model.queues[1].notified, 1);
    order[0] = 0;
    device_use(&model, 1, 3, 0);
    assert_true(virtq_take(&queue, &u));
    assert_string_equal(order, "r,r shown told;");
    order[0] = 0;
    assert_false(virtq_want_interrupt(&queue));
    assert_string_equal(order, "rw,rw shown told;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, slot_begin, slot_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_lost_or_doubled_while_indices_wrap),
        TEST(the_driver_notifies_when_its_index_passes_the_event),
        TEST(interrupts_come_when_asked_for),
        TEST(nobody_sleeps_for_good),
        TEST(a_descriptor_that_does_not_exist_is_a_panic_by_name),
        TEST(the_order_of_stores_is_what_the_device_needs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
