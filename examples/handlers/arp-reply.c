/*
 * Answers ARP requests for one address (RFC 826) in the kernel.
 *
 *   aegisctl load 'arp' --handler examples/handlers/arp-reply.c
 *
 * The address and the hardware address that belongs to it are variables of the handler: the
 * application that owns the handler writes them to its map .data, or they are changed here.
 */
#include <linux/bpf.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

volatile __u8 own_address[4] = {10, 0, 2, 15};
volatile __u8 own_mac[ETH_ALEN] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

/* ARP for Ethernet and IPv4. */
struct arp {
    struct arphdr head;
    __u8 sender_mac[ETH_ALEN];
    __u8 sender[4];
    __u8 target_mac[ETH_ALEN];
    __u8 target[4];
} __attribute__((packed));

SEC("xdp")
int arp_reply(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct arp *arp = data + sizeof *eth;

    if ((void *)(arp + 1) > end || eth->h_proto != bpf_htons(ETH_P_ARP))
        return XDP_PASS;
    if (arp->head.ar_hrd != bpf_htons(ARPHRD_ETHER) || arp->head.ar_pro != bpf_htons(ETH_P_IP) ||
        arp->head.ar_hln != ETH_ALEN || arp->head.ar_pln != 4 ||
        arp->head.ar_op != bpf_htons(ARPOP_REQUEST))
        return XDP_PASS;
    for (int i = 0; i < 4; i++)
        if (arp->target[i] != own_address[i])
            return XDP_PASS;

    arp->head.ar_op = bpf_htons(ARPOP_REPLY);
    for (int i = 0; i < 4; i++) {
        arp->target[i] = arp->sender[i];
        arp->sender[i] = own_address[i];
    }
    for (int i = 0; i < ETH_ALEN; i++) {
        arp->target_mac[i] = eth->h_dest[i] = arp->sender_mac[i];
        arp->sender_mac[i] = eth->h_source[i] = own_mac[i];
    }
    return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
