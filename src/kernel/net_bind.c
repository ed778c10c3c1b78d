/*
 * The phases of net_bind. What the caller says is read once, in the first two; from then on a step
 * needs neither the caller's memory nor its processor, so that others can take those of the
 * classifier, which may be one that they wait for. Bindings can end between two steps, and none can
 * be made, nor a capability's revocation be missed: each step looks at the authority again.
 */
#include "kernel/net_bind.h"

#include <string.h>

#include "kernel/arena.h"
#include "kernel/call.h"
#include "kernel/cap.h"
#include "kernel/check/hard.h"
#include "kernel/env.h"
#include "kernel/expose.h"
#include "kernel/net_compare.h"
#include "kernel/net_end.h"
#include "kernel/netif.h"
#include "kernel/quota.h"
#include "kernel/turn.h"
#include "kernel/user.h"

_Static_assert(AEGIS_TAPS_MAX <= DPF_TAPS_MAX, "a classifier's taps");

#define VERIFY_STEP HARD(1000, 200) /* nodes and ranges: some 20,000 instructions */
#define LOOK_STEP   HARD(1000, 32)  /* numbers looked at for a free one */

/* Slices that who binds may have without going on before another takes over (handler_load.c). */
#define BIND_PATIENCE 16

enum phase {
    MAKE_ROOM,
    READ,
    READ_EGRESS,
    VERIFY,
    VERIFY_EGRESS,
    CONTAINED,
    CONTAINED_EGRESS,
    COMPARE,
    COMPILE,
    BUILD,
    BOUND,
};

static struct {
    uint32_t env; /* who makes it, or 0 */
    uaddr_t address;
    uint64_t slices; /* that env had been given at its last step */
    struct aegis_net_binding request;
    enum phase phase;
    uint32_t index; /* its number to be; free, and nobody else's to take */
    uint32_t parent, owner;
    uint16_t netif;
    uint8_t *images; /* both, in one piece of the arena; NULL once it is bound */
    struct dpf_verification verification;
    struct codegen job; /* of its egress check */
    bool joins;         /* the classifier being built has it */
    long result;        /* 0, or why it failed */
} bind;

/* A tap, or one that shares another's frames. */
static bool gets_copies(void)
{
    return bind.request.flags & BIND_COPIES;
}

/* The new binding: in its place in the table, where nobody looks before it is bound. */
static struct binding *made(void)
{
    return netif_binding_state(bind.index);
}

static uint32_t needed_right(void)
{
    if (bind.request.flags & AEGIS_BIND_TAP)
        return AEGIS_RIGHT_TAP;
    return gets_copies() ? AEGIS_RIGHT_SHARE : AEGIS_RIGHT_DELEGATE;
}

/* Who may bind inside what for whom. */
static long check_authority(void)
{
    const struct aegis_net_binding *r = &bind.request;
    uint64_t parent = AEGIS_CAP_INDEX(r->parent.name), owner = AEGIS_CAP_INDEX(r->owner.name);
    const struct aegis_binding_info *p = netif_binding(parent);
    long error;

    if (!p)
        return info->netif_count ? -AEGIS_E_CAPABILITY : -AEGIS_E_NO_DEVICE;
    error = cap_check(&r->parent, AEGIS_KIND_BINDING, parent, needed_right());
    if (error)
        return error;
    if ((r->flags & ~(uint64_t)BIND_COPIES) || (r->flags & BIND_COPIES) == BIND_COPIES ||
        (gets_copies() && r->egress_size) || (p->flags & BIND_COPIES))
        return -AEGIS_E_INVALID;
    if (gets_copies() && netifs[p->netif].tap_count == AEGIS_TAPS_MAX)
        return -AEGIS_E_NO_SLOT;
    bind.parent = (uint32_t)parent;
    bind.netif = p->netif;
    bind.owner = bind.env;
    if (!r->owner.name && !r->owner.generation && !r->owner.mac)
        return 0;
    if (owner == 0 || owner >= ENV_COUNT)
        return -AEGIS_E_CAPABILITY;
    error = cap_check(&r->owner, AEGIS_KIND_ENV, owner, AEGIS_RIGHT_CONTROL);
    if (error)
        return error;
    bind.owner = (uint32_t)owner;
    return env_infos[owner].state == AEGIS_ENV_CREATED || env_infos[owner].state == AEGIS_ENV_LIVE
               ? 0
               : -AEGIS_E_STATE;
}

/* Gives up what is not bound. */
static void give_up(void)
{
    if (bind.joins)
        classify_abandon();
    codegen_abandon(&bind.job);
    if (bind.images) {
        codegen_forget(&made()->egress_code);
        arena_free(bind.images);
    }
    memset(&bind, 0, sizeof(bind));
}

static uint8_t *egress_image(void)
{
    return bind.images + ((bind.request.ingress_size + 7) & ~7UL); /* dpf_verify wants 8 bytes */
}

/* Reads the request. */
static long begin(uaddr_t address)
{
    struct aegis_net_binding *r = &bind.request;
    long error;

    if (!user_read(r, address, sizeof(*r)))
        return -AEGIS_E_ADDRESS;
    bind.env = this_hart->env->number;
    bind.address = address;
    error = check_authority();
    if (error)
        return error;
    if (r->ingress_size > AEGIS_FILTER_MAX || r->egress_size > AEGIS_FILTER_MAX)
        return -AEGIS_E_RANGE;
    return 0;
}

/* Finds a number that nobody has, and room for both filters. */
static long make_room(void)
{
    const struct aegis_net_binding *r = &bind.request;
    uint32_t i = bind.index, left = LOOK_STEP;

    while (left && i < info->binding_count && (netif_row(i)->owner || netif_is_zombie(i)))
        i++, left--;
    bind.index = i;
    if (i == info->binding_count)
        return -AEGIS_E_NO_SLOT;
    if (!left)
        return 0;
    if (!quota_allows(bind.owner, AEGIS_QUOTA_BINDINGS, 1))
        return -AEGIS_E_QUOTA;
    bind.images = arena_alloc(r->ingress_size + r->egress_size + 16);
    if (!bind.images)
        return -AEGIS_E_NO_SPACE;
    *made() =
        (struct binding){.images = bind.images,
                         .egress = {.entry = DPF_REJECT}}; /* as of copies: they send nothing */
    if (!quota_allows(bind.owner, AEGIS_QUOTA_ARENA, arena_bytes(bind.images)))
        return -AEGIS_E_QUOTA;
    net_compare_begin(bind.index, bind.parent, bind.owner, bind.netif);
    bind.phase = READ;
    return 0;
}

static long read_step(bool is_egress)
{
    const struct aegis_net_binding *r = &bind.request;
    bool is_read = is_egress ? user_read(egress_image(), (uaddr_t)r->egress, r->egress_size)
                             : user_read(bind.images, (uaddr_t)r->ingress, r->ingress_size);

    if (!is_read)
        return -AEGIS_E_ADDRESS;
    if (is_egress && dpf_verify_begin(&bind.verification, bind.images, r->ingress_size) != 0)
        return -AEGIS_E_FILTER;
    bind.phase++;
    return 0;
}

static long verify_step(bool is_egress)
{
    struct dpf_filter *filter = is_egress ? &made()->egress : &made()->ingress;
    int state = dpf_verify_step(&bind.verification, VERIFY_STEP, filter);

    if (state == 1)
        return 0;
    if (state == 0 && !is_egress && !gets_copies())
        state = dpf_verify_begin(&bind.verification, egress_image(), bind.request.egress_size);
    if (state != 0)
        return -AEGIS_E_FILTER;
    bind.phase = is_egress || gets_copies() ? CONTAINED : VERIFY_EGRESS;
    return 0;
}

static long contained_step(bool is_egress)
{
    long state = net_compare_parent(is_egress);

    if (state < 0)
        return state;
    if (state == 0)
        bind.phase = gets_copies() ? BUILD : is_egress ? COMPARE : CONTAINED_EGRESS;
    return 0;
}

static long compare_step(void)
{
    long state = net_compare_step();

    if (state < 0)
        return state;
    if (state == 0)
        bind.phase = COMPILE;
    return 0;
}

static long compile_step(void)
{
    if (!bind.job.filter)
        codegen_begin(&bind.job, NULL, &made()->egress);
    if (!codegen_step(&bind.job, &made()->egress_code))
        return 0;
    /* Without a share of the code arena it is interpreted, as without room there. */
    if (!quota_allows(bind.owner, AEGIS_QUOTA_CODE, code_bytes(&made()->egress_code.code)))
        codegen_forget(&made()->egress_code);
    bind.phase = BUILD;
    return 0;
}

bool net_bind_member(const struct netif *netif, uint32_t index, struct dpf_member *member)
{
    const struct aegis_binding_info *i = netif_row(index);
    bool is_new = bind.joins && index == bind.index;
    uint32_t number = is_new ? bind.netif : i->netif;

    if (!(is_new || i->owner) || &netifs[number] != netif)
        return false;
    const struct binding *b = netif_binding_state(index);
    /*
     * Those contained in a new binding have at least its rank, since what contains it contains them
     * too: one more, and they come before it, and keep their order among themselves.
     */
    bool is_inner = bind.joins && net_compare_is_inner(index);
    *member = (struct dpf_member){.filter = &b->ingress,
                                  .id = index,
                                  .rank = b->rank + is_inner,
                                  .tap = is_new ? gets_copies() : i->flags & BIND_COPIES};
    return true;
}

bool net_bind_joins(void)
{
    return bind.joins;
}

/* The binding failed, or was made: what is left of it is the caller's result. */
static void settle(long result)
{
    codegen_forget(&made()->egress_code);
    arena_free(bind.images);
    bind.images = NULL;
    bind.joins = false;
    bind.phase = BOUND;
    bind.result = result;
}

bool net_bind_still_may(void)
{
    long error = check_authority();

    if (!error && !quota_allows(bind.owner, AEGIS_QUOTA_BINDINGS, 1))
        error = -AEGIS_E_QUOTA;
    if (!error && !quota_allows_bytes(bind.owner, netif_bytes(bind.index)))
        error = -AEGIS_E_QUOTA;
    if (!error)
        return true;
    classify_abandon();
    settle(error);
    return false;
}

/* The classifier in use names it: it is bound. */
static void publish(void)
{
    struct aegis_binding_info *i = netif_row(bind.index);

    if (bind.index >= netif_rows)
        netif_rows = bind.index + 1;
    *i = (struct aegis_binding_info){.owner = bind.owner,
                                     .binder = bind.env,
                                     .parent = bind.parent,
                                     .netif = bind.netif,
                                     .flags = (uint32_t)bind.request.flags,
                                     .generation = i->generation};
    net_compare_rank_inner();
    if (gets_copies())
        netifs[i->netif].tap_count++;
    netif_note_egress(bind.index);
    env_infos[bind.owner].bindings++;
    quota_add(bind.owner, AEGIS_QUOTA_BINDINGS, 1);
    quota_add_bytes(bind.owner, netif_bytes(bind.index));
    bind.images = NULL; /* the binding's now */
    bind.joins = false;
    bind.phase = BOUND;
    bind.result = (long)bind.index;
}

void net_bind_built(enum classify_state state)
{
    if (state == CLASSIFY_DONE)
        publish();
    else
        settle(-AEGIS_E_NO_SPACE);
}

/* A step of the classifier that has the new binding, or of the one that is being built already. */
static long build_step(void)
{
    if (!classify_building()) {
        bind.joins = true;
        netifs[bind.netif].begun++;
        classify_begin(&netifs[bind.netif]);
    }
    net_end_settle();
    return 0;
}

/* One bounded part of what is under way: 0, or why it can't be. */
static long step(void)
{
    long error = bind.phase == BOUND || bind.joins ? 0 : check_authority();

    if (error)
        return error;
    switch (bind.phase) {
    case MAKE_ROOM:
        return make_room();
    case READ:
    case READ_EGRESS:
        return read_step(bind.phase == READ_EGRESS);
    case VERIFY:
    case VERIFY_EGRESS:
        return verify_step(bind.phase == VERIFY_EGRESS);
    case CONTAINED:
    case CONTAINED_EGRESS:
        return contained_step(bind.phase == CONTAINED_EGRESS);
    case COMPARE:
        return compare_step();
    case COMPILE:
        return compile_step();
    case BUILD:
        return build_step();
    default:
        return 0;
    }
}

void net_bind_end_env(uint32_t env)
{
    if (bind.env == env)
        give_up();
}

void net_bind_holds(const void **images, const struct codegen **job,
                    const struct codegen_result **code)
{
    static const struct codegen_result none;

    *images = bind.images;
    *job = &bind.job;
    *code = bind.images ? &made()->egress_code : &none;
}

/* Another's, or one of the caller's own that it didn't go on with. Made already, it is undone. */
static void abandon(void)
{
    if (bind.phase == BOUND && bind.result >= 0 && netif_row(bind.index)->owner &&
        netif_row(bind.index)->binder == bind.env)
        net_end_unbind(bind.index);
    give_up();
}

long call_net_bind(uaddr_t address)
{
    uint32_t self = this_hart->env->number;
    long error;

    if (bind.env && (bind.env != self || bind.address != address)) {
        /* Who doesn't go on, though it could, must not keep others from theirs. */
        if (bind.env != self && env_gets_slices(env_table[bind.env]) &&
            env_infos[bind.env].slices < bind.slices + BIND_PATIENCE) {
            turn_wait(&bind);
            return -AEGIS_E_BUSY;
        }
        abandon();
    }
    if (!bind.env && !turn_begin(&bind))
        return -AEGIS_E_BUSY;
    error = bind.env ? 0 : begin(address);
    if (!error) {
        bind.slices = this_hart->env->info->slices;
        error = step();
    }
    if (!error && bind.phase != BOUND)
        call_restart(AEGIS_CALL_net_bind, address, 0, 0);
    long result = error ? error : bind.result;
    give_up();
    return result;
}
