#include "lwip_host.h"

#include <stdlib.h>
#include <string.h>

#include "libos/net/headers.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/segment.h"
#include "lwip/ip4.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"

bool host_six;
const struct net_ipv6 host_own6 = {{PP_HTONL(0x20010db8), 0, 0, PP_HTONL(15)}},
                      host_peer6 = {{PP_HTONL(0x20010db8), 0, 0, PP_HTONL(2)}};
struct host_sent host_sent;
const struct net_offer host_offer = {.port = {.number = HOST_PORT, .protocol = IPV4_TCP}};

static struct netif netif;
static const struct net_host host = {.mac = {2}};
static uint32_t clock_ms;

/* ---- what lwIP and the streams ask of the rest of the library ---- */

const struct socket_protocol socket_tcp = {.size = sizeof(struct stream)};
uint64_t net_lwip_batched, net_lwip_seen, net_lwip_next;
tcp_recv_fn net_lwip_copies;
int net_lwip_reason;
bool (*net_lwip_may_open)(void *argument, void *accept);

void net_lwip_send_batch(void)
{
}

void *net_lwip_allocate(size_t size)
{
    return malloc(size);
}

void net_lwip_free(void *memory)
{
    free(memory);
}

_Noreturn void net_lwip_fail(const char *what, int line, const char *file)
{
    fprintf(stderr, "lwIP: %s (%s:%d)\n", what, file, line);
    abort();
}

unsigned net_lwip_random(void)
{
    return 4;
}

u32_t sys_now(void)
{
    return clock_ms;
}

u32_t net_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                   u16_t remote_port)
{
    (void)local, (void)local_port, (void)remote, (void)remote_port;
    return UINT32_MAX - 3000; /* it comes round */
}

struct netif *net_lwip_route6(const ip6_addr_t *destination)
{
    (void)destination;
    return &netif;
}

u16_t net_lwip_path(const ip6_addr_t *to)
{
    (void)to;
    return 0;
}

err_t net_lwip_opening(struct tcp_pcb_listen *listener)
{
    (void)listener;
    return ERR_OK;
}

void nd6_tmr(void)
{
}

const struct net_host *net_service_known = &host;

const struct net_host *net_service_begin(void)
{
    return &host;
}

int net_lwip_join(const struct net_offer *offer, const struct net_ipv6 *peer, uint16_t peer_port,
                  bool device, bool loop)
{
    (void)offer, (void)peer, (void)peer_port, (void)device, (void)loop;
    return 0;
}

bool net_ipv6_is_local(const struct net_ipv6 *address)
{
    return net_ipv6_is_loopback(address);
}

void net_lwip_quicken(struct tcp_pcb *pcb)
{
    (void)pcb;
}

void net_lwip_slow_down(struct tcp_pcb *pcb)
{
    (void)pcb;
}

struct socket *socket_make(const struct socket_protocol *protocol)
{
    struct socket *s = calloc(1, protocol->size);
    s->protocol = protocol;
    s->ttl = 64;
    return s;
}

ip_addr_t stream_address(const struct socket *s, const struct socket_end *end)
{
    ip_addr_t address = IPADDR4_INIT(end->address);
    (void)s;
    return address;
}

int stream_begin_to_listen(struct stream *t)
{
    stream_listen(t, tcp_listen(t->pcb));
    return 0;
}

void stream_apply_options(const struct stream *t)
{
    if (t->no_delay)
        tcp_nagle_disable(t->pcb);
}

void stream_inherit_options(struct stream *t, const struct stream *listener)
{
    t->no_delay = listener->no_delay;
}

/* ---- the interface ---- */

static void note_data(const uint8_t *bytes, size_t size, uint32_t number)
{
    for (size_t i = 0; i < size; i++) {
        uint32_t at = number + (uint32_t)i - host_sent.first;
        if (at >= HOST_SENT)
            continue;
        host_sent.bytes[at] = bytes[i];
        host_sent.is_there[at] = true;
    }
}

/* A segment of `size` bytes has left. */
static void note_segment(const uint8_t *tcp, size_t size)
{
    uint8_t flags = tcp[TCP_OFFSET + 1];
    size_t offset = (size_t)(tcp[TCP_OFFSET] >> 4) * 4, length = size - offset;
    uint32_t number = net_get32(tcp + 4);
    host_sent.segments++;
    host_sent.longest = length > host_sent.longest ? length : host_sent.longest;
    for (size_t i = 0; i < size; i++)
        host_sent.digest = (host_sent.digest ^ tcp[i]) * 0x100000001b3;
    host_sent.acknowledged = net_get32(tcp + 8);
    if (flags & TCP_SYN)
        host_sent.first = number + 1;
    else if (flags & TCP_RST)
        host_sent.resets++;
    else
        note_data(tcp + offset, length, number);
    if (flags & TCP_FIN) {
        host_sent.has_end = true;
        host_sent.end = number + (uint32_t)length - host_sent.first;
    }
}

static void note_packet(const struct pbuf *p, size_t header)
{
    static uint8_t packet[2048];
    size_t size = pbuf_copy_partial(p, packet, sizeof packet, 0);

    note_segment(packet + header, size - header);
}

static err_t output(struct netif *by, struct pbuf *p, const ip4_addr_t *to)
{
    (void)by, (void)to;
    note_packet(p, IPV4_LEAST);
    return ERR_OK;
}

static err_t output6(struct netif *by, struct pbuf *p, const ip6_addr_t *to)
{
    (void)by, (void)to;
    note_packet(p, IPV6_SIZE);
    return ERR_OK;
}

uint8_t *net_lwip_begin_segment(const struct tcp_pcb *pcb, size_t length)
{
    static uint8_t segment[AEGIS_HEADER_COPY] __attribute__((aligned(8)));
    (void)pcb;

    return ETH_SIZE + IPV4_LEAST + length <= sizeof segment ? segment : NULL;
}

void net_lwip_end_segment(uint8_t *segment, size_t length)
{
    note_segment(segment, length);
}

static err_t set_up(struct netif *n)
{
    n->mtu = 1500;
    n->output = output;
    n->output_ip6 = output6;
    return ERR_OK;
}

void host_begin(void)
{
    static bool has_begun;
    const ip4_addr_t address = {PP_HTONL(HOST_OWN)}, mask = {PP_HTONL(0xffffff00)}, none = {0};

    if (has_begun)
        return;
    has_begun = true;
    netif_init();
    tcp_init();
    netif_add(&netif, &address, &mask, &none, NULL, set_up, ip4_input);
    netif_set_default(&netif);
    netif_set_link_up(&netif);
    netif_set_up(&netif);
    const ip_addr_t own6 = net_lwip_address(&host_own6);
    netif_ip6_addr_set(&netif, 1, ip_2_ip6(&own6));
    netif_ip6_addr_set_state(&netif, 1, IP6_ADDR_PREFERRED);
}

void host_forget_sent(void)
{
    uint32_t first = host_sent.first;

    memset(&host_sent, 0, sizeof host_sent);
    host_sent.first = first;
}

struct stream *host_stream(void)
{
    struct stream *t = (struct stream *)socket_make(&socket_tcp);
    t->backlog = 8;
    return t;
}

/* The IP header of a packet of so many bytes, whose place is zeros. */
static void put_ip(uint8_t *ip, size_t whole)
{
    if (host_six) {
        ip[0] = 0x60;
        net_put16(ip + 4, (uint16_t)(whole - IPV6_SIZE));
        ip[6] = IPV4_TCP;
        ip[7] = 64;
        memcpy(ip + 8, &host_peer6, sizeof host_peer6);
        memcpy(ip + 24, &host_own6, sizeof host_own6);
        return;
    }
    ip[0] = 0x45;
    net_put16(ip + 2, (uint16_t)whole);
    ip[8] = 64;
    ip[9] = IPV4_TCP;
    net_put32(ip + 12, HOST_PEER);
    net_put32(ip + 16, HOST_OWN);
}

static void put_in(uint8_t flags, uint32_t number, uint32_t acknowledges, uint16_t window,
                   const void *bytes, size_t size, const uint8_t *options, size_t room)
{
    size_t header = TCP_LEAST + room, before = host_six ? IPV6_SIZE : IPV4_LEAST;
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(before + header + size), PBUF_RAM);
    uint8_t *ip = p->payload, *tcp = ip + before;

    memset(ip, 0, before + header);
    put_ip(ip, p->tot_len);
    net_put16(tcp, HOST_PEER_PORT);
    net_put16(tcp + 2, HOST_PORT);
    net_put32(tcp + 4, number);
    net_put32(tcp + 8, acknowledges);
    tcp[TCP_OFFSET] = (uint8_t)(header / 4 << 4);
    tcp[TCP_OFFSET + 1] = flags;
    net_put16(tcp + 14, window);
    if (room)
        memcpy(tcp + TCP_LEAST, options, room);
    if (size)
        memcpy(tcp + header, bytes, size);
    if (host_six)
        ip6_input(p, &netif);
    else
        ip4_input(p, &netif);
}

bool host_next(struct tcp_pcb *pcb, uint32_t acknowledges, uint16_t window, const void *bytes,
               size_t size)
{
    uint8_t tcp[TCP_LEAST + 2048] __attribute__((aligned(4))) = {
        [TCP_OFFSET] = TCP_LEAST / 4 << 4, [TCP_OFFSET + 1] = TCP_ACK | TCP_PSH};

    if (pcb->recv != net_lwip_copies || size > pcb->rcv_wnd)
        return false;
    net_put32(tcp + 4, pcb->rcv_nxt);
    net_put32(tcp + 8, acknowledges);
    net_put16(tcp + 14, window);
    memcpy(tcp + TCP_LEAST, bytes, size);
    return net_lwip_take_next(pcb, tcp, size);
}

void host_segment(uint8_t flags, uint32_t number, uint32_t acknowledges, uint16_t window,
                  const void *bytes, size_t size)
{
    put_in(flags, number, acknowledges, window, bytes, size, NULL, 0);
}

void host_connect(struct stream *t)
{
    static const uint8_t options[] = {2, 4, 5, 180,        4, 2,
                                      1, 3, 3, HOST_SCALE, 1, 1}; /* MSS, SACK, scale */
    const struct net_ipv6 own4 = net_ipv6_mapped(PP_HTONL(HOST_OWN)),
                          peer4 = net_ipv6_mapped(PP_HTONL(HOST_PEER));
    const ip_addr_t own = net_lwip_address(host_six ? &host_own6 : &own4),
                    peer = net_lwip_address(host_six ? &host_peer6 : &peer4);
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&own));

    host_forget_sent();
    stream_attach(t, pcb);
    t->state = STREAM_CONNECTING;
    tcp_bind(pcb, &own, HOST_PORT);
    tcp_connect(pcb, &peer, HOST_PEER_PORT, stream_connected);
    put_in(TCP_SYN | TCP_ACK, HOST_PEER_ISS, host_sent.first, 60000, NULL, 0, options,
           sizeof options);
    t->socket.own = stream_end(&pcb->local_ip, pcb->local_port);
    t->socket.peer = stream_end(&pcb->remote_ip, pcb->remote_port);
}

void host_ticks(unsigned count)
{
    while (count--) {
        clock_ms += TCP_TMR_INTERVAL;
        net_lwip_tick();
    }
}

void host_end(struct stream *t)
{
    for (struct stream *c; (c = stream_dequeue(t));) {
        stream_drop_received(c);
        stream_detach(c);
        free(c);
    }
    stream_drop_received(t);
    if (t->pcb && t->state == STREAM_LISTENS) {
        struct tcp_pcb *pcb = t->pcb;
        stream_detach(t);
        tcp_close(pcb);
    } else
        stream_detach(t);
    free(t);
    while (tcp_active_pcbs)
        tcp_abandon(tcp_active_pcbs, 0);
    while (tcp_tw_pcbs)
        tcp_abandon(tcp_tw_pcbs, 0);
    while (tcp_bound_pcbs)
        tcp_abort(tcp_bound_pcbs);
}
