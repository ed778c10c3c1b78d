/*
 * poll and select: ask each object; if none is ready, wait for what they name and ask again.
 *
 * A wait takes few predicates. Where more are needed the objects ring this process's doorbell, for
 * which one is enough; what can't ring is looked at again every LOOK_AGAIN.
 *
 * A signal's handler ends them, whatever SA_RESTART says (POSIX, sigaction: they aren't restarted).
 */
#include <errno.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>

#include "libos/fd/internal.h"
#include "libos/proc/session.h"
#include "libos/start/start.h"
#include "libos/time/time.h"

#define NS         1000000000
#define LOOK_AGAIN 10000000UL /* ns: a slice */
#define LOOK_LATER                                                                                 \
    1000000000UL /* ns: for what no predicate tells, as a number's use by another                  \
                  */

static inline bool is_same(const struct aegis_predicate *a, const struct aegis_predicate *b)
{
    return a->word == b->word && a->value == b->value && a->mask == b->mask && a->op == b->op;
}

void fd_watch_new(struct fd_watch *watch, const struct aegis_predicate *when, bool rings)
{
    if (watch->rings && rings)
        return;
    for (size_t i = 0; i < watch->count; i++)
        if (is_same(&watch->when[i], when))
            return;
    if (watch->count < EXOS_WAIT_MAX)
        watch->when[watch->count] = *when;
    else
        watch->silent = true;
    watch->count += watch->count < EXOS_WAIT_MAX;
}

bool fd_watch_rings(const struct fd_watch *watch)
{
    return watch->rings;
}

/* One look at all; how many are ready. */
static int look(struct pollfd *fds, nfds_t count, struct fd_watch *watch)
{
    int found = 0;
    for (nfds_t i = 0; i < count; i++) {
        struct fd_object *object = fd_at(fds[i].fd);
        short wanted = fds[i].events | POLLERR | POLLHUP;
        short ready = 0;
        if (fds[i].fd >= 0)
            ready = !object               ? POLLNVAL
                    : object->kind->ready ? object->kind->ready(object, fds[i].events, watch)
                                          : POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
        fds[i].revents = ready & (wanted | POLLNVAL);
        found += fds[i].revents != 0;
    }
    return found;
}

static uint64_t sooner(uint64_t deadline, uint64_t ns)
{
    uint64_t other = time_after(ns);
    return other < deadline ? other : deadline;
}

/*
 * A round: a look, and a wait if that finds nothing. The doorbell is read before the look, so that
 * what rings during it is not slept through.
 */
static int look_and_wait(struct pollfd *fds, nfds_t count, struct fd_watch *watch,
                         uint64_t deadline, uint64_t handled)
{
    const volatile uint64_t *doorbell = exos_wait_hooks.doorbell;
    if (watch->rings && doorbell)
        watch->when[watch->count++] = AEGIS_WHEN(*doorbell, NE, *doorbell);
    exos_hold();
    int found = look(fds, count, watch);
    exos_release();
    if (found || time_now() >= deadline)
        return found;
    if (watch->silent && !watch->rings && doorbell) {
        watch->rings = true; /* too many predicates: another look, with the doorbell */
        return 0;
    }
    uint64_t until = sooner(deadline, watch->silent ? LOOK_AGAIN : LOOK_LATER);
    int64_t which = exos_wait_any(watch->when, watch->count, until, handled);
    return which == -EXOS_INTERRUPTED ? -EINTR : 0;
}

static int wait_for(struct pollfd *fds, nfds_t count, uint64_t deadline, uint64_t handled)
{
    bool rings = false;
    for (;;) {
        struct fd_watch watch; /* its predicates are as many as count says */
        watch.count = 0;
        watch.rings = rings;
        watch.silent = false;
        int result = look_and_wait(fds, count, &watch, deadline, handled);
        if (result != 0 || (time_now() >= deadline && watch.rings == rings))
            return result;
        rings = watch.rings;
    }
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (count > FD_MAX)
        return (int)fd_result(-EINVAL);
    uint64_t deadline = timeout < 0    ? AEGIS_FOREVER
                        : timeout == 0 ? 0
                                       : time_after((uint64_t)timeout * 1000000);
    return (int)fd_result(wait_for(fds, count, deadline, exos_handled()));
}

/* A time that a timespec tells, from now on; false: it is none. */
static bool deadline_of(const struct timespec *timeout, uint64_t *deadline)
{
    *deadline = AEGIS_FOREVER;
    if (!timeout)
        return true;
    if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= NS)
        return false;
    if ((uint64_t)timeout->tv_sec < INT64_MAX / NS)
        *deadline = time_after((uint64_t)timeout->tv_sec * NS + (uint64_t)timeout->tv_nsec);
    return true;
}

/* With other signals blocked. What was pending before ends the wait, unless something is ready. */
static int wait_masked(struct pollfd *fds, nfds_t count, uint64_t deadline, const sigset_t *mask)
{
    uint64_t handled = exos_handled();

    if (!mask)
        return wait_for(fds, count, deadline, handled);
    uint64_t before = proc_mask_begin(*mask);
    int result = wait_for(fds, count, deadline, handled);
    if (result == 0 && exos_wait_any(NULL, 0, 0, handled) == -EXOS_INTERRUPTED)
        result = -EINTR;
    proc_mask_end(before);
    return result;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    uint64_t deadline;

    if (count > FD_MAX || !deadline_of(timeout, &deadline))
        return (int)fd_result(-EINVAL);
    return (int)fd_result(wait_masked(fds, count, deadline, mask));
}

#define SETS 3

/* The events of each of select's sets, and what of the answer puts a descriptor in it. */
static const short asked[SETS] = {POLLIN, POLLOUT, POLLPRI};
static const short answered[SETS] = {POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI};

static nfds_t from_sets(int count, fd_set *const sets[SETS], struct pollfd *fds)
{
    nfds_t used = 0;
    for (int fd = 0; fd < count; fd++) {
        short events = 0;
        for (int i = 0; i < SETS; i++)
            if (sets[i] && FD_ISSET(fd, sets[i]))
                events |= asked[i];
        if (events)
            fds[used++] = (struct pollfd){.fd = fd, .events = events};
    }
    return used;
}

static int to_sets(const struct pollfd *fds, nfds_t used, fd_set *const sets[SETS])
{
    int bits = 0;
    for (nfds_t n = 0; n < used; n++)
        for (int i = 0; i < SETS; i++) {
            if (!sets[i] || !(fds[n].events & asked[i]))
                continue;
            if (fds[n].revents & answered[i])
                bits++;
            else
                FD_CLR(fds[n].fd, sets[i]);
        }
    return bits;
}

int pselect(int count, fd_set *reading, fd_set *writing, fd_set *except,
            const struct timespec *timeout, const sigset_t *mask)
{
    struct pollfd fds[FD_SETSIZE];
    fd_set *const sets[SETS] = {reading, writing, except};
    uint64_t deadline;

    if (count < 0 || count > FD_SETSIZE || !deadline_of(timeout, &deadline))
        return (int)fd_result(-EINVAL);
    nfds_t used = from_sets(count, sets, fds);
    int found = wait_masked(fds, used, deadline, mask);
    for (nfds_t n = 0; n < used && found > 0; n++)
        if (fds[n].revents & POLLNVAL)
            found = -EBADF;
    return found < 0 ? (int)fd_result(found) : to_sets(fds, used, sets);
}

int select(int count, fd_set *reading, fd_set *writing, fd_set *except, struct timeval *timeout)
{
    struct timespec time = {0};

    if (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0))
        return (int)fd_result(-EINVAL);
    if (timeout)
        time = (struct timespec){.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000,
                                 .tv_nsec = timeout->tv_usec % 1000000 * 1000};
    return pselect(count, reading, writing, except, timeout ? &time : NULL, NULL);
}
