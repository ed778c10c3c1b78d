#include "kernel/codegen.h"

#include "kernel/arena.h"
#include "kernel/check/hard.h"
#include "kernel/classify.h"
#include "kernel/drivers/virtio_net.h"

#define BOUND_STEP   512           /* nodes looked at in a step */
#define COMPILE_STEP HARD(16, 256) /* nodes, or pieces of tables; as in classify.c */

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

/* Takes memory and a piece of the code arena, both for bytes of code; false if there is no room. */
static bool take_room(struct codegen *job, size_t bytes)
{
    size_t size = job->trie ? dpf_compile_memory(job->trie, bytes)
                            : dpf_compile_filter_memory(job->filter, bytes);

    job->memory = arena_alloc(size);
    if (!job->memory)
        return false;
    job->code = code_alloc(bytes);
    if (!job->code.units)
        return false;
    uint8_t *out = code_open(&job->code);
    int error =
        job->trie ? dpf_compile_begin(job->memory, size, job->trie, out, bytes, &options)
                  : dpf_compile_filter_begin(job->memory, size, job->filter, out, bytes, &options);
    code_close(&job->code);
    return error == 0;
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

    if (!job->memory) {
        if (job->trie && dpf_compile_bound_step(job->trie, &job->bound, BOUND_STEP))
            return false;
        size_t bytes = job->trie ? job->bound.bytes : dpf_compile_filter_bound(job->filter);
        return take_room(job, bytes) ? false : end(job, result, NULL);
    }
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
        code_free(&result->code);
    result->entry = NULL;
}
