/*
 * Processes: environments that run a program of the initial RAM disk. Made by the parent alone, out
 * of pages, mappings and env_create; the kernel knows no programs.
 */
#ifndef EXOS_PROC_PROC_H
#define EXOS_PROC_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "libos/start/start.h"

/* Errors beside the kernel's (below 0x1000), image/cpio.h's and image/elf.h's, which are moved up.
 */
#define PROC_CPIO_ERROR 0x2000 /* - (PROC_CPIO_ERROR + enum cpio_error) */
#define PROC_ELF_ERROR  0x3000
#define PROC_ARGUMENTS  0x4000 /* they don't fit the start block */

#define PROC_STACK_PAGES 16 /* of a child, unless it is asked for otherwise */

struct proc_options {
    const char *name; /* program in the archive, and of the environment (cut to 15 bytes) */
    int argc;
    char *const *argv;
    const struct aegis_cap *caps; /* handed over in the start block */
    size_t cap_count;             /* at most EXOS_CAPS_MAX */
    size_t stack_pages;           /* 0: PROC_STACK_PAGES */
};

struct proc {
    uint32_t env;
    uint64_t entry; /* where it begins */
    struct exos_start
        *start; /* the child's start block, also mapped here; what it writes isn't trusted */
};

struct proc_status {
    enum aegis_exit_reason reason;
    uint64_t value;       /* status or scause, as reason says */
    uint64_t pc, address; /* of an exception */
};

/*
 * Make an environment that holds the program, owned by this one, and not yet running: between this
 * and proc_start one may bind things to it. *proc is the caller's; proc_reap ends its validity.
 * Returns 0, or a negated error, with nothing left over.
 */
int64_t proc_create(struct proc *proc, const struct proc_options *options);
int64_t proc_start(struct proc *proc);

/* Both. */
int64_t proc_spawn(struct proc *proc, const struct proc_options *options);

/*
 * If the child has ended: store why, free its number and its start block, and return 1. 0 if it
 * hasn't yet.
 */
int proc_reap(struct proc *proc, struct proc_status *status);

/* Wait until then, at most until deadline (rdtime ticks, AEGIS_FOREVER). Returns as proc_reap. */
int proc_wait(struct proc *proc, struct proc_status *status, uint64_t deadline);

/* End the child, with a status for its record. It is reaped as one that ended by itself. */
int64_t proc_kill(struct proc *proc, uint64_t status);

/* The sentence for an error of proc_create; never NULL. */
const char *proc_strerror(int64_t error);

/* Say a status in words, "exception 13 at pc 0x10234, address 0x0", in text; returns text. */
char *proc_describe(const struct proc_status *status, char *text, size_t size);

#endif
