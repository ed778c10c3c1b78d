/* Connections that go on in another process: what is written of one, and what is made of that. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libos/net/lwip/internal.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip_host.h"

#define WINDOW 60000
#define FIRST  (HOST_PEER_ISS + 1) /* the peer's first byte */

static uint8_t page[1 << 18];

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 2654435761U >> 11);
}

static void write_bytes(struct stream *t, size_t at, size_t size)
{
    static uint8_t bytes[1 << 16];

    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(at + i);
    assert_int_equal(tcp_write(t->pcb, bytes, (u16_t)size, TCP_WRITE_FLAG_COPY), ERR_OK);
    tcp_output(t->pcb);
}

static struct stream *connected(void)
{
    host_begin();
    struct stream *t = host_stream();
    host_connect(t);
    assert_int_equal(t->state, STREAM_CONNECTED);
    return t;
}

static size_t put(const struct stream *t)
{
    struct share_bytes b = {page, page + sizeof page, true};

    stream_put(t, &b);
    assert_true(b.ok);
    return (size_t)(b.at - page);
}

/* What stream_give does, and the process that then has nothing of it. */
static size_t give(struct stream *t)
{
    size_t size = put(t);
    stream_let_go(t);
    assert_null(tcp_active_pcbs);
    host_end(t);
    host_forget_sent();
    return size;
}

/* From memory of its own, so that reading beyond it is noticed. */
static int take(struct stream *t, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, page, size);
    struct share_bytes b = {copy, copy + size, true};
    int error = stream_take_kept(t, &host_offer, &b);
    free(copy);
    return error;
}

static struct stream *taken(size_t size)
{
    struct stream *t = host_stream();
    assert_int_equal(take(t, size), 0);
    return t;
}

static void expect_sent(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        assert_true(host_sent.is_there[i]);
        assert_int_equal(host_sent.bytes[i], byte_at(i));
    }
    assert_false(host_sent.is_there[to]);
}

static size_t contiguous(size_t from)
{
    while (host_sent.is_there[from])
        from++;
    return from;
}

/* One segment of 9,000 bytes is acknowledged, and five wait to be read. All numbers come round 0.
 */
static void a_connection_goes_on(void **state)
{
    (void)state;
    struct stream *t = connected();
    host_segment(TCP_ACK | TCP_PSH, FIRST, host_sent.first, WINDOW, "hello", 5);
    write_bytes(t, 0, 9000);
    host_segment(TCP_ACK, FIRST + 5, host_sent.first + HOST_MSS, WINDOW, NULL, 0);
    t = taken(give(t));
    assert_int_equal(t->waiting, 5);
    assert_memory_equal(t->first->bytes, "hello", 5);
    assert_int_equal(host_sent.resets, 0);
    write_bytes(t, 9000, 1000);
    for (size_t seen = HOST_MSS; seen < 10000;) {
        size_t now = contiguous(seen);
        assert_true(now > seen);
        seen = now;
        host_segment(TCP_ACK, FIRST + 5, host_sent.first + (uint32_t)seen, WINDOW, NULL, 0);
    }
    expect_sent(HOST_MSS, 10000);
    assert_int_equal(t->pcb->snd_buf, TCP_SND_BUF);
    assert_int_equal(host_sent.acknowledged, FIRST + 5);
    host_segment(TCP_ACK | TCP_PSH, FIRST + 5, host_sent.first + 10000, WINDOW, " again", 6);
    assert_int_equal(t->waiting, 11);
    assert_memory_equal(t->first->bytes, "hello again", 11);
    host_segment(TCP_ACK | TCP_FIN, FIRST + 11, host_sent.first + 10000, WINDOW, NULL, 0);
    assert_true(t->has_ended);
    host_end(t);
}

/* What the peer never got is sent by the timer, though it was sent once before. */
static void lost_segments_are_sent_again(void **state)
{
    (void)state;
    struct stream *t = connected();
    write_bytes(t, 0, 2000);
    t = taken(give(t));
    tcp_output(t->pcb);
    host_forget_sent();
    host_ticks(100);
    expect_sent(0, HOST_MSS);
    host_end(t);
}

/* A peer that shuts its window takes what was sent before, too: nothing is left to ask for then. */
static void a_shut_window_may_take_all(void **state)
{
    (void)state;
    struct stream *t = connected();
    write_bytes(t, 0, 2 * HOST_MSS);
    host_ticks(100); /* it is sent again */
    host_segment(TCP_ACK, FIRST, host_sent.first + HOST_MSS, 0, NULL, 0);
    tcp_output(t->pcb);
    assert_int_equal(t->pcb->persist_backoff, 1);
    host_segment(TCP_ACK, FIRST, host_sent.first + 2 * HOST_MSS, 0, NULL, 0);
    assert_null(t->pcb->unsent);
    host_ticks(100);
    assert_int_equal(t->pcb->state, ESTABLISHED);
    write_bytes(t, 2 * HOST_MSS, 80);
    host_segment(TCP_ACK, FIRST, host_sent.first + 2 * HOST_MSS, WINDOW, NULL, 0);
    tcp_output(t->pcb);
    expect_sent(0, 2 * HOST_MSS + 80);
    host_end(t);
}

/* A window with room for a part of what is last: the end of the stream stays behind the rest. */
static void the_end_is_not_said_before_the_rest(void **state)
{
    (void)state;
    struct stream *t = connected();
    write_bytes(t, 0, 100);
    host_segment(TCP_ACK, FIRST, host_sent.first + 100, 0, NULL, 0);
    write_bytes(t, 100, 1000);
    tcp_shutdown(t->pcb, 0, 1);
    host_segment(TCP_ACK, FIRST, host_sent.first + 100, 50 >> HOST_SCALE, NULL, 0);
    host_ticks(100);
    expect_sent(0, 148);
    assert_false(host_sent.has_end);
    host_segment(TCP_ACK, FIRST, host_sent.first + 148, WINDOW, NULL, 0);
    host_ticks(2);
    expect_sent(0, 1100);
    assert_true(host_sent.has_end);
    assert_int_equal(host_sent.end, 1100);
    host_end(t);
}

/* Acknowledges all that has come until there are so many bytes; the last segment is not cut. */
static void acknowledge_until(size_t seen, size_t all)
{
    while (seen < all) {
        size_t now = contiguous(seen);
        assert_true(now > seen);
        seen = now;
        host_segment(TCP_ACK, FIRST, host_sent.first + (uint32_t)seen, WINDOW, NULL, 0);
    }
}

/* What was sent in longer segments is sent again in such, with what waits, what is written then,
 * and the end behind it. */
static void segments_are_cut_anew(void **state)
{
    (void)state;
    const u16_t mosts[] = {100, 535, 1220, 0};
    for (size_t i = 0; i < 8; i++) {
        bool ends = i % 2;
        struct stream *t = connected();
        u16_t most = mosts[i / 2] ? mosts[i / 2] : t->pcb->mss - 1;
        write_bytes(t, 0, HOST_MSS);
        host_segment(TCP_ACK, FIRST, host_sent.first + HOST_MSS, WINDOW, NULL, 0);
        write_bytes(t, HOST_MSS, 7000);
        if (ends)
            tcp_shutdown(t->pcb, 0, 1);
        host_forget_sent();
        tcp_rexmit_rto_prepare(t->pcb);
        assert_true(net_lwip_cut(t->pcb, most));
        t->pcb->mss = most;
        tcp_output(t->pcb);
        if (!ends)
            write_bytes(t, HOST_MSS + 7000, 540);
        size_t all = HOST_MSS + (ends ? 7000 : 7540);
        acknowledge_until(HOST_MSS, all);
        assert_int_equal(host_sent.longest, most);
        expect_sent(HOST_MSS, all);
        assert_int_equal(host_sent.has_end, ends);
        assert_true(!ends || host_sent.end == all);
        assert_null(t->pcb->unsent);
        host_end(t);
    }
}

static void the_end_is_said_again(void **state)
{
    (void)state;
    struct stream *t = connected();
    write_bytes(t, 0, 100);
    tcp_shutdown(t->pcb, 0, 1);
    assert_true(host_sent.has_end);
    t = taken(give(t));
    assert_int_equal(t->pcb->state, FIN_WAIT_1);
    tcp_output(t->pcb);
    host_ticks(30);
    assert_true(host_sent.has_end);
    assert_int_equal(host_sent.end, 100);
    host_segment(TCP_ACK, FIRST, host_sent.first + 101, WINDOW, NULL, 0);
    assert_int_equal(t->pcb->state, FIN_WAIT_2);
    t = taken(give(t));
    assert_int_equal(t->pcb->state, FIN_WAIT_2);
    host_segment(TCP_ACK | TCP_FIN, FIRST, host_sent.first + 101, WINDOW, NULL, 0);
    assert_null(t->pcb); /* lwIP goes on alone: TIME-WAIT */
    assert_non_null(tcp_tw_pcbs);
    host_end(t);
}

/* Its pcb is gone, and some bytes weren't read. */
static void one_that_is_over_goes_along(void **state)
{
    (void)state;
    struct stream *t = connected();
    host_segment(TCP_ACK | TCP_PSH, FIRST, host_sent.first, WINDOW, "rest", 4);
    host_segment(TCP_ACK | TCP_RST, FIRST + 4, host_sent.first, WINDOW, NULL, 0);
    assert_null(t->pcb);
    t = taken(give(t));
    assert_int_equal(t->waiting, 4);
    assert_true(t->has_ended);
    assert_int_equal(t->socket.error, ECONNRESET);
    assert_null(t->pcb);
    host_end(t);
}

static void a_listener_takes_its_queue_along(void **state)
{
    (void)state;
    struct stream *t = connected();
    host_segment(TCP_ACK | TCP_PSH, FIRST, host_sent.first, WINDOW, "one", 3);
    struct stream_kept head = {
        .own = t->socket.own, .state = STREAM_LISTENS, .has_pcb = 1, .queued = 1, .backlog = 5};
    struct share_bytes b = {page, page + sizeof page, true};
    share_put(&b, &head, sizeof head);
    stream_put(t, &b);
    stream_let_go(t);
    free(t);
    t = taken((size_t)(b.at - page));
    assert_int_equal(t->state, STREAM_LISTENS);
    assert_int_equal(t->pcb->state, LISTEN);
    assert_int_equal(t->pcb->local_port, HOST_PORT);
    assert_int_equal(t->queued, 1);
    assert_int_equal(t->queue->waiting, 3);
    assert_int_equal(t->queue->pcb->state, ESTABLISHED);
    host_end(t);
}

static void expect_refused(size_t size)
{
    struct stream *t = host_stream();
    assert_true(take(t, size) < 0);
    assert_null(tcp_active_pcbs);
    host_end(t);
}

static void what_is_cut_off_is_refused(void **state)
{
    (void)state;
    struct stream *t = connected();
    host_segment(TCP_ACK | TCP_PSH, FIRST, host_sent.first, WINDOW, "hello", 5);
    write_bytes(t, 0, 300);
    size_t size = give(t);
    for (size_t part = 0; part < size; part++)
        expect_refused(part);
    host_end(taken(size));
}

/* Another's word for what a connection is counts only as far as it can be one. */
static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct stream *t = connected();
    size_t size = give(t);
    struct stream_kept *k = (struct stream_kept *)page, good = *k;
    const struct {
        size_t at, size;
        uint64_t value;
    } edits[] = {
        {offsetof(struct stream_kept, state), 4, 77},
        {offsetof(struct stream_kept, state), 4, STREAM_CONNECTING},
        {offsetof(struct stream_kept, waiting), 4, TCP_WND + 1},
        {offsetof(struct stream_kept, waiting), 4, UINT32_MAX},
        {offsetof(struct stream_kept, own.port), 2, 99},
        {offsetof(struct stream_kept, peer.port), 2, 0},
        {offsetof(struct stream_kept, peer.address), 4, UINT32_MAX},
        {offsetof(struct stream_kept, peer.address), 4, PP_HTONL(0xe0000001)},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        *k = good;
        memcpy(page + edits[i].at, &edits[i].value, edits[i].size);
        expect_refused(size);
    }
    const struct net_ipv6 nobodies[] = {
        {{0}}, {{PP_HTONL(0xff020000), 0, 0, PP_HTONL(1)}}, {{0, 0, PP_HTONL(0xffff), 77}}};
    for (size_t i = 0; i < sizeof nobodies / sizeof *nobodies; i++) {
        *k = good;
        k->peer.address = 0;
        k->peer.six = nobodies[i];
        expect_refused(size);
    }
    *k = good;
    k->state = STREAM_BOUND;
    k->has_pcb = 0;
    expect_refused(size);
    *k = good;
    k->error = -5; /* a call would return it as a number of bytes */
    k->send_limit = k->receive_limit = INT32_MAX;
    k->keep_idle_s = k->linger_s = INT32_MIN;
    t = taken(size);
    assert_int_equal(t->socket.error, EIO);
    assert_int_equal(t->send_limit, STREAM_SEND_MOST);
    assert_int_equal(t->receive_limit, TCP_WND);
    assert_int_equal(t->keep_idle_s, 1);
    assert_int_equal(t->linger_s, 0);
    host_end(t);
}

/* Ours is of the peer's family, whatever stands there: lwIP has no packet of two. */
static void both_ends_are_of_one_family(void **state)
{
    (void)state;
    struct stream *t = connected();
    write_bytes(t, 0, 100);
    size_t size = give(t);
    struct stream_kept *k = (struct stream_kept *)page;
    k->own.six = net_ipv6_mapped(PP_HTONL(HOST_OWN));
    k->own.address = host_six ? PP_HTONL(HOST_OWN) : 0;
    t = taken(size);
    assert_int_equal(IP_IS_V6_VAL(t->pcb->remote_ip), host_six);
    assert_int_equal(IP_IS_V6_VAL(t->pcb->local_ip), host_six);
    tcp_output(t->pcb);
    host_ticks(20);
    host_end(t);
}

/* Who shares one connection of a port can't have the frames of another that it has no part in. */
static void another_connection_is_not_taken_over(void **state)
{
    (void)state;
    struct stream *own = connected(), *t = host_stream();
    struct tcp_pcb *pcb = own->pcb;
    size_t size = put(own);
    assert_true(take(t, size) < 0);
    assert_ptr_equal(tcp_active_pcbs, pcb);
    assert_null(pcb->next);
    free(t);
    host_segment(TCP_ACK | TCP_PSH, FIRST, host_sent.first, WINDOW, "mine", 4);
    assert_int_equal(own->waiting, 4);
    host_end(own);
}

static void bytes_end_where_they_end(void **state)
{
    (void)state;
    uint8_t memory[8] = {1, 2, 3, 4, 5, 6, 7, 8}, to[8] = {0};
    struct share_bytes b = {memory, memory + 6, true};
    assert_true(share_get(&b, to, 4));
    assert_false(share_get(&b, to, 3));
    assert_memory_equal(to, "\1\2\3\4", 5);
    assert_false(share_get(&b, to, 1)); /* nothing behind what wasn't there */
    b = (struct share_bytes){memory, memory + 6, true};
    share_put(&b, "abcdefg", 7);
    assert_false(b.ok);
    share_put(&b, "a", 1);
    assert_int_equal(memory[0], 1);
    assert_int_equal(share_error(-1), EIO);
    assert_int_equal(share_error(SHARE_ERROR_MOST + 1), EIO);
    assert_int_equal(share_error(ECONNRESET), ECONNRESET);
    assert_int_equal(share_error(0), 0);
}

static int in_ipv6(void **state)
{
    (void)state;
    host_six = true;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_goes_on),
        cmocka_unit_test(lost_segments_are_sent_again),
        cmocka_unit_test(a_shut_window_may_take_all),
        cmocka_unit_test(the_end_is_not_said_before_the_rest),
        cmocka_unit_test(segments_are_cut_anew),
        cmocka_unit_test(the_end_is_said_again),
        cmocka_unit_test(one_that_is_over_goes_along),
        cmocka_unit_test(a_listener_takes_its_queue_along),
        cmocka_unit_test(what_is_cut_off_is_refused),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(both_ends_are_of_one_family),
        cmocka_unit_test(another_connection_is_not_taken_over),
        cmocka_unit_test(bytes_end_where_they_end),
    };
    int failed = cmocka_run_group_tests_name("IPv4", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("IPv6", tests, in_ipv6, NULL);
}
