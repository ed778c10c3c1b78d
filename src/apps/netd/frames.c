/*
 * The process that has the interface's root binding, and with it what nobody takes. It sleeps until
 * a handler keeps a frame for it.
 */
#include <stdio.h>
#include <string.h>

#include "apps/netd/handlers/answer.h"
#include "apps/netd/handlers/linger.h"
#include "apps/netd/handlers/queue.h"
#include "fragments.h"
#include "icmp_error.h"
#include "libos/net/handler.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/note.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "netd.h"
#include "outgoing.h"
#include "packet6.h"
#include "parts.h"

#define PATIENCE 5000000000UL /* ns for netd to serve others */

/* handlers/answer.c, as ashc compiled it. */
extern const char netd_answer_image[], netd_answer_image_end[];

/* A handler of answers, and the frames that it keeps for this process. */
static struct answerer {
    volatile struct answer_own *own;
    volatile struct queue_ends *ends;
    const struct queue_slot *queue;
} device, loop;

static bool is_ours(uint32_t root)
{
    return aegis_binding(root)->owner == exos.env;
}

/* The root binding that this process was given; -1: none. */
static int64_t find_root(void)
{
    for (uint32_t n = 0; n < aegis_info()->netif_count; n++)
        if (is_ours(aegis_info()->netifs[n].root))
            return aegis_info()->netifs[n].root;
    return -1;
}

static bool ask_gate(const struct aegis_cap *netd_cap, uint64_t words[GATE_WORDS])
{
    uint64_t deadline = time_after(PATIENCE);
    int64_t status;

    if (aegis_gate_bind(0, netd_cap))
        return false;
    while ((status = gate_invoke(0, words)) == -AEGIS_E_BUSY && time_now() < deadline)
        aegis_yield(0);
    aegis_gate_unbind(0);
    return status > 0 && words[0] == 0;
}

bool frames_ask(const uint64_t words[GATE_WORDS])
{
    for (uint32_t i = 0; exos.start && i < exos.start->cap_count && i < EXOS_CAPS_MAX; i++) {
        uint64_t copy[GATE_WORDS];
        memcpy(copy, words, sizeof copy);
        if (ask_gate(&exos.start->caps[i], copy))
            return true;
    }
    return false;
}

/* netd, which programs leave their connections to, writes them into the handler's table itself. */
static void show_lingering(bool is_loop, struct linger_set *sets, uint32_t root)
{
    bool is_shown = true;

    for (uint64_t page = 0; page < LINGER_SETS * sizeof *sets / AEGIS_PAGE_SIZE; page++) {
        int64_t ppn = vm_page_at((const uint8_t *)sets + page * AEGIS_PAGE_SIZE);
        struct aegis_cap cap;
        is_shown &= ppn >= 0 && aegis_cap_mint(AEGIS_KIND_PAGE, (uint64_t)ppn,
                                               AEGIS_RIGHT_READ | AEGIS_RIGHT_WRITE, &cap) == 0;
        const uint64_t words[GATE_WORDS] = {NETD_LINGERS, page | (uint64_t)is_loop << 32, cap.name,
                                            cap.generation, cap.mac};
        is_shown = is_shown && frames_ask(words);
    }
    if (!is_shown)
        fprintf(stderr, "netd: nobody keeps the connections of programs that end\n");
    late_open(is_loop, sets, root);
}

static void put_address(struct answerer *a, uint32_t address, uint8_t prefix)
{
    a->own->address = __builtin_bswap32(address);
    a->own->hosts = prefix < 31 ? __builtin_bswap32(UINT32_MAX >> prefix) : 0;
}

/* Has a handler answer in the name of our address on a root binding. */
static int64_t answer_begin(struct answerer *a, uint32_t root, bool is_loop)
{
    struct net_handler answer;
    int64_t status = net_handler_open(&answer, netd_answer_image, netd_answer_image_end);

    if (status < 0)
        return status;
    volatile struct answer_own *own = a->own = net_handler_map(&answer, ".data");
    for (size_t i = 0; i < sizeof netd.mac; i++)
        own->mac[i] = is_loop ? 0 : netd.mac[i];
    own->is_loop = is_loop;
    own->takes_leases = netd.is_leased && !is_loop;
    put_address(a, netd.address.address, netd.address.prefix);
    own->identifier[0] = NET_WIRE32(net_ipv6_identifier(netd.mac) >> 32);
    own->identifier[1] = NET_WIRE32(net_ipv6_identifier(netd.mac));
    a->ends = net_handler_map(&answer, "ends");
    a->queue = net_handler_map(&answer, "queue");
    int64_t handler = net_handler_load(&answer);
    if (handler >= 0)
        show_lingering(is_loop, net_handler_map(&answer, "lingering"), root);
    return handler < 0 ? handler : aegis_handler_bind((uint32_t)handler, root);
}

void frames_address(uint32_t address, uint8_t prefix)
{
    put_address(&device, address, prefix);
    if (loop.own)
        put_address(&loop, address, prefix);
}

static uint32_t seconds(void)
{
    return (uint32_t)(time_now() / aegis_info()->timebase);
}

/* Tells who has sent a frame that it couldn't be taken. */
static void refuse(const uint8_t *frame, size_t length, const struct icmp_out *error)
{
    uint8_t answer[ICMP_OUT_MOST];
    struct net by = {.binding = aegis_info()->netifs[netd.netif].root};
    size_t size = icmp_out_write(answer, frame, length, error, netd.mac);

    if (size && icmp_out_may(seconds()))
        net_send_copy(&by, answer, size, time_now()); /* without room for it: not */
}

/* What a machine out there says of what has never left this one isn't believed. */
static void take_error(bool is_loop, const struct net_note *note)
{
    if (is_loop || !icmp_error_is_inside(note))
        tell_error(note);
}

/* A datagram that came in fragments, or behind extension headers. */
static void take_datagram(const struct fragments_datagram *datagram)
{
    static uint8_t frame[AEGIS_FRAME_MAX];
    struct net_note note;

    if (echo_answer(aegis_info()->netifs[netd.netif].root, datagram))
        return;
    size_t length = tell_frame(frame, datagram);
    if (length && icmp_error_read(frame, length, &note))
        take_error(false, &note);
    else if (!length || !lease_take(frame, length))
        tell_datagram(datagram);
}

static void take_parts(const uint8_t *frame, size_t length)
{
    struct fragments_datagram datagram;
    struct fragments_piece piece;
    struct icmp_out error;
    enum packet6_event event = PACKET6_NOTHING;

    if (!fragments_read(frame, length, &piece))
        event = packet6_take(frame, length, seconds(), &datagram, &error);
    else if (fragments_add(&piece, seconds(), &datagram))
        event = PACKET6_DATAGRAM;
    if (event == PACKET6_DATAGRAM)
        take_datagram(&datagram);
    else if (event == PACKET6_PROBLEM)
        refuse(frame, length, &error);
}

static void take(const struct answerer *from, const uint8_t *frame, size_t length)
{
    struct fragments_datagram datagram;
    struct net_note note;

    if (lease_take(frame, length) || late_take(from == &loop, frame, length))
        return;
    if (icmp_error_read(frame, length, &note))
        take_error(from == &loop, &note);
    else if (from == &device)
        take_parts(frame, length);
    else if (outgoing_take(frame, length, &datagram))
        parts_send(aegis_info()->netifs[netd.netif].root, &datagram);
}

/* Datagrams of which something hasn't come. */
static void end_parts(void)
{
    uint8_t frame[FRAGMENTS_KEPT];
    struct icmp_out error;
    size_t length;

    while (fragments_expire(seconds(), frame, &length, &error))
        if (length)
            refuse(frame, length, &error);
}

static uint64_t parts_due(void)
{
    uint32_t when, now = seconds();

    if (!fragments_due(&when))
        return AEGIS_FOREVER;
    return time_after((int32_t)(when - now) > 0 ? (when - now) * 1000000000UL : 0);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Takes what a handler has kept. */
static void drain(struct answerer *a)
{
    uint64_t head = a->ends ? __atomic_load_n(&a->ends->head, __ATOMIC_ACQUIRE) : 0;

    while (a->ends && a->ends->tail != head) {
        const struct queue_slot *slot = &a->queue[a->ends->tail % QUEUE_SLOTS];
        if (slot->length <= sizeof slot->frame)
            take(a, slot->frame, slot->length);
        __atomic_store_n(&a->ends->tail, a->ends->tail + 1, __ATOMIC_RELEASE);
    }
}

static void serve(void)
{
    for (;;) {
        struct aegis_predicate when[3] = {AEGIS_WHEN(device.ends->head, NE, device.ends->tail)};
        size_t count = 1;
        if (loop.ends)
            when[count++] =
                (struct aegis_predicate)AEGIS_WHEN(loop.ends->head, NE, loop.ends->tail);
        count += late_when(&when[count]);
        aegis_wait(when, count, sooner(sooner(lease_due(), late_due()), parts_due()));
        lease_tick();
        late_tick();
        end_parts();
        drain(&device);
        drain(&loop);
    }
}

int frames_run(void)
{
    int64_t root = find_root();
    uint32_t loop_root = aegis_info()->netifs[aegis_info()->netif_count].root;

    if (root < 0) {
        fprintf(stderr, "netd: only the agent can start it: no root binding\n");
        return 1;
    }
    netd.netif = aegis_binding((uint32_t)root)->netif;
    for (size_t i = 0; i < sizeof netd.mac; i++)
        netd.mac[i] = aegis_info()->netifs[netd.netif].mac[i];
    int64_t status = answer_begin(&device, (uint32_t)root, false);
    if (status == 0 && is_ours(loop_root))
        status = answer_begin(&loop, loop_root, true);
    if (status < 0) {
        netd_complain("no answers to pings", status);
        return 1;
    }
    if (netd.is_leased)
        lease_begin((uint32_t)root); /* ready when there is an address */
    else if (exos.start)
        __atomic_store_n(&exos.start->ready, 1, __ATOMIC_RELEASE);
    serve();
    return 0;
}
