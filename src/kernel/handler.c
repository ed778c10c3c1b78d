#include "kernel/handler.h"

#include <string.h>

#include "kernel/arena.h"
#include "kernel/boot_memory.h"
#include "kernel/call.h"
#include "kernel/check/hard.h"
#include "kernel/env.h"
#include "kernel/event.h"
#include "kernel/expose.h"
#include "kernel/handler_load.h"
#include "kernel/netif.h"
#include "kernel/page.h"
#include "kernel/post.h"
#include "kernel/quota.h"
#include "kernel/user.h"

#define PAGES_A_HANDLER 64 /* of the machine: 128 handlers with 32 MiB */
#define HANDLERS_MAX    HARD(1024, 8)

static struct handler *handlers;
static uint32_t handler_count;
static uint32_t handlers_used; /* those from here on were never loaded */

void handler_init(void)
{
    uint64_t most = info->page_count / PAGES_A_HANDLER;

    handler_count = (uint32_t)(most > HANDLERS_MAX ? HANDLERS_MAX : most);
    handlers = boot_alloc((handler_count * sizeof(*handlers) + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    post_code_init(AEGIS_CODE_HANDLER, handler_count);
    handler_load_init();
}

uint32_t handler_most(void)
{
    return handler_count;
}

const struct handler *handler_at(uint32_t index)
{
    return index < handler_count ? &handlers[index] : NULL;
}

struct handler *handler_free(void)
{
    uint32_t index = 0;

    while (index < handler_count && handlers[index].owner)
        index++;
    return index < handler_count ? &handlers[index] : NULL;
}

void handler_add(struct handler *h, uint32_t owner)
{
    uint32_t index = (uint32_t)(h - handlers);

    if (index >= handlers_used)
        handlers_used = index + 1;
    *h = (struct handler){.owner = owner, .number = index, .generation = h->generation + 1};
    h->status.binding = AEGIS_NO_BINDING;
}

/* What one run may take of an entry's budget is known to the interface beforehand (rx.c). */
static void set_frame_most(struct netif *netif)
{
    int32_t most = 0;

    for (uint32_t i = 0; i < handler_count; i++) {
        const struct handler *h = &handlers[i];
        if (h->owner && h->status.binding != AEGIS_NO_BINDING && h->fuel > most &&
            &netifs[netif_row(h->status.binding)->netif] == netif)
            most = h->fuel;
    }
    netif->frame_most = RX_FRAME_MOST + (int64_t)RX_FUEL_WORK * most;
}

void handler_unbind(struct handler *h)
{
    uint32_t binding = h->status.binding;

    if (binding == AEGIS_NO_BINDING)
        return;
    netif_binding_state(binding)->handler = NULL;
    h->status.binding = AEGIS_NO_BINDING;
    set_frame_most(&netifs[netif_row(binding)->netif]);
}

struct quota_bytes handler_bytes(const struct handler *h)
{
    return (struct quota_bytes){.arena = arena_bytes(h->image) + arena_bytes(h->program),
                                .code = code_bytes(&h->code)};
}

static void unload(struct handler *h)
{
    handler_unbind(h);
    quota_subtract(h->owner, AEGIS_QUOTA_HANDLERS, 1);
    quota_subtract_bytes(h->owner, handler_bytes(h));
    for (uint32_t i = 0; i < h->map_page_count; i++) {
        page_unpin(&pages[h->map_page + i]);
        pages[h->map_page + i].state = AEGIS_PAGE_DATA;
    }
    code_free(&h->code);
    post_code(AEGIS_CODE_HANDLER, h->number, NULL, NULL, 0, NULL);
    arena_free(h->program);
    arena_free(h->image);
    h->owner = 0;
}

/* The caller's own handler number index, or a negated error. */
static long find(uint32_t index, struct handler **handler)
{
    if (index >= handler_count || !handlers[index].owner)
        return -AEGIS_E_RANGE;
    *handler = &handlers[index];
    return handlers[index].owner == this_hart->env->number ? 0 : -AEGIS_E_OWNER;
}

bool handler_valid(uint64_t index)
{
    return index < handler_count && handlers[index].owner;
}

uint32_t handler_owner(uint64_t index)
{
    return handlers[index].owner;
}

uint64_t *handler_generation(uint64_t index)
{
    return &handlers[index].generation;
}

uint64_t handler_held(const struct env *env)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < handler_count; i++)
        count += handlers[i].owner == env->number;
    return count;
}

bool handler_take(uint32_t env, uint32_t *index)
{
    for (uint32_t i = handlers_used; i-- > 0;)
        if (handlers[i].owner == env) {
            unload(&handlers[i]);
            *index = i;
            return true;
        }
    return false;
}

bool handler_end_env(uint32_t env)
{
    uint32_t index;

    handler_load_end(env);
    return !handler_take(env, &index);
}

long call_handler_bind(uint32_t index, uint32_t binding)
{
    const struct aegis_binding_info *b = netif_binding(binding);
    struct handler *h;
    long error = find(index, &h);

    if (error)
        return error;
    if (!b)
        return -AEGIS_E_RANGE;
    if (b->owner != this_hart->env->number && b->binder != this_hart->env->number)
        return -AEGIS_E_OWNER;
    if (b->flags & BIND_COPIES)
        return -AEGIS_E_INVALID;
    if (h->status.binding != AEGIS_NO_BINDING || netif_binding_state(binding)->handler)
        return -AEGIS_E_IN_USE;
    h->status.binding = binding;
    h->status.strikes = 0;
    h->run.md.ingress_ifindex = b->netif + 1U; /* as Linux counts them */
    netif_binding_state(binding)->handler = h;
    set_frame_most(&netifs[b->netif]);
    return 0;
}

long call_handler_unload(uint32_t index)
{
    struct handler *h;
    long error = find(index, &h);

    if (!error)
        unload(h);
    return error;
}

/* Each run ended with one verdict. */
static uint64_t total_runs(const struct aegis_handler_status *status)
{
    uint64_t runs = 0;

    for (size_t i = 0; i < AEGIS_VERDICTS; i++)
        runs += status->verdicts[i];
    return runs;
}

long call_handler_status(uint32_t index, uaddr_t status)
{
    struct handler *h;
    long error = find(index, &h);

    if (!error) {
        uint64_t runs = total_runs(&h->status);
        h->status.fuel += (runs - h->status.runs) * h->program->entry_cost;
        h->status.runs = runs;
    }
    if (!error && !user_write(status, &h->status, sizeof(h->status)))
        error = -AEGIS_E_ADDRESS;
    return error;
}
