#include "kernel/codegen.h"

#include "kernel/arena.h"
#include "kernel/check/hard.h"
#include "kernel/classify.h"
#include "kernel/drivers/virtio_net.h"

#define BOUND_STEP   512            /* nodes looked at in a step */
#define COMPILE_STEP HARD(64, 1024) /* pieces of some 300 instructions (dpf/compile.h) */

/*
 * Frames lie alike everywhere (NIC_BUFFER_FRAME, NIC_TX_COPY), so loads at known offsets are known
 * to be aligned. Two bindings of one rank are disjoint (netif.h), so the first that is found wins.
 */
static struct dpf_compile_options options = {
    .align = 8, .residue = CLASSIFY_RESIDUE, .equals_disjoint = true};
_Static_assert(NIC_TX_COPY % 8 == CLASSIFY_RESIDUE && NIC_BUFFER_FRAME % 8 == CLASSIFY_RESIDUE,
               "copies lie as received frames do");

void codegen_init(unsigned int isa)
{
    options.isa = isa;
}

void codegen_begin(struct codegen *job, const struct dpf_trie *trie,
                   const struct dpf_filter *filter)
{
    *job = (struct codegen){.trie = trie, .filter = filter};
}

static size_t memory_for(const struct codegen *job)
{
    return job->trie ? dpf_compile_memory(job->trie, job->bytes)
                     : dpf_compile_filter_memory(job->filter, job->bytes);
}

/* Takes memory, and then, in steps, a piece of the code arena for job->bytes: 1 if there is more to
 * do, 0 when compilation has begun, -1 if there is no room. */
static int take_room(struct codegen *job)
{
    size_t size = memory_for(job);

    if (!job->memory)
        job->memory = arena_alloc(size);
    if (!job->memory)
        return -1;
    if (!code_alloc_step(&job->search, job->bytes, &job->code))
        return 1;
    if (!job->code.units)
        return -1;
    uint8_t *out = code_open(&job->code);
    int error =
        job->trie
            ? dpf_compile_begin(job->memory, size, job->trie, out, job->bytes, &options)
            : dpf_compile_filter_begin(job->memory, size, job->filter, out, job->bytes, &options);
    code_close(&job->code);
    return error ? -1 : 0;
}

/* The end of the job, with code of this size and entry, or of none. */
static bool end(struct codegen *job, struct codegen_result *result, const struct dpf_code *made)
{
    *result = (struct codegen_result){.entry = NULL};
    if (made) {
        code_trim(&job->code, made->size);
        result->code = job->code;
        result->entry = (uint8_t *)code_entry(&job->code) + made->entry;
        job->code = (struct code){0, 0};
    }
    codegen_abandon(job);
    return true;
}

bool codegen_step(struct codegen *job, struct codegen_result *result)
{
    struct dpf_code made;

    if (!job->bytes) {
        if (job->trie && dpf_compile_bound_step(job->trie, &job->bound, BOUND_STEP))
            return false;
        job->bytes = job->trie ? job->bound.bytes : dpf_compile_filter_bound(job->filter);
        return false;
    }
    if (!job->code.units)
        return take_room(job) < 0 ? end(job, result, NULL) : false;
    code_open(&job->code);
    int state = dpf_compile_step(job->memory, COMPILE_STEP, &made);
    code_close(&job->code);
    if (state == 1)
        return false;
    return end(job, result, state == 0 ? &made : NULL);
}

void codegen_abandon(struct codegen *job)
{
    arena_free(job->memory);
    if (job->code.units)
        code_free(&job->code);
    *job = (struct codegen){.trie = NULL};
}

void codegen_forget(struct codegen_result *result)
{
    if (result->entry)
        code_free(&result->code); /* which is none then */
    result->entry = NULL;
}
