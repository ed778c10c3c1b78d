/*
 * The locks that picolibc takes around atexit, environ and streams (sys/lock.h, retargetable
 * locking): mutexes. What a thread held that has ended, and in a fork's child what another thread
 * held, goes to the next. The heap has none: it is changed while holding (libos/upcall/hold.h).
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/lock.h>

struct __lock {
    pthread_mutex_t mutex;
};

struct __lock __lock___libc_recursive_mutex = {PTHREAD_RECURSIVE_MUTEX_INITIALIZER};

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof **lock);
    if (!*lock)
        abort();
    (*lock)->mutex.type = PTHREAD_MUTEX_RECURSIVE;
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    pthread_mutex_lock(&lock->mutex);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    return pthread_mutex_trylock(&lock->mutex);
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

/* A plain lock may be recursive: only a program that would deadlock notices. */
void __retarget_lock_init(_LOCK_T *lock) __attribute__((alias("__retarget_lock_init_recursive")));
void __retarget_lock_close(_LOCK_T lock) __attribute__((alias("__retarget_lock_close_recursive")));
void __retarget_lock_acquire(_LOCK_T lock)
    __attribute__((alias("__retarget_lock_acquire_recursive")));
int __retarget_lock_try_acquire(_LOCK_T lock)
    __attribute__((alias("__retarget_lock_try_acquire_recursive")));
void __retarget_lock_release(_LOCK_T lock)
    __attribute__((alias("__retarget_lock_release_recursive")));
