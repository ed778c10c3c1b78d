/* Sockets of several processes (share.h): how others come to have one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/net/share_internal.h"
#include "libos/proc/session.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

uint64_t *share_place(struct share_page *page, uint64_t member)
{
    for (size_t i = 0; i < SHARE_MEMBERS; i++)
        if ((load(&page->members[i]) & ~MEMBER_ENDS) == member)
            return &page->members[i];
    return NULL;
}

bool share_join(struct share_page *page, uint64_t member)
{
    uint64_t *place = share_place(page, member);

    for (size_t i = 0; !place && i < SHARE_MEMBERS; i++) {
        uint64_t word = load(&page->members[i]);
        if (!member_lives(word) && replace(&page->members[i], word, member))
            place = &page->members[i];
    }
    return place != NULL;
}

struct share *share_view(struct socket *s, struct share_page *page, size_t pages,
                         const struct net_port *port)
{
    struct share *share = malloc(sizeof *share);

    if (!share)
        return NULL;
    *share = (struct share){.next = shares,
                            .socket = s,
                            .page = page,
                            .self = member_of(exos.env),
                            .pages = pages,
                            .port = *port};
    shares = share;
    s->share = share;
    if (!exos_wait_hooks.meanwhile)
        exos_wait_hooks.meanwhile = share_meanwhile;
    return share;
}

void share_drop_view(struct share *share)
{
    struct share **at = &shares;

    while (*at != share)
        at = &(*at)->next;
    *at = share->next;
    share->socket->share = NULL;
    vm_free(share->page);
    free(share);
}

/* Never more than that stands in the page, where others read it at any time. */
int share_offer_port(struct socket *s, struct share_page *page)
{
    struct net_lease *lease = s->protocol->lease ? s->protocol->lease(s) : NULL;
    struct net_offer offer = page->offer;

    if (!lease)
        return -EOPNOTSUPP;
    net_lease_offer(lease, ntohs(s->own.port), &offer);
    int error = s->protocol->narrow ? s->protocol->narrow(s, lease, &offer) : 0;
    if (!error)
        page->offer = offer;
    return error;
}

/* Makes the pages for a socket that is going to have others. 0 or a negated errno value. */
static int begin(struct socket *s)
{
    if (!s->protocol->lease || !s->protocol->lease(s))
        return -EOPNOTSUPP;
    size_t pages = 1 + vm_pages(s->protocol->state_size(s) + SHARE_COMMON);
    struct share_page *page = pages <= SHARE_PAGES_MOST ? vm_shared_alloc(pages) : NULL;
    if (!page)
        return -ENOMEM;
    int error = share_offer_port(s, page);
    struct share *share = error ? NULL : share_view(s, page, pages, &page->offer.port);
    if (!share) {
        vm_free(page);
        return error ? error : -ENOMEM;
    }
    page->magic = SHARE_MAGIC;
    page->number = (uint32_t)s->protocol->number;
    page->pid = (uint64_t)proc_self();
    page->holder = share->self;
    share->was_held = share->is_counted = true;
    if (share_join(page, share->self) && net_lease_hold(&share->port, exos.env) == 0)
        return 0;
    share_drop_view(share);
    return -ENOBUFS;
}

struct passed {
    uint64_t address, pages;
    struct net_port port;
};

/* A socket without a port is no news to anybody: nothing is passed, and it isn't taken. */
int share_pass(struct fd_object *object, const struct exos_child *child, void *bytes, size_t most)
{
    struct socket *s = (struct socket *)object;
    struct passed passed;

    if (most < sizeof passed)
        return -E2BIG;
    if (s->lost || (!s->share && begin(s)))
        return 0;
    passed = (struct passed){(uint64_t)s->share->page, s->share->pages, s->share->port};
    if (vm_share(child->env, s->share->page, s->share->pages) < 0)
        return -ENOMEM;
    share_forked(object, child);
    if (child->replaces && !s->away)
        share_give(s->share, member_of(child->env));
    memcpy(bytes, &passed, sizeof passed);
    return sizeof passed;
}

void share_undo_pass(struct fd_object *object, const struct exos_child *child)
{
    const struct socket *s = (struct socket *)object;
    uint64_t *place = s->share ? share_place(s->share->page, member_of(child->env)) : NULL;
    if (place)
        store(place, 0);
}

/* It isn't a member if that fails, which the child sees. */
void share_forked(struct fd_object *object, const struct exos_child *child)
{
    const struct socket *s = (struct socket *)object;
    bool joins = s->share && share_join(s->share->page, member_of(child->env));

    if (joins && net_lease_hold(&s->share->port, child->env))
        share_undo_pass(object, child);
}

static bool are_there(const struct share_page *page, size_t pages)
{
    uint64_t word;
    for (size_t i = 0; i < pages; i++)
        if (!upcall_probe((const uint64_t *)page + i * AEGIS_PAGE_SIZE / sizeof word, &word))
            return false;
    return true;
}

static const struct socket_protocol *protocol_of(uint32_t number)
{
    for (const struct socket_protocol *const *at = socket_protocols; *at; at++)
        if ((uint32_t)(*at)->number == number && (*at)->take)
            return *at;
    return NULL;
}

/* Whether netd knows of it, too. */
static bool is_member(const struct share *share)
{
    return share_place(share->page, share->self) != NULL;
}

static int adopt(struct share_page *page, const struct passed *passed, struct fd_object **object)
{
    const struct socket_protocol *protocol =
        page->magic == SHARE_MAGIC ? protocol_of(page->number) : NULL;
    struct socket *s = protocol ? socket_make(protocol) : NULL;
    struct share *share = s ? share_view(s, page, passed->pages, &passed->port) : NULL;

    if (!share) {
        free(s);
        return s ? -ENOMEM : -EPROTONOSUPPORT;
    }
    s->away = true;
    share->is_stranger = true;
    share->is_counted = is_member(share);
    s->lost = !share->is_counted;
    *object = &s->object;
    return 0;
}

int share_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object)
{
    struct passed passed;

    if (count != sizeof passed)
        return -EINVAL;
    memcpy(&passed, bytes, sizeof passed);
    if (passed.pages < 2 || passed.pages > SHARE_PAGES_MOST || passed.address % AEGIS_PAGE_SIZE ||
        passed.address < VM_SHARED_BASE || passed.address >= VM_END)
        return -EINVAL;
    struct share_page *page =
        (struct share_page *)passed.address; /* NOLINT(performance-no-int-to-ptr) */
    if (vm_shared_adopt(page, passed.pages))
        return -EINVAL;
    int error = are_there(page, passed.pages) ? adopt(page, &passed, object) : -ENOMEM;
    if (error)
        vm_free(page);
    else
        (*object)->flags = O_RDWR | (flags & O_NONBLOCK);
    return error;
}

/* One that has no port is a copy like any other memory. */
void share_in_child(struct socket *s)
{
    struct share *share = s->share;

    if (!share) {
        s->lost |= s->own.port != 0;
        return;
    }
    share->self = member_of(exos.env);
    share->was_held = false;
    share->is_counted = is_member(share);
    s->lost |= !share->is_counted;
    s->away = true;
}

/* What is guarded is the parent's to look after. */
static void in_child(void)
{
    share_closings = 0;
    for (struct share *share = shares, *next; share; share = next) {
        next = share->next;
        if (share->is_guarded)
            share_drop_view(share);
    }
    if (shares)
        exos_wait_hooks.meanwhile = share_meanwhile;
}

static int before_fork(void)
{
    exos_hold();
    for (int fd = 0; sockets_made && fd < FD_MAX; fd++) {
        struct fd_object *object = fd_object(fd);
        if (object && object->kind == &socket_kind && !((struct socket *)object)->share)
            begin((struct socket *)object); /* which can't be had is lost to the child */
    }
    exos_release();
    return 0;
}

static bool is_named(const struct fd_object *object, int least)
{
    while (least < FD_MAX && fd_object(least) != object)
        least++;
    return least < FD_MAX;
}

/* A socket is closed with its last descriptor here even if a call waits in it: a signal ended it,
 * or it is another thread's; neither goes on. */
static void close_all(void)
{
    for (int fd = 0; sockets_made && fd < FD_MAX; fd++) {
        struct fd_object *object = fd_object(fd);
        if (!object || object->kind != &socket_kind)
            continue;
        if (object->references > 1 && !is_named(object, fd + 1))
            object->references = 1;
        close(fd);
    }
}

static const struct exos_part share_part = {
    .name = "sockets", .before_fork = before_fork, .in_child = in_child, .at_exit = close_all};
EXOS_PART(41, share_part);
