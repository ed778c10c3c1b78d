#include "libos/net/share_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/proc/session.h"
#include "libos/time/time.h"
#include "libos/upcall/upcall.h"

/* ns that a holder keeps a socket which another asks for: a slice; if it has just used it, longer,
 * so that two who wait for the same don't pass it to and fro and do nothing else. */
#define HOLD_LEAST 10000000UL
#define HOLD_USED  500000000UL
#define HOLD_MOST  1000000000UL
#define TURN_LIMIT 100000000UL  /* ns that whoever asked first has to take it */
#define ASK_AGAIN  1000000000UL /* ns until a holder is asked once more */
#define GUARD_LOOK 500000000UL  /* ns between looks at what nobody has taken yet */
#define LAST_GIFTS                                                                                 \
    10000000000UL           /* ns that a process which exits has for others to take its place */
#define GUARDS MEMBER_READS /* of a member: it has closed its own and looks after the state */

struct share *shares;
static uint64_t next_guard; /* look */
unsigned share_closings;

static struct share_bytes state_of(const struct share *share, size_t size)
{
    uint8_t *begin = (uint8_t *)share->page + AEGIS_PAGE_SIZE;
    size_t most = (share->pages - 1) * AEGIS_PAGE_SIZE;
    return (struct share_bytes){begin, begin + (size < most ? size : most), true};
}

/* What any socket has, whatever its protocol. */
struct common {
    struct socket_end own, peer;
    uint64_t receive_ns, send_ns;
    int32_t error;
    uint8_t ttl, broadcast, shut_read, shut_write, is_six, six_only, tos;
};

_Static_assert(sizeof(struct common) <= SHARE_COMMON, "as is said");

static void put_common(const struct socket *s, struct share_bytes *b)
{
    const struct common c = {s->own,           s->peer,   s->receive_ns, s->send_ns,
                             s->error,         s->ttl,    s->broadcast,  s->shut[SHUT_RD],
                             s->shut[SHUT_WR], s->is_six, s->six_only,   s->tos};
    share_put(b, &c, sizeof c);
}

static bool get_common(struct socket *s, struct share_bytes *b)
{
    struct common c;

    if (!share_get(b, &c, sizeof c))
        return false;
    s->own = c.own;
    s->peer = c.peer;
    s->receive_ns = c.receive_ns;
    s->send_ns = c.send_ns;
    s->error = share_error(c.error);
    s->ttl = c.ttl;
    s->broadcast = c.broadcast != 0;
    s->shut[SHUT_RD] = c.shut_read != 0;
    s->shut[SHUT_WR] = c.shut_write != 0;
    s->is_six = c.is_six != 0;
    s->six_only = c.six_only != 0;
    s->tos = c.tos;
    return true;
}

/* ---- members ---- */

/* Whether somebody else lives who has a descriptor of it. */
static bool has_others(const struct share *share)
{
    for (size_t i = 0; i < SHARE_MEMBERS; i++) {
        uint64_t word = load(&share->page->members[i]);
        if (!(word & GUARDS) && (word & ~MEMBER_ENDS) != share->self && member_lives(word))
            return true;
    }
    return false;
}

static void leave(const struct share *share)
{
    uint64_t *place = share_place(share->page, share->self);
    if (place)
        store(place, 0);
}

/* ---- handing over ---- */

bool share_give(struct share *share, uint64_t turn)
{
    struct socket *s = share->socket;
    struct share_page *page = share->page;
    struct share_bytes b = state_of(share, SIZE_MAX);
    const uint8_t *begin = b.at;

    share_offer_port(s, page); /* if it has one yet */
    put_common(s, &b);
    if (!s->protocol->give(s, &b))
        return false;
    store(&page->size, (uint64_t)(b.at - begin));
    s->away = true;
    replace(&page->asked, turn, 0);
    store(&page->turn, turn);
    store(&page->holder, 0);
    return true;
}

/* This process holds it now: gets what there is. */
static int take(struct share *share, bool is_whole)
{
    struct socket *s = share->socket;
    struct share_page *page = share->page;
    struct net_offer offer = page->offer;
    struct share_bytes b = state_of(share, load(&page->size));
    int error = 0;

    offer.port = share->port;
    store(&page->pid, (uint64_t)proc_self());
    share->taken = share->used = time_now();
    share->was_held = true;
    s->away = false;
    is_whole = is_whole && get_common(s, &b);
    if (!is_whole && share->is_stranger)
        error = -ENETDOWN;
    share->is_stranger = false;
    if (!error)
        error = s->protocol->take(s, &offer, is_whole ? &b : NULL);
    s->lost |= error != 0;
    return error;
}

/* Takes it if nobody holds it. 1: somebody does; else take's result. */
static int try_to_take(struct share *share)
{
    uint64_t holder = load(&share->page->holder);

    if ((holder && member_lives(holder)) || !replace(&share->page->holder, holder, share->self))
        return 1;
    return take(share, holder == 0);
}

/* Whether it is somebody else's turn who lives to take it. */
static bool is_anothers_turn(const struct share *share)
{
    uint64_t turn = load(&share->page->turn);
    return turn && turn != share->self && member_lives(turn);
}

static void ask(const struct share *share)
{
    store(&share->page->asked, share->self);
    uint64_t pid = load(&share->page->pid);
    if (pid <= INT32_MAX)
        proc_ring((pid_t)pid);
}

struct aegis_predicate share_when(const struct socket *s)
{
    const volatile uint64_t *holder = &s->share->page->holder;
    return (struct aegis_predicate)AEGIS_WHEN(*holder, NE, *holder);
}

int share_hold(struct socket *s, bool may_wait)
{
    uint64_t patience = time_after(TURN_LIMIT);

    for (;;) {
        struct share *share = s->share;
        struct aegis_predicate when[2] = {share_when(s)};
        size_t count = 1;
        uint64_t holder = when[0].value;
        bool waits_turn = !holder && is_anothers_turn(share) && time_now() < patience;
        int error = waits_turn ? 1 : try_to_take(share);
        if (error <= 0)
            return error;
        if (holder) {
            ask(share);
            if (MEMBER_ENV(holder) < aegis_info()->env_count)
                when[count++] = aegis_when_ended(MEMBER_ENV(holder));
        }
        if (!may_wait)
            return -EAGAIN;
        error = fd_wait(&s->object, when, count, waits_turn ? patience : time_after(ASK_AGAIN));
        if (error)
            return error;
        if (!s->away)
            return s->lost ? -ENETDOWN : 0; /* another thread was quicker */
    }
}

/* Whether it is asked for by somebody who is there to take it. */
static uint64_t who_asks(const struct share *share)
{
    uint64_t asked = load(&share->page->asked);
    return asked && asked != share->self && member_lives(asked) ? asked : 0;
}

/* When it can be given away at the soonest. */
static uint64_t due_of(const struct share *share)
{
    uint64_t least = share->taken + time_from_ns(HOLD_LEAST);
    uint64_t most = share->taken + time_from_ns(HOLD_MOST);
    uint64_t used = share->used + time_from_ns(HOLD_USED);

    used = used < most ? used : most;
    return used > least ? used : least;
}

void share_offer(struct socket *s)
{
    uint64_t asked = who_asks(s->share), now = time_now();

    if (asked && now >= due_of(s->share))
        share_give(s->share, asked);
    s->share->used = now;
}

/* ---- the end ---- */

/*
 * Of a socket whose descriptors are closed here: whether it is done with, one way or the other. Who
 * closes one says so first, and then looks for others: of two who do so at once, one sees that it
 * is the last. A process that has held it, and so may be the one whose binding is around the
 * others', stays until they have gone: while they hand the socket on, it drops what comes.
 */
static bool is_over(struct share *share)
{
    struct socket *s = share->socket;
    uint64_t holder = load(&share->page->holder);

    if (s->away && holder && member_lives(holder))
        return !share->was_held || !share_place(share->page, holder);
    if (!s->away && !s->lost && has_others(share))
        share_give(share, who_asks(share));
    if (!s->lost && has_others(share))
        return false;
    int status = s->away && !s->lost ? try_to_take(share) : 0;
    if (status > 0)
        return false; /* another who closes it was quicker, and isn't done yet */
    share_closings++;
    if (!s->away)
        s->protocol->close(s);
    share_closings--;
    s->away = false;
    return true;
}

static void finish(struct share *share)
{
    struct socket *s = share->socket;

    if (s->away && s->protocol->forget)
        s->protocol->forget(s);
    leave(share);
    if (share->is_counted)
        net_lease_drop(&share->port);
    share_drop_view(share);
}

/* Whoever has the port first keeps it, and what comes meanwhile, until another has taken over. */
bool share_close(struct socket *s)
{
    struct share *share = s->share;
    uint64_t *place = share_place(share->page, share->self);

    if (place)
        __atomic_fetch_or(place, GUARDS, __ATOMIC_SEQ_CST);
    share->is_guarded = true;
    if (!is_over(share)) {
        next_guard = 0;
        return false;
    }
    finish(share);
    return true;
}

uint64_t share_look(uint64_t until)
{
    uint64_t now = time_now();
    bool guards = false, holds = false, looks = now >= next_guard && !share_closings;

    exos_hold();
    for (struct share *share = shares, *next; share; share = next) {
        struct socket *s = share->socket;
        next = share->next;
        if (share->is_guarded && looks && is_over(share)) {
            finish(share);
            free(s);
            next = shares; /* others may have gone while it was closed */
            continue;
        }
        guards |= share->is_guarded;
        holds |= share->is_guarded && !s->away;
        if (share->is_guarded || s->away || s->lost || !who_asks(share))
            continue;
        uint64_t due = due_of(share);
        if (due <= now) {
            share_give(share, who_asks(share));
            due = now + time_from_ns(HOLD_LEAST);
        }
        if (!s->away && due < until)
            until = due;
    }
    if (looks)
        next_guard = !guards ? AEGIS_FOREVER : time_after(holds ? HOLD_LEAST : GUARD_LOOK);
    exos_release();
    return next_guard < until && !share_closings ? next_guard : until;
}

uint64_t share_meanwhile(struct aegis_predicate *all, size_t *total, uint64_t until)
{
    (void)all;
    (void)total;
    return exos_held || upcall_is_inside() ? until : share_look(until);
}

/* Descriptors are closed; what couldn't be given then is now, as soon as it can be. */
static void give_the_rest(void)
{
    uint64_t end = time_after(LAST_GIFTS);

    for (bool holds = true; holds && time_now() < end;) {
        share_look(AEGIS_FOREVER);
        holds = false;
        for (const struct share *share = shares; share; share = share->next)
            holds |= share->is_guarded && !share->socket->away;
        if (holds)
            exos_wait(NULL, 0, next_guard);
    }
}

static const struct exos_part share_end = {.name = "shares", .at_exit = give_the_rest};
EXOS_PART(38, share_end);
