#include "libos/ipc/special.h"

#include <errno.h>

int pipe_special(struct pipe_special *special, int fd)
{
    int error = 0;
    exos_hold();
    struct fd_object *object = fd_object(fd);
    struct pipe_end *end = (struct pipe_end *)object;
    if (!object)
        error = -EBADF;
    else if (object->kind != &pipe_kind)
        error = -EINVAL;
    else {
        end->changes--; /* look, whatever was found before */
        pipe_look_around(end);
        error = end->few ? 0 : -EBUSY;
    }
    if (!error)
        *special = (struct pipe_special){end, end->page, end->ring, end->peer};
    exos_release();
    return (int)fd_result(error);
}

/* More bytes than the ring holds: somebody has written what he may not. */
int pipe_special_wait(struct pipe_special *special, const uint64_t *word, uint64_t seen)
{
    struct pipe_page *page = special->page;
    bool reads = special->end->end == MEMBER_READS;
    exos_hold();
    uint64_t used = __atomic_load_n(&page->tail, __ATOMIC_ACQUIRE) -
                    __atomic_load_n(&page->head, __ATOMIC_ACQUIRE);
    int result = used > PIPE_SIZE ? -EIO : pipe_await(special->end, word, seen);
    special->peer = special->end->peer;
    exos_release();
    if (result > 0)
        return 0;
    errno = result < 0 ? -result : reads ? 0 : EPIPE;
    return -1;
}
