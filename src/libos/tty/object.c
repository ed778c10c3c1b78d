/* Descriptors of terminals. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libos/fd/fd.h"
#include "libos/proc/session.h"
#include "libos/start/error.h"
#include "libos/start/start.h"
#include "libos/time/time.h"
#include "libos/tty/internal.h"
#include "libos/upcall/upcall.h"
#include "libos/vm/vm.h"

#define LOCK_PATIENCE 500000000UL /* ns of a holder's slices and ours */
#define HOLDERS_MOST  64          /* as many as there are slots */

struct tty_open {
    struct fd_object object;
    struct tty_page *page; /* stays mapped for the program's life */
};

static struct tty_page *controlling; /* what /dev/tty is: the first terminal that was passed */

static struct tty_page *page_of(struct fd_object *object)
{
    return ((struct tty_open *)object)->page;
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool is_live(uint32_t env, uint32_t serial)
{
    if (!env || env >= aegis_info()->env_count)
        return false;
    return aegis_env(env)->serial == serial && aegis_env(env)->state == AEGIS_ENV_LIVE;
}

static uint64_t own_lock(void)
{
    return (uint64_t)aegis_env(exos.env)->serial << 32 | exos.env;
}

/*
 * One process at a time. Who holds the lock does so for a copy of at most the ring's size, and runs
 * no signal's handler and no other thread meanwhile (exos_hold): so it is given the rest of the
 * slice. From one that has ended, or was given slices for LOCK_PATIENCE and holds it still, which
 * no copy takes, the lock is taken over. New holders get as much again HOLDERS_MOST times.
 */
static void lock(uint64_t *word)
{
    uint64_t self = own_lock(), holder = 0, waited_for = 0, until = 0;
    unsigned holders = 0;

    while (!__atomic_compare_exchange_n(word, &holder, self, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
        if (!is_live((uint32_t)holder, (uint32_t)(holder >> 32)) || (uint32_t)holder == exos.env)
            continue; /* the next attempt replaces what stands there */
        if (holder != waited_for && holders++ < HOLDERS_MOST) {
            waited_for = holder;
            until = time_after(LOCK_PATIENCE);
        }
        if (time_now() >= until)
            continue;
        aegis_yield((uint32_t)holder);
        holder = 0;
    }
}

/* It may have been taken over. */
static void unlock(uint64_t *word)
{
    uint64_t self = own_lock();
    __atomic_compare_exchange_n(word, &self, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static bool server_lives(const struct tty_page *page)
{
    return is_live(page->server_env, page->server_serial);
}

/* Let the server look, and give it the processor if that pays. */
static void ring_server(const struct tty_page *page)
{
    proc_ring((pid_t)page->server);
}

/* Wait until the server has changed something since `events`, or has ended. */
static int wait_for(struct fd_object *object, const uint64_t *events, uint64_t seen)
{
    struct tty_page *page = page_of(object);
    struct aegis_predicate when[] = {AEGIS_WHEN(*events, NE, seen),
                                     aegis_when_ended(page->server_env)};
    if (!server_lives(page))
        return -EIO;
    return fd_wait(object, when, 2, AEGIS_FOREVER);
}

/* Whether SIGTTIN would stop this process. */
static bool can_stop(void)
{
    struct sigaction action;
    sigset_t blocked;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    sigaction(SIGTTIN, NULL, &action);
    return action.sa_handler != SIG_IGN && sigismember(&blocked, SIGTTIN) == 0 &&
           !proc_is_orphaned();
}

/*
 * Who is in the background doesn't read: its group is stopped until it is in the foreground (POSIX
 * XBD 11.1.4). While no group was ever put there everybody reads. Returns whether this process is
 * in the foreground, or a negated errno value; after 0 look again.
 */
static int come_forward(struct fd_object *object)
{
    const struct tty_page *page = page_of(object);
    pid_t front = (pid_t)page->group;

    if (!(page->flags & TTY_TERMINAL) || front == 0 || front == getpgrp())
        return 1;
    if (!can_stop())
        return -EIO;
    kill(0, SIGTTIN);
    return fd_wait(object, NULL, 0, 0); /* where signals that came are seen to */
}

static ssize_t tty_read(struct fd_object *object, void *bytes, size_t count)
{
    struct tty_page *page = page_of(object);

    for (;;) {
        uint64_t seen = load(&page->events);
        int foreground = come_forward(object);
        if (foreground < 0)
            return foreground;
        if (!foreground)
            continue;
        lock(&page->in_lock);
        ssize_t n = tty_take(page, bytes, count);
        unlock(&page->in_lock);
        if (n >= 0) {
            if (load(&page->starved))
                ring_server(page);
            return n;
        }
        if (object->flags & O_NONBLOCK)
            return -EAGAIN;
        int status = wait_for(object, &page->events, seen);
        if (status < 0)
            return status == -EIO ? 0 : status;
    }
}

static ssize_t tty_write(struct fd_object *object, const void *bytes, size_t count)
{
    struct tty_page *page = page_of(object);
    size_t done = 0;

    while (done < count) {
        uint64_t seen = load(&page->events);
        if (__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) & TTY_HUNG_UP)
            return done ? (ssize_t)done : -EIO;
        lock(&page->out_lock);
        size_t put = tty_put(page, (const uint8_t *)bytes + done, count - done);
        unlock(&page->out_lock);
        done += put;
        if (put)
            ring_server(page);
        if (done == count || put)
            continue;
        int status = object->flags & O_NONBLOCK ? -EAGAIN : wait_for(object, &page->events, seen);
        if (status < 0)
            return done ? (ssize_t)done : status;
    }
    return (ssize_t)done;
}

static short tty_ready(struct fd_object *object, short events, struct fd_watch *watch)
{
    struct tty_page *page = page_of(object);
    struct aegis_predicate when = AEGIS_WHEN(page->events, NE, load(&page->events));
    short now = 0;

    if (tty_readable(page))
        now |= POLLIN | POLLRDNORM;
    if (tty_room(page))
        now |= POLLOUT | POLLWRNORM;
    if ((__atomic_load_n(&page->flags, __ATOMIC_ACQUIRE) & TTY_HUNG_UP) || !server_lives(page))
        return POLLHUP | (now & POLLIN & events);
    now &= events;
    if (!now)
        fd_watch(watch, &when, false);
    return now;
}

static int set_attributes(struct tty_page *page, unsigned long request,
                          const struct termios *attributes)
{
    if (request == TTY_SET_FLUSH) {
        lock(&page->in_lock);
        tty_forget(page);
        unlock(&page->in_lock);
    }
    page->attributes = *attributes;
    ring_server(page); /* a line that was begun may be the program's now */
    return 0;
}

static int terminal_control(struct tty_page *page, unsigned long request, void *argument)
{
    struct winsize *size = argument;

    switch (request) {
    case TIOCGWINSZ:
        *size = (struct winsize){.ws_row = page->rows, .ws_col = page->columns};
        return 0;
    case TIOCSWINSZ:
        page->rows = size->ws_row;
        page->columns = size->ws_col;
        return 0;
    case TTY_GET:
        *(struct termios *)argument = page->attributes;
        return 0;
    case TTY_SET:
    case TTY_SET_FLUSH:
        return set_attributes(page, request, argument);
    case TIOCGPGRP:
        *(pid_t *)argument = (pid_t)page->group;
        return 0;
    case TIOCSPGRP:
        page->group = *(const pid_t *)argument;
        return 0;
    case TTY_FORGET:
        lock(&page->in_lock);
        tty_forget(page);
        unlock(&page->in_lock);
        return 0;
    }
    return -ENOTTY;
}

static int tty_control(struct fd_object *object, unsigned long request, void *argument)
{
    struct tty_page *page = page_of(object);

    if (request == FIONREAD) {
        *(int *)argument = (int)tty_readable_bytes(page);
        return 0;
    }
    if (!(page->flags & TTY_TERMINAL))
        return -ENOTTY;
    return terminal_control(page, request, argument);
}

static int tty_status(struct fd_object *object, struct stat *status)
{
    bool terminal = page_of(object)->flags & TTY_TERMINAL;
    status->st_mode = (terminal ? S_IFCHR : S_IFIFO) | 0600;
    status->st_blksize = TTY_OUT_SIZE;
    return 0;
}

static void tty_close(struct fd_object *object)
{
    free(object);
}

static struct fd_object *make(struct tty_page *page, uint32_t flags);

static int tty_open(int flags, struct fd_object **object)
{
    if (!controlling)
        return -ENXIO;
    *object = make(controlling, (uint32_t)flags);
    return *object ? 0 : -ENOMEM;
}

static int tty_pass(struct fd_object *object, const struct exos_child *child, void *bytes,
                    size_t most)
{
    struct tty_page *page = page_of(object);
    uint64_t address = (uint64_t)page;

    if (most < sizeof address)
        return -E2BIG;
    int64_t status = vm_share(child->env, page, 1);
    if (status < 0)
        return -aegis_errno(status);
    memcpy(bytes, &address, sizeof address);
    return sizeof address;
}

static int tty_take_passed(const void *bytes, size_t count, uint32_t flags,
                           struct fd_object **object)
{
    uint64_t address, magic;

    if (count != sizeof address)
        return -EINVAL;
    memcpy(&address, bytes, sizeof address);
    if (address % AEGIS_PAGE_SIZE || address < VM_SHARED_BASE || address >= VM_END)
        return -EINVAL;
    struct tty_page *page = (struct tty_page *)address;
    bool adopted = vm_region_at(address)->start == address; /* by another descriptor */
    if (!adopted && vm_shared_adopt(page, 1) < 0)
        return -EINVAL;
    if (!upcall_probe(&page->magic, &magic) || magic != TTY_MAGIC) {
        if (!adopted)
            vm_free(page);
        return -EINVAL;
    }
    *object = make(page, flags);
    return *object ? 0 : -ENOMEM;
}

const struct fd_kind tty_kind = {.tag = FD_TAG('t', 't', 'y', ' '),
                                 .path = "/dev/tty",
                                 .open = tty_open,
                                 .read = tty_read,
                                 .write = tty_write,
                                 .status = tty_status,
                                 .control = tty_control,
                                 .ready = tty_ready,
                                 .close = tty_close,
                                 .pass = tty_pass,
                                 .take = tty_take_passed};
FD_KIND(tty_kind);

static struct fd_object *make(struct tty_page *page, uint32_t flags)
{
    struct tty_open *made = malloc(sizeof *made);
    if (!made)
        return NULL;
    *made = (struct tty_open){.object = {.kind = &tty_kind, .flags = flags}, .page = page};
    if (!controlling && (page->flags & TTY_TERMINAL))
        controlling = page;
    return &made->object;
}

struct fd_object *tty_object(struct tty_page *page)
{
    struct fd_object *object = make(page, O_RDWR);
    controlling = NULL; /* the server is on none */
    return object;
}
