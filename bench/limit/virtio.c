/*
 * The device: registers are those of virtio-mmio (4.2.2), the start is 3.1.1 and 4.2.3.
 */
#include <stddef.h>
#include "bench/limit/virtio.h"

/* QEMU virt: eight slots; the slot's number is one less than its interrupt's. */
#define SLOT(i)     (0x10001000UL + 0x1000UL * (i))
#define SLOTS       8
#define SLOT_IRQ(i) ((i) + 1U)

/* PLIC: priority of each interrupt, and context 1: hart 0, S-mode. */
#define PLIC_PRIORITY(irq) ((volatile uint32_t *)(0x0c000000UL + 4UL * (irq)))
#define PLIC_ENABLE        ((volatile uint32_t *)0x0c002080UL)
#define PLIC_THRESHOLD     ((volatile uint32_t *)0x0c201000UL)
#define PLIC_CLAIM         ((volatile uint32_t *)0x0c201004UL)
#define SIE_SEIE           (1UL << 9)

enum { /* 4.2.2 */
       MAGIC = 0x000,
       VERSION = 0x004,
       DEVICE_ID = 0x008,
       DEVICE_FEATURES = 0x010,
       DEVICE_FEATURES_SEL = 0x014,
       DRIVER_FEATURES = 0x020,
       DRIVER_FEATURES_SEL = 0x024,
       QUEUE_SEL = 0x030,
       QUEUE_NUM_MAX = 0x034,
       QUEUE_NUM = 0x038,
       QUEUE_READY = 0x044,
       QUEUE_NOTIFY = 0x050,
       INTERRUPT_STATUS = 0x060,
       INTERRUPT_ACK = 0x064,
       STATUS = 0x070,
       QUEUE_DESC = 0x080,
       QUEUE_DRIVER = 0x090,
       QUEUE_DEVICE = 0x0a0,
       CONFIG = 0x100,
};
#define MAGIC_VALUE 0x74726976
#define ID_NET      1

enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 }; /* 2.1 */

#define F_NET_MAC   (1UL << 5)
#define F_EVENT_IDX (1UL << 29)
#define F_VERSION_1 (1UL << 32)
#define FEATURES    (F_NET_MAC | F_EVENT_IDX | F_VERSION_1)

uint8_t net_mac[6];
static uintptr_t device;

static volatile uint32_t *reg(uint32_t offset)
{
    return (volatile uint32_t *)(device + offset);
}

static bool find_device(uint32_t *irq)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        device = SLOT(i);
        if (*reg(MAGIC) == MAGIC_VALUE && *reg(VERSION) == 2 && *reg(DEVICE_ID) == ID_NET) {
            *irq = SLOT_IRQ(i);
            return true;
        }
    }
    return false;
}

static bool negotiate(void)
{
    *reg(STATUS) = 0;
    *reg(STATUS) = ACKNOWLEDGE | DRIVER;
    for (uint32_t word = 0; word < 2; word++) {
        uint32_t wanted = (uint32_t)(FEATURES >> (32 * word));
        *reg(DEVICE_FEATURES_SEL) = word;
        if ((*reg(DEVICE_FEATURES) & wanted) != wanted)
            return false;
        *reg(DRIVER_FEATURES_SEL) = word;
        *reg(DRIVER_FEATURES) = wanted;
    }
    *reg(STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    return (*reg(STATUS) & FEATURES_OK) != 0;
}

static void write_address(uint32_t offset, const volatile void *address)
{
    *reg(offset) = (uint32_t)(uintptr_t)address;
    *reg(offset + 4) = (uint32_t)((uintptr_t)address >> 32);
}

static bool start_queue(struct queue *queue, uint32_t number)
{
    *reg(QUEUE_SEL) = number;
    if (*reg(QUEUE_NUM_MAX) < QUEUE_SIZE)
        return false;
    *reg(QUEUE_NUM) = QUEUE_SIZE;
    write_address(QUEUE_DESC, queue->descriptors);
    write_address(QUEUE_DRIVER, &queue->available);
    write_address(QUEUE_DEVICE, &queue->used);
    *reg(QUEUE_READY) = 1;
    return true;
}

bool net_start(struct queue *rx, struct queue *tx)
{
    uint32_t irq;
    if (!find_device(&irq) || !negotiate() || !start_queue(rx, QUEUE_RX) ||
        !start_queue(tx, QUEUE_TX))
        return false;
    for (uint32_t i = 0; i < sizeof(net_mac); i++)
        net_mac[i] = ((const volatile uint8_t *)reg(CONFIG))[i];
    *PLIC_PRIORITY(irq) = 1;
    *PLIC_ENABLE = 1U << irq;
    *PLIC_THRESHOLD = 0;
    /* Interrupts are enabled but not taken (sstatus.SIE stays 0): they only end wfi. */
    __asm__ volatile("csrs sie, %0" ::"r"(SIE_SEIE));
    *reg(STATUS) = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
    return true;
}

void net_publish(struct queue *queue, uint32_t number)
{
    uint16_t old = queue->published, new = queue->offered;
    if (new == old)
        return;
    barrier(); /* the index comes after what it announces (2.7.13.3) */
    queue->available.index = queue->published = new;
    barrier(); /* and before the question whether the device sleeps (2.7.13.4.1) */
    if ((uint16_t)(new - queue->used.available_event - 1) < (uint16_t)(new - old))
        *reg(QUEUE_NOTIFY) = number;
}

void net_sleep(void)
{
    __asm__ volatile("wfi" ::: "memory");
    uint32_t irq = *PLIC_CLAIM;
    if (irq == 0)
        return;
    *reg(INTERRUPT_ACK) = *reg(INTERRUPT_STATUS);
    *PLIC_CLAIM = irq;
}
