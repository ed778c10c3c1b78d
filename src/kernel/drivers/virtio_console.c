#include "kernel/drivers/virtio_console.h"

#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/interrupt.h"
#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/user.h"

#define QUEUE_RX    0
#define QUEUE_TX    1
#define BUFFERS     16
#define BUFFER_SIZE 1024

static struct {
    struct virtio device;
    struct virtq rx, tx;
    uint8_t *rx_buffers, *tx_buffers;
    bool present;
    uint32_t user; /* environment that reads and writes it */
    /* The received buffer that console_read is in the middle of; none if length is 0. */
    uint16_t head;
    uint32_t at, length;
    uint32_t tx_free; /* a bit each free transmit buffer */
} console;

/*
 * Moves to the next received buffer if the present one is empty. Buffers go back to the device only
 * when they are read: an owner that doesn't read makes the host wait, and loses nothing.
 */
static void next_received(void)
{
    struct virtq_used used;

    while (console.at == console.length && virtq_take(&console.rx, &used)) {
        console.head = (uint16_t)used.head;
        console.at = 0;
        console.length = used.length > BUFFER_SIZE ? BUFFER_SIZE : used.length;
        if (console.length == 0) {
            virtq_add(&console.rx, console.head);
            virtq_publish(&console.rx);
        }
    }
    info->console_received = console.length - console.at;
}

static void reclaim_sent(void)
{
    struct virtq_used used;

    while (virtq_take(&console.tx, &used)) {
        console.tx_free |= 1U << used.head;
        info->console_pending--;
        info->console_space++;
    }
}

static bool interrupt(void *argument)
{
    (void)argument;
    virtio_acknowledge(&console.device);
    do
        next_received();
    while (console.at == console.length && virtq_want_interrupt(&console.rx));
    do
        reclaim_sent();
    while (virtq_want_interrupt(&console.tx));
    return true;
}

void console_init(const struct virtio *device)
{
    console.device = *device;
    virtio_negotiate(&console.device, 0, 1UL << VIRTIO_F_EVENT_IDX);
    virtio_make_queue(&console.device, QUEUE_RX, BUFFERS, &console.rx);
    virtio_make_queue(&console.device, QUEUE_TX, BUFFERS, &console.tx);
    console.rx_buffers = boot_alloc(BUFFERS * BUFFER_SIZE / PAGE_SIZE, 1);
    console.tx_buffers = boot_alloc(BUFFERS * BUFFER_SIZE / PAGE_SIZE, 1);
    for (uint16_t i = 0; i < console.rx.size; i++) {
        console.rx.desc[i] = (struct virtq_desc){
            .address = virt_to_phys(console.rx_buffers + (size_t)i * BUFFER_SIZE),
            .length = BUFFER_SIZE,
            .flags = VIRTQ_DESC_WRITE};
        virtq_add(&console.rx, i);
    }
    console.tx_free = (1U << console.tx.size) - 1;
    interrupt_bind(device->irq, interrupt, NULL);
    virtio_start(&console.device);
    virtq_publish(&console.rx);
    virtq_want_interrupt(&console.rx);
    virtq_want_interrupt(&console.tx);
    console.present = true;
    console.user = FIRST_ENV;
}

static long check(void)
{
    if (!console.present)
        return -AEGIS_E_NO_DEVICE;
    return this_hart->env->number == console.user ? 0 : -AEGIS_E_OWNER;
}

long call_console_bind(uaddr_t capability)
{
    long error =
        cap_check_user(capability, AEGIS_KIND_CONSOLE, 0, AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE);

    if (error)
        return error;
    if (!console.present)
        return -AEGIS_E_NO_DEVICE;
    if (console.user != FIRST_ENV && console.user != this_hart->env->number)
        return -AEGIS_E_IN_USE;
    console.user = this_hart->env->number;
    return 0;
}

void console_end_env(uint32_t env)
{
    if (console.user == env)
        console.user = FIRST_ENV;
}

long call_console_read(uaddr_t bytes, uint64_t length)
{
    long error = check();
    uint64_t done = 0;

    if (error)
        return error;
    if (length > AEGIS_CONSOLE_MAX)
        return -AEGIS_E_RANGE;
    if (!user_writable(bytes, length))
        return -AEGIS_E_ADDRESS;
    do {
        next_received();
        while (done < length && console.at < console.length) {
            uint64_t n = console.length - console.at;
            n = n < length - done ? n : length - done;
            user_write(bytes + done,
                       console.rx_buffers + (size_t)console.head * BUFFER_SIZE + console.at, n);
            done += n;
            console.at += n;
            if (console.at == console.length) {
                virtq_add(&console.rx, console.head);
                virtq_publish(&console.rx);
                next_received();
            }
        }
    } while (console.at == console.length && virtq_want_interrupt(&console.rx));
    info->console_received = console.length - console.at;
    return (long)done;
}

long call_console_write(uaddr_t bytes, uint64_t length)
{
    long error = check();
    uint64_t done = 0;

    if (error)
        return error;
    if (length > AEGIS_CONSOLE_MAX)
        return -AEGIS_E_RANGE;
    reclaim_sent();
    for (uint16_t i = 0; i < console.tx.size && done < length; i++) {
        uint64_t n = length - done < BUFFER_SIZE ? length - done : BUFFER_SIZE;
        uint8_t *buffer = console.tx_buffers + (size_t)i * BUFFER_SIZE;
        if (!(console.tx_free >> i & 1))
            continue;
        if (!user_read(buffer, bytes + done, n)) {
            error = -AEGIS_E_ADDRESS;
            break;
        }
        console.tx.desc[i] =
            (struct virtq_desc){.address = virt_to_phys(buffer), .length = (uint32_t)n};
        console.tx_free &= ~(1U << i);
        virtq_add(&console.tx, i);
        info->console_pending++;
        done += n;
    }
    virtq_publish(&console.tx);
    if (done || length == 0)
        return (long)done;
    return error ? error : -AEGIS_E_FULL;
}
