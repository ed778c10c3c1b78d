/*
 * The runner: a RISC-V Linux program without a C library, which qemu-riscv64 executes. It reads
 * jobs from standard input and writes what came of them to standard output (job.h), until the input
 * ends. So verifier, compiler and compiled code run as they do in the kernel.
 */
#include <string.h>

#include "tools/ashc/job.h"

/* Linux, include/uapi/asm-generic/unistd.h and mman.h. */
enum { SYS_READ = 63, SYS_WRITE = 64, SYS_MMAP = 222 };
enum { PROT_RW = 3, PROT_RWX = 7, MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022 };

long system_call(long a, long b, long c, long d, long e, long f, long number);
int runner_main(void);

#define ARENA_SIZE (512L << 20)
#define MEMORY_AT  (4L << 20) /* in the arena: behind the largest image */
#define WORK_AT    (8L << 20)
#define CODE_SIZE  (1L << 20)

struct arena {
    uint8_t *start;
    size_t used;
    uint8_t *
        code; /* apart from the rest: an emulator is slow to write where it has read instructions */
};

static void *allocate(void *owner, size_t size, bool executable)
{
    struct arena *arena = owner;
    if (executable)
        return size <= CODE_SIZE ? arena->code : NULL;
    if (size > ARENA_SIZE - arena->used)
        return NULL;
    void *p = arena->start + arena->used;
    arena->used += (size + 15) & ~(size_t)15;
    memset(p, 0, size);
    return p;
}

static bool transfer(long number, void *bytes, size_t size)
{
    long file = number == SYS_READ ? 0 : 1;
    for (size_t done = 0; done < size;) {
        long n = system_call(file, (long)bytes + (long)done, (long)(size - done), 0, 0, 0, number);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool serve(struct arena *arena)
{
    struct job_request request;
    struct job_reply reply;
    static char trace[JOB_TRACE_MAX];
    uint8_t *image = arena->start, *memory = arena->start + MEMORY_AT;
    if (!transfer(SYS_READ, &request, sizeof request) || request.magic != JOB_MAGIC ||
        request.image_size > ASH_IMAGE_MAX || request.memory_size > JOB_MEMORY_MAX ||
        !transfer(SYS_READ, image, request.image_size) ||
        !transfer(SYS_READ, memory, request.memory_size))
        return false;
    arena->used = WORK_AT;
    const struct job_host host = {.allocate = allocate, .owner = arena};
    job_run(&request, image, memory, trace, &host, &reply);
    return transfer(SYS_WRITE, &reply, sizeof reply) &&
           transfer(SYS_WRITE, memory, request.memory_size) &&
           transfer(SYS_WRITE, trace, reply.trace_size);
}

static uint8_t *map(long size, long protection)
{
    const long flags = MAP_PRIVATE_ANONYMOUS_NORESERVE;
    return (uint8_t *)system_call(0, size, protection, flags, -1, 0, SYS_MMAP);
}

int runner_main(void)
{
    struct arena arena = {.start = map(ARENA_SIZE, PROT_RW), .code = map(CODE_SIZE, PROT_RWX)};
    if ((long)arena.start < 0 || (long)arena.code < 0)
        return 1;
    while (serve(&arena))
        ;
    return 0;
}
