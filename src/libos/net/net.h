/*
 * Packet rings: frames of a binding in this program's own memory, read without a system call, and
 * sending.
 *
 * A binding belongs to the program that it feeds; somebody else may have made it (the agent, for a
 * user's filter). So a program looks for bindings that it owns and gives each a ring:
 *
 *     struct net net;
 *     net_wait_binding(&seen, AEGIS_FOREVER); net_open_next(&net, 64);
 *     while ((slot = net_next(&net))) { ... net_frame(slot), slot->length ...; net_release(&net); }
 */
#ifndef EXOS_NET_NET_H
#define EXOS_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libos/net/parse.h"
#include "libos/start/start.h"

struct net {
    struct aegis_ring *ring; /* NULL if it isn't open */
    uint8_t *slots;          /* behind the ring's header page */
    uint64_t tail;           /* frames taken so far: what ring->tail will be */
    uint64_t mask;           /* slots - 1 */
    uint32_t binding;
    uint16_t netif;
    uint64_t generation; /* of the binding, to see that it still is the same one */
};

/*
 * aegis_net_bind, and again while somebody else's is under way (BUSY), for two seconds at most.
 * Returns the binding's number or a negated enum aegis_error.
 */
int64_t net_bind(const struct aegis_net_binding *request);

/*
 * Open a ring of `slots` slots (a power of two, 2 to AEGIS_RING_SLOTS) for a binding that this
 * program owns. Returns 0 or a negated enum aegis_error.
 */
int64_t net_open(struct net *net, uint32_t binding, uint64_t slots);

/*
 * The same for the first binding that this program owns and that has none yet. Returns 1, 0 if
 * there is no such binding, or a negated enum aegis_error.
 */
int64_t net_open_next(struct net *net, uint64_t slots);

/* Whether net's binding is still bound to this program. */
bool net_alive(const struct net *net);

/* Give up the ring of a binding that isn't bound any more, or undo the binding and then the ring.
 */
void net_close(struct net *net);

/*
 * Wait until bindings of this program were made or undone since *seen was filled, at most until
 * deadline. *seen begins as 0 and is the library's. Returns whether something happened.
 */
bool net_wait_binding(uint64_t *seen, uint64_t deadline);

/* Holds once that is so. */
struct aegis_predicate net_when_bindings(uint64_t seen);

/* Frames that were put so far: those from net->tail on wait in the ring. */
static inline uint64_t net_head(const struct net *net)
{
    return __atomic_load_n(&net->ring->head, __ATOMIC_ACQUIRE);
}

/* The slot of frame number `number`, which has to wait in the ring. */
static inline struct aegis_slot_header *net_slot(const struct net *net, uint64_t number)
{
    return (struct aegis_slot_header *)(net->slots + (number & net->mask) * AEGIS_SLOT_SIZE);
}

/* The oldest frame that wasn't released yet, or NULL. It stays until net_release. */
static inline struct aegis_slot_header *net_next(const struct net *net)
{
    return net_head(net) == net->tail ? NULL : net_slot(net, net->tail);
}

/* A slot's frame: it may be changed in place. IPv4 addresses in it are aligned to 8 bytes. */
static inline uint8_t *net_frame(struct aegis_slot_header *slot)
{
    return (uint8_t *)slot + AEGIS_SLOT_FRAME;
}

/* The slot that a frame lies in. */
static inline const struct aegis_slot_header *net_slot_of(const uint8_t *frame)
{
    return (const struct aegis_slot_header *)(const void *)(frame - AEGIS_SLOT_FRAME);
}

/* The environment that has sent a frame over the loop interface; 0: who has that interface's root
 * binding, netd. */
static inline uint32_t net_sender(const struct aegis_slot_header *slot)
{
    const uint8_t *sender = (const uint8_t *)slot + AEGIS_SLOT_SENDER;
    uint32_t env;

    memcpy(&env, __builtin_assume_aligned(sender, sizeof env), sizeof env);
    return env;
}

/*
 * Whether such a frame is netd's: then it may tell of other machines (note.h). All others are
 * programs', whatever stands in them.
 */
static inline bool net_is_told(const struct aegis_slot_header *slot)
{
    return net_sender(slot) == 0;
}

/* Give the slots of all frames before number `tail` back to the kernel. */
static inline void net_release_to(struct net *net, uint64_t tail)
{
    net->tail = tail;
    __atomic_thread_fence(__ATOMIC_RELEASE); /* gcc makes an amoswap of a releasing store */
    net->ring->tail = tail;
}

/* Give the oldest frame's slot back to the kernel. */
static inline void net_release(struct net *net)
{
    net_release_to(net, net->tail + 1);
}

/* Holds while a frame waits in the ring: for aegis_wait. */
static inline struct aegis_predicate net_readable(const struct net *net)
{
    return AEGIS_WHEN(net->ring->head, NE, net->tail);
}

/*
 * Send frames that lie in memory which stays as it is until the device has read it. That is over
 * when the call returns for the first AEGIS_HEADER_COPY bytes, and for the rest once their pages'
 * pins are gone. Returns how many of the frames were taken, or why the first was
 * not (EGRESS, FULL, ...).
 */
static inline int64_t net_send(const struct net *net, const struct aegis_frame_out *frames,
                               uint64_t count)
{
    return aegis_net_send(net->binding, frames, count);
}

/*
 * Send one frame by copying it: `frame` may be changed as soon as this returns. Waits for a free
 * buffer or room in the device's queue until deadline. Returns 1, 0 at the deadline, or a negated
 * error.
 */
int64_t net_send_copy(struct net *net, const void *frame, size_t length, uint64_t deadline);

/*
 * A page to build a frame in, page-aligned; the program's until it sends it, and its again when
 * that frame's pins are gone: the library's pool gives each out in turn. Waits for one that the
 * device has read. NULL without memory.
 */
uint8_t *net_send_buffer(void);

/*
 * The ip= of the exposed boot arguments (all zero if that is NET_DHCP), or the
 * default 10.0.2.15/24,10.0.2.2 without one. Returns false, with the default, if there is one but
 * malformed. *text, of at least 64 bytes, gets what was used.
 */
bool net_boot_address(struct net_address *address, char text[64]);

#endif
