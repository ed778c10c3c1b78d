/*
 * What quick.c does with a connection, against what lwIP does with it: the same bytes, windows and
 * times, once by both, once by lwIP alone, leave the same connection and the same segments sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip_host.h"

#define STEPS     60
#define RUNS      1000
#define LONG_TIME 40 /* ticks */

static uint8_t bytes[4096];

static uint64_t seed;
static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

/* All of a connection that lwIP looks at, its lists as digests. */
struct shown {
    uint32_t state, flags, rcv_nxt, rcv_wnd, rcv_ann_wnd, rcv_ann_right_edge, rtseq, lastack, cwnd,
        ssthresh, snd_nxt, snd_wl1, snd_wl2, snd_lbb, snd_wnd, snd_wnd_max, snd_buf, bytes_acked,
        tmr, rttest, waiting;
    int16_t rtime, sa, sv, rto;
    uint8_t nrtx, dupacks, polltmr, persist_cnt, persist_backoff, persist_probe, keep_cnt_sent;
    uint16_t snd_queuelen, unsent_oversize;
    uint32_t unsent, unacked, received;
    uint64_t sent;
    bool has_ooseq, is_over;
};

static uint32_t mix(uint32_t digest, const void *from, size_t size)
{
    for (const uint8_t *at = from; size; size--, at++)
        digest = (digest ^ *at) * 16777619;
    return digest;
}

/* A segment's window, and what it acknowledges, are filled in when it is sent. */
static uint32_t segments(const struct tcp_seg *s)
{
    uint32_t digest = 1;

    for (; s; s = s->next) {
        uint16_t queued = pbuf_clen(s->p), length = s->len;
        digest = mix(digest, &s->tcphdr->seqno, sizeof s->tcphdr->seqno);
        digest = mix(digest, &length, sizeof length);
        digest = mix(digest, &queued, sizeof queued);
        digest = mix(digest, s->tcphdr, 4); /* ports */
        if (!s->p->next)
            digest = mix(digest, (const uint8_t *)s->tcphdr + TCP_HLEN, s->len);
    }
    return digest;
}

static struct shown show(const struct stream *t, uint32_t received)
{
    const struct tcp_pcb *p = t->pcb;
    struct shown s;

    memset(&s, 0, sizeof s);
    s.is_over = !p;
    s.sent = host_sent.digest;
    s.received = received;
    if (!p)
        return s;
#define SHOW(field) s.field = p->field
    SHOW(state), SHOW(flags), SHOW(rcv_nxt), SHOW(rcv_wnd), SHOW(rcv_ann_wnd);
    SHOW(rcv_ann_right_edge), SHOW(rtseq), SHOW(lastack), SHOW(cwnd), SHOW(ssthresh), SHOW(snd_nxt);
    SHOW(snd_wl1), SHOW(snd_wl2), SHOW(snd_lbb), SHOW(snd_wnd), SHOW(snd_wnd_max), SHOW(snd_buf);
    SHOW(bytes_acked), SHOW(tmr), SHOW(rttest), SHOW(rtime), SHOW(sa), SHOW(sv), SHOW(rto);
    SHOW(nrtx), SHOW(dupacks), SHOW(polltmr), SHOW(persist_cnt), SHOW(persist_backoff);
    SHOW(persist_probe), SHOW(keep_cnt_sent), SHOW(snd_queuelen), SHOW(unsent_oversize);
#undef SHOW
    s.waiting = (uint32_t)t->waiting;
    s.unsent = segments(p->unsent);
    s.unacked = segments(p->unacked);
    s.has_ooseq = p->ooseq;
    return s;
}

/* How often the short ways were gone. */
static unsigned taken, sent;

static void write_some(struct tcp_pcb *pcb, bool quickly)
{
    uint16_t size = (uint16_t)(1 + draw(draw(4) ? 100 : 3000));
    const uint8_t *from = bytes + draw(1000);

    if (quickly && net_lwip_send_next(pcb, from, size)) {
        sent++;
        return;
    }
    if (tcp_write(pcb, from, size, TCP_WRITE_FLAG_COPY) == ERR_OK)
        tcp_output(pcb);
}

/* Mostly what comes next, which acknowledges all, or some, or what doesn't exist. */
static void hear(struct tcp_pcb *pcb, bool quickly)
{
    static const uint16_t windows[] = {60000, 60000, 3000, 200, 1, 0};
    uint16_t size = (uint16_t)(draw(6) ? 1 + draw(draw(3) ? 90 : 1460) : 0);
    uint32_t flight = pcb->snd_nxt - pcb->lastack, acknowledges = pcb->snd_nxt;
    uint32_t number = pcb->rcv_nxt + (draw(8) ? 0 : draw(4000) - 2000);
    uint16_t window = windows[draw(6)];
    const uint8_t *from = bytes + draw(1000);

    switch (draw(6)) {
    case 0:
        acknowledges = pcb->lastack;
        break;
    case 1:
        acknowledges = pcb->lastack + draw(flight + 1);
        break;
    case 2:
        acknowledges += draw(20) ? 0 : draw(3000) - 1500;
    }
    if (quickly && size && number == pcb->rcv_nxt &&
        host_next(pcb, acknowledges, window, from, size)) {
        taken++;
        return;
    }
    host_segment(TCP_ACK | TCP_PSH, number, acknowledges, window, from, size);
}

/* The program takes what it was sent. */
static void read_all(struct stream *t, uint32_t *received)
{
    for (const struct stream_room *r = t->first; r; r = r->next)
        *received = mix(*received, r->bytes + r->begin, r->end - r->begin);
    if (t->waiting)
        tcp_recved(t->pcb, (u16_t)t->waiting);
    stream_drop_received(t);
}

static size_t run(uint64_t number, bool quickly, struct shown shows[STEPS])
{
    uint32_t received = 1;
    size_t step = 0;

    host_begin();
    seed = number;
    tcp_ticks = 1000;
    struct stream *t = host_stream();
    t->no_delay = draw(2);
    host_connect(t);
    for (; step < STEPS && t->pcb; step++) {
        switch (draw(12)) {
        case 0:
            host_ticks(2 * (1 + draw(draw(8) ? 3 : LONG_TIME))); /* lwIP's timers take turns */
            break;
        case 1:
            read_all(t, &received);
            break;
        case 2:
        case 3:
        case 4:
        case 5:
            write_some(t->pcb, quickly);
            break;
        case 6:
            if (!draw(30))
                tcp_shutdown(t->pcb, 0, 1);
            break;
        default:
            hear(t->pcb, quickly);
        }
        shows[step] = show(t, received);
    }
    host_end(t);
    return step;
}

/* Their gaps are zeros, too. */
static bool is_same(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct shown)) == 0;
}

static void a_connection_is_left_as_lwip_leaves_it(void **state)
{
    static struct shown both[STEPS], alone[STEPS];
    (void)state;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761U >> 13);
    for (uint64_t i = 0; i < RUNS; i++) {
        size_t steps = run(i, false, alone);
        assert_int_equal(run(i, true, both), steps);
        for (size_t s = 0; s < steps; s++)
            if (!is_same(&both[s], &alone[s]))
                fail_msg("run %u differs from step %zu on", (unsigned)i, s);
    }
    assert_true(taken > 6 * RUNS);
    assert_true(sent > 3 * RUNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_connection_is_left_as_lwip_leaves_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
