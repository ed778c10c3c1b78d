/*
 * What a process writes of a connection, of either family, for the next one, edited by somebody who
 * has the pages, too: it is refused or becomes a connection, which any segments then may meet.
 * lwIP's assertions end the run. What becomes one can be written and taken again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/libos/lwip_host.h"
#include "lwip/priv/tcp_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIRST (HOST_PEER_ISS + 1)

static uint8_t page[1 << 18];

/* A listener with a connection, or that alone, with bytes on the way in both directions. */
static size_t make(bool listens, unsigned ends)
{
    static const uint8_t bytes[3000];
    struct stream *t = host_stream();
    struct share_bytes b = {page, page + sizeof page, true};

    host_connect(t);
    host_segment(TCP_ACK | TCP_PSH, FIRST, host_sent.first, 9000, "hello", 5);
    tcp_write(t->pcb, bytes, sizeof bytes, TCP_WRITE_FLAG_COPY);
    tcp_output(t->pcb);
    host_segment(TCP_ACK, FIRST + 5, host_sent.first + 700, 9000, NULL, 0);
    if (ends & 1)
        host_segment(TCP_ACK | TCP_FIN, FIRST + 5, host_sent.first + 700, 9000, NULL, 0);
    if (ends & 2)
        tcp_shutdown(t->pcb, 0, 1);
    struct stream_kept head = {
        .own = t->socket.own, .state = STREAM_LISTENS, .has_pcb = 1, .queued = 1, .backlog = 5};
    if (listens)
        share_put(&b, &head, sizeof head);
    stream_put(t, &b);
    stream_let_go(t);
    host_end(t);
    return (size_t)(b.at - page);
}

/* Pairs of a place and what is added there; most of what is looked at lies at both ends. */
static const uint8_t *edit(const uint8_t *data, const uint8_t *end, size_t *size)
{
    unsigned edits = data < end ? *data++ % 12 : 0;

    for (; edits && end - data >= 3; edits--, data += 3) {
        size_t at = (size_t)(data[0] | data[1] << 8) % (edits % 2 ? *size : 600);
        page[at % *size] = (uint8_t)(page[at % *size] + data[2]);
    }
    if (data < end && *data++ % 8 == 0 && data < end)
        *size -= *data % *size;
    return data;
}

/* Near the numbers that matter, of both sides. */
static void play(struct stream *t, const uint8_t *data, const uint8_t *end)
{
    static const uint8_t bytes[256];

    for (; end - data >= 4; data += 4) {
        struct tcp_pcb *pcb = t->pcb && t->pcb->state != LISTEN ? t->pcb : tcp_active_pcbs;
        uint32_t sent = pcb ? pcb->snd_nxt : 0, got = pcb ? pcb->rcv_nxt : 0;
        uint32_t number = got + (uint32_t)(int8_t)data[1];
        switch (data[0] & 3) {
        case 0:
            host_ticks(data[1]);
            break;
        case 1:
            if (pcb && data[1] && !net_lwip_send_next(pcb, bytes, data[1]))
                tcp_write(pcb, bytes, data[1], TCP_WRITE_FLAG_COPY);
            break;
        default:
            if (pcb && number == got && data[2] &&
                host_next(pcb, sent - (uint32_t)(data[2] * 8), data[3] * 300, bytes, data[2]))
                break;
            host_segment(data[0] >> 2, number, sent - (uint32_t)(data[2] * 8), data[3] * 300, bytes,
                         data[2]);
        }
        for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
            tcp_output(pcb);
    }
}

static int take(struct stream *t, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, page, size);
    struct share_bytes b = {copy, copy + size, true};
    int error = stream_take_kept(t, &host_offer, &b);
    free(copy);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;

    host_begin();
    unsigned kind = data < end ? *data++ : 0;
    host_six = kind & 8;
    size_t kept = make(kind & 4, kind & 3);
    data = edit(data, end, &kept);
    struct stream *t = host_stream();
    if (take(t, kept) == 0) {
        play(t, data, end);
        if (t->state == STREAM_CONNECTED && (!t->pcb || net_lwip_may_export(t->pcb))) {
            struct share_bytes b = {page, page + sizeof page, true};
            stream_put(t, &b);
            assert(b.ok);
            stream_let_go(t);
            struct stream *next = host_stream();
            assert(take(next, (size_t)(b.at - page)) == 0);
            host_end(next);
        }
    }
    host_end(t);
    return 0;
}
