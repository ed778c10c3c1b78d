/* POSIX poll.h. */
#ifndef EXOS_POLL_H
#define EXOS_POLL_H

#include <signal.h>
#include <sys/_timespec.h>

#define POLLIN     0x001
#define POLLPRI    0x002
#define POLLOUT    0x004
#define POLLERR    0x008
#define POLLHUP    0x010
#define POLLNVAL   0x020
#define POLLRDNORM 0x040
#define POLLRDBAND 0x080
#define POLLWRNORM 0x100
#define POLLWRBAND 0x200

typedef unsigned long nfds_t;

struct pollfd {
    int fd; /* negative: left out */
    short events, revents;
};

/* Wait until one of count descriptors is ready, or timeout milliseconds (negative: for ever). How
 * many are, 0 at the end of the time, or -1: EINTR, EINVAL (too many). */
int poll(struct pollfd *fds, nfds_t count, int timeout);

/* The same with a timeout of its own (NULL: for ever), and with mask's signals blocked meanwhile
 * instead of those that are (NULL: these): one that comes before the wait ends it, too, with EINTR,
 * whatever SA_RESTART says. */
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);

#endif
