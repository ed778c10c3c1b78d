/*
 * Any frame through netd's handlers, as they are in its program: none aborts, ever, and what they
 * send is an answer to who asked, from our address, with right sums, and hardly longer than what it
 * answers. The first byte of the input says how much of a frame is put right before it is looked
 * at.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apps/netd/handlers/answer.h"
#include "apps/netd/handlers/linger.h"
#include "apps/netd/handlers/queue.h"
#include "ash/ash.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUFFER      2048
#define START       270 /* 6 modulo 8, as frames lie in the device's buffers */
#define LOW         24
#define FRAME_MOST  1514
#define ANSWER_MOST 70 /* of an error */

#define IMAGE(name)                                                                                \
    __asm__(".section .rodata\n.balign 8\n" #name ":\n.incbin \"" #name ".ash\"\n" #name           \
            "_end:\n.previous\n");                                                                 \
    extern const uint8_t name[], name##_end[]
IMAGE(netd_answer);
IMAGE(netd_arp);

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 9}, own_address[4] = {10, 0, 2, 15};
static _Alignas(16) uint8_t stack[ASH_DEPTH_MAX * ASH_STACK_FRAME];
static uint64_t seconds;
static struct net_ipv6_page *page;
static struct linger_set *lingering; /* LINGER_SETS */
static struct queue_ends *ends;
static bool is_left; /* the frame's connection was left to netd */

#define ND_SIZE      (ETH_SIZE + IPV6_SIZE + 24) /* the shortest that is answered or sent */
#define ND_ADVERTISE 136
#define ND_SOLICIT   135

struct handler {
    const uint8_t *image, *end;
    size_t address_at; /* in its .data, behind the hardware address */
    struct ash_image view;
    struct ash_program *program;
    struct ash_run run;
    uint8_t *maps[ASH_MAPS_MAX];
} handlers[] = {{.image = netd_answer, .end = netd_answer_end, .address_at = 8},
                {.image = netd_arp, .end = netd_arp_end, .address_at = 6}};

static uint64_t next_second(void *owner)
{
    (void)owner;
    return seconds++ * 1000000000; /* so that no rate is spent */
}

static uint32_t no_chance(void *owner)
{
    (void)owner;
    return 4;
}

/* The lower half of our IPv6 addresses. */
static void put_identifier(uint8_t *at)
{
    net_put32(at, (uint32_t)(net_ipv6_identifier(own_mac) >> 32));
    net_put32(at + 4, (uint32_t)net_ipv6_identifier(own_mac));
}

static void make_maps(struct handler *h)
{
    for (uint32_t i = 0; i < h->view.header->maps; i++) {
        const struct ash_map_info *map = &h->view.maps[i];
        uint8_t *memory = h->maps[i] = calloc(1, ash_map_size(map) + 8);
        memcpy(memory, h->view.data + map->data, map->data_size);
        if (!strcmp(map->name, ".data")) {
            memcpy(memory, own_mac, 6);
            memcpy(memory + h->address_at, own_address, 4);
        }
        if (!strcmp(map->name, ".data") && h->image == netd_answer) {
            put_identifier(memory + offsetof(struct answer_own, identifier));
            net_put32(memory + offsetof(struct answer_own, hosts), 0xff);
        }
        if (!strcmp(map->name, "lingering"))
            lingering = (struct linger_set *)memory;
        if (!strcmp(map->name, "ends"))
            ends = (struct queue_ends *)memory;
        if (!strcmp(map->name, "ipv6")) {
            page = (struct net_ipv6_page *)memory;
            net_ipv6_link_local(own_mac, &page->link);
        }
        ash_run_map(&h->run, i, memory);
    }
}

static void load(struct handler *h)
{
    static const struct ash_services services = {next_second, no_chance, NULL};
    size_t size = (size_t)(h->end - h->image);
    void *scratch = malloc(ASH_SCRATCH_MAX);

    assert(ash_image_open(h->image, size, &h->view) == 0);
    size_t program = ash_program_size(h->view.header->insns);
    h->program = malloc(program);
    assert(ash_verify_begin(scratch, ASH_SCRATCH_MAX, &h->view, ASH_EVENT_FRAME, ASH_HELPERS_ALL,
                            h->program, program) == 0);
    int state;
    while ((state = ash_verify_step(scratch, 1000)) == ASH_MORE)
        ;
    assert(state == ASH_DONE);
    assert(h->program->guards == 0); /* each access is proved */
    free(scratch);
    ash_run_init(&h->run, h->program, stack, &services, NULL);
    ash_run_room(&h->run, LOW, BUFFER);
    make_maps(h);
}

/* RFC 1071's sum, of 16-bit words with the high byte first. */
static uint32_t plain_sum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static uint32_t pseudo(const uint8_t *frame, size_t size)
{
    return plain_sum((uint32_t)(frame[IPV4_PROTOCOL] + size), frame + IPV4_SOURCE, 8);
}

/* Where TCP, UDP and ICMP have their sums. */
static size_t sum_at(uint8_t protocol)
{
    return protocol == IPV4_TCP ? 16 : protocol == IPV4_UDP ? 6 : 2;
}

/* Where in IPv6 sums are of: the pseudo header, which begins as this. */
static uint32_t pseudo6(const uint8_t *frame, size_t size)
{
    return plain_sum((uint32_t)(frame[IPV6_NEXT] + size), frame + IPV6_SOURCE, 32);
}

/* Next headers that aren't TCP, UDP or ICMPv6: extension headers, and one that nobody speaks. */
static const uint8_t others6[] = {0, 43, 44, 60, 59, 50, 51, 47};

/* A packet to us of one protocol. */
static void put_right_packet6(uint8_t *frame, size_t length, uint8_t how)
{
    uint8_t *l4 = frame + ETH_SIZE + IPV6_SIZE;

    if (length < ETH_SIZE + IPV6_SIZE + 20)
        return;
    const uint8_t protocols[] = {IPV6_ICMP, IPV4_TCP, IPV4_UDP, others6[l4[0] & 7]};
    size_t size = length - ETH_SIZE - IPV6_SIZE;
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)size);
    frame[IPV6_NEXT] = protocols[how >> 3 & 3];
    put_identifier(frame + IPV6_DESTINATION + 8);
    if (!(how & 2))
        return;
    if (frame[IPV6_NEXT] == IPV4_UDP)
        net_put16(l4 + UDP_LENGTH, (uint16_t)size);
    if (frame[IPV6_NEXT] == IPV6_ICMP && how & 4)
        net_put16(l4, 0x8000);
    uint8_t *sum = l4 + sum_at(frame[IPV6_NEXT]);
    net_put16(sum, 0);
    net_put16(sum, (uint16_t)~plain_sum(pseudo6(frame, size), l4, size));
}

/* A message of neighbour discovery, whose type and options stay as they are. */
static void put_right6(uint8_t *frame, size_t length, uint8_t how)
{
    uint8_t *icmp = frame + ETH_SIZE + IPV6_SIZE;

    if (length < ND_SIZE)
        return;
    size_t size = (length - ETH_SIZE - IPV6_SIZE) & ~7UL;
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, (uint16_t)size);
    frame[IPV6_NEXT] = IPV6_ICMP;
    frame[IPV6_HOP_LIMIT] = 255;
    icmp[0] = (uint8_t)(134 + icmp[0] % 3);
    icmp[1] = 0;
    if (how & 2)
        memcpy(icmp + 8, how & 4 ? &page->link : &page->global, 16);
    if (how & 8)
        net_put16(frame + IPV6_SOURCE, 0xfe80);
    net_put16(icmp + 2, 0);
    net_put16(icmp + 2, (uint16_t)~plain_sum(pseudo6(frame, size), icmp, size));
}

#define ARP_RIGHT 0xff

/* A question for us, or an answer, from anybody. */
static void put_right_arp(uint8_t *frame)
{
    static const uint8_t kind[] = {0, 1, 8, 0, 6, 4, 0};

    net_put16(frame + ETH_TYPE, ETH_TYPE_ARP);
    memcpy(frame + ARP_HARDWARE, kind, sizeof kind);
    memcpy(frame + ARP_TARGET + 6, own_address, sizeof own_address);
}

/* Makes it ours: one bit of how for each layer. */
static void put_right(uint8_t *frame, size_t length, uint8_t how)
{
    static const uint8_t protocols[] = {1, IPV4_TCP, IPV4_UDP, 47};
    const size_t header = ETH_SIZE + IPV4_LEAST;

    if (length < header + 20 || !(how & 1))
        return;
    if (how == ARP_RIGHT) {
        put_right_arp(frame);
        return;
    }
    memcpy(frame, own_mac, 6);
    frame[ETH_SOURCE] &= 0xfe;
    net_put16(frame + ETH_TYPE, how & 128 ? ETH_TYPE_ARP : ETH_TYPE_IPV4);
    if (how & 128 && how & 64)
        put_right6(frame, length, how);
    else if (how & 128 && how & 32)
        put_right_packet6(frame, length, how);
    if (how & 128)
        return;
    memcpy(frame + IPV4_DESTINATION, own_address, 4);
    frame[IPV4_FIRST] = 0x45;
    net_put16(frame + IPV4_FRAGMENT, 0);
    frame[IPV4_PROTOCOL] = protocols[how >> 5 & 3];
    if (how & 2)
        net_put16(frame + IPV4_LENGTH, (uint16_t)(length - ETH_SIZE));
    size_t size = net_get16(frame + IPV4_LENGTH) - (size_t)IPV4_LEAST;
    if (how & 4) {
        net_put16(frame + ETH_SIZE + 10, 0);
        net_put16(frame + ETH_SIZE + 10, (uint16_t)~plain_sum(0, frame + IPV4_FIRST, IPV4_LEAST));
    }
    if (!(how & 8) || size > length - header)
        return;
    uint8_t *l4 = frame + header;
    if (frame[IPV4_PROTOCOL] == IPV4_UDP)
        net_put16(l4 + UDP_LENGTH, (uint16_t)size);
    bool is_icmp = frame[IPV4_PROTOCOL] == 1;
    if (is_icmp && how & 16)
        net_put16(l4, 0x0800);
    uint8_t *sum = l4 + sum_at(frame[IPV4_PROTOCOL]);
    net_put16(sum, 0);
    net_put16(sum, (uint16_t)~plain_sum(is_icmp ? 0 : pseudo(frame, size), l4, size));
}

/* An echo, a reset, or an error that quotes what it is about. */
static void check_answer6(const uint8_t *asked, size_t asked_length, const uint8_t *got,
                          size_t length)
{
    const uint8_t *l4 = got + ETH_SIZE + IPV6_SIZE;
    size_t size = net_get16(got + IPV6_LENGTH);
    bool is_right = plain_sum(pseudo6(got, size), l4, size) == 0xffff;

    assert(!memcmp(got, asked + ETH_SOURCE, 6) && got[IPV6_FIRST] == 0x60);
    assert(length == ETH_SIZE + IPV6_SIZE + size && length <= asked_length + IPV6_SIZE + 8);
    assert(!memcmp(got + IPV6_SOURCE, asked + IPV6_DESTINATION, 16));
    assert(!memcmp(got + IPV6_DESTINATION, asked + IPV6_SOURCE, 16));
    if (got[IPV6_NEXT] == IPV4_TCP) {
        assert(is_right && size == 20 && l4[13] & 4);
        assert(!(asked[ETH_SIZE + IPV6_SIZE + 13] & 4));
        return;
    }
    assert(got[IPV6_NEXT] == IPV6_ICMP);
    if (l4[0] == 129) {
        bool was_right =
            plain_sum(pseudo6(asked, size), asked + ETH_SIZE + IPV6_SIZE, size) == 0xffff;
        assert(is_right == was_right && length <= asked_length);
        return;
    }
    assert(is_right && (l4[0] == 1 || l4[0] == 4) && length <= ETH_SIZE + 1280);
    assert(!memcmp(l4 + 8, asked + ETH_SIZE, size - 8));
}

/* One of our addresses, said by us; or the question whether anybody has it. */
static void check_discovery(const uint8_t *got, size_t length)
{
    const uint8_t *icmp = got + ETH_SIZE + IPV6_SIZE;
    size_t size = net_get16(got + IPV6_LENGTH);
    struct net_ipv6 target, source;

    assert(length == ETH_SIZE + IPV6_SIZE + size && got[IPV6_FIRST] == 0x60);
    assert(got[IPV6_NEXT] == IPV6_ICMP && got[IPV6_HOP_LIMIT] == 255);
    assert(plain_sum(pseudo6(got, size), icmp, size) == 0xffff);
    memcpy(&target, icmp + 8, sizeof target);
    memcpy(&source, got + IPV6_SOURCE, sizeof source);
    assert(net_ipv6_equal(&target, &page->link) || net_ipv6_equal(&target, &page->global));
    if (icmp[0] == ND_SOLICIT) {
        assert(size == 24 && net_ipv6_is_any(&source) && got[0] == 0x33);
        return;
    }
    assert(icmp[0] == ND_ADVERTISE && size == 32 && net_ipv6_equal(&source, &target));
    assert(icmp[24] == 2 && icmp[25] == 1 && !memcmp(icmp + 26, own_mac, 6));
}

/* An answer: asked is the question. */
static void check_answer(const uint8_t *asked, size_t asked_length, const uint8_t *got,
                         size_t length)
{
    assert(!memcmp(got + ETH_SOURCE, own_mac, 6));
    if (net_get16(asked + ETH_TYPE) == ETH_TYPE_IPV6) {
        const uint8_t *icmp = got + ETH_SIZE + IPV6_SIZE;
        if (got[IPV6_HOP_LIMIT] == 255 && (icmp[0] == ND_SOLICIT || icmp[0] == ND_ADVERTISE))
            check_discovery(got, length);
        else
            check_answer6(asked, asked_length, got, length);
        return;
    }
    assert(!(got[0] & 1));
    if (net_get16(asked + ETH_TYPE) == ETH_TYPE_ARP) {
        assert(length == asked_length && net_get16(got + ARP_OPERATION) == ARP_REPLY);
        assert(!memcmp(got + ARP_SENDER, own_mac, 6) &&
               !memcmp(got + ARP_SENDER + 6, own_address, 4));
        assert(!memcmp(got, asked + ARP_SENDER, 6));
        return;
    }
    size_t total = net_get16(got + IPV4_LENGTH), size = total - IPV4_LEAST;
    assert(!memcmp(got, asked + ETH_SOURCE, 6));
    assert(net_get32(got + IPV4_DESTINATION) != 0x0a0002ff);
    assert(length == ETH_SIZE + total && total >= IPV4_LEAST + 8);
    assert(length <= (asked_length > ANSWER_MOST ? asked_length : ANSWER_MOST));
    assert(got[IPV4_FIRST] == 0x45 && plain_sum(0, got + IPV4_FIRST, IPV4_LEAST) == 0xffff);
    assert(!memcmp(got + IPV4_SOURCE, own_address, 4));
    assert(!memcmp(got + IPV4_DESTINATION, asked + IPV4_SOURCE, 4));
    const uint8_t *l4 = got + ETH_SIZE + IPV4_LEAST;
    if (got[IPV4_PROTOCOL] == IPV4_TCP) {
        assert(size == 20 && plain_sum(pseudo(got, size), l4, size) == 0xffff);
        assert(l4[13] & 4 && !(asked[ETH_SIZE + IPV4_LEAST + 13] & 4));
        return;
    }
    assert(got[IPV4_PROTOCOL] == 1);
    const uint8_t *question = asked + ETH_SIZE + IPV4_LEAST;
    bool was_right = l4[0] == 3 || plain_sum(0, question, size) == 0xffff;
    assert(l4[0] == 3 || l4[0] == 0);
    assert((plain_sum(0, l4, size) == 0xffff) == was_right);
    assert(l4[0] == 0 || !memcmp(l4 + 8, asked + ETH_SIZE, size - 8));
}

/* A program has left the connection that a frame of TCP's is of. */
static struct linger_entry *leave(const uint8_t *frame, size_t length)
{
    bool is_six = net_get16(frame + ETH_TYPE) == ETH_TYPE_IPV6;
    const uint8_t *tcp = frame + ETH_SIZE + (is_six ? IPV6_SIZE : IPV4_LEAST);
    struct linger_entry new = {.remote = {0, 0, NET_WIRE32(0xffff)},
                               .local = {0, 0, NET_WIRE32(0xffff)},
                               .until = UINT32_MAX};

    if (length < ETH_SIZE + IPV6_SIZE + 20)
        return NULL;
    memcpy(is_six ? new.remote : &new.remote[3], frame + (is_six ? IPV6_SOURCE : IPV4_SOURCE),
           is_six ? 16 : 4);
    memcpy(is_six ? new.local : &new.local[3],
           frame + (is_six ? IPV6_DESTINATION : IPV4_DESTINATION), is_six ? 16 : 4);
    memcpy(&new.ports, tcp, 4);
    struct linger_entry *e =
        &lingering[linger_place(new.remote[3], new.ports)].entries[length % LINGER_WAYS];
    *e = new;
    return e;
}

/* What netd's process gets to see of IPv6. */
static void check_kept6(const uint8_t *frame)
{
    struct net_ipv6 to;
    uint8_t identifier[8], type = frame[ETH_SIZE + IPV6_SIZE];

    memcpy(&to, frame + IPV6_DESTINATION, sizeof to);
    put_identifier(identifier);
    assert(!memcmp(frame, own_mac, 6) && !memcmp(&to.words[2], identifier, sizeof identifier));
    if (frame[IPV6_NEXT] == IPV6_ICMP)
        assert(type >= 1 && type <= 4); /* errors */
    else if (!memchr(others6, frame[IPV6_NEXT], 4))
        assert(is_left && frame[IPV6_NEXT] == IPV4_TCP);
}

static void run(struct handler *h, const uint8_t *frame, size_t length)
{
    static _Alignas(8) uint8_t buffer[BUFFER];
    struct ash_run *r = &h->run;

    memset(buffer, 0xaa, sizeof buffer);
    memcpy(buffer + START, frame, length);
    ash_run_frame(r, buffer, START, (uint32_t)(START + length));
    r->fuel = 4096 - (int32_t)h->program->entry_cost;
    assert(r->fuel >= 0);
    uint32_t verdict = (uint32_t)ash_interpret(h->program, r);
    assert(r->abort.reason == ASH_ABORT_NONE && r->fuel >= 0);
    assert(verdict == ASH_DROP || verdict == ASH_PASS || verdict == ASH_TX);
    bool is_kept = ends->head != ends->tail;
    ends->tail = ends->head;
    assert(!is_kept || verdict == ASH_DROP);
    if (is_kept && net_get16(frame + ETH_TYPE) == ETH_TYPE_IPV6)
        check_kept6(frame);
    uint32_t base = ASH_BASE(ASH_REGION_FRAME);
    if (verdict != ASH_TX)
        return;
    const uint8_t *got = buffer + (r->md.data - base);
    bool is_six = net_get16(got + ETH_TYPE) == ETH_TYPE_IPV6;
    check_answer(frame, length, got, r->md.data_end - r->md.data);
    assert(!is_left || net_get16(got + ETH_TYPE) == ETH_TYPE_ARP ||
           got[is_six ? IPV6_NEXT : IPV4_PROTOCOL] != IPV4_TCP); /* no reset */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!handlers[0].program)
        for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
            load(&handlers[i]);
    if (size < 1 + ETH_SIZE || size > 1 + FRAME_MOST)
        return 0;
    uint8_t *frame = malloc(size - 1);
    memcpy(frame, data + 1, size - 1);
    put_right(frame, size - 1, *data);
    page->is_wanted = *data & 1; /* a router */
    struct linger_entry *left = size % 2 ? leave(frame, size - 1) : NULL;
    is_left = left;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        run(&handlers[i], frame, size - 1);
    if (left)
        left->until = 0;
    free(frame);
    return 0;
}
