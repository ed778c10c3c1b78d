/* Bytes through a pipe (page.h): reading, writing, and waiting for the other side. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "libos/ipc/internal.h"
#include "libos/proc/session.h"
#include "libos/time/time.h"

#define SHORT       8            /* bytes that are moved one by one */
#define LOOK_AGAIN  1000000000UL /* ns: no predicate tells that a number was used again */
#define LOCK_YIELDS 3            /* to a lock's holder, before it is waited for */

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* A predicate that holds once the process of a member word can't run any more. */
static struct aegis_predicate when_gone(uint64_t member)
{
    const volatile struct aegis_env_info *info = aegis_env(MEMBER_ENV(member));
    struct aegis_predicate gone = aegis_when_ended(MEMBER_ENV(member));
    if (info->state == AEGIS_ENV_LIVE) {
        gone.op = AEGIS_WAKE_NE;
        gone.value = AEGIS_ENV_LIVE;
    }
    return gone;
}

/*
 * The member with the other end that was found last stays, as long as nothing changed and it lives;
 * that end may well be this process's own.
 */
bool pipe_look_around(struct pipe_end *end)
{
    struct pipe_page *page = end->page;
    uint64_t self = end->pipe->self;
    uint32_t place = end->pipe->place;
    if (pipe_peer_stays(end, end->page))
        return true;
    end->changes = load(&page->changes);
    uint64_t member = pipe_find(page, self, end->end ^ MEMBER_ENDS, &end->peer_place);
    end->peer = MEMBER_ENV(member);
    end->peer_serial = MEMBER_SERIAL(member);
    end->peer_info = aegis_env(end->peer);
    uint64_t other = pipe_find(page, self, end->end, &place);
    end->few = other == 0 || (other & ~MEMBER_ENDS) == self ? PIPE_FEW : 0;
    return member != 0;
}

/*
 * To another process, which may well be what this one waits for. exos_hold stays: whatever is held
 * back meanwhile comes in a slice at the latest. Other threads of this process come first: they
 * are exos_wait's.
 */
static void give_way(uint32_t env)
{
    if (pipe_is_alone())
        aegis_yield(env);
}

/* Signals were held back: they come in a wait, be it over at once, so that a peer which changes
 * counters all the time and makes no room keeps nobody from them. */
static bool signals_wait(void)
{
    return exos_held_pending & 1UL << EXOS_HELD_SIGNALS;
}

static __attribute__((noinline)) int sleep_for(struct pipe_end *end, const uint64_t *word,
                                               uint64_t seen, uint64_t changes, uint64_t peer)
{
    struct aegis_predicate when[] = {AEGIS_WHEN(*word, NE, seen),
                                     AEGIS_WHEN(end->page->changes, NE, changes), when_gone(peer)};
    int result = fd_wait(&end->object, when, 3, time_after(LOOK_AGAIN));
    return result == 0 ? 1 : result;
}

int pipe_await(struct pipe_end *end, const uint64_t *word, uint64_t seen)
{
    if (!pipe_look_around(end)) /* it may have done its last between the caller's look and this */
        return load(word) != seen;
    if (end->object.flags & O_NONBLOCK)
        return -EAGAIN;
    uint64_t peer = end->peer | (uint64_t)end->peer_serial << 32, changes = end->changes;
    if (peer != end->pipe->self) {
        give_way(end->peer);
        if (load(word) != seen && !signals_wait())
            return 1;
    }
    return sleep_for(end, word, seen, changes, peer);
}

/* Until a lock is this process's: 0, or a negated errno value. */
static __attribute__((noinline)) int lock_slowly(struct pipe_end *end, uint64_t *lock)
{
    struct pipe *pipe = end->pipe;
    for (unsigned tries = 0; !pipe_try_lock(lock, pipe->self); tries++) {
        uint64_t holder = load(lock);
        int error = 0;
        if (!member_lives(holder))
            continue;
        if (tries < LOCK_YIELDS) {
            give_way(MEMBER_ENV(holder));
        } else if (end->object.flags & O_NONBLOCK) {
            error = -EAGAIN;
        } else {
            struct aegis_predicate when[] = {AEGIS_WHEN(*lock, NE, holder), when_gone(holder)};
            error = fd_wait(&end->object, when, 2, time_after(LOOK_AGAIN));
        }
        if (error)
            return error;
    }
    return 0;
}

static inline int lock(struct pipe_end *end, uint64_t *word)
{
    return __builtin_expect(pipe_try_lock(word, end->pipe->self), 1) ? 0 : lock_slowly(end, word);
}

/* Between the ring from at on, where it goes round, and straight memory. */
static inline void copy_out(const uint8_t *ring, uint64_t at, uint8_t *bytes, size_t count)
{
    size_t begin = at % PIPE_SIZE, first = PIPE_SIZE - begin;
    if (count <= SHORT && count <= first) {
        for (size_t i = 0; i < count; i++)
            bytes[i] = ring[begin + i];
        return;
    }
    if (first > count)
        first = count;
    memcpy(bytes, ring + begin, first);
    memcpy(bytes + first, ring, count - first);
}

static inline void copy_in(uint8_t *ring, uint64_t at, const uint8_t *bytes, size_t count)
{
    size_t begin = at % PIPE_SIZE, first = PIPE_SIZE - begin;
    if (count <= SHORT && count <= first) {
        for (size_t i = 0; i < count; i++)
            ring[begin + i] = bytes[i];
        return;
    }
    if (first > count)
        first = count;
    memcpy(ring + begin, bytes, first);
    memcpy(ring, bytes + first, count - first);
}

/* Bytes that are there, up to count; 0: none any more. Caller must hold the reader's lock. */
static inline ssize_t take(struct pipe_page *page, uint8_t *bytes, size_t count)
{
    uint64_t head = __atomic_load_n(&page->head, __ATOMIC_RELAXED);
    uint64_t used = load(&page->tail) - head;
    if (used > PIPE_SIZE)
        return -EIO;
    if (count > used)
        count = used;
    copy_out(pipe_ring_of(page), head, bytes, count);
    __atomic_store_n(&page->head, head + count, __ATOMIC_RELEASE);
    return (ssize_t)count;
}

ssize_t pipe_read(struct fd_object *object, void *bytes, size_t count)
{
    struct pipe_end *end = (struct pipe_end *)object;
    struct pipe_page *page = end->page;

    while (count) {
        uint64_t head = __atomic_load_n(&page->head, __ATOMIC_RELAXED);
        bool empty = load(&page->tail) == head;
        if (empty && !pipe_is_offered(page)) {
            int result = pipe_await(end, &page->tail, head);
            if (result <= 0)
                return result;
            continue;
        }
        int error = lock(end, &page->reader);
        if (error)
            return error;
        ssize_t got = take(page, bytes, count);
        if (got == 0)
            got = pipe_offer_take(page, bytes, count);
        pipe_unlock(&page->reader);
        if (got) {
            pipe_changed(page);
            return got;
        }
    }
    return 0;
}

static inline bool has_reader(struct pipe_end *end)
{
    return pipe_peer_stays(end, end->page) || pipe_look_around(end);
}

static int broken(struct fd_object *object)
{
    if (((struct pipe_end *)object)->is_quiet)
        return -EPIPE;
    object->references++;
    exos_release();
    raise(SIGPIPE);
    exos_hold();
    fd_release(object);
    return -EPIPE;
}

/*
 * Puts count bytes into the ring, or, of more than PIPE_BUF, as many as there is room for. 0: no
 * room, with the head as it was in *seen. Caller must hold the writer's lock.
 */
static inline ssize_t put(struct pipe_page *page, const uint8_t *bytes, size_t count,
                          uint64_t *seen)
{
    uint64_t tail = __atomic_load_n(&page->tail, __ATOMIC_RELAXED);
    *seen = load(&page->head);
    uint64_t used = tail - *seen, room = PIPE_SIZE - used;
    if (used > PIPE_SIZE)
        return -EIO;
    if (room < count) {
        if (count <= PIPE_BUF)
            return 0;
        count = room;
    }
    copy_in(pipe_ring_of(page), tail, bytes, count);
    __atomic_store_n(&page->tail, tail + count, __ATOMIC_RELEASE);
    return (ssize_t)count;
}

/* One look for a reader, and room; as put, or a negated errno value. */
static inline ssize_t write_some(struct pipe_end *end, const uint8_t *bytes, size_t count)
{
    struct pipe_page *page = end->page;
    uint64_t seen;

    if (!has_reader(end))
        return broken(&end->object);
    int error = lock(end, &page->writer);
    if (error)
        return error;
    bool offered = count > PIPE_SIZE && pipe_offer(end, bytes, count);
    ssize_t done = offered ? 0 : put(page, bytes, count, &seen);
    pipe_unlock(&page->writer);
    if (offered)
        return pipe_offer_wait(end, count);
    if (done > 0)
        pipe_changed(page);
    if (__builtin_expect(done != 0, 1))
        return done;
    error = pipe_await(end, &page->head, seen);
    return error < 0 ? error : 0; /* without readers, the next look finds none */
}

ssize_t pipe_write(struct fd_object *object, const void *bytes, size_t count)
{
    struct pipe_end *end = (struct pipe_end *)object;
    const uint8_t *from = bytes;
    size_t done = 0;

    while (done < count) {
        ssize_t part = write_some(end, from + done, count - done);
        if (__builtin_expect(part < 0, 0))
            return done ? (ssize_t)done : part;
        done += (size_t)part;
    }
    return (ssize_t)done;
}

/* Have the doorbell rung by who changes the pipe: whether there was a place to say so. */
static bool be_rung(struct pipe_page *page, uint64_t pid)
{
    for (int i = 0; pid && i < PIPE_POLLERS; i++) {
        uint64_t other = 0;
        if (load(&page->pollers[i]) != pid &&
            !__atomic_compare_exchange_n(&page->pollers[i], &other, pid, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED))
            continue;
        __atomic_store_n(&page->polled, 1, __ATOMIC_SEQ_CST);
        return true;
    }
    return false;
}

static short look(struct pipe_end *end)
{
    struct pipe_page *page = end->page;
    uint64_t used = load(&page->tail) - load(&page->head);
    bool reads = end->end == MEMBER_READS;
    bool bytes = used || pipe_is_offered(page);
    bool alone = !pipe_find(page, end->pipe->self, end->end ^ MEMBER_ENDS, &end->peer_place);
    if (reads)
        return (short)((bytes ? POLLIN | POLLRDNORM : 0) | (alone ? POLLHUP : 0));
    return (short)((used <= PIPE_SIZE - PIPE_BUF || used > PIPE_SIZE ? POLLOUT | POLLWRNORM : 0) |
                   (alone ? POLLERR : 0));
}

short pipe_ready(struct fd_object *object, short events, struct fd_watch *watch)
{
    struct pipe_end *end = (struct pipe_end *)object;
    struct pipe_page *page = end->page;
    const short wanted = (short)(events | POLLERR | POLLHUP);
    const uint64_t *word = end->end == MEMBER_READS ? &page->tail : &page->head;
    uint64_t seen = load(word), changes = load(&page->changes);
    short ready = look(end);
    if (ready & wanted)
        return ready;
    bool rings = fd_watch_rings(watch) && be_rung(page, (uint64_t)proc_self());
    if (rings) {
        ready = look(end); /* what came before it was said is not rung for */
        if (ready & wanted)
            return ready;
    }
    struct aegis_predicate moved = AEGIS_WHEN(*word, NE, seen);
    struct aegis_predicate changed = AEGIS_WHEN(page->changes, NE, changes);
    uint64_t peer = pipe_find(page, end->pipe->self, end->end ^ MEMBER_ENDS, &end->peer_place);
    fd_watch(watch, &moved, rings);
    fd_watch(watch, &changed, rings);
    if (peer) {
        struct aegis_predicate gone = when_gone(peer);
        fd_watch(watch, &gone, rings);
    }
    return 0;
}
