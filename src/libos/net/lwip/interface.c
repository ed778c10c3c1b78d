/*
 * lwIP's network interface: in from the rings, out in batches.
 *
 * What carries data is copied from its slot, since TCP may keep it for as long as it likes and
 * slots come free in their order; what carries none (most acknowledgements) is read where it is.
 * What is sent is put together once, in a buffer of the interface's if it is short, else in a page
 * of the pool, from which the device reads; the batch goes to the kernel in one call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/datagram.h"
#include "libos/net/lwip/lwip.h"
#include "libos/net/service.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"
#include "lwip/init.h"
#include "lwip/ip4.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/tcp.h"

#define RING_SLOTS 64
#define BATCH      16          /* frames sent in one call, as many as the pool has pages */
#define PATIENCE   20000000UL  /* ns for the device to read what is before; then it is lost */
#define PENDING    16          /* packets that wait for a neighbour; TCP sends others again later */
#define HOP_WAIT   500000000UL /* ns for a neighbour's answer */
#define HOP_LOOK   2000000UL   /* ns between two looks for it */
#define TICK_NS    (TCP_TMR_INTERVAL * 1000000UL)
#define REAP_NS    1000000000UL
#define LENGTHS    (ETH_SIZE + IPV4_LEAST + TCP_HLEN)
#define DATA_AT    (ETH_SIZE + IPV4_LEAST + 12) /* TCP's header length, in words in the upper half */

struct opened {
    struct opened *next;
    struct net_lease lease;
    bool is_lent; /* given back when nothing of lwIP's uses it any more */
    bool is_used; /* found so by reap */
};

/* A slot's frame, read where it is. */
struct borrowed {
    struct pbuf_custom pbuf;
    bool is_free;
};

static struct pending {
    struct pbuf *packet; /* NULL: the place is free */
    u32_t to;            /* as on the wire */
    uint64_t until;
} pending[PENDING];
static size_t pending_count;

static struct netif interface;
static struct opened *ports;
static uint64_t frames_seen; /* of this program's, before the last look at the rings */
static uint64_t next_tick;   /* of TCP, while it has a connection; 0: at once, to begin */
static uint64_t next_reap;   /* a look for ports that nothing uses; AEGIS_FOREVER: none was lent */

/* What is to be sent; all of one batch goes through the binding of `out_by`. */
static struct {
    struct opened *by;
    uint64_t count;
    struct aegis_frame_out frames[BATCH];
    uint8_t memory[BATCH][NET_FRAME_LEAD + AEGIS_HEADER_COPY + 2] __attribute__((aligned(8)));
} out;

void net_lwip_flush(void)
{
    uint64_t deadline = time_after(PATIENCE), done = 0;

    while (done < out.count) {
        int64_t sent = net_send(&out.by->lease.net, out.frames + done, out.count - done);
        if (sent > 0)
            done += (uint64_t)sent;
        else if (sent != -AEGIS_E_FULL)
            done++; /* the egress filter's, or the binding is gone: as good as lost */
        else if (time_now() >= deadline)
            break;
        else
            exos_wait(NULL, 0, time_after(PATIENCE / 20));
    }
    out.count = 0;
}

static struct opened *opened_port(uint16_t port)
{
    struct opened *o = ports;
    while (o && o->lease.port != port)
        o = o->next;
    return o;
}

/* Where the next frame of the batch is put together; NULL without memory. */
static uint8_t *next_buffer(size_t length)
{
    uint8_t *at = length > AEGIS_HEADER_COPY ? net_send_buffer() : out.memory[out.count];
    return at ? at + NET_FRAME_LEAD : NULL;
}

/* Puts a packet into the batch. ERR_INPROGRESS: its next hop isn't known yet. */
static err_t put_out(const struct pbuf *p, u32_t to)
{
    uint8_t mac[6] __attribute__((aligned(2)));
    size_t length = ETH_SIZE + p->tot_len;
    uint16_t port;

    if (length > AEGIS_FRAME_MAX || p->tot_len < IPV4_LEAST + TCP_HLEN)
        return ERR_BUF;
    pbuf_copy_partial(p, &port, sizeof port, IPV4_LEAST);
    struct opened *by = opened_port(ntohs(port));
    if (!by || net_next_hop(to, mac, 0))
        return by && errno == EAGAIN ? ERR_INPROGRESS : ERR_RTE;
    if (out.count == BATCH || (out.count && out.by != by))
        net_lwip_flush();
    uint8_t *frame = next_buffer(length);
    if (!frame)
        return ERR_MEM;
    memcpy(frame + ETH_DESTINATION, mac, 6);
    memcpy(frame + ETH_SOURCE, net_service()->mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    pbuf_copy_partial(p, frame + ETH_SIZE, p->tot_len, 0);
    out.by = by;
    out.frames[out.count++] = (struct aegis_frame_out){frame, length};
    return ERR_OK;
}

/*
 * Keeps a copy until the neighbour has answered. Nobody waits for it: who opens connections in the
 * names of neighbours that don't exist holds up none but his own.
 */
static err_t put_off(const struct pbuf *p, u32_t to)
{
    for (size_t i = 0; i < PENDING; i++) {
        if (pending[i].packet)
            continue;
        struct pbuf *copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_RAM);
        if (!copy)
            return ERR_MEM;
        pbuf_copy(copy, p);
        pending[i] = (struct pending){copy, to, time_after(HOP_WAIT)};
        pending_count++;
        return ERR_OK;
    }
    return ERR_RTE;
}

static void send_pending(void)
{
    for (size_t i = 0; pending_count && i < PENDING; i++) {
        struct pending *w = &pending[i];
        if (!w->packet)
            continue;
        if (put_out(w->packet, w->to) == ERR_INPROGRESS && time_now() < w->until)
            continue;
        pbuf_free(w->packet);
        w->packet = NULL;
        pending_count--;
    }
}

/* lwIP's: an IPv4 packet for the next hop towards `to`. */
static err_t send_packet(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)netif;
    err_t result = put_out(p, ip4_addr_get_u32(to));
    return result == ERR_INPROGRESS ? put_off(p, ip4_addr_get_u32(to)) : result;
}

static err_t set_up(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'x';
    netif->mtu = AEGIS_FRAME_MAX - ETH_SIZE;
    netif->output = send_packet;
    return ERR_OK;
}

int net_lwip_begin(void)
{
    const struct net_host *host = net_service();
    ip4_addr_t address, mask, gateway;

    if (!host)
        return -1;
    if (interface.output)
        return 0;
    ip4_addr_set_u32(&address, host->address);
    ip4_addr_set_u32(&mask, host->mask);
    ip4_addr_set_u32(&gateway, host->gateway);
    lwip_init();
    next_reap = AEGIS_FOREVER;
    netif_add(&interface, &address, &mask, &gateway, NULL, set_up, ip4_input);
    netif_set_default(&interface);
    netif_set_link_up(&interface);
    netif_set_up(&interface);
    return 0;
}

int net_lwip_lend(uint16_t port)
{
    struct opened *o = port ? opened_port(port) : NULL;

    if (!o) {
        int result = net_lwip_open(port);
        if (result < 0)
            return -1;
        o = opened_port((uint16_t)result);
        o->is_lent = true;
    }
    if (next_reap == AEGIS_FOREVER)
        next_reap = time_after(REAP_NS);
    return o->lease.port;
}

int net_lwip_open(uint16_t port)
{
    struct opened *o = malloc(sizeof *o);

    if (!o)
        return -1;
    if (net_lease(&o->lease, IPV4_TCP, port, RING_SLOTS)) {
        int error = errno;
        free(o);
        errno = error;
        return -1;
    }
    o->next = ports;
    ports = o;
    return o->lease.port;
}

void net_lwip_close(uint16_t port)
{
    struct opened **at = &ports;

    while (*at && (*at)->lease.port != port)
        at = &(*at)->next;
    struct opened *o = *at;
    if (!o)
        return;
    net_lwip_flush();
    *at = o->next;
    net_lease_end(&o->lease);
    free(o);
}

static void give_back(struct pbuf *p)
{
    ((struct borrowed *)p)->is_free = true;
}

/* Whether a segment has nothing that TCP could keep: no data, and no place in the sequence. */
static bool is_bare(const uint8_t *frame, size_t total)
{
    return frame[IPV4_FIRST] == NET_IPV4_PLAIN && total >= IPV4_LEAST + TCP_HLEN &&
           total == IPV4_LEAST + (size_t)(frame[DATA_AT] >> 4) * 4 &&
           !(frame[DATA_AT + 1] & (TCP_FIN | TCP_SYN));
}

/* One frame. TCP reads it whole before this returns, and keeps nothing of a segment without data.
 */
static void take(uint8_t *frame, size_t length)
{
    struct borrowed borrowed = {.pbuf.custom_free_function = give_back};
    struct pbuf *p;

    if (length < LENGTHS)
        return;
    size_t total = net_get16(frame + IPV4_LENGTH);
    if (total > length - ETH_SIZE)
        return;
    if (is_bare(frame, total)) {
        p = pbuf_alloced_custom(PBUF_RAW, (u16_t)total, PBUF_REF, &borrowed.pbuf, frame + ETH_SIZE,
                                (u16_t)total);
    } else {
        p = pbuf_alloc(PBUF_RAW, (u16_t)total, PBUF_RAM);
        if (p)
            pbuf_take(p, frame + ETH_SIZE, (u16_t)total);
    }
    if (p && interface.input(p, &interface) != ERR_OK)
        pbuf_free(p);
    LWIP_ASSERT("a bare segment was kept", p != &borrowed.pbuf.pbuf || borrowed.is_free);
}

/* Gives back the ports that were lent and that no connection or listener has. */
static void reap(void)
{
    bool any = false;

    for (struct opened *o = ports; o; o = o->next)
        o->is_used = !o->is_lent;
    for (size_t i = 0; i < NUM_TCP_PCB_LISTS; i++)
        for (const struct tcp_pcb *pcb = *tcp_pcb_lists[i]; pcb; pcb = pcb->next) {
            struct opened *o = opened_port(pcb->local_port);
            if (o)
                o->is_used = true;
        }
    for (struct opened *o = ports, *next; o; o = next) {
        next = o->next;
        any |= o->is_lent && o->is_used;
        if (!o->is_used)
            net_lwip_close(o->lease.port);
    }
    next_reap = any ? time_after(REAP_NS) : AEGIS_FOREVER;
}

void net_lwip_reap(void)
{
    if (next_reap != AEGIS_FOREVER)
        reap();
}

void net_lwip_forget(void)
{
    for (size_t i = 0; i < NUM_TCP_PCB_LISTS; i++)
        *tcp_pcb_lists[i] = NULL;
    memset(pending, 0, sizeof pending);
    pending_count = 0;
    out.count = 0;
    ports = NULL;
    netif_list = netif_default = NULL;
    memset(&interface, 0, sizeof interface);
}

/* What is due by time. Ticks that nobody had time for are left out: TCP's clock stood still. */
static void keep_time(void)
{
    uint64_t now = time_now();

    if (!tcp_active_pcbs && !tcp_tw_pcbs) {
        next_tick = 0;
    } else if (!next_tick) {
        next_tick = time_after(TICK_NS);
    } else if (now >= next_tick) {
        uint64_t tick = time_from_ns(TICK_NS);
        next_tick = now - next_tick < tick ? next_tick + tick : now + tick;
        tcp_tmr();
    }
    if (now >= next_reap)
        reap();
}

uint64_t net_lwip_due(void)
{
    uint64_t due = tcp_active_pcbs || tcp_tw_pcbs ? next_tick : AEGIS_FOREVER;

    if (next_reap < due)
        due = next_reap;
    if (pending_count && due > time_after(HOP_LOOK))
        due = time_after(HOP_LOOK);
    return due;
}

struct aegis_predicate net_lwip_when(void)
{
    return (struct aegis_predicate)AEGIS_WHEN(aegis_env(exos.env)->frames, NE, frames_seen);
}

bool net_lwip_serve(void)
{
    struct aegis_slot_header *slot;
    bool any = false;

    frames_seen = aegis_env(exos.env)->frames;
    for (struct opened *o = ports, *next; o; o = next) {
        next = o->next; /* a callback may close it */
        uint16_t port = o->lease.port;
        while (opened_port(port) == o && (slot = net_next(&o->lease.net))) {
            any = true;
            take(net_frame(slot), slot->length);
            if (opened_port(port) == o)
                net_release(&o->lease.net);
        }
    }
    keep_time();
    send_pending();
    net_lwip_flush();
    return any;
}

void net_lwip_wait(uint64_t deadline)
{
    struct aegis_predicate frames = net_lwip_when();
    uint64_t due = net_lwip_due();

    net_lwip_flush();
    exos_wait(&frames, 1, due < deadline ? due : deadline);
}
