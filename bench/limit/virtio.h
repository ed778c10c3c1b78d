/*
 * One virtio-net device over virtio-mmio version 2: split queues (2.7) with EVENT_IDX (2.7.10).
 */
#ifndef BENCH_LIMIT_VIRTIO_H
#define BENCH_LIMIT_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_SIZE  256
#define BUFFER_SIZE 2048
#define NET_HEADER  12 /* struct virtio_net_hdr with VERSION_1 (5.1.6) */
#define QUEUE_RX    0
#define QUEUE_TX    1
#define DESC_WRITE  2

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct used_element {
    uint32_t id, length;
};

/* The three parts of a split queue, the driver's offers first, then a note of what was done. */
struct queue {
    struct descriptor descriptors[QUEUE_SIZE];
    struct {
        uint16_t flags;
        volatile uint16_t index;
        uint16_t ring[QUEUE_SIZE];
        volatile uint16_t used_event; /* the device interrupts when its index passes this one */
    } available;
    struct {
        uint16_t flags;
        volatile uint16_t index;
        struct used_element ring[QUEUE_SIZE];
        volatile uint16_t
            available_event; /* the device wants to be told when ours passes this one */
    } used __attribute__((aligned(4)));
    uint16_t offered;   /* next place in the available ring; shown to the device by net_publish */
    uint16_t published; /* available.index as the device knows it */
    uint16_t taken;     /* next place in the used ring */
} __attribute__((aligned(16)));

/* Orders memory accesses, ours and the device's. */
static inline void barrier(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory");
}

/* Queues descriptor i for the device, which learns of it from net_publish. */
static inline void queue_offer(struct queue *queue, uint16_t i)
{
    queue->available.ring[queue->offered++ % QUEUE_SIZE] = i;
}

/* Has the device done something that queue_take has not returned yet? */
static inline bool queue_has_used(const struct queue *queue)
{
    return queue->used.index != queue->taken;
}

/* What the device did next; queue_has_used must hold. */
static inline const struct used_element *queue_take(struct queue *queue)
{
    __asm__ volatile("fence r, r" ::: "memory"); /* the element is read after the index (2.7.14) */
    return &queue->used.ring[queue->taken++ % QUEUE_SIZE];
}

/* The device's address, once net_start found it. */
extern uint8_t net_mac[6];

/* Finds the device, negotiates, and sets both zeroed queues up. Says whether there is one. */
bool net_start(struct queue *rx, struct queue *tx);

/* Shows offers made since the last time to the device, and notifies it if it asked for that. */
void net_publish(struct queue *queue, uint32_t number);

/* Sleeps until the device interrupts, and acknowledges that. */
void net_sleep(void);

#endif
