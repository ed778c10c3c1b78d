/*
 * Connections of programs that have ended (left.c, handlers/linger.h) go on here: what comes for
 * them the handler keeps, linger.c says what is to be answered, and a FIN that nobody acknowledges
 * is sent again.
 */
#include <string.h>

#include "apps/netd/handlers/linger.h"
#include "libos/net/headers.h"
#include "libos/net/ipv6.h"
#include "libos/net/segment.h"
#include "libos/time/time.h"
#include "linger.h"
#include "netd.h"

#define ENTRIES      (LINGER_SETS * LINGER_WAYS)
#define FIRST_MS     1000 /* after which a FIN is sent again, then twice as long each time, */
#define LATER_MS     8000 /* up to this */
#define ANSWERS_MOST 500  /* a second */
#define WINDOW       8192 /* bytes: what comes of them is answered by a reset */
#define TTL          64

#define TCP_SEQUENCE     4
#define TCP_ACKNOWLEDGES 8
#define TCP_WINDOW       14

/* When an entry's FIN is sent again; of which of its uses this is. */
struct again {
    uint64_t number, due_ms;
    uint32_t wait_ms; /* 0: it isn't */
};

static struct table {
    struct linger_set *sets; /* NULL: there is none */
    uint32_t root;           /* by which binding it sends */
    struct again again[ENTRIES];
} tables[2];

static uint64_t seen;                 /* of the first table's `given` */
static uint64_t next_ms = UINT64_MAX; /* when a FIN is due */

static uint64_t now_ms(void)
{
    return time_to_ns(time_now()) / 1000000;
}

void late_open(bool is_loop, struct linger_set *sets, uint32_t root)
{
    tables[is_loop] = (struct table){.sets = sets, .root = root};
}

static struct linger_entry *entry_at(const struct table *t, uint32_t index)
{
    return &t->sets[index / LINGER_WAYS].entries[index % LINGER_WAYS];
}

static bool is_over(const struct linger_entry *e)
{
    return __atomic_load_n(&e->until, __ATOMIC_RELAXED) <= now_ms() / 1000;
}

static struct linger unpack(const struct linger_entry *e, uint64_t word)
{
    return (struct linger){(enum net_linger_state)LINGER_STATE(word), e->own_next, (uint32_t)word};
}

/* ---- sending ---- */

static void put_ipv4(uint8_t *frame, const struct linger_entry *e)
{
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV4);
    frame[IPV4_FIRST] = NET_IPV4_PLAIN;
    net_put16(frame + IPV4_LENGTH, IPV4_LEAST + TCP_LEAST);
    net_put16(frame + IPV4_FRAGMENT, 0x4000); /* and never to be fragmented */
    frame[ETH_SIZE + 8] = TTL;
    frame[IPV4_PROTOCOL] = IPV4_TCP;
    memcpy(frame + IPV4_SOURCE, &e->local[3], 4);
    memcpy(frame + IPV4_DESTINATION, &e->remote[3], 4);
}

static void put_ipv6(uint8_t *frame, const struct linger_entry *e)
{
    net_put16(frame + ETH_TYPE, ETH_TYPE_IPV6);
    frame[IPV6_FIRST] = 0x60;
    net_put16(frame + IPV6_LENGTH, TCP_LEAST);
    frame[IPV6_NEXT] = IPV4_TCP;
    frame[IPV6_HOP_LIMIT] = TTL;
    memcpy(frame + IPV6_SOURCE, e->local, sizeof e->local);
    memcpy(frame + IPV6_DESTINATION, e->remote, sizeof e->remote);
}

/* A segment without data, to the hardware address in the entry. */
static void send(const struct table *t, const struct linger_entry *e, uint8_t flags,
                 uint32_t sequence, uint32_t acknowledges)
{
    static struct {
        uint8_t gap[NET_FRAME_LEAD];
        uint8_t frame[ETH_SIZE + IPV6_SIZE + TCP_LEAST];
    } out __attribute__((aligned(8)));
    bool is_six = !net_ipv6_is_mapped((const struct net_ipv6 *)e->remote);
    size_t header = is_six ? IPV6_SIZE : IPV4_LEAST;
    uint8_t *tcp = out.frame + ETH_SIZE + header;
    struct aegis_frame_out frame = {out.frame, ETH_SIZE + header + TCP_LEAST};

    memset(&out, 0, sizeof out);
    memcpy(out.frame + ETH_DESTINATION, e->mac, 6);
    if (t == &tables[0])
        memcpy(out.frame + ETH_SOURCE, netd.mac, 6);
    (is_six ? put_ipv6 : put_ipv4)(out.frame, e);
    const uint8_t *ports = (const uint8_t *)&e->ports; /* as the peer has them */
    memcpy(tcp + UDP_SOURCE, ports + UDP_DESTINATION, 2);
    memcpy(tcp + UDP_DESTINATION, ports + UDP_SOURCE, 2);
    net_put32(tcp + TCP_SEQUENCE, sequence);
    net_put32(tcp + TCP_ACKNOWLEDGES, acknowledges);
    tcp[TCP_OFFSET] = TCP_LEAST / 4 << 4;
    tcp[TCP_OFFSET + 1] = flags;
    net_put16(tcp + TCP_WINDOW, WINDOW);
    if (is_six)
        net_segment6_sum(out.frame, header + TCP_LEAST);
    else
        net_segment_sum(out.frame, header + TCP_LEAST);
    aegis_net_send(t->root, &frame, 1); /* what gets lost, the peer asks for again */
}

static bool may_answer(void)
{
    static uint64_t second, answers;
    uint64_t now = now_ms() / 1000;

    if (now != second)
        answers = 0;
    second = now;
    return answers++ < ANSWERS_MOST;
}

/* ---- what comes ---- */

/* The segment of a frame that a handler has kept. */
static bool read(const uint8_t *kept, size_t length, struct net_segment *s)
{
    static struct {
        uint8_t gap[NET_FRAME_LEAD];
        uint8_t frame[AEGIS_FRAME_MAX + 6];
    } in __attribute__((aligned(8)));

    if (length < ETH_SIZE + IPV4_LEAST + TCP_LEAST || length > sizeof in.frame)
        return false;
    memcpy(in.frame, kept, length);
    if (net_get16(kept + ETH_TYPE) == ETH_TYPE_IPV6)
        return net_segment6_read(in.frame, length, s);
    return net_get16(kept + ETH_TYPE) == ETH_TYPE_IPV4 && kept[IPV4_FIRST] == NET_IPV4_PLAIN &&
           kept[IPV4_PROTOCOL] == IPV4_TCP &&
           !(net_get16(kept + IPV4_FRAGMENT) & IPV4_MORE_OR_OFFSET) &&
           net_segment_read(in.frame, length, s);
}

static struct linger_entry *find(const struct table *t, const struct net_segment *s)
{
    struct net_ipv6 remote = {{0, 0, NET_WIRE32(0xffff), 0}}, local = remote;
    uint32_t ports;

    memcpy(&ports, s->tcp, sizeof ports);
    if (*s->ip >> 4 == 6) {
        memcpy(&remote, s->ip + IPV6_SOURCE - ETH_SIZE, sizeof remote);
        memcpy(&local, s->ip + IPV6_DESTINATION - ETH_SIZE, sizeof local);
    } else {
        memcpy(&remote.words[3], s->ip + IPV4_SOURCE - ETH_SIZE, 4);
        memcpy(&local.words[3], s->ip + IPV4_DESTINATION - ETH_SIZE, 4);
    }
    struct linger_set *set = &t->sets[linger_place(remote.words[3], ports)];
    for (struct linger_entry *e = set->entries; e < set->entries + LINGER_WAYS; e++)
        if (e->ports == ports && !memcmp(e->remote, &remote, sizeof remote) &&
            !memcmp(e->local, &local, sizeof local) && !is_over(e))
            return e;
    return NULL;
}

static void answer(const struct table *t, const struct linger_entry *e, const struct linger *l,
                   const struct linger_segment *s, enum linger_answer how)
{
    if (how == LINGER_SILENCE || !may_answer())
        return;
    if (how == LINGER_ACKNOWLEDGES)
        send(t, e, LINGER_ACK, l->own_next, l->peer_next);
    else if (s->flags & LINGER_ACK)
        send(t, e, LINGER_RST, s->acknowledges, 0);
    else
        send(t, e, LINGER_RST | LINGER_ACK, 0,
             s->sequence + (uint32_t)s->data + !!(s->flags & LINGER_SYN) +
                 !!(s->flags & LINGER_FIN));
}

bool late_take(bool is_loop, const uint8_t *frame, size_t length)
{
    struct table *t = &tables[is_loop];
    struct net_segment packet;
    bool anew;

    if (!t->sets || !read(frame, length, &packet))
        return false;
    struct linger_entry *e = find(t, &packet);
    uint64_t word = e ? __atomic_load_n(&e->state, __ATOMIC_SEQ_CST) : 0;
    struct linger l = e ? unpack(e, word) : (struct linger){.state = NET_LINGER_NONE};
    if (l.state == NET_LINGER_NONE || l.state >= NET_LINGER_STATES)
        return true; /* it was kept for nobody else */
    const struct linger_segment s = {.sequence = net_get32(packet.tcp + TCP_SEQUENCE),
                                     .acknowledges = net_get32(packet.tcp + TCP_ACKNOWLEDGES),
                                     .data = packet.data,
                                     .flags = packet.tcp[TCP_OFFSET + 1]};
    enum linger_answer how = linger_take(&l, &s, &anew);
    uint64_t new = LINGER_NUMBER(word) << 40 | (uint64_t)l.state << 32 | l.peer_next;
    struct linger_entry copy = *e;
    memcpy(copy.mac, frame + ETH_SOURCE, sizeof copy.mac);
    if (!__atomic_compare_exchange_n(&e->state, &word, new, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return true; /* the entry is another connection's by now */
    if (l.state == NET_LINGER_NONE)
        e->until = 0;
    else if (anew)
        e->until = (uint32_t)(now_ms() / 1000) + LINGER_SECONDS;
    answer(t, &copy, &l, &s, how);
    return true;
}

/* ---- what is due ---- */

/* Says the end once more, and when it is to be said again. */
static void tick(const struct table *t, uint32_t index, uint64_t now)
{
    static const uint8_t none[6];
    const struct linger_entry *e = entry_at(t, index);
    struct again *again = &tables[t - tables].again[index];
    uint64_t word = __atomic_load_n(&e->state, __ATOMIC_SEQ_CST);
    struct linger l = unpack(e, word);

    if (again->number != LINGER_NUMBER(word))
        *again = (struct again){LINGER_NUMBER(word), now + FIRST_MS, FIRST_MS};
    if (!linger_says_end(l.state) || is_over(e))
        again->wait_ms = 0;
    if (!again->wait_ms || now < again->due_ms)
        return;
    again->wait_ms = again->wait_ms < LATER_MS ? 2 * again->wait_ms : LATER_MS;
    again->due_ms = now + again->wait_ms;
    if (t != &tables[0] || memcmp(e->mac, none, sizeof none) != 0)
        send(t, e, LINGER_FIN | LINGER_ACK, l.own_next - 1, l.peer_next);
}

/* Whether there are more entries than at the last look. */
static bool has_given(void)
{
    const struct linger_set *first = tables[0].sets;
    uint64_t given = first ? __atomic_load_n(&first->given, __ATOMIC_SEQ_CST) : seen;
    bool is_new = given != seen;

    seen = given;
    return is_new;
}

void late_tick(void)
{
    uint64_t now = now_ms();

    if (!has_given() && now < next_ms)
        return;
    next_ms = UINT64_MAX;
    for (const struct table *t = tables; t < tables + 2; t++)
        for (uint32_t i = 0; t->sets && i < ENTRIES; i++) {
            tick(t, i, now);
            if (t->again[i].wait_ms && t->again[i].due_ms < next_ms)
                next_ms = t->again[i].due_ms;
        }
}

uint64_t late_due(void)
{
    uint64_t now = now_ms();

    if (next_ms == UINT64_MAX)
        return AEGIS_FOREVER;
    return time_after(next_ms > now ? (next_ms - now) * 1000000 : 0);
}

bool late_when(struct aegis_predicate *when)
{
    const struct linger_set *first = tables[0].sets;

    if (first)
        *when = (struct aegis_predicate)AEGIS_WHEN(first->given, NE, seen);
    return first;
}
