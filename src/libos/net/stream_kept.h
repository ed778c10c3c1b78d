/* What is written down of a stream, for the next process that has it (share.h), and read. */
#ifndef EXOS_NET_STREAM_KEPT_H
#define EXOS_NET_STREAM_KEPT_H

#include "libos/net/share_bytes.h"
#include "libos/net/stream.h"

#define STREAM_SEND_MOST                                                                           \
    32768 /* bytes that wait to be sent, of a connection that others have, too */

/* What is written of one; behind it bytes that were received, and the connection itself. */
struct stream_kept {
    struct socket_end own, peer;
    int32_t state, error, linger_s, keep_idle_s, keep_interval_s, keep_count;
    int32_t send_limit, receive_limit;
    uint32_t waiting, backlog, queued;
    uint8_t has_ended, has_pcb, is_local, no_delay, keep_alive, reuses, lingers;
    uint8_t shut_read, shut_write;
};

/* Writes a stream, without the queue of a listener. */
void stream_put(const struct stream *t, struct share_bytes *b);

/* It goes on elsewhere; nothing is said to the peer. */
void stream_let_go(struct stream *t);

/*
 * Goes on with what was written, by anybody: a stream's part of stream_take, and what a fresh one
 * has to be before. b NULL: it is lost. 0 or a negated errno value.
 */
int stream_take_kept(struct stream *t, const struct net_offer *offer, struct share_bytes *b);

#endif
