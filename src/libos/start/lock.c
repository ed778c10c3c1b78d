/*
 * The locks that picolibc takes around malloc, atexit, environ and streams (sys/lock.h,
 * retargetable locking). A thread is known by its tp. The holder may have lost the processor: a
 * waiter gives its own away.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/lock.h>

#include "libos/start/calls.h"

struct __lock {
    uint64_t owner; /* tp of the thread that holds it, 0 if free; 64 bits wide for the sake of gcc
                       PR 114130 */
    uint64_t depth; /* the owner's */
};

struct __lock __lock___libc_recursive_mutex;

static uint64_t self(void)
{
    uint64_t tp;
    __asm__("mv %0, tp" : "=r"(tp));
    return tp;
}

static bool try_acquire(struct __lock *lock)
{
    uint64_t free = 0;
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != self() &&
        !__atomic_compare_exchange_n(&lock->owner, &free, self(), false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    lock->depth++;
    return true;
}

static void acquire(struct __lock *lock)
{
    while (!try_acquire(lock))
        aegis_yield(0);
}

static void release(struct __lock *lock)
{
    if (--lock->depth == 0)
        __atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof **lock);
    if (!*lock)
        abort();
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    acquire(lock);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    return try_acquire(lock) ? 0 : EBUSY;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    release(lock);
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
