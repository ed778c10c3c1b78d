/*
 * Frames over a UNIX datagram socket.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "bench/client/bytes.h"
#include "bench/client/wire.h"

#define ETHERNET      14
#define TYPE_IPV4     0x0800
#define TYPE_ARP      0x0806
#define ARP_LENGTH    28
#define ARP_REQUEST   1
#define ARP_REPLY     2
#define IP_LENGTH     20
#define UDP_LENGTH    8
#define PROTOCOL_UDP  17
#define RESOLVE_EVERY 100000000ULL

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

uint64_t wire_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int set_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path)) {
        fprintf(stderr, "bench-client: %s: longer than the %zu bytes of a socket's path\n", path,
                sizeof(address->sun_path) - 1);
        return -1;
    }
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

int wire_open(struct wire *wire, const char *local, const char *remote)
{
    struct sockaddr_un here, there;
    if (set_address(&here, local) < 0 || set_address(&there, remote) < 0)
        return -1;
    wire->local = local;
    wire->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (wire->fd < 0) {
        perror("bench-client: socket");
        return -1;
    }
    unlink(local);
    if (bind(wire->fd, (struct sockaddr *)&here, sizeof(here)) < 0) {
        fprintf(stderr, "bench-client: %s: %s\n", local, strerror(errno));
    } else if (connect(wire->fd, (struct sockaddr *)&there, sizeof(there)) < 0) {
        fprintf(stderr, "bench-client: %s: %s; start QEMU with -netdev dgram first\n", remote,
                strerror(errno));
        unlink(local);
    } else {
        /* A QEMU that has stopped reading must not hang the client. */
        struct timeval limit = {.tv_sec = 2};
        setsockopt(wire->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        return 0;
    }
    close(wire->fd);
    return -1;
}

void wire_close(struct wire *wire)
{
    close(wire->fd);
    unlink(wire->local);
}

int wire_send(const struct wire *wire, const void *frame, size_t length)
{
    return send(wire->fd, frame, length, 0) < 0 ? -1 : 0;
}

long wire_receive(const struct wire *wire, void *frame, size_t size, uint64_t deadline,
                  uint64_t *arrival)
{
    for (;;) {
        long length = recv(wire->fd, frame, size, MSG_DONTWAIT);
        *arrival = wire_now();
        if (length > 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
            return length;
        if (*arrival >= deadline)
            return 0;
        uint64_t left = deadline - *arrival;
        struct timespec wait = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
        struct pollfd ready = {.fd = wire->fd, .events = POLLIN};
        if (ppoll(&ready, 1, &wait, NULL) < 0 && errno != EINTR)
            return -1;
    }
}

/* Of an IPv4 header and the UDP datagram behind it: the pseudo header's sum and the datagram's. */
static uint32_t udp_sum(const uint8_t *ip, size_t udp_length)
{
    uint32_t sum = PROTOCOL_UDP + (uint32_t)udp_length;
    sum = checksum_add(sum, ip + 12, 8);
    return checksum_add(sum, ip + IP_LENGTH, udp_length);
}

size_t wire_datagram(const struct wire *wire, uint8_t *frame, const void *payload, size_t length,
                     uint16_t id)
{
    uint8_t *ip = frame + ETHERNET, *udp = ip + IP_LENGTH;
    memset(frame, 0, UDP_HEADERS);
    memcpy(frame, wire->guest.mac, 6);
    memcpy(frame + 6, wire->self.mac, 6);
    put16(frame + 12, TYPE_IPV4);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IP_LENGTH + UDP_LENGTH + length));
    put16(ip + 4, id);
    ip[8] = 64;
    ip[9] = PROTOCOL_UDP;
    put32(ip + 12, wire->self.address);
    put32(ip + 16, wire->guest.address);
    put16(ip + 10, ~checksum_add(0, ip, IP_LENGTH));
    put16(udp, wire->self.port);
    put16(udp + 2, wire->guest.port);
    put16(udp + 4, (uint32_t)(UDP_LENGTH + length));
    memcpy(udp + UDP_LENGTH, payload, length);
    uint32_t sum = ~udp_sum(ip, UDP_LENGTH + length) & 0xffff;
    put16(udp + 6, sum ? sum : 0xffff);
    return UDP_HEADERS + length;
}

const uint8_t *wire_payload(const struct wire *wire, const uint8_t *frame, size_t frame_length,
                            size_t *length)
{
    const uint8_t *ip = frame + ETHERNET, *udp = ip + IP_LENGTH;
    if (frame_length < UDP_HEADERS || memcmp(frame, wire->self.mac, 6) != 0 ||
        memcmp(frame + 6, wire->guest.mac, 6) != 0 || get16(frame + 12) != TYPE_IPV4)
        return NULL;
    size_t total = get16(ip + 2);
    if (ip[0] != 0x45 || ip[9] != PROTOCOL_UDP || (get16(ip + 6) & 0x3fff) != 0 ||
        total < IP_LENGTH + UDP_LENGTH || total > frame_length - ETHERNET ||
        checksum_add(0, ip, IP_LENGTH) != 0xffff || get32(ip + 12) != wire->guest.address ||
        get32(ip + 16) != wire->self.address)
        return NULL;
    size_t udp_length = get16(udp + 4);
    if (udp_length != total - IP_LENGTH || get16(udp) != wire->guest.port ||
        get16(udp + 2) != wire->self.port ||
        (get16(udp + 6) != 0 && udp_sum(ip, udp_length) != 0xffff))
        return NULL;
    *length = udp_length - UDP_LENGTH;
    return udp + UDP_LENGTH;
}

/* Builds an ARP frame from self; returns its length. */
static size_t arp_frame(const struct wire *wire, uint8_t *frame, uint32_t operation,
                        const uint8_t to[6], const uint8_t target_mac[6], uint32_t target)
{
    static const uint8_t head[] = {0, 1, 8, 0, 6, 4};
    uint8_t *arp = frame + ETHERNET;
    memcpy(frame, to, 6);
    memcpy(frame + 6, wire->self.mac, 6);
    put16(frame + 12, TYPE_ARP);
    memcpy(arp, head, sizeof(head));
    put16(arp + 6, operation);
    memcpy(arp + 8, wire->self.mac, 6);
    put32(arp + 14, wire->self.address);
    memcpy(arp + 18, target_mac, 6);
    put32(arp + 24, target);
    return ETHERNET + ARP_LENGTH;
}

/* The ARP packet of this operation for self's address in a frame, or NULL. */
static const uint8_t *arp_packet(const struct wire *wire, const uint8_t *frame, size_t length,
                                 uint32_t operation)
{
    const uint8_t *arp = frame + ETHERNET;
    if (length < ETHERNET + ARP_LENGTH || get16(frame + 12) != TYPE_ARP ||
        get16(arp + 6) != operation || get32(arp + 24) != wire->self.address)
        return NULL;
    return arp;
}

bool wire_answer_arp(const struct wire *wire, const uint8_t *frame, size_t length)
{
    const uint8_t *arp = arp_packet(wire, frame, length, ARP_REQUEST);
    if (!arp)
        return false;
    uint8_t answer[ETHERNET + ARP_LENGTH];
    wire_send(wire, answer, arp_frame(wire, answer, ARP_REPLY, arp + 8, arp + 8, get32(arp + 14)));
    return true;
}

/* Waits until deadline for the answer to an ARP request; says whether it came. */
static bool take_arp_reply(struct wire *wire, uint64_t deadline)
{
    uint8_t frame[FRAME_MAX];
    uint64_t arrival;
    long length;
    while ((length = wire_receive(wire, frame, sizeof(frame), deadline, &arrival)) > 0) {
        if (wire_answer_arp(wire, frame, (size_t)length))
            continue;
        const uint8_t *arp = arp_packet(wire, frame, (size_t)length, ARP_REPLY);
        if (arp && get32(arp + 14) == wire->guest.address) {
            memcpy(wire->guest.mac, arp + 8, 6);
            return true;
        }
    }
    return false;
}

int wire_resolve(struct wire *wire, uint64_t deadline)
{
    static const uint8_t unknown[6];
    uint8_t frame[ETHERNET + ARP_LENGTH];
    uint64_t now;
    while ((now = wire_now()) < deadline) {
        uint64_t next = now + RESOLVE_EVERY < deadline ? now + RESOLVE_EVERY : deadline;
        wire_send(wire, frame,
                  arp_frame(wire, frame, ARP_REQUEST, broadcast, unknown, wire->guest.address));
        if (take_arp_reply(wire, next))
            return 0;
    }
    uint32_t a = wire->guest.address;
    fprintf(stderr, "bench-client: nobody answers ARP for %u.%u.%u.%u\n", a >> 24, a >> 16 & 255,
            a >> 8 & 255, a & 255);
    return -1;
}
