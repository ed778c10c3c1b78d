/*
 * Into lwIP. Slots come free in their order, and TCP may keep a segment for as long as it likes, so
 * segments are copied from them; but those that TCP is done with when it returns are read where
 * they are: what carries no data, and what comes next in a connection whose receiver copies
 * (lwip.h).
 */
#include "libos/net/headers.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/segment.h"
#include "lwip/ip.h"
#include "lwip/ip6.h"
#include "lwip/priv/tcp_priv.h"

tcp_recv_fn net_lwip_copies;

#define NO_SLOTS (TCP_FIN | TCP_SYN | TCP_RST)

/* A slot's frame, read where it is. */
struct borrowed {
    struct pbuf_custom pbuf;
    bool is_free;
};

static void give_back(struct pbuf *p)
{
    ((struct borrowed *)p)->is_free = true;
}

static inline uint32_t header_source(const uint8_t *ip)
{
    return *(const net_word4 *)__builtin_assume_aligned(ip + 12, 4);
}

static inline bool is_from(const uint8_t *ip, const ip_addr_t *peer)
{
    if (*ip >> 4 == 4)
        return IP_IS_V4(peer) && header_source(ip) == ip4_addr_get_u32(ip_2_ip4(peer));
    return IP_IS_V6(peer) && !memcmp(ip + 8, ip_2_ip6(peer)->addr, sizeof(struct net_ipv6));
}

#define HEARD_LATELY 32 /* connections: lwIP keeps the one that was heard last in front */

/* Whether that is what one of the connections that were heard lately waits for. It is in front
 * then, where lwIP looks first. */
static bool is_next(const struct net_segment *p)
{
    const struct tcp_hdr *header = (const struct tcp_hdr *)p->tcp;
    struct tcp_pcb **at = &tcp_active_pcbs, *pcb;
    u16_t port = lwip_ntohs(header->src);

    for (int i = 0; i < HEARD_LATELY && *at && (*at)->remote_port != port; i++)
        at = &(*at)->next;
    pcb = *at;
    if (!pcb || pcb->remote_port != port || pcb->recv != net_lwip_copies ||
        pcb->state != ESTABLISHED || pcb->ooseq || pcb->refused_data ||
        header->seqno != lwip_htonl(pcb->rcv_nxt) || header->dest != lwip_htons(pcb->local_port) ||
        p->data > pcb->rcv_wnd || !is_from(p->ip, &pcb->remote_ip))
        return false;
    *at = pcb->next;
    pcb->next = tcp_active_pcbs;
    tcp_active_pcbs = pcb;
    return true;
}

static bool is_loop(const struct netif *netif)
{
    return ip4_addr_isloopback(netif_ip4_addr(netif));
}

/* In the name of the machine's own addresses, which aren't on any wire, or of many (RFC 1122,
 * 3.2.1.3). */
static bool is_spoofed(const struct netif *netif, const uint8_t *ip)
{
    const struct net_host *host = net_service();
    uint32_t source = header_source(ip), first = source & 0xff; /* of its bytes */

    return (net_is_local(host, source) && !is_loop(netif)) || first == 0 || first >= 224 ||
           (~host->mask && source == (host->address | ~host->mask));
}

/* The other way round as well: what a program may send over the loop interface, its filter tells by
 * the lower half of the address. What netd has put together comes there, too. */
static bool is_spoofed6(const struct netif *netif, const uint8_t *ip, const uint8_t *frame)
{
    struct net_ipv6 source;

    memcpy(&source, ip + IPV6_SOURCE - ETH_SIZE, sizeof source);
    return net_ipv6_is_any(&source) || net_ipv6_is_group(&source) || net_ipv6_is_mapped(&source) ||
           (net_ipv6_is_local(&source) != is_loop(netif) &&
            !(is_loop(netif) && net_is_told(net_slot_of(frame))));
}

/* Before lwIP sees a segment that opens a connection, or resets one. */
static __attribute__((noinline)) void look_at_waiting(const struct net_segment *packet)
{
    bool is_six = *packet->ip >> 4 == 6;
    struct net_ipv6 source = {{0, 0, NET_WIRE32(0xffff), 0}}, destination = source;

    if (is_six) {
        memcpy(&source, packet->ip + IPV6_SOURCE - ETH_SIZE, sizeof source);
        memcpy(&destination, packet->ip + IPV6_DESTINATION - ETH_SIZE, sizeof destination);
        net_lwip_look_at_addresses();
    } else {
        memcpy(&source.words[3], packet->ip + IPV4_SOURCE - ETH_SIZE, 4);
        memcpy(&destination.words[3], packet->ip + IPV4_DESTINATION - ETH_SIZE, 4);
    }
    const ip_addr_t from = net_lwip_address(&source), to = net_lwip_address(&destination);
    net_lwip_end_waiting(&from, &to, packet->tcp);
}

/* An interface's link-local addresses aren't others' for lwIP, so it is told the one that has what
 * the packet is for, whichever ring it came by. */
static err_t input6(struct pbuf *p)
{
    ip6_addr_t to;

    memcpy(to.addr, (const uint8_t *)p->payload + IPV6_DESTINATION - ETH_SIZE, sizeof to.addr);
    return ip6_input(p, net_lwip_route6(&to));
}

/* A segment in IPv4. What ip4_input would look at, the filter and net_segment_read have seen to. */
static void input4(struct pbuf *p, struct netif *netif, const struct net_segment *packet)
{
    const net_word4 *ip = __builtin_assume_aligned(packet->ip, 4);

    ip_data.current_netif = ip_data.current_input_netif = netif;
    ip_data.current_ip4_header = (const struct ip_hdr *)packet->ip;
    ip_data.current_ip_header_tot_len = (u16_t)(packet->size - packet->length);
    ip_addr_set_ip4_u32_val(ip_data.current_iphdr_src, ip[(IPV4_SOURCE - ETH_SIZE) / 4]);
    ip_addr_set_ip4_u32_val(ip_data.current_iphdr_dest, ip[(IPV4_DESTINATION - ETH_SIZE) / 4]);
    tcp_input(p, netif);
    ip_data.current_netif = ip_data.current_input_netif = NULL;
    ip_data.current_ip4_header = NULL;
}

/* What is no segment. */
static __attribute__((noinline)) void look_for_note(const struct netif *netif, const uint8_t *frame,
                                                    size_t length)
{
    if (is_loop(netif) && net_is_told(net_slot_of(frame)))
        net_lwip_told(frame, length);
}

/* By its type, as for the port's filter, which has looked at nothing of the other family. */
static inline bool is_ipv6(const uint8_t *frame)
{
    return *(const net_word2 *)__builtin_assume_aligned(frame + ETH_TYPE, 2) ==
           NET_WIRE16(ETH_TYPE_IPV6);
}

void net_lwip_input(struct netif *netif, uint8_t *frame, size_t length)
{
    struct borrowed borrowed = {.pbuf.custom_free_function = give_back};
    struct net_segment packet;
    struct pbuf *p;

    if (__builtin_expect(is_ipv6(frame), 0)) {
        if (!net_segment6_read(frame, length, &packet)) {
            look_for_note(netif, frame, length);
            return;
        }
        if (is_spoofed6(netif, packet.ip, frame))
            return;
    } else if (!net_segment_read(frame, length, &packet)) {
        look_for_note(netif, frame, length);
        return;
    } else if (is_spoofed(netif, packet.ip))
        return;
    if (__builtin_expect(net_lwip_gone != NULL, 0) && net_lwip_is_gone(packet.ip, packet.tcp))
        return;
    uint8_t kind = packet.tcp[TCP_OFFSET + 1] & (TCP_SYN | TCP_RST | TCP_ACK);
    if (__builtin_expect(kind != TCP_ACK, 0)) {
        if (kind == 0) /* RFC 9293, 3.10.7.4: lwIP would take its data */
            return;
        if (kind == TCP_SYN || kind & TCP_RST)
            look_at_waiting(&packet);
    }
    bool is_four = *packet.ip >> 4 == 4;
    size_t before = is_four ? (size_t)(packet.tcp - packet.ip) : 0, size = packet.size - before;
    bool stays = !(packet.tcp[TCP_OFFSET + 1] & NO_SLOTS) && (!packet.data || is_next(&packet));
    if (stays && packet.data && packet.length - packet.data == TCP_HLEN &&
        net_lwip_take_next(tcp_active_pcbs, packet.tcp, packet.data))
        return;
    if (stays) {
        p = pbuf_alloced_custom(PBUF_RAW, (u16_t)size, PBUF_REF, &borrowed.pbuf,
                                frame + ETH_SIZE + before, (u16_t)size);
    } else {
        p = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);
        if (p)
            pbuf_take(p, packet.ip + before, (u16_t)size);
    }
    if (p && is_four)
        input4(p, netif, &packet);
    else if (p && input6(p) != ERR_OK)
        pbuf_free(p);
    if (packet.tcp[TCP_OFFSET + 1] & TCP_SYN && tcp_active_pcbs &&
        tcp_active_pcbs->state == SYN_RCVD)
        net_lwip_quicken(tcp_active_pcbs); /* the newest is in front */
    LWIP_ASSERT("a segment in a slot was kept", !stays || borrowed.is_free);
}
