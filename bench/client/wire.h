/*
 * The client's end of the wire: Ethernet frames as datagrams of a UNIX socket, as QEMU's
 * `-netdev dgram,local.type=unix,local.path=A,remote.type=unix,remote.path=B` speaks it; and the
 * frames of ARP (RFC 826) and UDP (RFC 768) over IPv4 (RFC 791) that the client exchanges.
 */
#ifndef BENCH_CLIENT_WIRE_H
#define BENCH_CLIENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX   1514
#define UDP_HEADERS 42 /* Ethernet, IPv4 without options, UDP */
#define PAYLOAD_MAX (FRAME_MAX - UDP_HEADERS)

/* Both ends of a conversation; addresses and ports in host order. */
struct peer {
    uint8_t mac[6];
    uint32_t address;
    uint16_t port;
};

struct wire {
    int fd;
    const char *local; /* unlinked by wire_close */
    struct peer self, guest;
};

/*
 * Binds local, to which QEMU sends; frames go to remote. Both are paths of at most 107 bytes, owned
 * by the caller. Returns 0, or -1 with a sentence on stderr.
 */
int wire_open(struct wire *wire, const char *local, const char *remote);
void wire_close(struct wire *wire);

/* Sends a frame. Returns 0, or -1 with errno: ENOENT and ECONNREFUSED say that no QEMU listens. */
int wire_send(const struct wire *wire, const void *frame, size_t length);

/*
 * Waits until a frame comes, at most until deadline (CLOCK_MONOTONIC, ns). Returns its length and
 * puts the moment of its arrival in *arrival; 0 when the deadline passed; -1 with errno.
 */
long wire_receive(const struct wire *wire, void *frame, size_t size, uint64_t deadline,
                  uint64_t *arrival);

/* Now, by CLOCK_MONOTONIC in nanoseconds. */
uint64_t wire_now(void);

/* Builds in frame the UDP datagram from self to guest with a payload of length bytes; returns its
 * length. */
size_t wire_datagram(const struct wire *wire, uint8_t *frame, const void *payload, size_t length,
                     uint16_t id);

/*
 * The payload of a frame if it is a well-formed datagram from guest to self: addresses, ports,
 * lengths and both checksums right. Otherwise NULL. *length is the payload's.
 */
const uint8_t *wire_payload(const struct wire *wire, const uint8_t *frame, size_t frame_length,
                            size_t *length);

/* Answers the guest's ARP request for self's address; says whether the frame was one. */
bool wire_answer_arp(const struct wire *wire, const uint8_t *frame, size_t length);

/*
 * Asks by ARP for the guest's hardware address, every 100 ms until deadline (ns). Returns 0 when it
 * is in wire->guest.mac, or -1 with a sentence on stderr.
 */
int wire_resolve(struct wire *wire, uint64_t deadline);

#endif
