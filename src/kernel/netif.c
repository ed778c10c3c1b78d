#include "kernel/netif.h"

#include <string.h>

#include "kernel/arena.h"
#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/classify.h"
#include "kernel/entropy.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/interrupt.h"
#include "kernel/loop.h"
#include "kernel/net_compare.h"
#include "kernel/page.h"
#include "kernel/post.h"
#include "kernel/print.h"
#include "kernel/rx.h"
#include "kernel/user.h"

_Static_assert(AEGIS_TAPS_MAX <= DPF_TAPS_MAX, "a classifier's taps");

#define PAGES_A_BINDING 32 /* of the machine: 256 bindings with 32 MiB */
#define ARENA_SHARE     32 /* of memory, for filters */
#define ETHERNET_HEADER 14

struct netif *netifs;
struct aegis_binding_info *netif_infos;
struct binding *bindings;

/*
 * Unbound, but still in the classifier in use: not to be used again before there is another. Its
 * owner in netif_infos is 0, so frames for it count as unclaimed.
 */
static bool *zombies;

uint32_t netif_rows;

bool netif_is_zombie(uint32_t index)
{
    return zombies[index];
}

void netif_set_zombie(uint32_t index, bool is_zombie)
{
    zombies[index] = is_zombie;
}

static size_t pages_of(size_t bytes)
{
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

void netif_note_egress(uint32_t index)
{
    const struct codegen_result *code = &bindings[index].egress_code;

    post_code(AEGIS_CODE_EGRESS, index, &code->code, code->entry, netif_infos[index].owner, NULL);
}

/* A root binding: all frames in; all frames with the interface's source address out. */
static void bind_root(uint32_t number)
{
    struct netif *netif = &netifs[number];
    struct binding *root = &bindings[number];
    size_t size =
        sizeof(struct dpf_header) + 8 * (sizeof(struct dpf_node) + sizeof(struct dpf_range));
    uint8_t *images = arena_alloc(2 * size);
    struct codegen job;

    assert_kernel(images != NULL);
    int in = dpf_make_all(images, size);
    int out = dpf_make_source_mac(images + size, size, netif->nic.mac);
    assert_kernel(in > 0 && dpf_verify(images, (size_t)in, &root->ingress) == 0);
    assert_kernel(out > 0 && dpf_verify(images + size, (size_t)out, &root->egress) == 0);
    root->images = images;
    codegen_begin(&job, NULL, &root->egress);
    while (!codegen_step(&job, &root->egress_code))
        ;
    netif_rows = number + 1;
    netif_infos[number] = (struct aegis_binding_info){
        .owner = FIRST_ENV, .binder = FIRST_ENV, .parent = number, .netif = (uint16_t)number};
    netif_note_egress(number);
}

/* What devices' interfaces and the loop have in common; the address is there. */
static void open_one(uint32_t number)
{
    struct netif *netif = &netifs[number];
    const uint8_t *mac = netif->nic.mac;

    for (int i = 0; i < 2; i++)
        netif->tries[i] = boot_alloc(pages_of(classify_trie_size()), 1);
    netif->info = &info->netifs[number];
    netif->frame_most = RX_FRAME_MOST;
    memcpy(netif->info->mac, mac, sizeof(netif->info->mac));
    netif->info->mtu = netif->nic.mtu;
    netif->info->root = number;
    bind_root(number);
    enum classify_state state;
    classify_begin(netif);
    while ((state = classify_step()) == CLASSIFY_MORE)
        ;
    if (state == CLASSIFY_FULL)
        panic("net%u: the root's classifier doesn't fit", number);
}

static void init_one(uint32_t number, const struct virtio *device)
{
    struct netif *netif = &netifs[number];
    const uint8_t *mac = netif->nic.mac;

    nic_init(&netif->nic, device);
    netif->nic.in_flight =
        boot_alloc(pages_of(info->binding_count * sizeof(*netif->nic.in_flight)), 1);
    open_one(number);
    interrupt_bind(device->irq, rx_interrupt, netif);
    print("aegis: net%u: %02x:%02x:%02x:%02x:%02x:%02x, mtu %u, irq %u\n", number, mac[0], mac[1],
          mac[2], mac[3], mac[4], mac[5], netif->nic.mtu, device->irq);
}

void netif_init(struct virtio *devices, size_t count, unsigned int isa)
{
    uint64_t most = info->page_count / PAGES_A_BINDING;

    info->binding_count = (uint32_t)(most > NETIF_BINDINGS_MAX ? NETIF_BINDINGS_MAX : most);
    netif_infos = expose_alloc(info->binding_count * sizeof(*netif_infos), &info->bindings);
    bindings = boot_alloc(pages_of(info->binding_count * sizeof(*bindings)), 1);
    zombies = boot_alloc(pages_of(info->binding_count * sizeof(*zombies)), 1);
    net_compare_init();
    netifs = boot_alloc(pages_of((count + 1) * sizeof(*netifs)), 1);
    size_t arena = pages_of(info->page_count * PAGE_SIZE / ARENA_SHARE);
    arena_init(boot_alloc(arena, 1), arena * PAGE_SIZE, &info->arena_free);
    info->netif_count = (uint32_t)count;
    post_code_init(AEGIS_CODE_CLASSIFIER, AEGIS_NETIFS);
    post_code_init(AEGIS_CODE_EGRESS, info->binding_count);
    post.counters = (uintptr_t)&bindings[0].counters;
    post.counters_stride = sizeof(*bindings);
    classify_init(entropy_key(ENTROPY_HASH_TABLES).k0);
    codegen_init(isa);
    for (uint32_t i = 0; i < count; i++)
        init_one(i, &devices[i]);
    /* All its addresses are zero, as Linux has it. */
    netifs[count].nic.mtu = AEGIS_FRAME_MAX - ETHERNET_HEADER;
    open_one((uint32_t)count);
    loop_init(&netifs[count]);
}

uint64_t netif_held(const struct env *env)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < info->binding_count; i++)
        count += netif_infos[i].owner == env->number && netif_infos[i].parent != i;
    return count;
}

struct quota_bytes netif_bytes(uint32_t index)
{
    const struct binding *b = netif_binding_state(index);

    return (struct quota_bytes){.arena = arena_bytes(b->images),
                                .code = code_bytes(&b->egress_code.code)};
}

void netif_reclaim(void)
{
    for (uint32_t i = 0; i < info->netif_count; i++)
        netifs[i].info->sent += nic_tx_reclaim(&netifs[i].nic);
}

long call_net_counters(uint32_t index, uaddr_t counters, uaddr_t cap)
{
    uint32_t self = this_hart->env->number;
    long error = 0;

    if (!netif_binding(index))
        return -AEGIS_E_RANGE;
    if (netif_infos[index].owner != self && netif_infos[index].binder != self)
        error = cap ? cap_check_user(cap, AEGIS_KIND_BINDING, index, AEGIS_RIGHT_MONITOR)
                    : -AEGIS_E_OWNER;
    if (!error && !user_write(counters, &bindings[index].counters, sizeof(struct aegis_counters)))
        error = -AEGIS_E_ADDRESS;
    return error;
}
