/*
 * A world with network devices, and the least that tests need to bind and to carry frames: filters
 * that look at one byte, whose value is in a set of 64, so that a set is a word and the model is
 * arithmetic on words.
 */
#ifndef AEGIS_TESTS_NET_H
#define AEGIS_TESTS_NET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "dpf/dpf.h"
#include "world.h"

#define NET_BYTE     14 /* of a frame: what filters look at; 0 to 63 */
#define NET_ALL      UINT64_MAX
#define NET_BINDINGS 256  /* that 32 MiB have room for */
#define NET_ANYHOW   1000 /* for net_frame: a value in no set */

extern struct device_model nics[AEGIS_NETIF_MAX];

/* Boots with count devices, of which every second has no EVENT_IDX; each environment that calls
 * net_bind needs net_memory first. */
void net_boot(size_t count);

/* Memory of the caller's for requests and filters. */
#define NET_AT 0x2000000000UL
void net_memory(void);

/* A capability of the caller's. Ends the test if it can't be had. */
struct aegis_cap net_cap(uint32_t kind, uint64_t index, uint32_t rights);

/* A filter image: frames whose byte is in set; for egress also: from mac, unless it is NULL.
 * Returns its size. */
size_t net_filter(void *memory, size_t room, uint64_t set, const uint8_t *mac);

struct net_request {
    struct aegis_cap parent, owner; /* owner all zero: the caller */
    uint32_t netif;
    uint64_t in, out;
    bool tap;
};

/* The longest piece that the kernel's arena for filters could give. */
size_t net_arena_left(void);

/* The caller's net_bind of this; of the request that lies at an address; its net_unbind. All their
 * steps, one after the other. */
long net_bind(const struct net_request *request);
long net_bind_at(uaddr_t address);
long net_unbind(uint32_t index);

/* The next step alone: NET_MORE if there are more. */
#define NET_MORE LONG_MAX
long net_bind_step(uaddr_t address);
long net_unbind_step(uint32_t index);

/* A frame of length bytes that carries value, from the device's own address. */
void net_frame(uint8_t *frame, size_t length, uint32_t netif, uint32_t value);

/* The device receives a frame into its next buffer; false if it has none. No interrupt yet. */
bool net_receive(uint32_t netif, const uint8_t *frame, size_t length);

/* The device looks at whether to interrupt, and does; whether it did. */
bool net_interrupt(uint32_t netif);

/* The device takes the next frame to send: its bytes behind the header, which has to be zero. 0:
 * there is none. */
size_t net_sent(uint32_t netif, uint8_t *frame, uint16_t *head);

#endif
