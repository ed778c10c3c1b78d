/*
 * Runs one handler, interpreted or as machine code.
 */
#include "tools/ashc/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/ashc/lift.h"
#include "tools/ashc/remote.h"
#include "vcode/vcode.h"

#define FRAME_MAX 65536
#define HEADROOM  256 /* bytes before the frame, as the kernel has them; as many are behind it */

/* Memory that a run gets from the host: freed at the end. */
struct blocks {
    void *block[ASH_MAPS_MAX + 8];
    unsigned count;
};

static void *allocate(void *owner, size_t size, bool executable)
{
    struct blocks *blocks = owner;
    (void)executable; /* machine code is run by the runner only */
    if (blocks->count == sizeof blocks->block / sizeof *blocks->block)
        return NULL;
    void *p = calloc(1, size ? size : 1);
    if (p)
        blocks->block[blocks->count++] = p;
    return p;
}

/* The bytes that r1 shall point to, or the frame with room around it. */
static uint8_t *make_memory(const struct run_options *o, struct job_request *q, char *error)
{
    const char *hex = o->frame ? o->frame : o->memory ? o->memory : "";
    size_t size, room = o->frame ? HEADROOM : 0;
    uint8_t *bytes = from_hex(hex, strlen(hex), &size, error);
    if (!bytes)
        return NULL;
    uint8_t *memory = NULL;
    if (size > (o->frame ? FRAME_MAX : JOB_MEMORY_MAX) || (o->frame && size < ASH_HEADER_MIN))
        ashlift_fail(error, "%zu bytes are %s", size,
                     o->frame ? "no frame: those have 14 to 65,536"
                              : "too many: at most 1,048,576 are possible");
    else
        memory = calloc(1, size + 2 * room + 8);
    if (memory)
        memcpy(memory + room, bytes, size);
    free(bytes);
    q->memory_size = (uint32_t)(size + 2 * room);
    q->start = (uint32_t)room;
    q->end = (uint32_t)(room + size);
    return memory;
}

static int run_remotely(const struct job_request *q, const void *image, uint8_t *memory,
                        char *trace, struct job_reply *reply)
{
    struct remote remote;
    bool done = remote_open(&remote, NULL) && remote_run(&remote, q, image, memory, trace, reply);
    if (!done)
        fprintf(stderr, "ashc: %s\n", remote.error);
    remote_close(&remote);
    return done ? 0 : 1;
}

static void run_here(const struct job_request *q, const void *image, uint8_t *memory, char *trace,
                     struct job_reply *reply)
{
    struct blocks blocks = {0};
    const struct job_host host = {.allocate = allocate, .owner = &blocks};
    job_run(q, image, memory, trace, &host, reply);
    while (blocks.count)
        free(blocks.block[--blocks.count]);
}

static void tell_refusal(const char *name, const void *image, size_t size,
                         const struct job_reply *reply)
{
    char text[ASH_TEXT_SIZE];
    struct ash_image view;
    struct ash_refusal refusal = {reply->error, reply->refused_insn, reply->refused_detail};
    if (reply->error == JOB_E_FUEL)
        fprintf(
            stderr,
            "ashc: %s: refused: its longest path takes more fuel than the limit; raise --fuel\n",
            name);
    else if (reply->error == JOB_E_MEMORY || ash_image_open(image, size, &view))
        fprintf(stderr, "ashc: %s: refused: %s\n", name,
                reply->error == JOB_E_MEMORY ? "there is no memory for its maps"
                                             : ash_strerror(reply->error));
    else {
        ash_explain_error(&view, refusal, text, sizeof text);
        fprintf(stderr, "ashc: %s: refused: %s\n", name, text);
    }
}

static void tell_abort(const char *name, const void *image, size_t size,
                       const struct job_reply *reply)
{
    char text[ASH_TEXT_SIZE];
    struct ash_program program = {0};
    static struct ash_run run;
    if (ash_image_open(image, size, &program.image))
        return;
    run.abort = reply->abort;
    run.md.data = ASH_BASE(ASH_REGION_FRAME) + reply->start;
    ash_explain_abort(&program, &run, text, sizeof text);
    fprintf(stderr, "ashc: %s: aborted %s\n", name, text);
}

static void print_frame(const struct job_reply *reply, const uint8_t *memory)
{
    static const char *const names[] = {"ABORTED", "DROP", "PASS", "TX", "REDIRECT"};
    uint32_t verdict = (uint32_t)reply->result;
    printf("%s %u bytes: ", verdict <= ASH_REDIRECT ? names[verdict] : "ABORTED (unknown)",
           reply->end - reply->start);
    for (uint32_t i = reply->start; i < reply->end; i++)
        printf("%02x", memory[i]);
    putchar('\n');
}

/* Tells what came of it; the exit status. */
static int tell(const struct run_options *o, const char *name, const struct ashlift_image *image,
                const struct job_reply *reply, const char *trace, const uint8_t *memory)
{
    fwrite(trace, 1, reply->trace_size, stderr);
    if (reply->error) {
        tell_refusal(name, image->bytes, image->size, reply);
        return 1;
    }
    if (reply->abort.reason) {
        tell_abort(name, image->bytes, image->size, reply);
        return 1;
    }
    printf("%llx\n", (unsigned long long)reply->result);
    if (o->frame)
        print_frame(reply, memory);
    return 0;
}

static uint64_t monotonic_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int run_image(const struct ashlift_image *image, const char *name, const struct run_options *o)
{
    char error[ASHLIFT_ERROR_SIZE], trace[JOB_TRACE_MAX];
    struct job_reply reply;
    struct job_request q = {
        .magic = JOB_MAGIC,
        .image_size = (uint32_t)image->size,
        .event = o->frame ? ASH_EVENT_FRAME : ASH_EVENT_MEMORY,
        .fuel = o->fuel,
        .isa = RV64_ZBA | RV64_ZBB | RV64_MISALIGNED,
        .time = monotonic_time(),
        .compiled = o->compiled,
    };
    q.seed = q.time;
    uint8_t *memory = make_memory(o, &q, error);
    if (!memory) {
        fprintf(stderr, "ashc: %s: %s\n", o->frame ? "--frame" : "--mem", error);
        return 2;
    }
    int status = 0;
    if (o->compiled)
        status = run_remotely(&q, image->bytes, memory, trace, &reply);
    else
        run_here(&q, image->bytes, memory, trace, &reply);
    if (status == 0)
        status = tell(o, name, image, &reply, trace, memory);
    free(memory);
    return status;
}
