/*
 * What netd's process reads: a sequence of frames, each behind two bytes of its length. Fragments
 * are put together as by somebody who keeps each byte and who wrote it; ICMP errors and notes lie
 * inside their frames, and a note is written as it was read.
 */
#include <assert.h>
#include <stdlib.h>

#include "dhcp_message.h"
#include "fragments.h"
#include "icmp_error.h"
#include "libos/net/datagram.h"
#include "libos/net/dns.h"
#include "libos/net/parse.h"
#include "libos/net/pieces.h"
#include "outgoing.h"
#include "whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BEGIN (ETH_SIZE + IPV4_LEAST)

/* The oracle follows one datagram: the first that comes. */
static void key_of(const uint8_t *frame, uint8_t key[11])
{
    key[0] = frame[IPV4_PROTOCOL];
    memcpy(key + 1, frame + ETH_SIZE + 4, 2);
    memcpy(key + 3, frame + IPV4_SOURCE, 8);
}

/* A frame made whole: its lengths and its header's sum. */
static void put_right(uint8_t *frame, size_t length)
{
    if (length < BEGIN)
        return;
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(frame + IPV4_LENGTH, (uint16_t)(length - ETH_SIZE));
    net_put16(frame + ETH_SIZE + 10, 0);
    uint16_t sum = net_fold(net_sum(0, frame + ETH_SIZE, IPV4_LEAST));
    memcpy(frame + ETH_SIZE + 10, &sum, 2);
}

/* An ICMPv6 error to who has sent what it quotes; of any type, the first byte's. */
static void put_right6(uint8_t *frame, size_t length)
{
    uint8_t *icmp = frame + ETH_SIZE + IPV6_SIZE, *quote = icmp + 8;

    if (length < ETH_SIZE + IPV6_SIZE + 8 + IPV6_SIZE + 8)
        return;
    size_t size = length - ETH_SIZE - IPV6_SIZE;
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = quote[0] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)size);
    frame[IPV6_NEXT] = IPV6_ICMP;
    memcpy(frame + IPV6_DESTINATION, quote + 8, 16);
    memset(icmp + 2, 0, 2);
    uint16_t sum = net_ipv6_sum(frame, icmp, size, IPV6_ICMP);
    memcpy(icmp + 2, &sum, 2);
}

static void check_fragment(const uint8_t *frame, size_t length)
{
    struct fragments_datagram whole = {0};
    struct fragments_piece piece;
    uint8_t key[11];
    bool is_whole = fragments_read(frame, length, &piece) && fragments_add(&piece, 0, &whole);

    if (length <= BEGIN)
        return;
    uint16_t word = net_get16(frame + IPV4_FRAGMENT);
    size_t at = (word & 0x1fff) * 8u, size = length - BEGIN;
    bool more = word & 0x2000;
    if ((!at && !more) || (more && size % 8) || at + size > FRAGMENTS_DATA_MAX) {
        assert(!is_whole);
        return;
    }
    key_of(frame, key);
    if (!oracle.is_on) {
        oracle.is_on = true;
        memcpy(oracle.key, key, sizeof key);
    }
    if (memcmp(oracle.key, key, sizeof key))
        return;
    assert(oracle_add(frame + BEGIN, at, size, more, false) == is_whole);
    if (!is_whole)
        return;
    assert(whole.size == oracle.end && !memcmp(whole.data, oracle.bytes, whole.size));
    memset(&oracle, 0, sizeof oracle);
    fragments_forget();
}

static void check_error6(const uint8_t *frame, size_t length, const struct net_note *n)
{
    const uint8_t *icmp = frame + ETH_SIZE + IPV6_SIZE, *quote = icmp + 8;
    size_t size = net_get16(frame + IPV6_LENGTH);

    assert(size >= 8 + IPV6_SIZE + 8 && ETH_SIZE + IPV6_SIZE + size <= length);
    assert(net_ipv6_sum(frame, icmp, size, IPV6_ICMP) == 0);
    assert(n->kind == NOTE_ERROR && n->type == icmp[0] && n->type >= 1 && n->type <= 4);
    assert(n->protocol == quote[6] && (n->protocol == IPV4_UDP || n->protocol == IPV4_TCP));
    assert(!memcmp(&n->source, quote + 24, 16) && !memcmp(&n->destination, quote + 8, 16));
    assert(!memcmp(&n->destination, frame + IPV6_DESTINATION, 16));
    assert(!memcmp(&n->destination_port, quote + IPV6_SIZE, 2));
    assert(n->type != NOTE6_TOO_BIG || n->mtu >= 1280);
}

static void check_error(const uint8_t *frame, size_t length)
{
    struct net_note n;

    if (!icmp_error_read(frame, length, &n))
        return;
    if (net_note_is_ipv6(&n)) {
        check_error6(frame, length, &n);
        return;
    }
    assert(length >= BEGIN + 8 + IPV4_LEAST + 8);
    assert(net_fold(net_sum(0, frame + BEGIN, net_get16(frame + IPV4_LENGTH) - 20u)) == 0);
    const uint8_t *quote = frame + BEGIN + 8, *ports = quote + (quote[0] & 0xf) * 4;
    assert(n.kind == NOTE_ERROR && n.type == frame[BEGIN] && n.protocol == quote[9]);
    assert(!memcmp(&n.source.words[3], quote + 16, 4) &&
           !memcmp(&n.destination.words[3], quote + 12, 4));
    assert(ports + 8 <= frame + length && !memcmp(&n.destination_port, ports, 2));
}

/* What a program hands over to be sent in fragments: whole, and with a right sum. */
static void check_outgoing(const uint8_t *frame, size_t length)
{
    struct fragments_datagram d;

    if (!outgoing_take(frame, length, &d))
        return;
    assert(d.size > UDP_SIZE && d.size == net_get16(d.data + UDP_LENGTH));
    assert(net_get16(d.data + UDP_CHECKSUM) && fragments_sum(&d) == 0);
    assert(!memcmp(d.mac, frame, 6) && d.protocol == IPV4_UDP);
}

static void check_note(const uint8_t *frame, size_t length)
{
    static struct net_pieces pieces;
    uint8_t again[AEGIS_FRAME_MAX];
    struct net_note n, m;
    struct net_datagram d;

    if (length > AEGIS_FRAME_MAX || !net_note_read(frame, length, &n))
        return;
    assert(n.payload + n.size <= frame + length && n.at + n.size <= (n.total ? n.total : n.size));
    size_t size = net_note_write(again, &n);
    size_t headers = net_note_is_ipv6(&n) ? NOTE6_HEADERS : NOTE_HEADERS;
    assert(size == headers + n.size && net_note_read(again, size, &m));
    assert(m.kind == n.kind && m.at == n.at && m.total == n.total &&
           net_ipv6_equal(&m.source, &n.source) && m.mtu == n.mtu && m.sequence == n.sequence &&
           !memcmp(m.payload, n.payload, n.size));
    if (n.kind == NOTE_PIECE)
        net_pieces_take(&pieces, &n);
    if (net_pieces_whole(&pieces, &d))
        net_pieces_forget(&pieces);
}

/* Servers of names are machines; domains are names, with one blank between two. */
static void check_names(const struct dhcp_lease *l)
{
    uint8_t question[DNS_QUESTION_MAX];
    char name[DHCP_SEARCH_MAX];

    for (int i = 0; i < DHCP_SERVERS; i++)
        assert(l->dns[i] ? l->dns[i] >> 24 && l->dns[i] >> 29 != 7
                         : i + 1 == DHCP_SERVERS || !l->dns[i + 1]);
    assert(memchr(l->search, 0, sizeof l->search));
    for (const char *at = l->search; *at;) {
        size_t length = strcspn(at, " ");
        memcpy(name, at, length);
        name[length] = 0;
        assert(dns_ask(question, 0, name, DNS_A));
        at += length;
        assert(!*at || at[1]);
        at += *at == ' ';
    }
}

#define USUAL 261 /* where options go on behind the usual ones */

/* Any options of a DHCP server's that answers what was asked: whatever comes of it can be used. */
static void check_lease(const uint8_t *bytes, size_t size)
{
    static const uint8_t mac[6] __attribute__((aligned(2))) = {2, 0, 0, 0, 0, 9};
    static struct {
        uint8_t gap[NET_FRAME_LEAD], frame[AEGIS_FRAME_MAX];
    } in __attribute__((aligned(8))), sent __attribute__((aligned(8)));
    uint8_t *m = in.frame + NET_DATAGRAM_HEADERS;
    struct dhcp_out out = {.frame = sent.frame};
    struct net_datagram d = {.source_port = NET_WIRE16(67), .destination_port = NET_WIRE16(68)};
    struct dhcp c;

    bool is_usual = size > 4 && bytes[4] & 1; /* options behind those that make a lease */
    if (size < (is_usual ? 5 : 200))
        return;
    d.size = is_usual ? USUAL + size - 5 : size;
    d.size = d.size < 1400 ? d.size : 1400;
    memset(m, 0, 1472);
    memcpy(m + 16, bytes, 4);
    if (is_usual)
        memcpy(m + USUAL, bytes + 5, d.size - USUAL);
    else
        memcpy(m + 44, bytes + 4, d.size - 44);
    m[0] = 2;
    m[1] = 1;
    m[2] = 6;
    memcpy(m + 28, mac, 6);
    if (is_usual) {
        memcpy(m + 16, "\12\0\2\143", 4);
        memcpy(m + 240, "\65\1\2\66\4\12\0\2\2\63\4\0\0\3\350\1\4\377\377\377\0", USUAL - 240);
    }
    net_put32(m + 4, 7);
    net_put32(m + 236, 0x63825363);
    size_t length = net_datagram_write(in.frame, &d, mac, mac, 64);
    dhcp_begin(&c, mac, 0);
    uint64_t now = 0;
    for (int i = 0; i < 8; i++) {
        dhcp_tick(&c, now, 7, &out);
        assert(out.size <= DHCP_FRAME);
        m[245 - 3] = i % 2 ? DHCP_ACK : DHCP_OFFER; /* where option 53 mostly stands */
        net_datagram_write(in.frame, &d, mac, mac, 64);
        if (dhcp_receive(&c, in.frame, length, now, &out) == DHCP_HAVE) {
            const struct dhcp_lease *l = &c.lease;
            assert(l->seconds >= 4 && l->renew && l->renew <= l->rebind && l->rebind <= l->seconds);
            assert(l->prefix >= 1 && l->prefix <= 32 && l->address >> 24 && l->address >> 29 != 7);
            check_names(l);
            assert(!l->router || !((l->router ^ l->address) >> (32 - l->prefix)));
        }
        assert(c.state < DHCP_BOUND || c.lease.seconds);
        now = c.due == UINT64_MAX ? now : c.due > now ? c.due : now + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_lease(data, size);
    fragments_forget();
    memset(&oracle, 0, sizeof oracle);
    for (int frames = 0; size > 2 && frames < 12; frames++) { /* fewer than make others' room */
        size_t length = (size_t)(data[0] << 8 | data[1]) % 1600;
        length = length < size - 2 ? length : size - 2;
        uint8_t *frame = malloc(length + 1);
        memcpy(frame, data + 2, length);
        check_note(frame, length);
        check_outgoing(frame, length);
        check_error(frame, length);
        put_right(frame, length);
        if (length > IPV4_SOURCE + 8)
            memset(frame + IPV4_SOURCE, frame[IPV4_SOURCE] & 1, 8);
        if (length > ETH_SIZE + 6)
            memset(frame + ETH_SIZE + 4, 0, 2);
        put_right(frame, length);
        check_error(frame, length);
        check_fragment(frame, length);
        put_right6(frame, length);
        check_error(frame, length);
        free(frame);
        data += 2 + length;
        size -= 2 + length;
    }
    fragments_forget();
    outgoing_forget();
    return 0;
}
