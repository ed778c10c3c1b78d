/*
 * Traces of what environments ask of the kernel (boot arguments): trace=1 prints each call and its
 * result on the log; trace=ring keeps the last calls and exceptions in memory, for aegisctl post.
 * Off, they cost nothing in calls, whose dispatch table then holds the functions themselves.
 */
#ifndef AEGIS_KERNEL_TRACE_H
#define AEGIS_KERNEL_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/post.h"

enum trace_mode { TRACE_OFF, TRACE_LOG, TRACE_RING };

/* What the boot arguments' trace= (length bytes; NULL: absent) asks for; refuses to boot with
 * anything else. Makes the ring. Only at boot. */
enum trace_mode trace_init(const char *value, size_t length);

/* The next record, with time, environment, kind and number. */
struct aegis_trace *trace_record(enum aegis_trace_kind kind, uint64_t number);

void trace_keep_exception(uint64_t cause, uint64_t pc, uint64_t value);

/* Notes an exception of the environment under way, if the ring is on. */
static inline void trace_exception(uint64_t cause, uint64_t pc, uint64_t value)
{
    if (post.trace_size)
        trace_keep_exception(cause, pc, value);
}

#endif
