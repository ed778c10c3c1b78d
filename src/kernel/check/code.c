/* Handlers, and what lies in the two arenas: pieces of code, images, programs. */
#include "kernel/check/internal.h"

#include "kernel/arena.h"
#include "kernel/code.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/handler.h"
#include "kernel/handler_load.h"
#include "kernel/net_bind.h"
#include "kernel/netif.h"
#include "kernel/rv64/paging.h"

static uint64_t units;  /* of code that something refers to */
static uint64_t pieces; /* of the arena that something refers to */

static void refer_code(const struct code *code)
{
    for (uint32_t i = 0; i < code->units; i++)
        HOLDS(code_units, code_is_used(code->unit + i), "unit %u is referred to, and free",
              code->unit + i);
    units += code->units;
}

static void refer_piece(const void *memory)
{
    if (!memory)
        return;
    HOLDS(arena_pieces, arena_is_used(memory), "the piece at %p is referred to, and free", memory);
    pieces++;
}

static void check_handler(const struct handler *h)
{
    uint32_t binding = h->status.binding;

    HOLDS(handler_window, h->owner < ENV_COUNT && env_table[h->owner], "%u is %u's", h->number,
          h->owner);
    HOLDS(handler_binding,
          binding == AEGIS_NO_BINDING ||
              (netif_binding(binding) && netif_binding_state(binding)->handler == h),
          "%u is bound to %u, which runs another", h->number, binding);
    for (uint32_t i = 0; i < h->map_page_count; i++) {
        const struct aegis_page *page = &pages[h->map_page + i];
        HOLDS(handler_window, page->state == AEGIS_PAGE_WINDOW && page->owner == h->owner,
              "page %lu of %u is in state %u, of %u", page_index(page), h->number, page->state,
              page->owner);
        check_role(page, ROLE_WINDOW, AEGIS_PAGE_WINDOW, h->owner);
        shadow_of(page)->pins++;
    }
    refer_code(&h->code);
    refer_piece(h->image);
    refer_piece(h->program);
}

static void check_binding(uint32_t index)
{
    const struct binding *b = netif_binding_state(index);

    if (b->handler)
        HOLDS(handler_binding,
              netif_binding(index) && b->handler->owner && b->handler->status.binding == index,
              "%u runs a handler that is bound to %u", index, b->handler->status.binding);
    if (!netif_binding(index))
        return;
    refer_piece(b->images);
    if (b->egress_code.entry)
        refer_code(&b->egress_code.code);
}

static void check_alias(void)
{
    uint64_t size = paging_code_arena.end - paging_code_arena.start;
    const pte_t *entry = NULL;

    for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
        if (!entry || pte_index(CODE_ALIAS + at, 0) == 0) {
            const pte_t *table = kernel_root;
            for (unsigned int level = ROOT_LEVEL; level > 0; level--)
                table = ppn_to_virt(pte_ppn(table[pte_index(CODE_ALIAS + at, level)]));
            entry = &table[pte_index(CODE_ALIAS + at, 0)];
        }
        HOLDS(code_alias, !(*entry++ & PTE_V), "page %lu of the arena is writable",
              at >> PAGE_SHIFT);
    }
}

static void refer_job(const struct codegen *job)
{
    refer_piece(job->memory);
    refer_code(&job->code);
}

/* What is under way: a handler's download, a binding, a classifier. */
static void refer_unfinished(void)
{
    const void *loading[3], *images;
    const struct codegen *job;
    const struct codegen_result *code;

    handler_loading(loading);
    for (int i = 0; i < 3; i++)
        refer_piece(loading[i]);
    net_bind_holds(&images, &job, &code);
    refer_piece(images);
    refer_job(job);
    if (code->entry)
        refer_code(&code->code);
    refer_job(classify_compiling());
}

void check_code(void)
{

    units = pieces = 0;
    for (uint32_t i = 0; handler_at(i); i++)
        if (handler_at(i)->owner)
            check_handler(handler_at(i));
    for (uint32_t i = 0; i < info->binding_count; i++)
        check_binding(i);
    for (uint32_t i = 0; i < netif_total(); i++)
        if (netifs[i].classifier.entry)
            refer_code(&netifs[i].classifier.code);
    refer_unfinished();
    HOLDS(code_units, units == code_count_used(), "%lu are taken, and %lu referred to",
          code_count_used(), units);
    HOLDS(arena_pieces, pieces == arena_count_used(), "%lu are taken, and %lu referred to",
          arena_count_used(), pieces);
    check_alias();
}
