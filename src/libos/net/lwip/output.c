/*
 * Out of lwIP. What is short is put together in a buffer of the interface's, which the kernel
 * copies. What is longer the device reads, from where lwIP has it, if that is in one piece in a
 * page of segments (memory.c), or else from a page of the pool. The batch goes to the kernel in one
 * call.
 */
#include <errno.h>
#include <string.h>

#include "libos/net/datagram.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/segment.h"
#include "libos/time/time.h"
#include "libos/wait/wait.h"
#include "lwip/prot/tcp.h"

#define BATCH     16           /* frames sent in one call, as many as the pool has pages */
#define PATIENCE  20000000UL   /* ns for the device to read what is before; then it is lost */
#define PENDING   16           /* packets that wait for a neighbour; TCP sends others again later */
#define HOP_WAIT  2500000000UL /* ns for a neighbour's answer: netd asks once a second */
#define ASK_GAP   50000000UL   /* between two questions to netd */
#define HOP_LOOK  2000000UL    /* until it is looked for, each time twice as long, */
#define HOP_LATER 200000000UL  /* at most this: each look is a call of netd */
#define HEADERS   (IPV4_LEAST + TCP_HLEN)

static struct pending {
    struct pbuf *packet;       /* NULL: the place is free */
    uint64_t until, look, gap; /* when it is given up; when its neighbour is looked for again */
} pending[PENDING];
static size_t pending_count;

uint64_t net_lwip_batched;
uint32_t net_lwip_batch = 1;

/* What is to be sent; all of one batch goes `by` one binding. */
static struct {
    const struct net *by;
    struct aegis_frame_out frames[BATCH];
    uint8_t memory[BATCH][NET_FRAME_LEAD + AEGIS_HEADER_COPY + 2] __attribute__((aligned(8)));
} out;

void net_lwip_send_batch(void)
{
    uint64_t deadline = 0, done = 0;

    while (done < net_lwip_batched) {
        int64_t sent = net_send(out.by, out.frames + done, net_lwip_batched - done);
        if (sent > 0)
            done += (uint64_t)sent;
        else if (sent != -AEGIS_E_FULL)
            done++; /* the egress filter's, or the binding is gone: as good as lost */
        else if (!deadline)
            deadline = time_after(PATIENCE);
        else if (time_now() >= deadline)
            break;
        else
            exos_wait(NULL, 0, time_after(PATIENCE / 20));
    }
    net_lwip_batched = 0;
    net_lwip_batch += net_lwip_batch == UINT32_MAX ? 2 : 1; /* 0 is none */
}

/*
 * Where the next frame of the batch is put together; NULL without memory. The kernel copies a short
 * one fastest from 6 modulo 8; the data of a long one lies as in lwIP's buffers from 2 on.
 */
static uint8_t *next_buffer(const struct pbuf *p, size_t length)
{
    if (length <= AEGIS_HEADER_COPY)
        return out.memory[net_lwip_batched] + NET_FRAME_LEAD;
    if (net_lwip_send_in_place(p))
        return (uint8_t *)p->payload - ETH_SIZE;
    uint8_t *page = net_send_buffer();
    return page ? page + 2 : NULL;
}

/* A header of IPv4 and one of TCP, which are whole in the first buffer, and what is behind them;
 * unless it is there already. */
static inline __attribute__((always_inline)) void copy_packet(uint8_t *to, const struct pbuf *p)
{
    if (to == p->payload)
        return;
    net_word4 *head = __builtin_assume_aligned(to, 4);
    const net_word4 *from = __builtin_assume_aligned(p->payload, 4);

    for (size_t i = 0; i < HEADERS / sizeof *head; i++)
        head[i] = from[i];
    if (p->len > HEADERS)
        memcpy(to + HEADERS, (const uint8_t *)p->payload + HEADERS, p->len - HEADERS);
    to += p->len;
    for (p = p->next; p; to += p->len, p = p->next)
        memcpy(to, p->payload, p->len);
}

static inline void put_mac(void *to, const void *mac)
{
    memcpy(__builtin_assume_aligned(to, 2), __builtin_assume_aligned(mac, 2), 6);
}

static bool is_ipv6(const struct pbuf *p)
{
    return *(const uint8_t *)p->payload >> 4 == 6;
}

/* Where a packet goes to. */
static void find_destination(const struct pbuf *p, struct net_ipv6 *to)
{
    memcpy(to, (const uint8_t *)p->payload + IPV6_DESTINATION - ETH_SIZE, sizeof *to);
}

/* Room for the frame of a packet in the batch that goes by one binding; NULL without memory. */
static inline __attribute__((always_inline)) uint8_t *
begin_frame(const struct net *by, const struct pbuf *p, size_t length)
{
    if (net_lwip_batched == BATCH || (net_lwip_batched && out.by != by))
        net_lwip_flush();
    return next_buffer(p, length);
}

static void end_frame(const struct net *by, const uint8_t *frame, size_t length)
{
    out.by = by;
    out.frames[net_lwip_batched++] = (struct aegis_frame_out){frame, length};
}

/* As put_out. */
static __attribute__((noinline)) err_t put_out6(const struct pbuf *p)
{
    static const uint8_t none[6] __attribute__((aligned(2)));
    uint8_t mac[6] __attribute__((aligned(2))) = {0};
    size_t length = ETH_SIZE + p->tot_len;
    struct net_ipv6 to;

    if (length > AEGIS_FRAME_MAX || p->len < IPV6_SIZE + TCP_HLEN)
        return ERR_BUF;
    find_destination(p, &to);
    bool is_local = net_ipv6_is_local(&to);
    const uint8_t *tcp = (const uint8_t *)p->payload + IPV6_SIZE;
    const struct opened *from = net_lwip_opened_to6(net_get16(tcp), &to, net_get16(tcp + 2));
    if (!from || !(is_local ? from->lease.loop.ring : from->lease.net.ring))
        return ERR_RTE;
    if (!is_local && net_ipv6_next_hop(&to, mac, 0))
        return errno == EAGAIN ? ERR_INPROGRESS : ERR_RTE;
    const struct net *by = is_local ? &from->lease.loop : &from->lease.net;
    uint8_t *frame = begin_frame(by, p, length);
    if (!frame)
        return ERR_MEM;
    put_mac(frame + ETH_DESTINATION, mac);
    put_mac(frame + ETH_SOURCE, is_local ? none : net_service()->mac);
    *(net_word2 *)__builtin_assume_aligned(frame + ETH_TYPE, 2) = NET_WIRE16(ETH_TYPE_IPV6);
    copy_packet(frame + ETH_SIZE, p);
    net_segment6_sum(frame, length - ETH_SIZE);
    end_frame(by, frame, length);
    return ERR_OK;
}

/*
 * Whether a neighbour that isn't known may be asked for now: netd is everybody's, and whoever opens
 * connections in the names of many neighbours would have us wait for it all the time.
 */
static bool may_ask(void)
{
    static uint64_t next;
    uint64_t now = time_now();

    if (now < next)
        return false;
    next = now + time_from_ns(ASK_GAP);
    return true;
}

/* The header of Ethernet before a packet of IPv4; all zeros on the loop interface. */
static inline void put_head(uint8_t *frame, const uint8_t mac[6], bool is_local)
{
    static const uint8_t none[6] __attribute__((aligned(2)));

    put_mac(frame + ETH_DESTINATION, mac);
    put_mac(frame + ETH_SOURCE, is_local ? none : net_service()->mac);
    *(net_word2 *)__builtin_assume_aligned(frame + ETH_TYPE, 2) = NET_WIRE16(ETH_TYPE_IPV4);
}

/* Puts a packet of IPv4 into the batch. ERR_INPROGRESS: its next hop isn't known yet. */
static err_t put_out(const struct pbuf *p, u32_t to)
{
    uint8_t mac[6] __attribute__((aligned(2))) = {0};
    size_t length = ETH_SIZE + p->tot_len;
    const struct net_host *host = net_service();
    bool is_local = net_is_local(host, to);

    if (length > AEGIS_FRAME_MAX || p->len < HEADERS)
        return ERR_BUF; /* lwIP puts all headers into the first buffer */
    const uint8_t *tcp = (const uint8_t *)p->payload + IPV4_LEAST;
    const struct opened *from = net_lwip_opened_to(net_get16(tcp), to, net_get16(tcp + 2));
    if (!from || !(is_local ? from->lease.loop.ring : from->lease.net.ring))
        return ERR_RTE;
    if (!is_local && !net_try_hop(to, mac)) {
        if (!may_ask())
            return ERR_INPROGRESS;
        if (net_next_hop(to, mac, 0))
            return errno == EAGAIN ? ERR_INPROGRESS : ERR_RTE;
    }
    const struct net *by = is_local ? &from->lease.loop : &from->lease.net;
    uint8_t *frame = begin_frame(by, p, length);
    if (!frame)
        return ERR_MEM;
    put_head(frame, mac, is_local);
    copy_packet(frame + ETH_SIZE, p);
    net_segment_sum(frame, length - ETH_SIZE);
    end_frame(by, frame, length);
    return ERR_OK;
}

uint8_t *net_lwip_begin_segment(const struct tcp_pcb *pcb, size_t length)
{
    static uint16_t number;
    uint8_t mac[6] __attribute__((aligned(2))) = {0};
    u32_t to = ip4_addr_get_u32(ip_2_ip4(&pcb->remote_ip));
    size_t size = IPV4_LEAST + length;
    bool is_local = net_is_local(net_service(), to);

    if (ETH_SIZE + size > AEGIS_HEADER_COPY || (!is_local && !net_try_hop(to, mac)))
        return NULL;
    const struct opened *from = net_lwip_opened_to(pcb->local_port, to, pcb->remote_port);
    const struct net *by = !from ? NULL : is_local ? &from->lease.loop : &from->lease.net;
    if (!by || !by->ring)
        return NULL;
    if (net_lwip_batched == BATCH || (net_lwip_batched && out.by != by))
        net_lwip_flush();
    out.by = by;
    uint8_t *frame = out.memory[net_lwip_batched] + NET_FRAME_LEAD;
    net_word4 *ip = __builtin_assume_aligned(frame + ETH_SIZE, 4);
    put_head(frame, mac, is_local);
    ip[0] = NET_WIRE32(NET_IPV4_PLAIN << 24 | (uint32_t)pcb->tos << 16 | size);
    ip[1] = NET_WIRE32((uint32_t)++number << 16);
    ip[2] = NET_WIRE32((uint32_t)pcb->ttl << 24 | IPV4_TCP << 16);
    ip[3] = ip4_addr_get_u32(ip_2_ip4(&pcb->local_ip));
    ip[4] = to;
    return (uint8_t *)(ip + IPV4_LEAST / sizeof *ip);
}

void net_lwip_end_segment(uint8_t *segment, size_t length)
{
    uint8_t *frame = segment - IPV4_LEAST - ETH_SIZE;

    net_segment_sum(frame, IPV4_LEAST + length);
    end_frame(out.by, frame, ETH_SIZE + IPV4_LEAST + length);
}

/* A free place, or that of the packet that has waited longest. */
static struct pending *take_place(void)
{
    struct pending *place = pending;

    for (struct pending *w = pending; place->packet && w < pending + PENDING; w++)
        if (!w->packet || w->until < place->until)
            place = w;
    if (place->packet) {
        pbuf_free(place->packet);
        pending_count--;
    }
    return place;
}

/*
 * Keeps a copy until the neighbour has answered. Nobody waits for it: who opens connections in the
 * names of neighbours that don't exist holds up none but his own.
 */
static err_t put_off(const struct pbuf *p)
{
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_RAM);

    if (!copy)
        return ERR_MEM;
    pbuf_copy(copy, p);
    *take_place() = (struct pending){copy, time_after(HOP_WAIT), time_after(HOP_LOOK), HOP_LOOK};
    pending_count++;
    net_lwip_soon();
    return ERR_OK;
}

static err_t put_again(const struct pbuf *p)
{
    u32_t to;

    if (is_ipv6(p))
        return put_out6(p);
    memcpy(&to, (const uint8_t *)p->payload + IPV4_DESTINATION - ETH_SIZE, sizeof to);
    return put_out(p, to);
}

/* Whether its neighbour still isn't known, and there is time yet. */
static bool waits_on(struct pending *w, uint64_t now)
{
    if (now < w->look)
        return true;
    if (put_again(w->packet) != ERR_INPROGRESS || now >= w->until)
        return false;
    w->gap = w->gap < HOP_LATER / 2 ? 2 * w->gap : HOP_LATER;
    w->look = time_after(w->gap);
    return true;
}

void net_lwip_send_pending(void)
{
    uint64_t now = pending_count ? time_now() : 0;

    for (size_t i = 0; pending_count && i < PENDING; i++) {
        struct pending *w = &pending[i];
        if (!w->packet || waits_on(w, now))
            continue;
        pbuf_free(w->packet);
        w->packet = NULL;
        pending_count--;
    }
}

uint64_t net_lwip_pending_due(void)
{
    uint64_t first = AEGIS_FOREVER;

    for (size_t i = 0; pending_count && i < PENDING; i++)
        if (pending[i].packet && pending[i].look < first)
            first = pending[i].look;
    return first;
}

void net_lwip_forget_output(void)
{
    memset(pending, 0, sizeof pending);
    pending_count = 0;
    net_lwip_batched = 0;
}

err_t net_lwip_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)netif;
    err_t result = put_out(p, ip4_addr_get_u32(to));
    return result == ERR_INPROGRESS ? put_off(p) : result;
}

err_t net_lwip_output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
    (void)netif;
    (void)to; /* the packet says it, too */
    err_t result = put_out6(p);
    return result == ERR_INPROGRESS ? put_off(p) : result;
}
