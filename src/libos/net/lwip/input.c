/*
 * Into lwIP. Slots come free in their order, and TCP may keep a segment for as long as it likes, so
 * segments are copied from them; but those that TCP is done with when it returns are read where
 * they are: what carries no data, and what comes next in a connection whose receiver copies
 * (lwip.h).
 */
#include "libos/net/headers.h"
#include "libos/net/lwip/internal.h"
#include "libos/net/parse.h"
#include "lwip/priv/tcp_priv.h"

tcp_recv_fn net_lwip_copies;

#define DATA_AT  12 /* in TCP's header: its length, in words in the upper half; flags behind it */
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

/* An IPv4 packet with a segment of TCP in it. */
struct packet {
    const uint8_t *ip, *tcp;
    size_t size, segment, data; /* bytes: of all, of the segment, and of its data */
};

/*
 * Lengths that fit and sums that are right: as strict as lwIP, which is spared it. At an address
 * that is 4 modulo 8.
 */
static bool read_packet(const uint8_t *frame, size_t length, struct packet *p)
{
    if (length < ETH_SIZE + IPV4_LEAST + TCP_HLEN)
        return false;
    size_t header = (frame[IPV4_FIRST] & 0xfu) * 4;
    *p = (struct packet){.ip = frame + ETH_SIZE, .size = net_get16(frame + IPV4_LENGTH)};
    if (frame[IPV4_FIRST] >> 4 != 4 || header < IPV4_LEAST || p->size > length - ETH_SIZE ||
        p->size < header + TCP_HLEN)
        return false;
    p->tcp = p->ip + header;
    p->segment = p->size - header;
    size_t offset = (size_t)(p->tcp[DATA_AT] >> 4) * 4;
    if (offset < TCP_HLEN || offset > p->segment)
        return false;
    p->data = p->segment - offset;
    const net_word4 *addresses = __builtin_assume_aligned(frame + IPV4_SOURCE, 8);
    uint64_t pseudo = (uint64_t)addresses[0] + addresses[1] + NET_WIRE16((uint16_t)p->segment) +
                      NET_WIRE16(IPV4_TCP);
    pseudo = (pseudo & 0xffffffff) + (pseudo >> 32);
    uint32_t folded = (uint32_t)((pseudo & 0xffff) + (pseudo >> 16));
    return net_fold(net_sum(0, p->ip, header)) == 0 &&
           net_fold(net_sum(folded, p->tcp, p->segment)) == 0;
}

/* Whether that is what the connection that was heard last waits for, which lwIP keeps in front. */
static bool is_next(const struct packet *p)
{
    const struct tcp_pcb *pcb = tcp_active_pcbs;
    const struct tcp_hdr *header = (const struct tcp_hdr *)p->tcp;

    return pcb && pcb->recv == net_lwip_copies && pcb->state == ESTABLISHED && !pcb->ooseq &&
           !pcb->refused_data && header->seqno == lwip_htonl(pcb->rcv_nxt) &&
           header->src == lwip_htons(pcb->remote_port) &&
           header->dest == lwip_htons(pcb->local_port) && p->data <= pcb->rcv_wnd &&
           !memcmp(p->ip + 12, &pcb->remote_ip, sizeof(u32_t));
}

/* In the name of the machine's own addresses, which aren't on any wire. */
static bool is_spoofed(const struct netif *netif, const uint8_t *ip)
{
    uint32_t source = *(const net_word4 *)__builtin_assume_aligned(ip + 12, 4);

    return net_is_local(net_service(), source) && !ip4_addr_isloopback(netif_ip4_addr(netif));
}

void net_lwip_input(struct netif *netif, uint8_t *frame, size_t length)
{
    struct borrowed borrowed = {.pbuf.custom_free_function = give_back};
    struct packet packet;
    struct pbuf *p;

    if (!read_packet(frame, length, &packet) || is_spoofed(netif, packet.ip))
        return;
    bool stays = !(packet.tcp[DATA_AT + 1] & NO_SLOTS) && (!packet.data || is_next(&packet));
    if (stays) {
        p = pbuf_alloced_custom(PBUF_RAW, (u16_t)packet.size, PBUF_REF, &borrowed.pbuf,
                                frame + ETH_SIZE, (u16_t)packet.size);
    } else {
        p = pbuf_alloc(PBUF_RAW, (u16_t)packet.size, PBUF_RAM);
        if (p)
            pbuf_take(p, packet.ip, (u16_t)packet.size);
    }
    if (p && netif->input(p, netif) != ERR_OK)
        pbuf_free(p);
    if (packet.tcp[DATA_AT + 1] & TCP_SYN && tcp_active_pcbs && tcp_active_pcbs->state == SYN_RCVD)
        net_lwip_quicken(tcp_active_pcbs); /* the newest is in front */
    LWIP_ASSERT("a segment in a slot was kept", !stays || borrowed.is_free);
}
