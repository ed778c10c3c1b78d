#include "kernel/loop.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/charge.h"
#include "kernel/classify.h"
#include "kernel/event.h"
#include "kernel/expose.h"
#include "kernel/ring.h"
#include "kernel/rv64/csr.h"
#include "kernel/rx.h"
#include "kernel/slice.h"

/* Instructions of one frame's way, generously: to read and check it, and what a received one takes,
 * less a byte's: those of two copies, one of them skewed, and of moving it back. */
#define FRAME_WORK (RX_FRAME_WORK + 400)
#define BYTE_WORK  3
#define MOVE_WORK  5

struct loop loop;

static uint8_t *buffer_at(uint64_t i)
{
    return loop.memory + i * NIC_BUFFER_SIZE;
}

void loop_init(struct netif *netif)
{
    size_t size = LOOP_BUFFERS * NIC_BUFFER_SIZE;

    loop.netif = netif;
    loop.memory = boot_alloc((size + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    loop.spare = buffer_at(0);
    for (uint64_t i = 0; i < LOOP_QUEUE; i++)
        loop.queue[i].buffer = buffer_at(1 + i);
}

static uint32_t places_of(uint32_t env)
{
    uint32_t count = 0;

    for (uint64_t i = loop.head; i != loop.tail; i++)
        count += loop.queue[i % LOOP_QUEUE].env == env;
    return count;
}

/* What binding number index's handler made of a frame with so many hops waits for its turn; false
 * if it may not be sent, or there is no place for it. */
static bool turn_round(struct binding *binding, uint32_t index, const struct event_frame *f,
                       uint16_t hops)
{
    uint32_t env = netif_row(index)->owner;

    if (f->length < EVENT_FRAME_LEAST || f->length > AEGIS_FRAME_MAX)
        return false;
    if (!classify_egress(binding, f->bytes, f->length, f->length)) {
        binding->counters.refused++;
        return false;
    }
    if (hops == LOOP_HOPS || loop.tail - loop.head == LOOP_QUEUE || places_of(env) >= LOOP_SHARE)
        return false;
    struct loop_frame *place = &loop.queue[loop.tail++ % LOOP_QUEUE];
    uint8_t *frame = loop.spare;
    loop.spare = place->buffer;
    *place = (struct loop_frame){
        .buffer = frame, .env = env, .length = (uint16_t)f->length, .hops = hops + 1};
    if (f->bytes != frame + NIC_BUFFER_FRAME)
        memmove(frame + NIC_BUFFER_FRAME, f->bytes, f->length);
    binding->counters.sent++;
    loop.netif->info->sent++;
    return true;
}

/* Whether a ring has no place for a frame of sender's: the owner lets one have only so many. 0 is
 * who has the interface. */
static inline bool is_shared_out(const struct binding *binding, uint32_t sender, int64_t *left)
{
    return sender && binding->ring &&
           binding->head - binding->ring->tail > binding->slot_mask / 2 &&
           !ring_may_put(binding, sender, left);
}

/* The way of the frame in the spare buffer, as rx.c has it for those of devices. */
static void carry(size_t length, uint32_t sender, uint16_t hops, int64_t *left)
{
    struct netif *netif = loop.netif;
    struct event_frame f = {.bytes = loop.spare + NIC_BUFFER_FRAME, .length = length};
    struct dpf_found found = classify_frame(netif, f.bytes, length, length);
    uint32_t index = (uint32_t)found.id;
    struct binding *binding = &bindings[index];

    *left -= (int64_t)(FRAME_WORK + BYTE_WORK * length);
    netif->info->received++;
    if (__builtin_expect(found.taps != 0, 0)) {
        event_show_received(netif, found.taps, f.bytes, length);
        *left -= netif->tap_count * (int64_t)length;
    }
    if (index == DPF_NONE || binding->unbound) {
        netif->info->unclaimed++;
        return;
    }
    binding->counters.received++;
    if (__builtin_expect(!binding->ring, 0) && event_heir(index) != index) {
        index = event_heir(index);
        binding = &bindings[index];
        binding->counters.received++;
    }
    if (binding->handler) {
        struct handler *handler = binding->handler;
        uint64_t verdict = event_execute(netif, handler, &f, left);
        if (f.bytes != loop.spare + NIC_BUFFER_FRAME)
            *left -= (int64_t)(MOVE_WORK * f.length);
        if (verdict == ASH_TX && !turn_round(binding, index, &f, hops))
            handler->status.refused++;
        if (verdict == ASH_TX || verdict == ASH_DROP)
            return;
    }
    if (__builtin_expect(is_shared_out(binding, sender, left), 0)) {
        binding->counters.dropped++;
        binding->ring->dropped++;
        return;
    }
    uint64_t head = binding->head;
    event_deliver(netif, binding, index, &f);
    if (binding->head != head)
        ring_say_sender(binding, sender);
}

/* The next that waits comes into the spare buffer. */
static struct loop_frame take_next(void)
{
    struct loop_frame *place = &loop.queue[loop.head++ % LOOP_QUEUE], next = *place;

    place->buffer = loop.spare;
    loop.spare = next.buffer;
    return next;
}

static void note_rest(void)
{
    loop.netif->unfinished = loop.head != loop.tail;
    slice_chores.rx_unfinished |= loop.netif->unfinished;
}

/* Reads one frame of the caller's into the spare buffer, and checks that copy: its length, or a
 * negated error. */
static long read_frame(struct binding *binding, uaddr_t at)
{
    struct aegis_frame_out copy;
    const volatile struct aegis_frame_out *out = user_words(at, sizeof(copy), &copy);
    uint8_t *frame = loop.spare + NIC_BUFFER_FRAME;

    if (!out)
        return -AEGIS_E_ADDRESS;
    uaddr_t va = (uaddr_t)out->address;
    uint64_t length = out->length;
    if (length < EVENT_FRAME_LEAST || length > AEGIS_FRAME_MAX)
        return -AEGIS_E_RANGE;
    if (!user_read(frame, va, length))
        return -AEGIS_E_ADDRESS;
    size_t shown = length < AEGIS_HEADER_COPY ? length : AEGIS_HEADER_COPY; /* as to a device */
    if (!classify_egress(binding, frame, shown, length)) {
        binding->counters.refused++;
        return -AEGIS_E_EGRESS;
    }
    binding->counters.sent++;
    loop.netif->info->sent++;
    return (long)length;
}

long loop_send(struct binding *binding, uaddr_t frames, uint64_t count)
{
    const bool is_root = binding == netif_binding_state(loop.netif->info->root);
    const uint32_t sender = is_root ? 0 : this_hart->env->number;
    const bool others_wait = loop.head != loop.tail; /* they have paid for their turn */
    int64_t left = RX_BUDGET;
    uint64_t sent;
    long length = 0;

    for (sent = 0; sent < count && (sent == 0 || left >= loop.netif->frame_most); sent++) {
        length = read_frame(binding, frames + sent * sizeof(struct aegis_frame_out));
        if (length < 0)
            break;
        carry((size_t)length, sender, 0, &left);
    }
    while (!others_wait && loop.head != loop.tail && left >= loop.netif->frame_most) {
        struct loop_frame next = take_next();
        carry(next.length, next.env, next.hops, &left);
    }
    if (__builtin_expect(loop.head != loop.tail, 0))
        note_rest();
    clear_call_temporaries();
    return sent ? (long)sent : length;
}

void loop_continue(void)
{
    uint64_t clock = time_now();
    bool is_first = true;
    int64_t left = RX_BUDGET;

    for (; loop.head != loop.tail && (is_first || left >= loop.netif->frame_most);
         is_first = false) {
        struct loop_frame next = take_next();
        if (charge_runs() && charge_is_broke(next.env)) {
            loop.netif->info->unclaimed++;
            continue;
        }
        carry(next.length, next.env, next.hops, &left);
        if (charge_runs())
            clock = charge_work(next.env, clock);
    }
    note_rest();
}

void loop_forget(uint32_t env)
{
    uint64_t kept = loop.head;

    for (uint64_t i = loop.head; i != loop.tail; i++) {
        struct loop_frame *from = &loop.queue[i % LOOP_QUEUE];
        if (from->env == env)
            continue;
        struct loop_frame *to = &loop.queue[kept++ % LOOP_QUEUE], keep = *from;
        *from = *to;
        *to = keep;
    }
    loop.tail = kept;
}
