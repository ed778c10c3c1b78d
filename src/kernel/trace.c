#include "kernel/trace.h"

#include <string.h>

#include "kernel/boot_memory.h"
#include "kernel/env.h"
#include "kernel/hart.h"
#include "kernel/phys.h"
#include "kernel/print.h"
#include "kernel/rv64/csr.h"

#define RECORDS 1024

enum trace_mode trace_init(const char *value, size_t length)
{
    if (!value)
        return TRACE_OFF;
    if (length == 1 && *value == '1')
        return TRACE_LOG;
    if (length != 4 || memcmp(value, "ring", 4) != 0)
        refuse("trace= takes 1 or ring");
    size_t size = RECORDS * sizeof(struct aegis_trace);
    post.trace = (uintptr_t)boot_alloc((size + PAGE_SIZE - 1) / PAGE_SIZE, 1);
    post.trace_size = RECORDS;
    return TRACE_RING;
}

struct aegis_trace *trace_record(enum aegis_trace_kind kind, uint64_t number)
{
    struct aegis_trace *record = (struct aegis_trace *)post.trace + post.trace_count++ % RECORDS;

    *record = (struct aegis_trace){.time = time_now(),
                                   .env = this_hart->env->number,
                                   .kind = kind,
                                   .number = number,
                                   .result = AEGIS_TRACE_OPEN};
    return record;
}

void trace_keep_exception(uint64_t cause, uint64_t pc, uint64_t value)
{
    struct aegis_trace *record = trace_record(AEGIS_TRACE_EXCEPTION, cause);
    record->pc = pc;
    record->arguments[0] = value;
}
