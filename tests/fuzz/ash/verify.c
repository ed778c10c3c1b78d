/*
 * Whatever program the verifier accepts stays in its sandbox: in the interpreter, which checks each
 * access and says where a proof was wrong, and as machine code in the simulator, which checks each
 * access too. And both do the same. The input is a program's instructions as they are, or the
 * choices by which generate() makes one that the verifier is likely to accept.
 */
#include <stdlib.h>
#include <string.h>

#include "ash/program.h"
#include "engine.h"
#include "generate.h"
#include "vcode/vcode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM  64
#define FRAME 60

static void fill(uint8_t *memory, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        memory[i] = (uint8_t)(i * 37);
}

static size_t make(const uint8_t *data, size_t size, unsigned mode, enum ash_event event,
                   void *image)
{
    static struct ash_insn insns[512];
    struct choices c = {.bytes = data, .size = size, .seed = 1};
    for (size_t i = 0; i < size; i++) /* each input makes another program, however short it is */
        c.seed = (c.seed ^ data[i]) * UINT64_C(0x100000001b3);
    if (mode & 1)
        return generate(&c, event, image);
    size_t count = size / sizeof *insns < 512 ? size / sizeof *insns : 512;
    memcpy(insns, data, count * sizeof *insns);
    return make_image(insns, (uint32_t)count, event, image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(8) uint8_t image[GENERATED_MAX];
    static char traces[2][JOB_TRACE_MAX];
    struct job_reply replies[2];
    struct engines engines = {0};
    if (size < 1)
        return 0;
    enum ash_event event = *data & 2 ? ASH_EVENT_MEMORY : ASH_EVENT_FRAME;
    struct job_request q = {.magic = JOB_MAGIC,
                            .image_size = (uint32_t)make(data + 1, size - 1, *data, event, image),
                            .memory_size = FRAME + 2 * ROOM,
                            .event = event,
                            .fuel = 3000,
                            .isa =
                                *data & 4 ? RV64_MISALIGNED : RV64_MISALIGNED | RV64_ZBA | RV64_ZBB,
                            .start = ROOM,
                            .end = ROOM + FRAME};
    uint8_t *memory[2];
    for (unsigned i = 0; i < 2; i++) {
        memory[i] = malloc(q.memory_size);
        fill(memory[i], q.memory_size);
        if (!engine_run(&engines, i ? ENGINE_SIMULATOR : ENGINE_INTERPRETER, &q, image, memory[i],
                        traces[i], &replies[i]))
            abort();
    }
    if (replies[0].abort.reason == ASH_ABORT_PROOF || !engine_same(&replies[0], &replies[1]) ||
        memcmp(memory[0], memory[1], q.memory_size) ||
        memcmp(traces[0], traces[1], replies[0].trace_size))
        abort();
    free(memory[0]);
    free(memory[1]);
    return 0;
}
