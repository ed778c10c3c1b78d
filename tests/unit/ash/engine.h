/*
 * Runs an image by one of three engines: the interpreter, machine code in the simulator of
 * rv64.def, machine code under qemu-riscv64. A test runs the same image by all and compares.
 */
#ifndef ASH_ENGINE_H
#define ASH_ENGINE_H

#include "tools/ashc/remote.h"

#define ENGINE_ERROR_SIZE 256

enum engine { ENGINE_INTERPRETER, ENGINE_SIMULATOR, ENGINE_RUNNER, ENGINES };

/* What a run under any engine needs. All zero is right but for runner, which is opened by its user.
 */
struct engines {
    struct remote remote;
    uint64_t count;                /* instructions that the simulator did last */
    char error[ENGINE_ERROR_SIZE]; /* if engine_run has returned false: what the engine, or machine
                                      code in it, did wrong */
};

/* Does a job; memory and trace as in job_run. False if the engine failed, or machine code left its
 * sandbox. */
bool engine_run(struct engines *engines, enum engine engine, const struct job_request *request,
                const void *image, void *memory, char *trace, struct job_reply *reply);

/* Whether two engines did the same, as far as can be seen. */
bool engine_same(const struct job_reply *a, const struct job_reply *b);

#endif
