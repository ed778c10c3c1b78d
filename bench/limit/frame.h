/*
 * Ethernet frames that the limit answers: ARP (RFC 826) and UDP (RFC 768) over IPv4 (RFC 791).
 */
#ifndef BENCH_LIMIT_FRAME_H
#define BENCH_LIMIT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define SWAP16(x) ((uint16_t)((x) << 8 | (x) >> 8)) /* the network's byte order */

struct arp {
    uint16_t hardware, protocol;
    uint8_t hardware_size, protocol_size;
    uint16_t operation;
    uint8_t sender_mac[6];
    uint32_t sender;
    uint8_t target_mac[6];
    uint32_t target;
} __attribute__((packed));

struct ip_udp {
    uint8_t version_length, service;
    uint16_t length, id, fragment;
    uint8_t lifetime, protocol;
    uint16_t checksum;
    uint32_t source, destination;
    uint16_t source_port, destination_port, udp_length, udp_checksum;
} __attribute__((packed));

struct frame {
    uint8_t destination[6], source[6];
    uint16_t type;
    union {
        struct arp arp;
        struct ip_udp ip;
    };
} __attribute__((packed));

#define ETHERNET_HEADER 14
#define ECHO_PORT       SWAP16(7)

/*
 * Turns a request of length bytes into its answer, in place; the answer is as long. Says whether it
 * is one to answer: an ARP request for address, or an unfragmented UDP datagram without IP options
 * to address, port 7. Exchanging source and destination leaves both checksums valid.
 */
bool frame_answer(struct frame *frame, uint32_t length, uint32_t address, const uint8_t mac[6]);

#endif
