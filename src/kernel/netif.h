/*
 * Frame bindings: who gets which frames and may send which (SOSP '95, section 3.2; design sections
 * 3 and 5).
 *
 * Invariant: for each bound binding b but roots: b.ingress is contained in parent.ingress and
 * b.egress in parent.egress; two bindings of one interface overlap in ingress only if one is an
 * ancestor of the other, or both have one owner and one is contained in the other; rank counts the
 * bindings that contain b, so that of all bindings that match a frame exactly one has the highest
 * rank.
 */
#ifndef AEGIS_KERNEL_NETIF_H
#define AEGIS_KERNEL_NETIF_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "dpf/dpf.h"
#include "kernel/check/hard.h"
#include "kernel/codegen.h"
#include "kernel/drivers/virtio_net.h"
#include "kernel/expose.h"
#include "kernel/quota.h"

#define NETIF_BINDINGS_MAX 4096
#define RING_PAGES         (1 + AEGIS_RING_SLOTS / 2)

/* Instructions of a frame's way, generously: to classify it and to copy it, less a byte's each; and
 * of a unit of a handler's fuel. */
#define RX_FRAME_WORK 800
#define RX_FUEL_WORK  3
#define RX_FRAME_MOST (RX_FRAME_WORK + AEGIS_FRAME_MAX)

/*
 * Instructions of one entry (design section 2.7). After each frame what is left is compared with
 * the worst that the next can take (netif->frame_most); the rest waits, with the interrupt masked,
 * until the next slice boundary: a flood can't keep the processor from applications. The first
 * frame is taken in any case.
 */
#define RX_BUDGET HARD(45000, 2 * RX_FRAME_WORK)

struct handler;

/* A number in all 64 bits of a register: gcc 12 would keep, or load, it in 32 bits as well. */
static inline uint64_t whole(uint32_t number)
{
    uint64_t all = number;

    __asm__("" : "+r"(all));
    return all;
}

struct binding {
    struct dpf_filter ingress, egress; /* views on images in the arena */
    struct codegen_result egress_code;
    void *images; /* both, in one piece of the arena */
    uint32_t rank;
    struct aegis_ring *ring; /* header page in PHYSMAP, or NULL */
    uint64_t head;           /* the kernel's own count of frames put: the page's is only shown */
    uint64_t slot_mask;
    uint32_t ring_pages[RING_PAGES]; /* indices into pages[]; state RING, pinned */
    uint32_t ring_page_count;
    struct aegis_counters counters;
    struct handler *handler; /* runs on each frame before the ring; NULL without one */
    bool unbound;            /* gone, but the classifier in use finds its number still */
} __attribute__((aligned(512)));
_Static_assert(sizeof(struct binding) == 512, "found by a shift");

/* Of a binding that gets copies, and is in the classifier as a tap. */
#define BIND_COPIES (AEGIS_BIND_TAP | AEGIS_BIND_SHARE)

/* What every frame needs stands first, where one instruction reaches it. */
struct netif {
    struct aegis_netif_info *info;
    struct codegen_result classifier; /* compiled from the trie in use */
    int64_t frame_most;               /* instructions that the next frame may take: handler_bind */
    uint32_t tap_count;               /* sharers included */
    bool unfinished;                  /* frames wait whose turn is at the next slice boundary */
    struct nic nic;
    void *tries[2];           /* memory of the classifier in use and of the next one */
    uint32_t active;          /* which of them is in use */
    bool unsettled;           /* bindings are undone that the classifier in use has (net_end.h) */
    uint64_t begun, finished; /* classifiers: the number of the last one begun, and finished */
};

/* The devices', and behind them the loop interface, of whose nic only the address is in use. */
extern struct netif *netifs;

/* How many that are; the last is the loop interface. */
static inline uint32_t netif_total(void)
{
    return info->netif_count + 1;
}

/* isa: enum rv64_isa. Sizes the tables, makes an interface of each virtio-net device, and the loop
 * interface, each with a root binding of FIRST_ENV. */
void netif_init(struct virtio *devices, size_t count, unsigned int isa);

extern struct aegis_binding_info *netif_infos; /* exposed */

/* What is exposed of binding number index, or NULL if it isn't bound. */
static inline struct aegis_binding_info *netif_binding(uint64_t index)
{
    return index < info->binding_count && netif_infos[index].owner ? &netif_infos[index] : NULL;
}

/* Number index, bound or not. */
static inline struct aegis_binding_info *netif_row(uint32_t index)
{
    return &netif_infos[index];
}

/* Rows from here on were never bound. */
extern uint32_t netif_rows;

/* Whether index is unbound, and in the classifier in use still. */
bool netif_is_zombie(uint32_t index);
void netif_set_zombie(uint32_t index, bool is_zombie);

/* Tells the post of a binding's egress check. */
void netif_note_egress(uint32_t index);

/* Number index, bound. */
extern struct binding *bindings; /* info->binding_count of them */
static inline struct binding *netif_binding_state(uint32_t index)
{
    return &bindings[index];
}

/* The classifier in use. */
static inline const struct dpf_trie *netif_trie(const struct netif *netif)
{
    return netif->tries[netif->active];
}

/* Bindings that env owns, apart from roots. */
struct env;
uint64_t netif_held(const struct env *env);

/* What a binding's owner's account counts of its filters. */
struct quota_bytes netif_bytes(uint32_t index);

/* Takes back sent frames of all interfaces, and unpins their pages. */
void netif_reclaim(void);

#endif
