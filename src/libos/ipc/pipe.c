/* Pipes as objects of descriptors: made, passed on to children, closed. */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libos/ipc/internal.h"
#include "libos/start/error.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

#define ALL_PAGES (1 + PIPE_PAGES)

static struct pipe *pipes; /* under exos_hold */

struct pipe *pipe_view(struct pipe_page *page)
{
    struct pipe *pipe = pipes;
    while (pipe && pipe->page != page)
        pipe = pipe->next;
    if (!pipe && (pipe = malloc(sizeof *pipe))) {
        *pipe = (struct pipe){.next = pipes, .page = page, .self = member_of(exos.env)};
        pipes = pipe;
    }
    if (pipe)
        pipe->references++;
    return pipe;
}

void pipe_view_release(struct pipe *pipe)
{
    if (--pipe->references)
        return;
    struct pipe **at = &pipes;
    while (*at != pipe)
        at = &(*at)->next;
    *at = pipe->next;
    vm_free(pipe->page);
    free(pipe);
}

int pipe_end_make(struct pipe *pipe, uint64_t end, uint32_t flags, struct fd_object **object)
{
    bool fresh;
    struct pipe_end *made = malloc(sizeof *made);
    int place = made ? pipe_join(pipe->page, pipe->self, end, &fresh) : -ENOMEM;
    if (place < 0) {
        free(made);
        return place;
    }
    pipe->place = (uint32_t)place;
    *made = (struct pipe_end){.object = {.kind = &pipe_kind, .flags = flags},
                              .page = pipe->page,
                              .ring = pipe_ring_of(pipe->page),
                              .changes = pipe->page->changes - 1,
                              .peer_info = aegis_env(0),
                              .pipe = pipe,
                              .end = end};
    pipe_look_around(made);
    *object = &made->object;
    return 0;
}

static void pipe_close(struct fd_object *object)
{
    struct pipe_end *end = (struct pipe_end *)object;
    pipe_leave(end->page, end->pipe->place, end->pipe->self, end->end);
    pipe_view_release(end->pipe);
    free(end);
}

static int pipe_status(struct fd_object *object, struct stat *status)
{
    struct pipe_end *end = (struct pipe_end *)object;
    status->st_mode = S_IFIFO | 0600;
    status->st_ino = (ino_t)(uintptr_t)end->page;
    return 0;
}

static int pipe_control(struct fd_object *object, unsigned long request, void *argument)
{
    struct pipe_page *page = ((struct pipe_end *)object)->page;
    if (request != FIONREAD)
        return -ENOTTY;
    uint64_t used = __atomic_load_n(&page->tail, __ATOMIC_ACQUIRE) -
                    __atomic_load_n(&page->head, __ATOMIC_ACQUIRE);
    *(int *)argument = used <= PIPE_SIZE ? (int)used : 0;
    return 0;
}

/* What a program gets: where the pages are, which its parent has mapped for it, and which end. */
struct passed {
    uint64_t address, end;
};

static int pipe_pass(struct fd_object *object, const struct exos_child *child, void *bytes,
                     size_t most)
{
    struct pipe_end *end = (struct pipe_end *)object;
    struct pipe_page *page = end->page;
    struct passed passed = {.address = (uint64_t)page, .end = end->end};
    uint64_t member = member_of(child->env);
    bool fresh;
    if (most < sizeof passed)
        return -E2BIG;
    int place = pipe_join(page, member, end->end, &fresh);
    if (place < 0)
        return place;
    end->few = 0;
    int64_t error = fresh ? vm_share(child->env, page, ALL_PAGES) : 0;
    if (error < 0) {
        pipe_leave(page, (uint32_t)place, member, end->end);
        return -aegis_errno(error);
    }
    memcpy(bytes, &passed, sizeof passed);
    return sizeof passed;
}

/* The place is found again: pipe_join gives the one that a member has. */
static void pipe_undo_pass(struct fd_object *object, const struct exos_child *child)
{
    struct pipe_end *end = (struct pipe_end *)object;
    uint64_t member = member_of(child->env);
    bool fresh;
    int place = pipe_join(end->page, member, end->end, &fresh);
    if (place >= 0)
        pipe_leave(end->page, (uint32_t)place, member, end->end);
}

static bool are_there(struct pipe_page *page)
{
    uint64_t word;
    for (size_t i = 0; i < ALL_PAGES; i++)
        if (!upcall_probe((uint64_t *)page + i * AEGIS_PAGE_SIZE / sizeof word, &word))
            return false;
    return true;
}

/* Whether a parent has mapped a pipe's pages there: nothing else of its bytes needs to be right. */
static int adopt(uint64_t address, struct pipe **pipe)
{
    struct pipe_page *page = (struct pipe_page *)address;
    for (*pipe = pipes; *pipe; *pipe = (*pipe)->next)
        if ((*pipe)->page == page) {
            (*pipe)->references++;
            return 0;
        }
    if (address % AEGIS_PAGE_SIZE || address < VM_SHARED_BASE || address >= VM_END ||
        vm_shared_adopt(page, ALL_PAGES) != 0)
        return -EINVAL;
    *pipe = are_there(page) ? pipe_view(page) : NULL;
    if (!*pipe)
        vm_free(page);
    return *pipe ? 0 : -ENOMEM;
}

static int pipe_take(const void *bytes, size_t count, uint32_t flags, struct fd_object **object)
{
    struct passed passed;
    struct pipe *pipe;
    if (count != sizeof passed)
        return -EINVAL;
    memcpy(&passed, bytes, sizeof passed);
    if (passed.end != MEMBER_READS && passed.end != MEMBER_WRITES)
        return -EINVAL;
    int error = adopt(passed.address, &pipe);
    if (error)
        return error;
    uint32_t access = passed.end == MEMBER_READS ? O_RDONLY : O_WRONLY;
    error = pipe_end_make(pipe, passed.end, (flags & ~(uint32_t)O_ACCMODE) | access, object);
    if (error)
        pipe_view_release(pipe);
    return error;
}

static void pipe_forked(struct fd_object *object, const struct exos_child *child)
{
    struct pipe_end *end = (struct pipe_end *)object;
    bool fresh;
    end->few = 0;
    pipe_join(end->page, member_of(child->env), end->end, &fresh);
}

static void pipe_in_child(struct fd_object *object)
{
    struct pipe_end *end = (struct pipe_end *)object;
    bool fresh;
    end->pipe->self = member_of(exos.env);
    int place = pipe_join(end->page, end->pipe->self, end->end, &fresh);
    end->pipe->place = place < 0 ? 0 : (uint32_t)place;
    end->changes = end->page->changes - 1;
    pipe_look_around(end);
}

const struct fd_kind pipe_kind = {.tag = FD_TAG('p', 'i', 'p', 'e'),
                                  .read = pipe_read,
                                  .write = pipe_write,
                                  .quick_read = pipe_quick_read,
                                  .quick_write = pipe_quick_write,
                                  .status = pipe_status,
                                  .control = pipe_control,
                                  .ready = pipe_ready,
                                  .close = pipe_close,
                                  .pass = pipe_pass,
                                  .undo_pass = pipe_undo_pass,
                                  .take = pipe_take,
                                  .forked = pipe_forked,
                                  .in_child = pipe_in_child};
FD_KIND(pipe_kind);

int pipe_make(struct fd_object *ends[2], uint32_t flags)
{
    struct pipe_page *page = vm_shared_alloc(ALL_PAGES);
    if (!page)
        return -errno;
    struct pipe *pipe = pipe_view(page);
    if (!pipe) {
        vm_free(page);
        return -ENOMEM;
    }
    int error = pipe_end_make(pipe, MEMBER_READS, flags | O_RDONLY, &ends[0]);
    if (!error) {
        pipe->references++;
        error = pipe_end_make(pipe, MEMBER_WRITES, flags | O_WRONLY, &ends[1]);
        if (error)
            pipe_close(ends[0]);
    }
    if (error)
        pipe_view_release(pipe);
    return error;
}

static int install(struct fd_object *ends[2], int fds[2], int descriptor)
{
    int numbers[2];
    for (int i = 0; i < 2; i++) {
        numbers[i] = fd_install(ends[i], 0, descriptor);
        if (numbers[i] < 0) {
            pipe_close(ends[1]);
            if (i)
                close(numbers[0]);
            else
                pipe_close(ends[0]);
            return numbers[i];
        }
    }
    memcpy(fds, numbers, sizeof numbers);
    return 0;
}

int pipe2(int fds[2], int flags)
{
    struct fd_object *ends[2];
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return (int)fd_result(-EINVAL);
    exos_hold();
    int error = pipe_make(ends, (uint32_t)flags & O_NONBLOCK);
    if (!error)
        error = install(ends, fds, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
    exos_release();
    return (int)fd_result(error);
}

int pipe(int fds[2])
{
    return pipe2(fds, 0);
}
