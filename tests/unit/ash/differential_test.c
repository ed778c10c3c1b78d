/*
 * Interpreter against machine code: random programs run in the interpreter here and compiled in the
 * runner, under qemu-riscv64, and everything that can be seen of them must be the same. Arguments:
 * the runner, and (by hand) how many programs, and the first seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ash/program.h"
#include "engine.h"
#include "generate.h"
#include "vcode/vcode.h"

#define PROGRAMS 10000
#define ROOM     64 /* before and behind the frame */
#define FRAME    60
#define FUEL     3000

static const char *runner;
static unsigned program_count = PROGRAMS;
static uint64_t first_seed = 1;

static struct job_request request(enum ash_event event, size_t image_size, unsigned isa)
{
    struct job_request q = {.magic = JOB_MAGIC,
                            .image_size = (uint32_t)image_size,
                            .event = event,
                            .fuel = FUEL,
                            .isa = isa,
                            .time = 1000000,
                            .seed = 7};
    q.memory_size = event == ASH_EVENT_FRAME ? FRAME + 2 * ROOM : FRAME;
    q.start = ROOM;
    q.end = ROOM + FRAME;
    return q;
}

static void fill(uint8_t *memory, size_t size)
{
    static const uint8_t frame[] = {0x02, 0, 0,    0, 0, 1,  0x02, 0, 0, 0, 0,  2,
                                    8,    0, 0x45, 0, 0, 46, 0,    1, 0, 0, 64, 17};
    for (size_t i = 0; i < size; i++)
        memory[i] = (uint8_t)(i * 37);
    if (size > ROOM + sizeof frame)
        memcpy(memory + ROOM, frame, sizeof frame);
}

static void print(const void *image, size_t size, const struct job_reply *reply, const char *who)
{
    struct ash_image view;
    if (ash_image_open(image, size, &view) == 0 && strcmp(who, "interpreted") == 0)
        for (uint32_t i = 0; i < view.header->insns; i++) {
            char text[ASH_TEXT_SIZE];
            ash_disassemble(&view.insns[i], &view.insns[i + 1], text, sizeof text);
            print_error("%4u: %s\n", i, text);
        }
    print_error("%s: error %d, r0 %llx, abort %u at %u (%llx), fuel %d, modified %u, frame %u..%u, "
                "maps %x\n",
                who, reply->error, (unsigned long long)reply->result, reply->abort.reason,
                reply->abort.insn, (unsigned long long)reply->abort.address, reply->fuel,
                reply->modified, reply->start, reply->end, reply->maps_hash);
}

struct counts {
    unsigned refused, aborted, done;
};

/* One program: interpreted, and compiled in another engine. */
static void compare(struct engines *engines, enum engine engine, uint64_t seed,
                    struct counts *counts)
{
    static _Alignas(8) uint8_t image[GENERATED_MAX];
    char trace[JOB_TRACE_MAX], other_trace[JOB_TRACE_MAX];
    struct choices c = {.seed = seed};
    enum ash_event event = choose(&c, 3) ? ASH_EVENT_FRAME : ASH_EVENT_MEMORY;
    unsigned isa = choose(&c, 4) ? RV64_ZBA | RV64_ZBB | RV64_MISALIGNED : RV64_MISALIGNED;
    size_t size = generate(&c, event, image);
    struct job_request q = request(event, size, isa);
    struct job_reply here, there;
    uint8_t *memory = malloc(q.memory_size), *other = malloc(q.memory_size);
    fill(memory, q.memory_size);
    memcpy(other, memory, q.memory_size);
    assert_true(engine_run(engines, ENGINE_INTERPRETER, &q, image, memory, trace, &here));
    bool ran = engine_run(engines, engine, &q, image, other, other_trace, &there);
    if (!ran || !engine_same(&here, &there) || memcmp(memory, other, q.memory_size) ||
        memcmp(trace, other_trace, here.trace_size) || here.abort.reason == ASH_ABORT_PROOF) {
        print(image, size, &here, "interpreted");
        print(image, size, &there, "compiled");
        fail_msg("seed %llu: %s", (unsigned long long)seed, ran ? "they differ" : engines->error);
    }
    counts->refused += here.error != 0;
    counts->aborted += !here.error && here.abort.reason != 0;
    counts->done += !here.error && here.abort.reason == 0;
    free(memory);
    free(other);
}

static void compare_many(enum engine engine, unsigned count)
{
    struct engines engines = {0};
    struct counts counts = {0};
    if (engine == ENGINE_RUNNER)
        assert_true(remote_open(&engines.remote, runner));
    for (unsigned i = 0; i < count; i++)
        compare(&engines, engine, first_seed + i, &counts);
    if (engine == ENGINE_RUNNER)
        remote_close(&engines.remote);
    print_message("%u programs: %u refused, %u aborted, %u ran to their ends\n", count,
                  counts.refused, counts.aborted, counts.done);
    assert_true(counts.refused < count / 20);
    assert_true(counts.aborted > count / 8);
    assert_true(counts.done > count / 8);
}

static void random_programs_agree_under_qemu(void **state)
{
    (void)state;
    compare_many(ENGINE_RUNNER, program_count);
}

/* Fewer, but each access of the machine code is checked, and each register that it must leave
 * alone. */
static void random_programs_stay_in_the_sandbox(void **state)
{
    (void)state;
    compare_many(ENGINE_SIMULATOR, program_count / 5);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    runner = argv[1];
    if (argc > 2)
        program_count = (unsigned)strtoul(argv[2], NULL, 10);
    if (argc > 3)
        first_seed = strtoull(argv[3], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs_agree_under_qemu),
                                       cmocka_unit_test(random_programs_stay_in_the_sandbox)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
