/* Asking name servers: one after the other, by UDP, and by TCP where an answer doesn't fit. */
#ifndef EXOS_NET_QUERY_H
#define EXOS_NET_QUERY_H

#include "libos/net/dns.h"
#include "libos/net/servers.h"

struct sockaddr;

/* A question, and what has become of it. */
struct query {
    enum dns_type type;
    uint8_t bytes[DNS_QUESTION_MAX];
    size_t size;
    bool is_answered;
    enum dns_result result;
    struct dns_answer answer;
};

/*
 * Ask for what a name has, for all queries (whose types alone are filled) together. Returns 0 if
 * all have an answer, which may be a server's that fails; or an EAI_*.
 */
int query_ask(const struct servers *servers, const char *name, struct query *queries, size_t count);

/*
 * Ask a server by TCP, until a deadline (rdtime). Whether an answer came, into *q; else that is as
 * it was, as it is in a program whose sockets know no TCP.
 */
bool query_by_stream(const struct sockaddr *server, uint32_t size, struct query *q,
                     uint64_t deadline);

#endif
