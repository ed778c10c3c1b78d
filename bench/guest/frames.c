/*
 * What the rows of groups dpf and ash are measured with: the first program of an image of its own,
 * which binds filters and handlers and sends frames as the host tells it to. It owns the root
 * binding, so frames that no filter takes come to it, and commands are such frames:
 *
 *   Ethernet header, type COMMAND | op | number | token      (the last two 32 bits, little-endian)
 *
 *   bind     until `number` filters of the archive's file "filters" are bound
 *   handler  downloads the file "handler" and binds it to the last filter; number 0 unloads it
 *   send     the file "frame", `number` times, by the last binding
 *   received answers how many frames filter `number` has taken, counted from 0
 *   nothing  answers: what came before has been received by now
 *
 * Each command is answered with one line on the log, "frames: TOKEN: VALUE": of bind, the
 * instructions of the last net_bind; of handler, its code's bytes.
 */
#include <stdio.h>
#include <string.h>

#include "bench/guest/measure.h"
#include "dpf/dpf.h"
#include "image/cpio.h"
#include "libos/net/headers.h"
#include "libos/net/net.h"
#include "libos/start/error.h"
#include "libos/time/time.h"
#include "libos/vm/vm.h"

#define RING_SLOTS  32
#define COMMAND     0x88b5 /* IEEE 802, local experiments */
#define COMMAND_END (ETH_SIZE + 12)
#define PATIENCE    100000000 /* ns for a frame to leave */

enum op { OP_NOTHING, OP_BIND, OP_HANDLER, OP_SEND, OP_RECEIVED, OPS };

/* One filter of the file "filters": this, then both images, each padded to 8 bytes. */
struct filter_head {
    uint32_t ingress, egress; /* bytes */
};

static struct net root;
static int64_t last = -1; /* binding */
static int64_t handler = -1;
static uint32_t bound;
static size_t filters_at; /* how far the file "filters" is taken */

_Noreturn static void fail(const char *what, const char *why)
{
    char line[256];
    int length = snprintf(line, sizeof line, "frames: %s: %s\n", what, why);
    aegis_log(line, (uint64_t)length);
    aegis_shutdown(1);
    for (;;)
        aegis_yield(0);
}

static uint64_t must(int64_t status, const char *what)
{
    if (status < 0)
        fail(what, aegis_strerror(status));
    return (uint64_t)status;
}

static struct cpio_entry file(const char *name)
{
    const volatile struct aegis_info *info = aegis_info();
    struct cpio_entry entry;
    int status = cpio_find((const void *)info->initrd, info->initrd_size, name, &entry);
    if (status < 0)
        fail(name, cpio_strerror(status));
    return entry;
}

static void open_root(void)
{
    uint32_t binding = aegis_info()->netifs[0].root;
    uint8_t *memory = vm_alloc(1 + RING_SLOTS * AEGIS_SLOT_SIZE / AEGIS_PAGE_SIZE, VM_READ_WRITE);
    if (!memory)
        fail("vm_alloc", "no memory");
    must(aegis_net_ring(binding, (struct aegis_ring *)memory, RING_SLOTS), "net_ring");
    root = (struct net){.ring = (struct aegis_ring *)memory,
                        .slots = memory + AEGIS_PAGE_SIZE,
                        .mask = RING_SLOTS - 1,
                        .binding = binding};
}

static void verify(const void *image, size_t size, struct dpf_filter *filter)
{
    int error = dpf_verify(image, size, filter);
    if (error)
        fail("dpf_verify", dpf_strerror(error));
}

/* The egress filter and what the root demands: the interface's own address as source. */
static int conjoin_source(const uint64_t *image, size_t size, uint64_t *out)
{
    static uint64_t source[64];
    struct dpf_filter address, asked;
    uint8_t mac[6];

    for (size_t i = 0; i < sizeof mac; i++)
        mac[i] = aegis_info()->netifs[0].mac[i];
    verify(source, (size_t)dpf_make_source_mac(source, sizeof source, mac), &address);
    verify(image, size, &asked);
    int made = dpf_conjoin(&address, &asked, out, DPF_IMAGE_MAX);
    if (made < 0)
        fail("dpf_conjoin", dpf_strerror(made));
    return made;
}

/* Binds the file's next filter; returns the instructions of net_bind alone. */
static uint64_t bind_next(void)
{
    static uint64_t ingress[DPF_IMAGE_MAX / 8], asked[DPF_IMAGE_MAX / 8], egress[DPF_IMAGE_MAX / 8];
    struct cpio_entry filters = file("filters");
    struct filter_head head;
    struct aegis_net_binding request = {.ingress = ingress, .egress = egress};

    if (filters_at + sizeof head > filters.size)
        fail("filters", "no more filters in the archive");
    memcpy(&head, filters.data + filters_at, sizeof head);
    const uint8_t *at = filters.data + filters_at + sizeof head;
    memcpy(ingress, at, head.ingress);
    at += (head.ingress + 7) & ~7U;
    memcpy(asked, at, head.egress);
    filters_at = (size_t)(at - filters.data) + ((head.egress + 7) & ~7U);
    request.ingress_size = head.ingress;
    request.egress_size = (uint64_t)conjoin_source(asked, head.egress, egress);
    must(aegis_cap_mint(AEGIS_KIND_BINDING, root.binding, AEGIS_RIGHT_DELEGATE, &request.parent),
         "cap_mint");
    uint64_t before = instructions();
    last = aegis_net_bind(&request);
    uint64_t taken = instructions() - before - READ_COST;
    must(last, "net_bind");
    bound++;
    return taken;
}

static uint64_t do_bind(uint32_t number)
{
    uint64_t taken = 0;
    while (bound < number)
        taken = bind_next();
    return taken;
}

static uint64_t do_handler(uint32_t number)
{
    struct aegis_handler_status status = {0};
    static uint64_t copy[AEGIS_HANDLER_MAX / 8];
    char message[AEGIS_MESSAGE_SIZE];

    if (!number) {
        must(aegis_handler_unload((uint32_t)handler), "handler_unload");
        return 0;
    }
    struct cpio_entry image = file("handler");
    if (image.size > sizeof copy)
        fail("handler", "its image is larger than the kernel takes");
    memcpy(copy, image.data, image.size);
    struct aegis_handler_request request = {
        .image = copy, .image_size = image.size, .message = message};
    handler = aegis_handler_load(&request);
    if (handler == -AEGIS_E_HANDLER)
        fail("handler_load", message);
    must(handler, "handler_load");
    must(aegis_handler_bind((uint32_t)handler, (uint32_t)last), "handler_bind");
    must(aegis_handler_status((uint32_t)handler, &status), "handler_status");
    return status.code;
}

static uint64_t do_send(uint32_t number)
{
    struct cpio_entry frame = file("frame");
    struct net net = {.binding = (uint32_t)last};
    uint8_t copy[AEGIS_HEADER_COPY];
    size_t size = frame.size < sizeof copy ? frame.size : sizeof copy;

    memcpy(copy, frame.data, size);
    for (uint32_t i = 0; i < number; i++)
        if (net_send_copy(&net, copy, size, time_after(PATIENCE)) != 1)
            fail("net_send", "the frame did not leave");
    return number;
}

/* Bindings get the lowest free numbers, one after the other. */
static uint64_t do_received(uint32_t number)
{
    struct aegis_counters counters;

    must(aegis_net_counters((uint32_t)last + 1 - bound + number, &counters, NULL), "net_counters");
    return counters.received;
}

static uint64_t do_nothing(uint32_t number)
{
    return number;
}

static void obey(const uint8_t *frame, size_t length)
{
    static uint64_t (*const ops[OPS])(uint32_t number) = {[OP_NOTHING] = do_nothing,
                                                          [OP_BIND] = do_bind,
                                                          [OP_HANDLER] = do_handler,
                                                          [OP_SEND] = do_send,
                                                          [OP_RECEIVED] = do_received};
    uint32_t words[3]; /* op, number, token */
    char line[80];

    if (length < COMMAND_END || net_get16(frame + ETH_TYPE) != COMMAND)
        return;
    memcpy(words, frame + ETH_SIZE, sizeof words);
    if (words[0] >= OPS)
        fail("command", "unknown");
    uint64_t value = ops[words[0]](words[1]);
    int size = snprintf(line, sizeof line, "frames: %lu: %lu\n", (unsigned long)words[2],
                        (unsigned long)value);
    aegis_log(line, (uint64_t)size);
}

int main(void)
{
    struct aegis_slot_header *slot;

    if (aegis_info()->netif_count == 0)
        fail("network", "the machine has no interface");
    open_root();
    aegis_log("frames: ready\n", 14);
    for (;;) {
        while ((slot = net_next(&root))) {
            obey(net_frame(slot), slot->length);
            net_release(&root);
        }
        struct aegis_predicate readable = net_readable(&root);
        aegis_wait(&readable, 1, AEGIS_FOREVER);
    }
}
