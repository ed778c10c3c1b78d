#include "httpd/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "httpd/files.h"
#include "httpd/known.h"
#include "libos/time/time.h"

#define NS          1000000000UL
#define IDLE_LIMIT  (30 * NS) /* without a request, or without taking any of an answer */
#define HEAD_LIMIT  (10 * NS) /* from a head's first byte to its last: 408 */
#define DRAIN_LIMIT (2 * NS)  /* for the client to see the end, and close */
#define FIRST_ROOM  1024      /* bytes for heads: most fit */
#define AT_A_TIME   16        /* pipelined requests before others have their turn */

enum state {
    READING,
    WRITING,
    DRAINING /* nothing is answered any more: until the client closes. A close with bytes unread
                would reset the connection, and could take the last answer with it. */
};

struct connection {
    int fd;
    enum state state;
    uint64_t deadline;
    char *bytes; /* received, and not used yet */
    size_t room, size, seen;
    uint64_t skip; /* of a body that nobody reads */
    size_t sent;   /* of head and body */
    struct http_answer answer;
};

struct connection *connection_open(int fd)
{
    struct connection *c = calloc(1, sizeof *c);

    if (c && !(c->bytes = malloc(FIRST_ROOM))) {
        free(c);
        return NULL;
    }
    if (!c)
        return NULL;
    c->fd = fd;
    c->room = FIRST_ROOM;
    c->deadline = time_after(IDLE_LIMIT);
    return c;
}

void connection_close(struct connection *c)
{
    close(c->fd);
    free(c->bytes);
    free(c);
}

short connection_events(const struct connection *c)
{
    return c->state == WRITING ? POLLOUT : POLLIN;
}

uint64_t connection_deadline(const struct connection *c)
{
    return c->deadline;
}

static void begin_answer(struct connection *c)
{
    c->state = WRITING;
    c->sent = 0;
    c->deadline = time_after(IDLE_LIMIT);
}

static void answer_error(struct connection *c, int status)
{
    http_answer_error(&c->answer, NULL, status, time(NULL));
    begin_answer(c);
}

static void consume(struct connection *c, size_t size)
{
    c->size -= size;
    memmove(c->bytes, c->bytes + size, c->size);
    c->seen = 0;
}

static void answer_head(struct connection *c, size_t head)
{
    struct http_request r;
    const struct http_file *file;
    int status = http_read(c->bytes, head, &r);

    if (status && status != 405) {
        answer_error(c, status);
        return;
    }
    file = status ? NULL : files_find(r.path);
    if (file) {
        known_keep(c->bytes, head, &r, file);
        http_answer_file(&c->answer, &r, file, time(NULL));
    } else {
        http_answer_error(&c->answer, &r, status ? status : 404, time(NULL));
    }
    c->skip = r.body;
    consume(c, head);
    begin_answer(c);
}

/* Answers what has been received, if a whole head is there. */
static void look(struct connection *c)
{
    size_t skipped = c->skip < c->size ? (size_t)c->skip : c->size;

    c->skip -= skipped;
    if (skipped) {
        consume(c, skipped);
        c->deadline = time_after(IDLE_LIMIT);
    }
    bool begins = c->size && c->seen == 0;
    const struct known *known = begins ? known_find(c->bytes, c->size) : NULL;
    if (known) {
        http_answer_file(&c->answer, known->request, known->file, time(NULL));
        consume(c, c->size);
        begin_answer(c);
        return;
    }
    size_t head = http_head_size(c->bytes, c->size, c->seen);
    c->seen = c->size;
    if (head)
        answer_head(c, head);
    else if (c->size >= HTTP_HEAD_MAX)
        answer_error(c, http_too_long(c->bytes, c->size));
    else if (begins)
        c->deadline = time_after(HEAD_LIMIT);
}

/* Room for more of a head. */
static bool grow(struct connection *c)
{
    if (c->size < c->room)
        return true;
    char *bytes = realloc(c->bytes, HTTP_HEAD_MAX);
    if (!bytes)
        return false;
    c->bytes = bytes;
    c->room = HTTP_HEAD_MAX;
    return true;
}

static bool receive(struct connection *c)
{
    if (!grow(c))
        return false;
    ssize_t got = recv(c->fd, c->bytes + c->size, c->room - c->size, 0);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    c->size += (size_t)got;
    look(c);
    return true;
}

/* Throws away what still comes; false at the client's end. */
static bool drain(struct connection *c)
{
    ssize_t got = recv(c->fd, c->bytes, c->room, 0);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool answered(struct connection *c)
{
    if (c->answer.closes) {
        c->state = DRAINING;
        c->deadline = time_after(DRAIN_LIMIT);
        return shutdown(c->fd, SHUT_WR) == 0;
    }
    c->state = READING;
    c->deadline = time_after(IDLE_LIMIT);
    look(c); /* the next may be here already */
    return true;
}

static bool transmit(struct connection *c)
{
    const struct http_answer *a = &c->answer;
    size_t of_head = c->sent < a->head_size ? c->sent : a->head_size;
    size_t of_body = c->sent - of_head;
    struct iovec parts[2] = {
        {(char *)(uintptr_t)a->head + of_head, a->head_size - of_head},
        {(char *)(uintptr_t)a->body + of_body, a->body_size - of_body},
    };
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = a->body_size ? 2 : 1};

    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    c->sent += (size_t)sent;
    c->deadline = time_after(IDLE_LIMIT);
    return c->sent < a->head_size + a->body_size || answered(c);
}

static bool late(struct connection *c)
{
    if (c->state != READING || !c->size || c->skip)
        return false;
    answer_error(c, 408);
    return true;
}

bool connection_step(struct connection *c, short events)
{
    if (!events)
        return time_now() < c->deadline || late(c);
    if (events & POLLERR)
        return false;
    if (c->state == DRAINING)
        return drain(c);
    if (c->state == READING && !receive(c))
        return false;
    for (int i = 0; i < AT_A_TIME && c->state == WRITING; i++) {
        size_t before = c->sent;
        if (!transmit(c))
            return false;
        if (c->state == WRITING && c->sent == before)
            break;
    }
    return true;
}
