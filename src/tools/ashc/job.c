/*
 * Running one handler.
 */
#include "tools/ashc/job.h"

#include <string.h>

struct surroundings {
    uint64_t time, seed;
    char *trace;
    uint32_t used;
};

static uint64_t time_now(void *owner)
{
    struct surroundings *s = owner;
    uint64_t now = s->time;
    s->time += 1000;
    return now;
}

/* A linear congruential sequence (Knuth, MMIX). */
static uint32_t random_number(void *owner)
{
    struct surroundings *s = owner;
    s->seed = s->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(s->seed >> 32);
}

static void trace_line(void *owner, const char *text, size_t length)
{
    struct surroundings *s = owner;
    if (length + 1 > JOB_TRACE_MAX - s->used)
        return;
    memcpy(s->trace + s->used, text, length);
    s->used += (uint32_t)length;
    s->trace[s->used++] = '\n';
}

static uint32_t hash(uint32_t start, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++)
        start = (start ^ p[i]) * 16777619; /* FNV-1a */
    return start;
}

/* What a job works with, beside its parameters. */
struct work {
    struct ash_image image;
    struct ash_program *program;
    void *scratch;
    size_t scratch_size;
    struct ash_run *run;
    uint8_t *maps[ASH_MAPS_MAX];
    void *code;
    struct surroundings surroundings;
    struct ash_services services;
};

static int verify(struct work *w, const struct job_request *q, const void *image,
                  const struct job_host *host)
{
    int error = ash_image_open(image, q->image_size, &w->image);
    if (error)
        return error;
    uint32_t insns = w->image.header->insns;
    size_t size = ash_program_size(insns);
    w->scratch_size = ash_scratch_size(insns);
    w->scratch = host->allocate(host->owner, w->scratch_size, false);
    w->program = host->allocate(host->owner, size, false);
    if (!w->scratch || !w->program)
        return JOB_E_MEMORY;
    return ash_verify(w->scratch, w->scratch_size, &w->image, (enum ash_event)q->event,
                      ASH_HELPERS_ALL, w->program, size);
}

static int compile(struct work *w, const struct job_request *q, struct job_reply *reply,
                   const struct job_host *host)
{
    size_t bound = ash_code_bound(w->program);
    w->code = host->allocate(host->owner, bound, true);
    if (!w->code)
        return JOB_E_MEMORY;
    int error = ash_compile(w->scratch, w->scratch_size, w->program, w->code, bound, q->isa);
    if (!error) {
        reply->code_size = (uint32_t)ash_compiled(w->scratch);
        reply->code_hash = hash(2166136261u, w->code, reply->code_size);
    }
    return error;
}

static int prepare(struct work *w, const struct job_request *q, void *memory,
                   const struct job_host *host)
{
    uint8_t *stack = host->allocate(host->owner, w->program->stack, false);
    w->run = host->allocate(host->owner, sizeof *w->run, false);
    if (!stack || !w->run)
        return JOB_E_MEMORY;
    memset(stack, 0xa5, w->program->stack); /* what others left: nothing of it may be seen */
    ash_run_init(w->run, w->program, stack, &w->services, &w->surroundings);
    for (unsigned i = 0; i < w->image.header->maps; i++) {
        const struct ash_map_info *map = &w->image.maps[i];
        w->maps[i] = host->allocate(host->owner, ash_map_size(map), false);
        if (!w->maps[i])
            return JOB_E_MEMORY;
        memcpy(w->maps[i], w->image.data + map->data, map->data_size);
        ash_run_map(w->run, i, w->maps[i]);
    }
    if (q->event == ASH_EVENT_FRAME) {
        ash_run_room(w->run, 0, q->memory_size);
        ash_run_frame(w->run, memory, q->start, q->end);
        w->run->md.ingress_ifindex = 1;
    } else {
        ash_run_window(w->run, 0, memory, q->memory_size, true);
    }
    if (w->program->entry_cost > (uint32_t)q->fuel)
        return JOB_E_FUEL;
    w->run->fuel = q->fuel - (int32_t)w->program->entry_cost;
    return 0;
}

static uint64_t call(struct work *w, const struct job_host *host, bool compiled)
{
    ash_handler *handler;
    if (!compiled)
        return ash_interpret(w->program, w->run);
    size_t size = ash_compiled(w->scratch);
    if (host->call)
        return host->call(host->owner, w->code, size, w->run);
    __builtin___clear_cache(w->code, (char *)w->code + size);
    memcpy(&handler, &w->code, sizeof handler);
    return handler(w->run);
}

static void report(const struct work *w, struct job_reply *reply)
{
    const struct ash_run *run = w->run;
    const uint32_t base = ASH_BASE(ASH_REGION_FRAME);
    if (run->abort.reason)
        reply->abort = run->abort;
    reply->fuel = run->fuel;
    reply->modified = run->abort.reason ? run->modified : 0;
    reply->start = run->md.data ? run->md.data - base : 0;
    reply->end = run->md.data_end ? run->md.data_end - base : 0;
    reply->redirect = run->redirect;
    reply->trace_size = w->surroundings.used;
    reply->maps_hash = 2166136261u;
    for (unsigned i = 0; i < w->image.header->maps; i++)
        reply->maps_hash = hash(reply->maps_hash, w->maps[i], ash_map_size(&w->image.maps[i]));
}

void job_run(const struct job_request *q, const void *image, void *memory, char *trace,
             const struct job_host *host, struct job_reply *reply)
{
    struct work w = {
        .surroundings = {.time = q->time, .seed = q->seed, .trace = trace},
        .services = {time_now, random_number, trace_line},
    };
    *reply = (struct job_reply){.magic = JOB_MAGIC, .refused_insn = ASH_NO_INSN};
    reply->error = verify(&w, q, image, host);
    if (!reply->error && q->compiled)
        reply->error = compile(&w, q, reply, host);
    if (reply->error && reply->error > JOB_E_MEMORY && w.program) {
        struct ash_refusal refusal = ash_refused(w.scratch);
        reply->refused_insn = refusal.insn;
        reply->refused_detail = refusal.detail;
    }
    if (!reply->error)
        reply->error = prepare(&w, q, memory, host);
    if (reply->error)
        return;
    reply->result = call(&w, host, q->compiled);
    report(&w, reply);
}
