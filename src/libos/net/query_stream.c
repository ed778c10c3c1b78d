/* A question over TCP (RFC 7766): each message behind two bytes of its length. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libos/net/query.h"
#include "libos/start/start.h"
#include "libos/time/time.h"

#define MS 1000000UL

static bool await(int s, short events, uint64_t deadline)
{
    struct pollfd poll_s = {.fd = s, .events = events};
    uint64_t now = time_now();

    return now < deadline && poll(&poll_s, 1, (int)(time_to_ns(deadline - now) / MS) + 1) > 0;
}

static bool open_connection(int s, const struct sockaddr *server, socklen_t size, uint64_t deadline)
{
    int error = 0;
    socklen_t error_size = sizeof error;

    if (connect(s, server, size) == 0)
        return true;
    return errno == EINPROGRESS && await(s, POLLOUT, deadline) &&
           getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &error_size) == 0 && !error;
}

/* So many bytes of what comes. */
static bool take(int s, uint8_t *bytes, size_t size, uint64_t deadline)
{
    for (size_t got = 0; got < size;) {
        ssize_t more = recv(s, bytes + got, size - got, 0);
        if (more > 0)
            got += (size_t)more;
        else if (more == 0 || errno != EAGAIN || !await(s, POLLIN, deadline))
            return false;
    }
    return true;
}

static bool ask(int s, struct query *q, uint8_t *message, uint64_t deadline)
{
    uint8_t question[2 + DNS_QUESTION_MAX] = {(uint8_t)(q->size >> 8), (uint8_t)q->size}, length[2];
    struct dns_answer answer;

    aegis_entropy(q->bytes, 2);
    memcpy(question + 2, q->bytes, q->size);
    if (send(s, question, 2 + q->size, MSG_NOSIGNAL) != (ssize_t)(2 + q->size) ||
        !take(s, length, sizeof length, deadline))
        return false;
    size_t size = (size_t)length[0] << 8 | length[1];
    if (!take(s, message, size, deadline))
        return false;
    enum dns_result result = dns_read(message, size, q->bytes, q->size, &answer);
    if (result == DNS_OTHER || result == DNS_FAILED)
        return false;
    q->result = result;
    if (result != DNS_NO_NAME)
        q->answer = answer;
    return true;
}

bool query_by_stream(const struct sockaddr *server, uint32_t size, struct query *q,
                     uint64_t deadline)
{
    int s = socket(server->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    uint8_t *message = s < 0 ? NULL : malloc(DNS_STREAM_MAX);
    bool done =
        message && open_connection(s, server, size, deadline) && ask(s, q, message, deadline);

    free(message);
    if (s >= 0)
        close(s);
    return done;
}
