/*
 * Turning requests into answers in place.
 */
#include "bench/limit/frame.h"

#define TYPE_IPV4    SWAP16(0x0800)
#define TYPE_ARP     SWAP16(0x0806)
#define ARP_REQUEST  SWAP16(1)
#define ARP_REPLY    SWAP16(2)
#define ARP_ETHERNET SWAP16(1)
#define IP_VERSION4  0x45           /* header of five words: no options */
#define IP_FRAGMENT  SWAP16(0x3fff) /* MORE, and the offset */
#define IP_UDP       17

static void answer_to_sender(struct frame *frame, const uint8_t mac[6])
{
    __builtin_memcpy(frame->destination, frame->source, 6);
    __builtin_memcpy(frame->source, mac, 6);
}

static bool answer_arp(struct frame *frame, uint32_t length, uint32_t address, const uint8_t mac[6])
{
    struct arp *arp = &frame->arp;
    if (length < ETHERNET_HEADER + sizeof(*arp) || arp->hardware != ARP_ETHERNET ||
        arp->protocol != TYPE_IPV4 || arp->operation != ARP_REQUEST || arp->target != address)
        return false;
    arp->operation = ARP_REPLY;
    __builtin_memcpy(arp->target_mac, arp->sender_mac, 6);
    __builtin_memcpy(arp->sender_mac, mac, 6);
    arp->target = arp->sender;
    arp->sender = address;
    answer_to_sender(frame, mac);
    return true;
}

static bool answer_udp(struct frame *frame, uint32_t length, uint32_t address, const uint8_t mac[6])
{
    struct ip_udp *ip = &frame->ip;
    if (length < ETHERNET_HEADER + sizeof(*ip) || ip->version_length != IP_VERSION4 ||
        ip->protocol != IP_UDP || (ip->fragment & IP_FRAGMENT) != 0 || ip->destination != address ||
        ip->destination_port != ECHO_PORT)
        return false;
    ip->destination = ip->source;
    ip->source = address;
    ip->destination_port = ip->source_port;
    ip->source_port = ECHO_PORT;
    answer_to_sender(frame, mac);
    return true;
}

bool frame_answer(struct frame *frame, uint32_t length, uint32_t address, const uint8_t mac[6])
{
    if (length < ETHERNET_HEADER)
        return false;
    switch (frame->type) {
    case TYPE_IPV4:
        return answer_udp(frame, length, address, mac);
    case TYPE_ARP:
        return answer_arp(frame, length, address, mac);
    default:
        return false;
    }
}
