/*
 * One run of a handler outside of the kernel: on the host, or in the runner under qemu-riscv64.
 * Free-standing, like the library that it drives.
 */
#ifndef ASHC_JOB_H
#define ASHC_JOB_H

#include "ash/ash.h"

#define JOB_TRACE_MAX 4096 /* bytes of traced lines that are kept */
#define JOB_FUEL      100000000

/* What is asked for; travels to the runner as it is, followed by image and memory. */
struct job_request {
    uint32_t magic;      /* JOB_MAGIC */
    uint32_t image_size; /* bytes; at most ASH_IMAGE_MAX */
    uint32_t memory_size;
    uint32_t event; /* enum ash_event */
    int32_t fuel;   /* limit; entry_cost is taken off it */
    uint32_t isa;   /* of compiled code: enum rv64_isa */
    /* ASH_EVENT_FRAME: the frame is [start, end) of memory, and may grow over the rest. */
    uint32_t start, end;
    uint64_t time;     /* what the clock says first, ns; it goes on by 1 µs a call */
    uint64_t seed;     /* of random numbers */
    uint32_t compiled; /* 1: run the machine code rather than interpret */
    uint32_t reserved;
};
#define JOB_MAGIC      0x424f4a41u /* "AJOB" */
#define JOB_MEMORY_MAX (1 << 20)

/* What came of it; followed by the memory as it is now, and trace_size bytes of lines. */
struct job_reply {
    uint32_t magic;
    int32_t error; /* ASH_E_* of reader, verifier or compiler: then refused tells more; JOB_E_* */
    uint32_t refused_insn, refused_detail;
    uint64_t result; /* r0 */
    struct ash_abort abort;
    int32_t fuel; /* left */
    uint32_t modified;
    uint32_t start, end; /* of the frame */
    uint32_t redirect;
    uint32_t trace_size;
    uint32_t code_size; /* bytes of machine code */
    uint32_t code_hash;
    uint32_t maps_hash; /* of all maps' memory */
    uint32_t reserved;
};

#define JOB_E_MEMORY -1000 /* there is no memory for the maps */
#define JOB_E_FUEL   -1001 /* the limit is below the handler's longest path */

/* What the surroundings of a job provide. */
struct job_host {
    /* Gives size bytes, 8-byte aligned and cleared, or null. executable: machine code goes there.
     */
    void *(*allocate)(void *owner, size_t size, bool executable);
    /* Calls machine code; null: as a function of this machine. */
    uint64_t (*call)(void *owner, const void *code, size_t size, struct ash_run *run);
    void *owner;
};

/*
 * Does what is asked for: opens, verifies, compiles if so asked, runs. memory (8-byte aligned) is
 * changed. trace: JOB_TRACE_MAX bytes.
 */
void job_run(const struct job_request *request, const void *image, void *memory, char *trace,
             const struct job_host *host, struct job_reply *reply);

#endif
