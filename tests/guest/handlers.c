/*
 * Handlers in the kernel: download, run on real frames, verdicts, strikes, maps, unload. The
 * programs are written here in BPF instructions; QEMU's user networking answers the ARP requests
 * that make frames come.
 */
#include <string.h>

#include "ash/ash.h"
#include "filter.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"
#include "test.h"

#define SECOND     1000000000UL
#define INSNS_MOST 16

/* Instructions (RFC 9669): opcode, destination, source, offset, immediate. */
#define MOV(dst, value)                                                                            \
    {                                                                                              \
        0xb7, dst, 0, value                                                                        \
    }
#define MOV_R(dst, src)                                                                            \
    {                                                                                              \
        0xbf, (dst) | (src) << 4, 0, 0                                                             \
    }
#define LOAD32(dst, src, offset)                                                                   \
    {                                                                                              \
        0x61, (dst) | (src) << 4, offset, 0                                                        \
    }
#define LOAD16(dst, src, offset)                                                                   \
    {                                                                                              \
        0x69, (dst) | (src) << 4, offset, 0                                                        \
    }
#define STORE16(dst, offset, src)                                                                  \
    {                                                                                              \
        0x6b, (dst) | (src) << 4, offset, 0                                                        \
    }
#define STORE8I(dst, offset, value)                                                                \
    {                                                                                              \
        0x72, dst, offset, value                                                                   \
    }
#define LOAD64(dst, src, offset)                                                                   \
    {                                                                                              \
        0x79, (dst) | (src) << 4, offset, 0                                                        \
    }
#define STORE64(dst, offset, src)                                                                  \
    {                                                                                              \
        0x7b, (dst) | (src) << 4, offset, 0                                                        \
    }
#define ADD(dst, value)                                                                            \
    {                                                                                              \
        0x07, dst, 0, value                                                                        \
    }
#define JUMP(offset)                                                                               \
    {                                                                                              \
        0x05, 0, offset, 0                                                                         \
    }
#define EXIT                                                                                       \
    {                                                                                              \
        0x95, 0, 0, 0                                                                              \
    }
/* Address of the first entry of map 0: a 64-bit load of kind 6 (map value by index). */
#define MAP_VALUE(dst)                                                                             \
    {0x18, (dst) | 6 << 4, 0, 0},                                                                  \
    {                                                                                              \
        0, 0, 0, 0                                                                                 \
    }

struct image {
    struct ash_header header;
    struct ash_map_info maps[1];
    struct ash_insn insns[INSNS_MOST];
} __attribute__((aligned(8)));

static struct image image;
static char message[AEGIS_MESSAGE_SIZE];
static uint8_t own_mac[6];

/* Makes the image of a program, with a map of one 8-byte entry if wanted; returns its size. */
static uint64_t make_image(const struct ash_insn *insns, uint32_t count, bool map)
{
    uint8_t *at = (uint8_t *)image.maps;

    memset(&image, 0, sizeof image);
    image.header = (struct ash_header){.magic = ASH_MAGIC,
                                       .version = ASH_VERSION,
                                       .event = ASH_EVENT_FRAME,
                                       .insns = count,
                                       .maps = map,
                                       .name = "test"};
    if (map) {
        image.maps[0] = (struct ash_map_info){
            .name = "counts", .type = ASH_MAP_ARRAY, .key_size = 4, .value_size = 8, .entries = 1};
        at += sizeof(struct ash_map_info);
    }
    memcpy(at, insns, count * sizeof *insns);
    return (uint64_t)(at - (uint8_t *)&image) + count * sizeof *insns;
}

static struct aegis_handler_request request_for(uint64_t size, void *maps)
{
    return (struct aegis_handler_request){.image = &image,
                                          .image_size = size,
                                          .maps = maps,
                                          .maps_size = maps ? AEGIS_PAGE_SIZE : 0,
                                          .message = message};
}

static int64_t load(const struct ash_insn *insns, uint32_t count, void *map)
{
    struct aegis_handler_request r = request_for(make_image(insns, count, map != NULL), map);

    return aegis_handler_load(&r);
}
#define LOAD(program, map) load(program, sizeof(program) / sizeof *(program), map)

static void open_arp(struct net *net)
{
    const struct filter_field is_arp = {2, ETH_TYPE, 0xffff, ETH_TYPE_ARP, ETH_TYPE_ARP};
    struct filter_image arp, sent;

    filter_make(&arp, &is_arp, 1);
    filter_sent_type(&sent, 0, ETH_TYPE_ARP);
    CHECK(filter_bind(&arp, &sent) >= 0);
    CHECK_EQ(net_open_next(net, 8), 1);
    /* Answers to requests of the tests before this one may be under way still. */
    for (struct aegis_predicate late;
         late = net_readable(net), aegis_wait(&late, 1, time_after(SECOND / 20)) == 0;)
        net_release(net);
}

/* Sends an ARP request, to which an answer comes. */
static void provoke(const struct net *net)
{
    static const uint8_t kind[] = {0, 1, 8, 0, 6, 4, 0, ARP_REQUEST};
    uint8_t frame[60] = {0};
    struct aegis_frame_out out = {.address = frame, .length = sizeof frame};

    memset(frame + ETH_DESTINATION, 0xff, 6);
    memcpy(frame + ETH_SOURCE, own_mac, 6);
    net_put16(frame + ETH_TYPE, ETH_TYPE_ARP);
    memcpy(frame + ARP_HARDWARE, kind, sizeof kind);
    memcpy(frame + ARP_SENDER, own_mac, 6);
    net_put32(frame + ARP_SENDER + 6, 0x0a00020f);
    net_put32(frame + ARP_TARGET + 6, 0x0a000202);
    CHECK_EQ(net_send(net, &out, 1), 1);
}

/* Provokes a frame and waits until the handler has run on it. */
static struct aegis_handler_status run_once(const struct net *net, uint32_t handler)
{
    struct aegis_handler_status before, after;
    uint64_t limit = time_after(10 * SECOND);

    CHECK_OK(aegis_handler_status(handler, &before));
    provoke(net);
    do {
        aegis_wait(NULL, 0, time_after(SECOND / 200));
        CHECK_OK(aegis_handler_status(handler, &after));
    } while (after.runs == before.runs && time_now() < limit);
    CHECK_EQ(after.runs, before.runs + 1);
    return after;
}

static void verdicts(struct net *net)
{
    static const struct ash_insn pass[] = {MOV(0, ASH_PASS), EXIT};
    static const struct ash_insn drop[] = {MOV(0, ASH_DROP), EXIT};
    int64_t h = LOAD(pass, NULL);

    CHECK(h >= 0);
    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    CHECK_ERROR(aegis_handler_bind((uint32_t)h, net->binding), IN_USE);
    CHECK_EQ(run_once(net, (uint32_t)h).verdicts[ASH_PASS], 1);
    struct aegis_slot_header *slot = net_next(net);
    CHECK(slot && slot->flags == 0 && net_get16(net_frame(slot) + ARP_OPERATION) == ARP_REPLY);
    net_release(net);
    CHECK_OK(aegis_handler_unload((uint32_t)h));
    CHECK_ERROR(aegis_handler_unload((uint32_t)h), RANGE);

    h = LOAD(drop, NULL);
    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    CHECK_EQ(run_once(net, (uint32_t)h).verdicts[ASH_DROP], 1);
    CHECK(!net_next(net));
    CHECK_OK(aegis_handler_unload((uint32_t)h));
    /* Without it, frames come again. */
    provoke(net);
    struct aegis_predicate arrived = net_readable(net);
    CHECK_EQ(aegis_wait(&arrived, 1, time_after(10 * SECOND)), 0);
    net_release(net);
}

/* TX goes out only as the egress filter allows: not with somebody else's source address. */
static void transmit(struct net *net)
{
    static const struct ash_insn as_it_is[] = {MOV(0, ASH_TX), EXIT};
    static const struct ash_insn swapped[] = {LOAD32(2, 1, 0),
                                              LOAD16(3, 2, 0),
                                              LOAD16(4, 2, 6),
                                              STORE16(2, 0, 4),
                                              STORE16(2, 6, 3),
                                              LOAD32(3, 2, 2),
                                              LOAD32(4, 2, 8),
                                              {0x63, 2 | 4 << 4, 2, 0},
                                              {0x63, 2 | 3 << 4, 8, 0},
                                              MOV(0, ASH_TX),
                                              EXIT};
    struct aegis_counters before, after;
    int64_t h = LOAD(as_it_is, NULL);

    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    CHECK_OK(aegis_net_counters(net->binding, &before, NULL));
    CHECK_EQ(run_once(net, (uint32_t)h).refused, 1);
    CHECK_OK(aegis_net_counters(net->binding, &after, NULL));
    CHECK_EQ(after.sent, before.sent + 1); /* the request alone */
    CHECK_EQ(after.refused, before.refused + 1);
    CHECK_OK(aegis_handler_unload((uint32_t)h));

    h = LOAD(swapped, NULL);
    CHECK(h >= 0);
    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    before = after;
    for (int i = 0; i < 200; i++) /* more than there are spare buffers */
        CHECK_EQ(run_once(net, (uint32_t)h).refused, 0);
    CHECK_OK(aegis_net_counters(net->binding, &after, NULL));
    CHECK_EQ(after.sent, before.sent + 400);
    CHECK(!net_next(net));
    CHECK_OK(aegis_handler_unload((uint32_t)h));
}

/* A handler that goes astray harms nobody: its frame takes the plain path, and in the end it is
 * unbound. */
static void strikes(struct net *net)
{
    static const struct ash_insn endless[] = {MOV(0, 0), JUMP(-1), EXIT};
    static const struct ash_insn wild[] = {LOAD32(2, 1, 0),  STORE8I(2, 0, 0x55), MOV(3, 0),
                                           STORE8I(3, 0, 1), MOV(0, ASH_PASS),    EXIT};
    struct aegis_handler_status s;
    int64_t h = LOAD(endless, NULL);

    CHECK(h >= 0);
    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    s = run_once(net, (uint32_t)h);
    CHECK_EQ(s.strikes, 1);
    CHECK(s.fuel >= AEGIS_FUEL_DEFAULT - 16 && s.fuel <= AEGIS_FUEL_DEFAULT);
    CHECK(strstr(s.abort, "fuel"));
    CHECK(net_next(net) && net_next(net)->flags == 0);
    net_release(net);
    CHECK_OK(aegis_handler_unload((uint32_t)h));

    h = LOAD(wild, NULL);
    CHECK(h >= 0);
    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    uint64_t events = aegis_env(exos.env)->bindings;
    for (unsigned i = 1; i <= AEGIS_STRIKES; i++) {
        s = run_once(net, (uint32_t)h);
        CHECK_EQ(s.strikes, i);
        struct aegis_slot_header *slot = net_next(net);
        CHECK(slot && slot->flags == AEGIS_FRAME_MODIFIED && net_frame(slot)[0] == 0x55);
        net_release(net);
    }
    CHECK(strstr(s.abort, "guard"));
    CHECK_EQ(s.binding, AEGIS_NO_BINDING);
    CHECK_EQ(aegis_env(exos.env)->bindings, events + 1);
    provoke(net);
    struct aegis_predicate arrived = net_readable(net);
    CHECK_EQ(aegis_wait(&arrived, 1, time_after(10 * SECOND)), 0);
    CHECK(net_next(net)->flags == 0);
    net_release(net);
    CHECK_OK(aegis_handler_unload((uint32_t)h));
}

/* What a handler finds in headroom that it takes is zero, not what the buffer's last frame left. */
static void head_grows(struct net *net)
{
    static const struct ash_insn longer[] = {MOV_R(6, 1),
                                             MOV(2, -16),
                                             {0x85, 0, 0, ASH_HELPER_ADJUST_HEAD},
                                             LOAD32(7, 6, 0),
                                             LOAD32(8, 7, 0),
                                             {0x55, 8, 3, 0}, /* not 0: aborted */
                                             STORE8I(7, 0, 0x55),
                                             MOV(0, ASH_DROP),
                                             EXIT,
                                             MOV(0, ASH_ABORTED),
                                             EXIT};
    struct aegis_handler_status s;
    int64_t h = LOAD(longer, NULL);

    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    for (uint64_t sent = 0; sent < 400;) { /* each of the device's buffers, and some again */
        uint64_t limit = time_after(10 * SECOND);
        for (int i = 0; i < 8; i++, sent++)
            provoke(net);
        do {
            aegis_wait(NULL, 0, time_after(SECOND / 500));
            CHECK_OK(aegis_handler_status((uint32_t)h, &s));
        } while (s.runs < sent && time_now() < limit);
        CHECK_EQ(s.verdicts[ASH_DROP], sent);
    }
    CHECK_EQ(s.strikes, 0);
    CHECK_OK(aegis_handler_unload((uint32_t)h));
}

/* A map's memory is the owner's own page, which it reads while the handler writes. */
static void maps(struct net *net)
{
    static const struct ash_insn count[] = {MAP_VALUE(2),     LOAD64(3, 2, 0),  ADD(3, 1),
                                            STORE64(2, 0, 3), MOV(0, ASH_DROP), EXIT};
    uint64_t *counts = vm_alloc(1, VM_READ_WRITE), *frozen = vm_alloc(1, AEGIS_PROT_READ);
    struct aegis_handler_request r;

    CHECK(counts && frozen);
    counts[0] = 40;
    uint64_t ppn = (uint64_t)vm_page_at(counts);
    int64_t h = LOAD(count, counts);
    CHECK(h >= 0);
    CHECK_EQ(aegis_page(ppn)->state, AEGIS_PAGE_WINDOW);
    CHECK_OK(aegis_handler_bind((uint32_t)h, net->binding));
    run_once(net, (uint32_t)h);
    run_once(net, (uint32_t)h);
    CHECK_EQ(counts[0], 42);
    /* Nobody else's memory, no hole, nothing read-only, and not the same page twice. */
    r = request_for(make_image(count, sizeof count / sizeof *count, true), counts);
    CHECK_ERROR(aegis_handler_load(&r), STATE);
    r.maps = frozen;
    CHECK_ERROR(aegis_handler_load(&r), ADDRESS);
    r.maps = (uint8_t *)frozen + 8;
    CHECK_ERROR(aegis_handler_load(&r), ALIGNMENT);
    r.maps = (void *)AEGIS_EXPOSED_BASE;
    CHECK_ERROR(aegis_handler_load(&r), ADDRESS);
    r.maps = frozen;
    r.maps_size = 2 * AEGIS_PAGE_SIZE;
    CHECK_ERROR(aegis_handler_load(&r), RANGE);
    CHECK_OK(aegis_unmap(0, (uint64_t)counts, 1));
    CHECK_ERROR(aegis_page_free(ppn), STATE);
    CHECK_OK(vm_map(0, (uint64_t)counts, ppn, VM_READ_WRITE, NULL));
    CHECK_OK(aegis_handler_unload((uint32_t)h));
    CHECK_EQ(aegis_page(ppn)->state, AEGIS_PAGE_DATA);
    CHECK_EQ(aegis_page(ppn)->pins, 0);
    CHECK_OK(vm_free(counts));
    CHECK_OK(vm_free(frozen));
}

static void refusals(const struct net *net)
{
    static const struct ash_insn good[] = {MOV(0, ASH_PASS), EXIT};
    static const struct ash_insn unknown[] = {MOV(0, 0), {0xff, 0, 0, 0}, EXIT};
    static const struct ash_insn jump[] = {MOV(0, 0), JUMP(100), EXIT};
    static const struct ash_insn helper[] = {MOV(1, 0), MOV(2, 0), {0x85, 0, 0, 23}, EXIT};
    struct aegis_handler_request r;
    struct aegis_handler_status s;

    CHECK_ERROR(LOAD(unknown, NULL), HANDLER);
    CHECK(strstr(message, "insn 1") && strstr(message, "opcode"));
    CHECK_ERROR(LOAD(jump, NULL), HANDLER);
    CHECK(strstr(message, "jump"));
    CHECK_ERROR(LOAD(helper, NULL), HANDLER); /* bpf_redirect: no authority over interfaces */
    CHECK(strstr(message, "helper"));
    uint64_t size = make_image(good, 2, false);
    for (uint64_t cut = 0; cut < size; cut++) {
        r = request_for(cut, NULL);
        CHECK_ERROR(aegis_handler_load(&r), HANDLER);
    }
    r = request_for(AEGIS_HANDLER_MAX + 1, NULL);
    CHECK_ERROR(aegis_handler_load(&r), RANGE);
    r = request_for(size, NULL);
    r.fuel = AEGIS_FUEL_MAX + 1;
    CHECK_ERROR(aegis_handler_load(&r), RANGE);
    CHECK_ERROR(aegis_handler_bind(UINT32_MAX, net->binding), RANGE);
    CHECK_ERROR(aegis_handler_status(UINT32_MAX, &s), RANGE);
    r = request_for(size, NULL);
    int64_t h = aegis_handler_load(&r);
    CHECK(h >= 0);
    CHECK_ERROR(aegis_handler_bind((uint32_t)h, UINT32_MAX), RANGE);
    CHECK_ERROR(aegis_handler_bind((uint32_t)h, aegis_info()->netifs[0].root), OWNER);
    CHECK_OK(aegis_handler_unload((uint32_t)h));
    /* Nothing leaks: neither from downloads, nor from refusals. */
    for (int i = 0; i < 2000; i++) {
        h = aegis_handler_load(&r);
        CHECK(h >= 0);
        CHECK_OK(aegis_handler_unload((uint32_t)h));
    }
}

int main(void)
{
    struct net net;

    CHECK(aegis_info()->netif_count > 0);
    for (int i = 0; i < 6; i++)
        own_mac[i] = aegis_info()->netifs[0].mac[i];
    open_arp(&net);
    refusals(&net);
    verdicts(&net);
    transmit(&net);
    strikes(&net);
    head_grows(&net);
    maps(&net);
    net_close(&net);
    return 0;
}
