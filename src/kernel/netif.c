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
#include "kernel/handler.h"
#include "kernel/interrupt.h"
#include "kernel/page.h"
#include "kernel/post.h"
#include "kernel/print.h"
#include "kernel/quota.h"
#include "kernel/ring.h"
#include "kernel/rx.h"
#include "kernel/user.h"

_Static_assert(AEGIS_TAPS_MAX <= DPF_TAPS_MAX, "a classifier's taps");

#define PAGES_A_BINDING 32 /* of the machine: 256 bindings with 32 MiB */
#define BINDINGS_MAX    4096
#define ARENA_SHARE     32    /* of memory, for filters */
#define DECIDE_BUDGET   20000 /* steps of containment and overlap in one net_bind */

struct netif *netifs;
static struct aegis_binding_info *infos; /* exposed */
struct binding *bindings;

/*
 * Unbound, but still in a classifier that could not be rebuilt: not to be used again before that
 * succeeds. Its owner in infos is 0, so frames for it count as unclaimed.
 */
static bool *zombies;
static bool *inner; /* bindings that the one under way contains (check_others) */

struct aegis_binding_info *netif_binding(uint64_t index)
{
    return index < info->binding_count && infos[index].owner ? &infos[index] : NULL;
}

struct aegis_binding_info *netif_row(uint32_t index)
{
    return &infos[index];
}

bool netif_is_zombie(uint32_t index)
{
    return zombies[index];
}

static size_t pages_of(size_t bytes)
{
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

static void note_egress(uint32_t index)
{
    const struct classify_code *code = &bindings[index].egress_code;

    post_code(AEGIS_CODE_EGRESS, index, &code->code, code->entry, infos[index].owner, NULL);
}

/* A root binding: all frames in; all frames with the interface's source address out. */
static void bind_root(uint32_t number)
{
    struct netif *netif = &netifs[number];
    struct binding *root = &bindings[number];
    size_t size =
        sizeof(struct dpf_header) + 8 * (sizeof(struct dpf_node) + sizeof(struct dpf_range));
    uint8_t *images = arena_alloc(2 * size);

    assert_kernel(images != NULL);
    int in = dpf_make_all(images, size);
    int out = dpf_make_source_mac(images + size, size, netif->nic.mac);
    assert_kernel(in > 0 && dpf_verify(images, (size_t)in, &root->ingress) == 0);
    assert_kernel(out > 0 && dpf_verify(images + size, (size_t)out, &root->egress) == 0);
    root->images = images;
    classify_compile_egress(root);
    infos[number] = (struct aegis_binding_info){
        .owner = FIRST_ENV, .binder = FIRST_ENV, .parent = number, .netif = (uint16_t)number};
    note_egress(number);
}

static void init_one(uint32_t number, const struct virtio *device)
{
    struct netif *netif = &netifs[number];
    const uint8_t *mac = netif->nic.mac;

    nic_init(&netif->nic, device);
    netif->nic.in_flight =
        boot_alloc(pages_of(info->binding_count * sizeof(*netif->nic.in_flight)), 1);
    for (int i = 0; i < 2; i++)
        netif->tries[i] = boot_alloc(pages_of(classify_trie_size()), 1);
    netif->info = &info->netifs[number];
    memcpy(netif->info->mac, mac, sizeof(netif->info->mac));
    netif->info->mtu = netif->nic.mtu;
    netif->info->root = number;
    bind_root(number);
    if (!classify_rebuild(netif))
        panic("net%u: the root's classifier doesn't fit", number);
    interrupt_bind(device->irq, rx_interrupt, netif);
    print("aegis: net%u: %02x:%02x:%02x:%02x:%02x:%02x, mtu %u, irq %u\n", number, mac[0], mac[1],
          mac[2], mac[3], mac[4], mac[5], netif->nic.mtu, device->irq);
}

void netif_init(struct virtio *devices, size_t count, unsigned int isa)
{
    uint64_t most = info->page_count / PAGES_A_BINDING;

    info->binding_count = (uint32_t)(most > BINDINGS_MAX ? BINDINGS_MAX : most);
    infos = expose_alloc(info->binding_count * sizeof(*infos), &info->bindings);
    bindings = boot_alloc(pages_of(info->binding_count * sizeof(*bindings)), 1);
    zombies = boot_alloc(pages_of(info->binding_count * sizeof(*zombies)), 1);
    inner = boot_alloc(pages_of(info->binding_count * sizeof(*inner)), 1);
    netifs = boot_alloc(pages_of((count + 1) * sizeof(*netifs)), 1);
    size_t arena = pages_of(info->page_count * PAGE_SIZE / ARENA_SHARE);
    arena_init(boot_alloc(arena, 1), arena * PAGE_SIZE, &info->arena_free);
    info->netif_count = (uint32_t)count;
    post_code_init(AEGIS_CODE_CLASSIFIER, AEGIS_NETIF_MAX);
    post_code_init(AEGIS_CODE_EGRESS, info->binding_count);
    post.counters = (uintptr_t)&bindings[0].counters;
    post.counters_stride = sizeof(*bindings);
    classify_init(entropy_key(ENTROPY_HASH_TABLES).k0, isa);
    for (uint32_t i = 0; i < count; i++)
        init_one(i, &devices[i]);
}

static bool is_ancestor(uint32_t candidate, uint32_t parent)
{
    for (;; parent = infos[parent].parent) {
        if (parent == candidate)
            return true;
        if (infos[parent].parent == parent)
            return false;
    }
}

/* What binding a filter pair would do to those that are bound. */
struct placement {
    uint32_t parent;
    uint32_t owner;
    struct dpf_filter ingress, egress;
    uint32_t rank;
    uint32_t flags; /* AEGIS_BIND_* */
};

static long decided(enum dpf_decision decision, enum dpf_decision wanted, long error)
{
    return decision == wanted ? 0 : decision == DPF_UNDECIDED ? -AEGIS_E_BUDGET : error;
}

static long check_contained(const struct placement *p)
{
    const struct binding *parent = &bindings[p->parent];
    long error =
        decided(dpf_contains(&parent->ingress, &p->ingress, DECIDE_BUDGET, classify_scratch),
                DPF_YES, -AEGIS_E_NOT_CONTAINED);

    if (!error && !(p->flags & AEGIS_BIND_TAP))
        error = decided(dpf_contains(&parent->egress, &p->egress, DECIDE_BUDGET, classify_scratch),
                        DPF_YES, -AEGIS_E_NOT_CONTAINED);
    return error;
}

/* Whether a overlaps b's frames only by nesting; *inside and *outside say which way. */
static long check_nested(const struct dpf_filter *a, const struct dpf_filter *b, bool *inside,
                         bool *outside)
{
    *inside = dpf_contains(b, a, DECIDE_BUDGET, classify_scratch) == DPF_YES;
    *outside = dpf_contains(a, b, DECIDE_BUDGET, classify_scratch) == DPF_YES;
    return *inside != *outside ? 0 : -AEGIS_E_OVERLAP;
}

/*
 * Checks p against every binding of its interface, and works out its rank, one more than the
 * highest of those that contain it, and which it contains.
 */
static long check_others(struct placement *p)
{
    p->rank = 0;
    for (uint32_t i = 0; i < info->binding_count; i++) {
        const struct binding *other = &bindings[i];
        bool inside = true, outside = false;
        long error;

        inner[i] = false;
        if (!infos[i].owner || infos[i].netif != infos[p->parent].netif ||
            ((infos[i].flags | p->flags) & AEGIS_BIND_TAP))
            continue;
        if (!is_ancestor(i, p->parent)) {
            bool mine = infos[i].owner == p->owner;
            error = mine ? 0
                         : decided(dpf_overlaps(&p->egress, &other->egress, DECIDE_BUDGET,
                                                classify_scratch),
                                   DPF_NO, -AEGIS_E_OVERLAP);
            if (error)
                return error;
            error =
                decided(dpf_overlaps(&p->ingress, &other->ingress, DECIDE_BUDGET, classify_scratch),
                        DPF_NO, -AEGIS_E_OVERLAP);
            if (!error)
                continue;
            if (error != -AEGIS_E_OVERLAP || !mine)
                return error;
            error = check_nested(&p->ingress, &other->ingress, &inside, &outside);
            if (error)
                return error;
        }
        if (inside && other->rank >= p->rank)
            p->rank = other->rank + 1;
        inner[i] = outside;
    }
    return 0;
}

/* Who may bind inside what for whom: fills parent and owner of p. */
static long check_authority(const struct aegis_net_binding *request, struct placement *p)
{
    uint64_t parent = AEGIS_CAP_INDEX(request->parent.name);
    uint64_t owner = AEGIS_CAP_INDEX(request->owner.name);
    long error;

    if (!netif_binding(parent))
        return info->netif_count ? -AEGIS_E_CAPABILITY : -AEGIS_E_NO_DEVICE;
    bool tap = request->flags & AEGIS_BIND_TAP;
    error = cap_check(&request->parent, AEGIS_KIND_BINDING, parent,
                      tap ? AEGIS_RIGHT_TAP : AEGIS_RIGHT_DELEGATE);
    if (error)
        return error;
    if ((request->flags & ~(uint64_t)AEGIS_BIND_TAP) || (tap && request->egress_size) ||
        (infos[parent].flags & AEGIS_BIND_TAP))
        return -AEGIS_E_INVALID;
    if (tap && netifs[infos[parent].netif].tap_count == AEGIS_TAPS_MAX)
        return -AEGIS_E_NO_SLOT;
    p->flags = (uint32_t)request->flags;
    p->parent = (uint32_t)parent;
    p->owner = this_hart->env->number;
    if (!request->owner.name && !request->owner.generation && !request->owner.mac)
        return 0;
    if (owner == 0 || owner >= ENV_COUNT)
        return -AEGIS_E_CAPABILITY;
    error = cap_check(&request->owner, AEGIS_KIND_ENV, owner, AEGIS_RIGHT_CONTROL);
    if (error)
        return error;
    p->owner = (uint32_t)owner;
    return env_infos[owner].state == AEGIS_ENV_CREATED || env_infos[owner].state == AEGIS_ENV_LIVE
               ? 0
               : -AEGIS_E_STATE;
}

/* Copies both images to images, once, and verifies the copies. */
static long read_filters(const struct aegis_net_binding *request, uint8_t *images,
                         struct placement *p)
{
    uint8_t *egress = images + ((request->ingress_size + 7) & ~7UL); /* dpf_verify wants 8 bytes */

    if (!user_read(images, (uaddr_t)request->ingress, request->ingress_size) ||
        !user_read(egress, (uaddr_t)request->egress, request->egress_size))
        return -AEGIS_E_ADDRESS;
    if (dpf_verify(images, request->ingress_size, &p->ingress) != 0)
        return -AEGIS_E_FILTER;
    if (p->flags & AEGIS_BIND_TAP) {
        p->egress = (struct dpf_filter){.entry = DPF_REJECT}; /* a tap sends nothing */
        return 0;
    }
    return dpf_verify(egress, request->egress_size, &p->egress) == 0 ? 0 : -AEGIS_E_FILTER;
}

static uint32_t find_free(void)
{
    uint32_t i = 0;

    while (i < info->binding_count && (infos[i].owner || zombies[i]))
        i++;
    return i;
}

/* The classifier holds exactly what is bound: nothing has to be kept out of use any more. */
static bool rebuild(uint32_t netif)
{
    if (!classify_rebuild(&netifs[netif]))
        return false;
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (infos[i].netif == netif)
            zombies[i] = false;
    return true;
}

/*
 * Those contained in a new binding have at least its rank, since what contains it contains them
 * too: one more, and they come before it, and keep their order among themselves. by is -1 to take
 * that back.
 */
static void raise_inner(int by)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (inner[i])
            bindings[i].rank += (uint32_t)by;
}

/* Makes the binding, whose parts were checked; undoes it if the classifier has no room for it. */
static long bind(const struct placement *p, uint32_t index, void *images)
{
    struct aegis_binding_info *i = &infos[index];

    bindings[index] = (struct binding){
        .ingress = p->ingress, .egress = p->egress, .images = images, .rank = p->rank};
    *i = (struct aegis_binding_info){.owner = p->owner,
                                     .binder = this_hart->env->number,
                                     .parent = p->parent,
                                     .netif = infos[p->parent].netif,
                                     .flags = p->flags,
                                     .generation = i->generation};
    raise_inner(1);
    if (!rebuild(i->netif)) {
        raise_inner(-1);
        i->owner = 0;
        return -AEGIS_E_NO_SPACE;
    }
    if (i->flags & AEGIS_BIND_TAP)
        netifs[i->netif].tap_count++;
    else
        classify_compile_egress(&bindings[index]);
    note_egress(index);
    env_infos[p->owner].bindings++;
    quota_add(p->owner, AEGIS_QUOTA_BINDINGS, 1);
    return (long)index;
}

long call_net_bind(uaddr_t address)
{
    struct aegis_net_binding request;
    struct placement p;
    uint8_t *images;
    uint32_t index;
    long result;

    if (!user_read(&request, address, sizeof(request)))
        return -AEGIS_E_ADDRESS;
    result = check_authority(&request, &p);
    if (result)
        return result;
    if (request.ingress_size > AEGIS_FILTER_MAX || request.egress_size > AEGIS_FILTER_MAX)
        return -AEGIS_E_RANGE;
    index = find_free();
    if (index == info->binding_count)
        return -AEGIS_E_NO_SLOT;
    if (!quota_allows(p.owner, AEGIS_QUOTA_BINDINGS, 1))
        return -AEGIS_E_QUOTA;
    images = arena_alloc(request.ingress_size + request.egress_size + 16);
    if (!images)
        return -AEGIS_E_NO_SPACE;
    result = read_filters(&request, images, &p);
    if (!result)
        result = check_contained(&p);
    if (!result)
        result = check_others(&p);
    if (!result)
        result = bind(&p, index, images);
    if (result < 0)
        arena_free(images);
    return result;
}

/* Frees binding index, whose children are already gone or moved; the caller rebuilds. */
static void unbind(uint32_t index)
{
    ring_release(&bindings[index]);
    if (bindings[index].handler)
        handler_unbind(bindings[index].handler);
    classify_forget_egress(&bindings[index]);
    note_egress(index);
    arena_free(bindings[index].images);
    env_infos[infos[index].owner].bindings++;
    quota_subtract(infos[index].owner, AEGIS_QUOTA_BINDINGS, 1);
    bindings[index].unbound = true;
    infos[index].owner = 0;
    infos[index].slots = 0;
    infos[index].generation++;
    if (infos[index].flags & AEGIS_BIND_TAP)
        netifs[infos[index].netif].tap_count--;
    zombies[index] = true;
}

static bool has_children(uint32_t index)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        if (infos[i].owner && i != index && infos[i].parent == index)
            return true;
    return false;
}

long call_net_unbind(uint32_t index)
{
    uint32_t self = this_hart->env->number;

    if (!netif_binding(index))
        return -AEGIS_E_RANGE;
    if (infos[index].owner != self && infos[index].binder != self)
        return -AEGIS_E_OWNER;
    if (infos[index].parent == index)
        return -AEGIS_E_IN_USE;
    if (has_children(index))
        return -AEGIS_E_IN_USE;
    unbind(index);
    rebuild(infos[index].netif);
    return 0;
}

/* Undoes the bindings that inner marks, none of them a root. */
static void unbind_marked(void)
{
    uint32_t touched = 0; /* a bit an interface */

    for (uint32_t i = 0; i < info->binding_count; i++)
        if (inner[i]) {
            unbind(i);
            touched |= 1U << infos[i].netif;
        }
    for (uint32_t n = 0; n < info->netif_count; n++)
        if (touched >> n & 1)
            rebuild(n);
}

void netif_sever(uint32_t index)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        inner[i] = infos[i].owner && i != index && is_ancestor(index, i);
    unbind_marked();
}

void netif_sever_env(uint32_t env)
{
    for (uint32_t i = 0; i < info->binding_count; i++)
        inner[i] = infos[i].owner == env && infos[i].binder != env && infos[i].parent != i;
    /* Whoever else has something inside one of them got it from env's capabilities. */
    for (uint32_t i = 0; i < info->binding_count; i++)
        for (uint32_t at = i; infos[i].owner && !inner[i] && infos[at].parent != at;) {
            at = infos[at].parent;
            inner[i] = infos[at].owner == env && inner[at];
        }
    unbind_marked();
}

void netif_end_env(uint32_t env)
{
    uint32_t touched = 0; /* a bit an interface */

    for (uint32_t i = 0; i < info->binding_count; i++) {
        if (!infos[i].owner)
            continue;
        if (infos[i].binder == env)
            infos[i].binder = 0; /* its number may be somebody else's soon */
        /* What others have inside its bindings goes to the nearest ancestor that stays. */
        while (infos[infos[i].parent].owner == env &&
               infos[infos[i].parent].parent != infos[i].parent)
            infos[i].parent = infos[infos[i].parent].parent;
    }
    for (uint32_t i = 0; i < info->binding_count; i++) {
        if (infos[i].owner != env || infos[i].parent == i)
            continue;
        unbind(i);
        touched |= 1U << infos[i].netif;
    }
    for (uint32_t n = 0; n < info->netif_count; n++)
        if (touched >> n & 1)
            rebuild(n);
}

uint64_t netif_held(const struct env *env)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < info->binding_count; i++)
        count += infos[i].owner == env->number && infos[i].parent != i;
    return count;
}

bool netif_take(uint32_t env, uint32_t *index)
{
    for (uint32_t i = info->binding_count; i-- > 0;) {
        if (infos[i].owner != env || infos[i].parent == i || has_children(i))
            continue;
        unbind(i);
        rebuild(infos[i].netif);
        *index = i;
        return true;
    }
    return false;
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
    if (infos[index].owner != self && infos[index].binder != self)
        error = cap ? cap_check_user(cap, AEGIS_KIND_BINDING, index, AEGIS_RIGHT_MONITOR)
                    : -AEGIS_E_OWNER;
    if (!error && !user_write(counters, &bindings[index].counters, sizeof(struct aegis_counters)))
        error = -AEGIS_E_ADDRESS;
    return error;
}
