/*
 * POSIX semaphores between the threads of a process. Functions return 0, or -1 with errno set.
 * Named ones and those between processes don't exist: sem_init with shared gets ENOSYS.
 */
#ifndef EXOS_SEMAPHORE_H
#define EXOS_SEMAPHORE_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define SEM_VALUE_MAX 0x7fffffff

typedef struct {
    uint64_t value, flags;
    struct thread_queue waiters;
} sem_t;

int sem_init(sem_t *semaphore, int shared, unsigned value);
int sem_destroy(sem_t *semaphore); /* EBUSY: somebody waits */
int sem_wait(sem_t *semaphore);
int sem_trywait(sem_t *semaphore); /* EAGAIN */
int sem_timedwait(sem_t *semaphore, const struct timespec *deadline);
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline);
int sem_post(sem_t *semaphore); /* EOVERFLOW; handlers of signals may call it */
int sem_getvalue(sem_t *semaphore, int *value);

#endif
