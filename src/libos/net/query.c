#include "libos/net/query.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "libos/start/start.h"
#include "libos/time/time.h"

#define TRIES_ONE   3    /* times that a server is asked if it is the only one, */
#define TRIES_MANY  2    /* or one of several */
#define PATIENCE_MS 2000 /* for the answers to one try */
#define MS          1000000UL

/* A server as a socket's peer. */
union peer {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static socklen_t peer_of(const struct names_server *server, union peer *peer)
{
    memset(peer, 0, sizeof *peer);
    if (server->size == 4) {
        peer->four.sin_family = AF_INET;
        peer->four.sin_port = htons(server->port);
        memcpy(&peer->four.sin_addr, server->address, 4);
        return sizeof peer->four;
    }
    peer->six.sin6_family = AF_INET6;
    peer->six.sin6_port = htons(server->port);
    peer->six.sin6_scope_id = server->zone;
    memcpy(&peer->six.sin6_addr, server->address, 16);
    return sizeof peer->six;
}

static bool all_answered(const struct query *queries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!queries[i].is_answered)
            return false;
    return true;
}

/* Takes the answers that come until deadline; nobody is there if an error does. */
static void take_answers(int s, struct query *queries, size_t count, uint64_t deadline)
{
    uint8_t message[DNS_MESSAGE_MAX];

    while (!all_answered(queries, count)) {
        uint64_t now = time_now();
        struct pollfd poll_s = {.fd = s, .events = POLLIN};
        if (now >= deadline || poll(&poll_s, 1, (int)(time_to_ns(deadline - now) / MS) + 1) <= 0)
            return;
        ssize_t size = recv(s, message, sizeof message, MSG_DONTWAIT);
        if (size < 0 && errno != EAGAIN)
            return;
        for (size_t i = 0; size > 0 && i < count; i++) {
            struct query *q = &queries[i];
            struct dns_answer answer;
            enum dns_result result = dns_read(message, (size_t)size, q->bytes, q->size, &answer);
            if (q->is_answered || result == DNS_OTHER)
                continue;
            q->result = result;
            q->is_answered = true;
            if (result == DNS_FOUND || result == DNS_NO_DATA)
                q->answer = answer;
        }
    }
}

/* What was cut off is asked for by TCP. Where nobody answers there, what has come has to do. */
static void ask_for_rest(const union peer *peer, socklen_t size, struct query *q, uint64_t deadline)
{
    bool is_cut =
        q->is_answered && q->answer.is_cut && (q->result == DNS_FOUND || q->result == DNS_NO_DATA);

    if (is_cut && !query_by_stream(&peer->any, size, q, deadline) && q->result == DNS_NO_DATA)
        q->result = DNS_FAILED; /* nobody knows what it was */
    q->answer.is_cut = false;
}

/*
 * One try, from a port of its own and under new numbers, so that a forger has to guess both
 * (RFC 5452). Whether the server could be asked.
 */
static bool try(const struct names_server *server, struct query *queries, size_t count)
{
    union peer peer;
    socklen_t size = peer_of(server, &peer);
    int s = socket(peer.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint16_t id;

    if (s < 0 || connect(s, &peer.any, size)) {
        if (s >= 0)
            close(s);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        queries[i].is_answered &= queries[i].result != DNS_FAILED;
        aegis_entropy(&id, sizeof id);
        memcpy(queries[i].bytes, &id, sizeof id);
        if (!queries[i].is_answered)
            send(s, queries[i].bytes, queries[i].size, 0);
    }
    take_answers(s, queries, count, time_after(PATIENCE_MS * MS));
    close(s);
    for (size_t i = 0; i < count; i++)
        ask_for_rest(&peer, size, &queries[i], time_after(PATIENCE_MS * MS));
    return true;
}

/* Whether each has an answer that a server could give. */
static bool all_known(const struct query *queries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!queries[i].is_answered || queries[i].result == DNS_FAILED)
            return false;
    return true;
}

int query_ask(const struct servers *servers, const char *name, struct query *queries, size_t count)
{
    const int tries = servers->count == 1 ? TRIES_ONE : TRIES_MANY;
    bool is_asked = false;

    for (size_t i = 0; i < count; i++) {
        queries[i].size = dns_ask(queries[i].bytes, 0, name, queries[i].type);
        if (!queries[i].size)
            return EAI_NONAME;
    }
    for (int i = 0; i < tries; i++)
        for (size_t j = 0; j < servers->count && !all_known(queries, count); j++)
            is_asked |= try(&servers->list[j], queries, count);
    if (!is_asked)
        return EAI_SYSTEM;
    return all_answered(queries, count) ? 0 : EAI_AGAIN;
}
