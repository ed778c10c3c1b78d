/* POSIX sched.h: what of it a program over ExOS can have. */
#ifndef EXOS_SCHED_H
#define EXOS_SCHED_H

#include <sys/sched.h>
#include <sys/types.h>
#include <time.h>

/* Let another thread run, or another environment if no thread is ready. Returns 0. */
int sched_yield(void);

#endif
