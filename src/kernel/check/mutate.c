/* A way to break each invariant: what a bug of the kernel would leave, so that a test sees the walk
 * find it. */
#include "kernel/check/internal.h"

#include "kernel/arena.h"
#include "kernel/code.h"
#include "kernel/env.h"
#include "kernel/quota.h"
#include "kernel/expose.h"
#include "kernel/gate.h"
#include "kernel/handler.h"
#include "kernel/loop.h"
#include "kernel/map.h"
#include "kernel/map_list.h"
#include "kernel/map_window.h"
#include "kernel/netif.h"
#include "kernel/rv64/paging.h"
#include "kernel/slice.h"

/* An application's page that something maps, and nothing pins. */
static struct aegis_page *mapped_page(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        if (pages[i].state == AEGIS_PAGE_DATA && pages[i].refs && !pages[i].pins)
            return &pages[i];
    return NULL;
}

/* Where a page is mapped that its owner maps, too, and mapped first. */
static pte_t *others_mapping(void)
{
    for (uint64_t i = 0; i < page_count; i++) {
        const struct aegis_page *page = &pages[i];
        if (page->state != AEGIS_PAGE_DATA || page->refs < 2 || page->links == NO_PAGE)
            continue;
        uint32_t last = link_of(page->links)->previous;
        if (table_at(page->links)->owner == page->owner && table_at(last)->owner != page->owner)
            return pte_of(last);
    }
    return NULL;
}

/* An environment beside the first. */
static struct env *other_env(void)
{
    for (uint32_t n = FIRST_ENV + 1; n < ENV_COUNT; n++)
        if (env_table[n])
            return env_table[n];
    return NULL;
}

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

static bool break_page_free(void)
{
    info->free_pages++;
    return true;
}

static bool break_page_owned(void)
{
    env_infos[FIRST_ENV].pages++;
    return true;
}

static bool break_page_refs(void)
{
    struct aegis_page *page = mapped_page();

    if (page)
        page->refs++;
    return page;
}

static bool break_page_links(void)
{
    struct aegis_page *page = mapped_page();

    if (page)
        page->links = NO_PAGE;
    return page;
}

static bool break_page_pins(void)
{
    struct aegis_page *page = mapped_page();

    if (page)
        page_pin(page);
    return page;
}

static bool break_page_last(void)
{
    struct aegis_page *page = mapped_page();

    if (page)
        page->last++;
    return page;
}

static bool break_page_role(void)
{
    struct aegis_page *page = mapped_page();

    if (page)
        page->state = AEGIS_PAGE_RING;
    return page;
}

static bool break_page_generation(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        if (pages[i].generation) {
            check_all();
            pages[i].generation--;
            return true;
        }
    return false;
}

static bool break_table_entry(void)
{
    pte_t *entry = map_entry(env_table[FIRST_ENV], AEGIS_PROGRAM_BASE, 0, NULL);

    if (entry)
        *entry |= 1UL << 60;
    return entry;
}

static bool break_table_own(void)
{
    pte_t *entry = others_mapping();

    if (entry)
        *entry |= PTE_OWN;
    return entry;
}

/* Marks the last on a list whose first has no mark. */
static bool break_table_inherit(void)
{
    pte_t *entry = others_mapping();

    if (entry)
        *entry |= PTE_INHERIT;
    return entry;
}

/* Binds the owner of a page that it may write to. */
static bool break_table_bound(void)
{
    for (uint64_t i = 0; i < page_count; i++)
        if (pages[i].state == AEGIS_PAGE_DATA && pages[i].links != NO_PAGE &&
            *pte_of(pages[i].links) & PTE_OWN) {
            pages[i].level = AEGIS_PAGE_BOUND;
            return true;
        }
    return false;
}

static bool break_table_region(void)
{
    pte_t *entry = map_entry(env_table[FIRST_ENV], AEGIS_PROGRAM_BASE, 0, NULL);

    if (entry)
        map_table_of(entry)->region++;
    return entry;
}

/* Makes a table that is shown writable. */
static bool break_table_window(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->root[WINDOW_INDEX]) {
            const struct env *env = env_table[n];
            pte_t *entry = map_entry(env, AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE), 1, NULL);
            if (!entry || *entry == window_without(0))
                continue;
            *map_leaf(env, AEGIS_WINDOW_PTE(AEGIS_PROGRAM_BASE)) |= PTE_W;
            return true;
        }
    return false;
}

static bool break_table_leaf(void)
{
    env_table[FIRST_ENV]->leaf = (struct leaf_cache){
        .region = 0, .table = ppn_to_virt(virt_to_phys(env_table[FIRST_ENV]->root) >> PAGE_SHIFT)};
    return true;
}

static bool break_table_root(void)
{
    env_table[FIRST_ENV]->root[PTES - 100] ^= PTE_A;
    return true;
}

static bool break_exposed_read_only(void)
{
    *map_entry(env_table[FIRST_ENV], AEGIS_EXPOSED_BASE, 0, NULL) |= PTE_W;
    return true;
}

static bool break_env_table(void)
{
    env_table[FIRST_ENV]->info++;
    return true;
}

static bool break_env_nobody(void)
{
    env_infos[ENV_COUNT - 1].pages++;
    return true;
}

static bool break_env_owner(void)
{
    struct env *env = other_env();

    if (env)
        env_infos[env->number].owner = ENV_COUNT - 1;
    return env;
}

static bool break_env_generation(void)
{
    for (uint32_t n = 1; n < ENV_COUNT; n++)
        if (env_infos[n].generation) {
            check_all();
            env_infos[n].generation--;
            return true;
        }
    return false;
}

static bool break_slot_owner(void)
{
    slice_slots[AEGIS_SLOTS - 1].env = ENV_COUNT - 1;
    return true;
}

static bool break_slot_count(void)
{
    slice_ending_without++;
    return true;
}

static bool break_slot_generation(void)
{
    for (uint32_t i = 0; i < AEGIS_SLOTS; i++)
        if (slice_slots[i].generation) {
            check_all();
            slice_slots[i].generation--;
            return true;
        }
    return false;
}

static bool break_hart_env(void)
{
    struct env *env = this_hart->env;

    if (env)
        env->satp ^= 1UL << SATP_ASID_SHIFT;
    return env;
}

static bool break_wake_word(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->wake.count && mapped_page()) {
            env_table[n]->wake.predicates[0].word = page_memory(mapped_page());
            return true;
        }
    return false;
}

static bool break_upcall_page(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->upcall) {
            page_of(virt_to_phys(env_table[n]->upcall) >> PAGE_SHIFT)->state = AEGIS_PAGE_PTABLE;
            return true;
        }
    return false;
}

static bool break_direct(void)
{
    if (!this_hart->env || !this_hart->direct.causes)
        return false;
    this_hart->direct.handler += 2;
    return true;
}

static bool break_quota(void)
{
    accounts[FIRST_ENV].used[AEGIS_QUOTA_BINDINGS]++;
    return true;
}

static bool break_revoking(void)
{
    env_infos[FIRST_ENV].revoking = 1;
    return true;
}

/* A gate to one that is about to be gone. */
static bool break_gate_callee(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_infos[n].state == AEGIS_ENV_ENDING) {
            env_table[FIRST_ENV]->gates[0] = env_table[n];
            return true;
        }
    return false;
}

/* Whom it serves has been forgotten. */
static bool break_gate_caller(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && gate_calls(env_table[n])) {
            gate_env(env_table[n]->state)->caller = GATE_NOBODY;
            return true;
        }
    return false;
}

static bool break_gate_state(void)
{
    for (uint32_t n = FIRST_ENV; n < ENV_COUNT; n++)
        if (env_table[n] && env_table[n]->state > 0) {
            env_table[n]->state += 2;
            return true;
        }
    return false;
}

static bool break_binding_owner(void)
{
    uint32_t i = child_binding(0, true);

    if (i != DPF_NONE)
        netif_row(i)->binder = ENV_COUNT - 1;
    return i != DPF_NONE;
}

static bool break_binding_parent(void)
{
    uint32_t i = child_binding(0, true);

    if (i != DPF_NONE)
        netif_row(i)->parent = info->binding_count - 1;
    return i != DPF_NONE;
}

static bool break_binding_contained(void)
{
    struct binding *b = any_child();

    if (b)
        b->egress = (struct dpf_filter){.entry = DPF_ACCEPT};
    return b;
}

static bool break_binding_disjoint(void)
{
    uint32_t a = child_binding(0, true);
    uint32_t b = a == DPF_NONE ? a : child_binding(a + 1, true);

    if (b != DPF_NONE)
        netif_binding_state(a)->ingress = netif_binding_state(b)->ingress;
    return b != DPF_NONE;
}

static bool break_binding_rank(void)
{
    struct binding *b = any_child();

    if (b)
        b->rank = 0;
    return b;
}

static bool break_binding_taps(void)
{
    if (info->netif_count)
        netifs[0].tap_count++;
    return info->netif_count;
}

static bool break_binding_generation(void)
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
static bool break_classifier(void)
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

static bool break_ring_pages(void)
{
    uint32_t i = child_binding(0, true);

    if (i != DPF_NONE)
        pages[netif_binding_state(i)->ring_pages[0]].state = AEGIS_PAGE_DATA;
    return i != DPF_NONE;
}

static bool break_frames_under_way(void)
{
    if (info->netif_count)
        netifs[0].nic.tx_slots[0].buffer = netifs[0].nic.rx_buffer[0];
    return info->netif_count;
}

static bool break_loop_queue(void)
{
    loop.queue[0].buffer = loop.spare;
    return true;
}

static bool break_handler_binding(void)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (netif_binding(i) && netif_binding_state(i)->handler) {
            netif_binding_state(i)->handler = NULL;
            return true;
        }
    return false;
}

static bool break_handler_window(void)
{
    for (uint32_t i = 0; handler_at(i); i++)
        if (handler_at(i)->owner && handler_at(i)->map_page_count) {
            pages[handler_at(i)->map_page].state = AEGIS_PAGE_DATA;
            return true;
        }
    return false;
}

static bool break_code_units(void)
{
    struct code_search search = {0};
    struct code code;

    return code_alloc_step(&search, 1, &code) && code.units;
}

static bool break_code_alias(void)
{
    paging_code_alias((struct range){0, PAGE_SIZE}, true);
    return true;
}

static bool break_arena_pieces(void)
{
    return arena_alloc(16);
}

static bool break_failed_call(void)
{
    env_infos[FIRST_ENV].generation++;
    return true;
}

bool mutate(enum invariant invariant)
{
    static bool (*const ways[INVARIANT_COUNT])(void) = {
#define AEGIS_INVARIANT(name, sentence) [INVARIANT_##name] = break_##name,
#include "kernel/check/invariants.def"
#undef AEGIS_INVARIANT
    };

    return env_table[FIRST_ENV] && ways[invariant]();
}
