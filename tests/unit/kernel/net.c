#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/arena.h"
#include "kernel/drivers/virtio.h"
#include "kernel/netif.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define HEADER     12 /* VERSION_1's (section 5.1.6) */
#define PAGES      2  /* of the caller's, for requests */
#define EVENT_IDX  (1UL << 29)
#define FEATURES   (1UL << 32 | 1UL << 29 | 1UL << 5)
#define FIRST_IRQ  1
#define FRAME_MOST 2048

struct device_model nics[AEGIS_NETIF_MAX];

void net_boot(size_t count)
{
    struct virtio devices[AEGIS_NETIF_MAX];

    for (size_t i = 0; i < count; i++) {
        device_init(&nics[i], VIRTIO_ID_NET, i % 2 ? FEATURES & ~EVENT_IDX : FEATURES, 1024);
        memcpy(nics[i].config, (uint8_t[]){0x52, 0x54, 0, 0, 0, (uint8_t)i}, 6);
        devices[i] = (struct virtio){
            .registers = nics[i].registers, .irq = FIRST_IRQ + (uint32_t)i, .id = VIRTIO_ID_NET};
    }
    world_boot(devices, count);
    net_memory();
}

void net_memory(void)
{
    world_memory(NET_AT, PAGES);
}

struct aegis_cap net_cap(uint32_t kind, uint64_t index, uint32_t rights)
{
    struct aegis_cap cap;

    CHECK(call_cap_mint(kind, index, rights, NET_AT) == 0);
    CHECK(user_read(&cap, NET_AT, sizeof(cap)));
    return cap;
}

size_t net_arena_left(void)
{
    size_t low = 0, high = WORLD_SIZE;

    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        void *piece = arena_alloc(middle);
        arena_free(piece);
        *(piece ? &low : &high) = middle;
    }
    return low;
}

/* One atom: the byte is in the set. Ranges of the set's runs of bits. */
static size_t set_filter(void *memory, size_t room, uint64_t set)
{
    struct dpf_header *header = memory;
    struct dpf_node *node = (struct dpf_node *)(header + 1);
    struct dpf_range *ranges = (struct dpf_range *)(node + 1);
    uint16_t count = 0;

    CHECK(room >=
          sizeof(*header) + sizeof(*node) + (size_t)__builtin_popcountl(set) * sizeof(*ranges));
    if (set == 0)
        return (size_t)dpf_make_none(memory, room);
    for (unsigned int bit = 0; bit < 64; bit++) {
        if (!(set >> bit & 1))
            continue;
        if (bit == 0 || !(set >> (bit - 1) & 1))
            ranges[count++].low = bit;
        ranges[count - 1].high = bit;
    }
    *header = (struct dpf_header){
        .magic = DPF_MAGIC, .version = DPF_VERSION, .nodes = 1, .ranges = count};
    *node = (struct dpf_node){.kind = DPF_FIELD,
                              .width = 1,
                              .offset = NET_BYTE,
                              .yes = DPF_ACCEPT,
                              .no = DPF_REJECT,
                              .count = count,
                              .mask = 0xff};
    return sizeof(*header) + sizeof(*node) + count * sizeof(*ranges);
}

size_t net_filter(void *memory, size_t room, uint64_t set, const uint8_t *mac)
{
    uint64_t one[256], other[256];
    struct dpf_filter from, in;

    if (!mac || set == 0)
        return set_filter(memory, room, set);
    int size = dpf_make_source_mac(one, sizeof(one), mac);
    CHECK(size > 0 && dpf_verify(one, (size_t)size, &from) == 0);
    CHECK(dpf_verify(other, set_filter(other, sizeof(other), set), &in) == 0);
    size = dpf_conjoin(&from, &in, memory, room);
    CHECK(size > 0);
    return (size_t)size;
}

static struct {
    uint64_t number, argument;
    long result;
} call;

static void make_call(void *argument)
{
    (void)argument;
    call.result = call.number == AEGIS_CALL_net_bind ? call_net_bind(call.argument)
                                                     : call_net_unbind((uint32_t)call.argument);
}

/* One step of a call; what is to be called next is in call. */
static long step(uint64_t number, uint64_t argument)
{
    call.number = number;
    call.argument = argument;
    enum host_end how = host_run(make_call, NULL);
    if (how == HOST_RETURNED)
        return call.result;
    CHECK(how == HOST_RESTARTED && host_restart[0] == number);
    call.argument = host_restart[1];
    return NET_MORE;
}

static long all_steps(uint64_t number, uint64_t argument)
{
    long result = step(number, argument);

    for (unsigned int steps = 0; result == NET_MORE; steps++) {
        CHECK(steps < 100000000);
        result = step(number, call.argument);
    }
    return result;
}

long net_bind_step(uaddr_t address)
{
    return step(AEGIS_CALL_net_bind, address);
}

long net_unbind_step(uint32_t index)
{
    return step(AEGIS_CALL_net_unbind, index);
}

long net_bind_at(uaddr_t address)
{
    return all_steps(AEGIS_CALL_net_bind, address);
}

long net_unbind(uint32_t index)
{
    return all_steps(AEGIS_CALL_net_unbind, index);
}

long net_bind(const struct net_request *r)
{
    struct {
        struct aegis_net_binding binding;
        uint64_t ingress[256], egress[256];
    } at;

    memset(&at, 0, sizeof(at));
    at.binding = (struct aegis_net_binding){
        .parent = r->parent,
        .owner = r->owner,
        .ingress = (const void *)(NET_AT + offsetof(typeof(at), ingress)),
        .ingress_size = net_filter(at.ingress, sizeof(at.ingress), r->in, NULL),
        .egress = (const void *)(NET_AT + offsetof(typeof(at), egress)),
        .flags = r->tap ? AEGIS_BIND_TAP : 0};
    if (!r->tap)
        at.binding.egress_size =
            net_filter(at.egress, sizeof(at.egress), r->out, nics[r->netif].config);
    CHECK(user_write(NET_AT, &at, sizeof(at)));
    return net_bind_at(NET_AT);
}

void net_frame(uint8_t *frame, size_t length, uint32_t netif, uint32_t value)
{
    uint8_t start[NET_BYTE + 1] = {2, 2, 2, 2, 2, 2};

    memcpy(start + 6, nics[netif].config, 6);
    start[12] = 0x88;
    start[13] = 0xb5; /* for experiments (IEEE 802) */
    start[NET_BYTE] = value == NET_ANYHOW ? 0xff : (uint8_t)value;
    memcpy(frame, start, length < sizeof(start) ? length : sizeof(start));
}

bool net_receive(uint32_t netif, const uint8_t *frame, size_t length)
{
    struct device_piece piece;
    size_t count;
    uint16_t head;

    if (!device_take(&nics[netif], 0, &head, &piece, 1, &count))
        return false;
    CHECK(piece.is_written && piece.length >= HEADER + length);
    memset(piece.memory, 0, HEADER);
    memcpy(piece.memory + HEADER, frame, length);
    device_use_quietly(&nics[netif], 0, head, (uint32_t)(HEADER + length));
    return true;
}

bool net_interrupt(uint32_t netif)
{
    bool raise = device_consider(&nics[netif], 0);

    raise |= device_consider(&nics[netif], 1);
    if (raise)
        host_interrupt(FIRST_IRQ + netif);
    return raise;
}

size_t net_sent(uint32_t netif, uint8_t *frame, uint16_t *head)
{
    static const uint8_t zero[HEADER];
    struct device_piece pieces[4];
    uint8_t all[FRAME_MOST];
    size_t count, length = 0;

    if (!device_take(&nics[netif], 1, head, pieces, 4, &count))
        return 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(!pieces[i].is_written && length + pieces[i].length <= sizeof(all));
        memcpy(all + length, pieces[i].memory, pieces[i].length);
        length += pieces[i].length;
    }
    CHECK(length >= HEADER && memcmp(all, zero, HEADER) == 0);
    memcpy(frame, all + HEADER, length - HEADER);
    return length - HEADER;
}
