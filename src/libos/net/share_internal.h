/* What share.c and share_pass.c share. */
#ifndef EXOS_NET_SHARE_INTERNAL_H
#define EXOS_NET_SHARE_INTERNAL_H

#include "libos/ipc/page.h"
#include "libos/net/service.h"
#include "libos/net/share.h"
#include "libos/net/share_bytes.h"

#define SHARE_MAGIC      0x31306b6373UL
#define SHARE_COMMON     160 /* bytes of state beside the protocol's, at most */
#define SHARE_PAGES_MOST 256 /* of one socket */

/* What all who have the socket map. */
struct share_page {
    uint64_t magic;
    uint64_t holder; /* member word (ipc/page.h); 0: nobody, the state lies behind this page */
    uint64_t pid;    /* the holder's */
    uint64_t asked;  /* member word of who asked for it last, 0: nobody */
    uint64_t turn;   /* who is to take it first */
    uint64_t size;   /* bytes of state */
    struct net_offer offer;
    uint32_t number; /* IPPROTO_* */
    uint64_t members[SHARE_MEMBERS];
};
_Static_assert(sizeof(struct share_page) <= AEGIS_PAGE_SIZE, "one page");

/* This process's view of one; its socket's. */
struct share {
    struct share *next;
    struct socket *socket;
    struct share_page *page;
    uint64_t self, pages; /* all, with that one */
    struct net_port port; /* as it was when others came to have it; a page says anything */
    bool is_counted;      /* netd knows that this process has the port */
    uint64_t taken;       /* when this process became the holder */
    uint64_t used;        /* when it has used it last */
    bool was_held;        /* by this process, ever */
    bool is_guarded;      /* its descriptors are closed */
    bool is_stranger;     /* the object knows nothing of the socket yet */
};

/* All views of this process. */
extern struct share *shares;

/* share.c: closes that are under way. One that lingers (SO_LINGER) waits, and others run. */
extern unsigned share_closings;

/* share_pass.c: the place of a process among the members, or NULL; give it one. */
uint64_t *share_place(struct share_page *page, uint64_t member);
bool share_join(struct share_page *page, uint64_t member);

/* Make this process's view of the pages, which s has then, or give it up. NULL: no memory. */
struct share *share_view(struct socket *s, struct share_page *page, size_t pages,
                         const struct net_port *port);
void share_drop_view(struct share *share);

/* share.c: write down what there is, and let go, for `turn` to take it; false: not now. */
bool share_give(struct share *share, uint64_t turn);

/* share_pass.c: offer a socket's port to those who have the page: 0 or a negated errno value. */
int share_offer_port(struct socket *s, struct share_page *page);

/* exos_wait's hook, of who has no streams. */
uint64_t share_meanwhile(struct aegis_predicate *all, size_t *total, uint64_t until);

/* Words of the page, which other processes write to at the same time. */
static inline uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline bool replace(uint64_t *word, uint64_t old, uint64_t new)
{
    return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

#endif
