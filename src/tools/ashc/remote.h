/*
 * Jobs in the runner, under qemu-riscv64.
 */
#ifndef ASHC_REMOTE_H
#define ASHC_REMOTE_H

#include <sys/types.h>

#include "tools/ashc/job.h"

#define REMOTE_ERROR_SIZE 256

struct remote {
    pid_t pid;
    int to, from;
    char error[REMOTE_ERROR_SIZE]; /* what went wrong, if a function returned false */
};

/* Starts the runner: the file at path, or (null) ash-runner beside this program. */
bool remote_open(struct remote *remote, const char *path);

/*
 * Has a job done; parameters as of job_run. False if the runner doesn't answer within 20 s, or has
 * ended: then remote is to be closed.
 */
bool remote_run(struct remote *remote, const struct job_request *request, const void *image,
                void *memory, char *trace, struct job_reply *reply);

void remote_close(struct remote *remote);

#endif
