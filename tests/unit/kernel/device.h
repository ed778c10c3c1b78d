/*
 * A virtio device over MMIO with split queues, as a driver meets it: written from the Virtual I/O
 * Device specification 1.2 (sections 2.7 and 4.2), and from nothing in src/kernel.
 */
#ifndef AEGIS_TESTS_DEVICE_H
#define AEGIS_TESTS_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_QUEUES 3

struct device_queue {
    uint32_t most; /* QueueNumMax; 0: there is no such queue */
    uint32_t size;
    uint32_t ready;
    uint64_t desc, driver, device; /* physical addresses */
    uint16_t taken;                /* of the available ring */
    uint16_t used;                 /* of the used ring */
    uint16_t told;                 /* used, when an interrupt was last considered */
    size_t notified;               /* by the driver */
};

struct device_model {
    uint32_t registers[0x200 / 4]; /* only their addresses count */
    uint32_t magic, version, id;
    uint64_t features; /* offered */
    uint64_t accepted; /* by the driver */
    bool deaf;         /* doesn't keep FEATURES_OK */
    uint8_t config[64];
    uint32_t config_changes; /* reads of its generation that still find another */
    uint32_t status;
    uint32_t steps[16]; /* values that the driver wrote to STATUS */
    size_t step_count;
    uint32_t features_sel, driver_sel, queue_sel;
    struct device_queue queues[DEVICE_QUEUES];
    uint32_t interrupt_status;
    size_t interrupts; /* raised */
};

/* A version 2 device with queues of at most size entries, which answers on its registers from now
 * on. */
void device_init(struct device_model *device, uint32_t id, uint64_t features, uint32_t size);

/* What the driver has offered in one buffer of a chain. */
struct device_piece {
    uint8_t *memory;
    uint32_t length;
    bool is_written; /* by the device */
};

/*
 * Takes the next available chain; false if there is none. *head names it; pieces, count of them, at
 * most most. Ends the test if the chain breaks a rule of section 2.7.
 */
bool device_take(struct device_model *device, uint32_t queue, uint16_t *head,
                 struct device_piece *pieces, size_t most, size_t *count);

/* Gives a chain back, with length bytes written, and raises an interrupt if the driver wants one
 * for it. */
void device_use(struct device_model *device, uint32_t queue, uint16_t head, uint32_t length);

/* Without the look at whether to interrupt: for several at once, followed by device_consider. */
void device_use_quietly(struct device_model *device, uint32_t queue, uint16_t head,
                        uint32_t length);
bool device_consider(struct device_model *device, uint32_t queue);

/* Says that the driver is to notify of the next chain (EVENT_IDX), or that it isn't to. */
void device_want_notify(struct device_model *device, uint32_t queue, bool want);

#endif
