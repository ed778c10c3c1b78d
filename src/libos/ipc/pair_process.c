/* socketpair: how pairs are made, and come to other processes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/ipc/pair.h"

/* Takes over two ends of pipes. NULL without memory. */
static struct pair *make_pair(struct fd_object *in, struct fd_object *out, uint32_t flags)
{
    struct pair *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->socket.object = (struct fd_object){.kind = &pair_kind, .flags = flags | O_RDWR};
    p->socket.protocol = &pair_protocol;
    p->in = pair_end_of(in);
    p->out = pair_end_of(out);
    for (int i = 0; i < 2; i++) {
        struct fd_object *object = i ? out : in;
        if (object) {
            object->references = 1;
            object->flags |= O_NONBLOCK;
        }
    }
    return p;
}

struct passed {
    int32_t sizes[2];    /* 0: it is shut down */
    uint8_t ends[2][32]; /* what the pipes' kind says */
};

static void undo_pass(struct pipe_end *end, const struct exos_child *child)
{
    if (end)
        pipe_kind.undo_pass(&end->object, child);
}

int pair_pass(struct fd_object *object, const struct exos_child *child, void *bytes, size_t most)
{
    struct pair *p = (struct pair *)object;
    struct pipe_end *ends[2] = {p->in, p->out};
    struct passed passed = {.sizes = {0}};

    if (most < sizeof passed)
        return -E2BIG;
    for (int i = 0; i < 2; i++) {
        if (!ends[i])
            continue;
        passed.sizes[i] =
            pipe_kind.pass(&ends[i]->object, child, passed.ends[i], sizeof passed.ends[i]);
        if (passed.sizes[i] < 0) {
            undo_pass(i ? ends[0] : NULL, child);
            return passed.sizes[i];
        }
    }
    memcpy(bytes, &passed, sizeof passed);
    return sizeof passed;
}

void pair_undo_pass(struct fd_object *object, const struct exos_child *child)
{
    struct pair *p = (struct pair *)object;

    undo_pass(p->in, child);
    undo_pass(p->out, child);
}

/* Of a stranger's bytes: what the pipes' kind takes it looks at itself; each has to be of its way.
 */
int pair_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object)
{
    static const uint64_t ways[2] = {MEMBER_READS, MEMBER_WRITES};
    struct fd_object *ends[2] = {NULL, NULL};
    struct passed passed;
    int error = count == sizeof passed ? 0 : -EINVAL;

    if (!error)
        memcpy(&passed, bytes, sizeof passed);
    for (int i = 0; i < 2 && !error; i++) {
        if (!passed.sizes[i])
            continue;
        error = passed.sizes[i] < 0 || (size_t)passed.sizes[i] > sizeof passed.ends[i]
                    ? -EINVAL
                    : pipe_kind.take(passed.ends[i], (size_t)passed.sizes[i], 0, &ends[i]);
        if (!error && pair_end_of(ends[i])->end != ways[i])
            error = -EINVAL;
    }
    struct pair *p = error ? NULL : make_pair(ends[0], ends[1], flags & O_NONBLOCK);
    if (p) {
        *object = &p->socket.object;
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (ends[i])
            pipe_kind.close(ends[i]);
    return error ? error : -ENOMEM;
}

void pair_forked(struct fd_object *object, const struct exos_child *child)
{
    struct pair *p = (struct pair *)object;

    if (p->in)
        pipe_kind.forked(&p->in->object, child);
    if (p->out)
        pipe_kind.forked(&p->out->object, child);
}

void pair_in_child(struct fd_object *object)
{
    struct pair *p = (struct pair *)object;

    if (p->in)
        pipe_kind.in_child(&p->in->object);
    if (p->out)
        pipe_kind.in_child(&p->out->object);
}

/* Two pipes, and the two ends of the pair. On failure nothing is left. */
static int make(struct pair *pairs[2], uint32_t flags)
{
    struct fd_object *there[2], *back[2];
    int error = pipe_make(there, 0);

    if (error)
        return error;
    error = pipe_make(back, 0);
    if (!error) {
        pairs[0] = make_pair(back[0], there[1], flags);
        pairs[1] = pairs[0] ? make_pair(there[0], back[1], flags) : NULL;
        if (pairs[1])
            return 0;
        free(pairs[0]);
        pipe_kind.close(back[0]);
        pipe_kind.close(back[1]);
        error = -ENOMEM;
    }
    pipe_kind.close(there[0]);
    pipe_kind.close(there[1]);
    return error;
}

static int install(struct pair *pairs[2], int fds[2], int descriptor)
{
    int first = fd_install(&pairs[0]->socket.object, 0, descriptor);
    int second = first < 0 ? first : fd_install(&pairs[1]->socket.object, 0, descriptor);

    if (second < 0) {
        pair_close(&pairs[1]->socket.object);
        if (first < 0)
            pair_close(&pairs[0]->socket.object);
        else
            close(first);
        return second;
    }
    fds[0] = first;
    fds[1] = second;
    return 0;
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), error = 0;
    struct pair *pairs[2];

    if (domain != AF_UNIX)
        error = domain == AF_INET || domain == AF_INET6 ? -EOPNOTSUPP : -EAFNOSUPPORT;
    else if (kind != SOCK_STREAM)
        error = kind == SOCK_DGRAM || kind == SOCK_SEQPACKET || kind == SOCK_RAW ? -EPROTOTYPE
                                                                                 : -EINVAL;
    else if (protocol && protocol != AF_UNIX)
        error = -EPROTONOSUPPORT;
    exos_hold();
    if (!error)
        error = make(pairs, type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    if (!error)
        error = install(pairs, fds, type & SOCK_CLOEXEC ? FD_CLOEXEC : 0);
    exos_release();
    return (int)fd_result(error);
}
