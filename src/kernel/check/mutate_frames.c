/* Bindings, frames, handlers and their code. */
#include "kernel/check/mutate.h"

#include "kernel/arena.h"
#include "kernel/code.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/handler.h"
#include "kernel/loop.h"
#include "kernel/netif.h"
#include "kernel/quota.h"
#include "kernel/rv64/paging.h"

/* A bound binding from first on that is no root, with or without a ring; or DPF_NONE. */
static uint32_t child_binding(uint32_t first, bool ring)
{
    for (uint32_t i = first; i < info->binding_count; i++) {
        const struct aegis_binding_info *b = netif_binding(i);
        if (b && b->parent != i && !(b->flags & BIND_COPIES) &&
            (netif_binding_state(i)->ring != NULL) == ring)
            return i;
    }
    return DPF_NONE;
}

static struct binding *any_child(void)
{
    uint32_t i = child_binding(0, false);

    i = i == DPF_NONE ? child_binding(0, true) : i;
    return i == DPF_NONE ? NULL : netif_binding_state(i);
}

bool break_binding_owner(void)
{
    uint32_t i = child_binding(0, true);

    if (i != DPF_NONE)
        netif_row(i)->binder = ENV_COUNT - 1;
    return i != DPF_NONE;
}

bool break_binding_parent(void)
{
    uint32_t i = child_binding(0, true);

    if (i != DPF_NONE)
        netif_row(i)->parent = info->binding_count - 1;
    return i != DPF_NONE;
}

bool break_binding_contained(void)
{
    struct binding *b = any_child();

    if (b)
        b->egress = (struct dpf_filter){.entry = DPF_ACCEPT};
    return b;
}

bool break_binding_disjoint(void)
{
    uint32_t a = child_binding(0, true);
    uint32_t b = a == DPF_NONE ? a : child_binding(a + 1, true);

    if (b != DPF_NONE)
        netif_binding_state(a)->ingress = netif_binding_state(b)->ingress;
    return b != DPF_NONE;
}

bool break_binding_rank(void)
{
    struct binding *b = any_child();

    if (b)
        b->rank = 0;
    return b;
}

bool break_binding_taps(void)
{
    if (info->netif_count)
        netifs[0].tap_count++;
    return info->netif_count;
}

bool break_binding_generation(void)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (netif_row(i)->generation) {
            check_all();
            netif_row(i)->generation--;
            return true;
        }
    return false;
}

/* A binding that is gone, and still in the classifier. */
bool break_classifier(void)
{
    uint32_t i = child_binding(0, false);

    if (i == DPF_NONE)
        return false;
    check_all();
    quota_subtract(netif_row(i)->owner, AEGIS_QUOTA_BINDINGS, 1);
    quota_subtract_bytes(netif_row(i)->owner, netif_bytes(i));
    netif_row(i)->owner = 0;
    return true;
}

bool break_ring_pages(void)
{
    uint32_t i = child_binding(0, true);

    if (i != DPF_NONE)
        pages[netif_binding_state(i)->ring_pages[0]].state = AEGIS_PAGE_DATA;
    return i != DPF_NONE;
}

bool break_frames_under_way(void)
{
    if (info->netif_count)
        netifs[0].nic.tx_slots[0].buffer = netifs[0].nic.rx_buffer[0];
    return info->netif_count;
}

bool break_loop_queue(void)
{
    loop.queue[0].buffer = loop.spare;
    return true;
}

bool break_handler_binding(void)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (netif_binding(i) && netif_binding_state(i)->handler) {
            netif_binding_state(i)->handler = NULL;
            return true;
        }
    return false;
}

bool break_handler_window(void)
{
    for (uint32_t i = 0; handler_at(i); i++)
        if (handler_at(i)->owner && handler_at(i)->map_page_count) {
            pages[handler_at(i)->map_page].state = AEGIS_PAGE_DATA;
            return true;
        }
    return false;
}

bool break_code_units(void)
{
    struct code_search search = {0};
    struct code code;

    return code_alloc_step(&search, 1, &code) && code.units;
}

bool break_code_alias(void)
{
    paging_code_alias((struct range){0, PAGE_SIZE}, true);
    return true;
}

bool break_arena_pieces(void)
{
    return arena_alloc(16);
}
