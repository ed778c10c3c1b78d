/*
 * Environments that run a program of the initial RAM disk. Made by the parent alone, out of pages,
 * mappings and env_create; the kernel knows no programs. This is what posix_spawn (spawn.h) is made
 * of: processes with numbers, signals and descriptors are members of a session (session.h).
 */
#ifndef EXOS_PROC_PROC_H
#define EXOS_PROC_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libos/start/start.h"

/* Errors beside the kernel's (below 0x1000), image/cpio.h's and image/elf.h's, which are moved up.
 */
#define PROC_CPIO_ERROR 0x2000 /* - (PROC_CPIO_ERROR + enum cpio_error) */
#define PROC_ELF_ERROR  0x3000
#define PROC_ARGUMENTS  0x4000 /* they don't fit the start block */
#define PROC_PART_ERROR 0x5000 /* a part of the library (part.h) refuses; its errno is added */
#define PROC_NO_ENTRY   0x6000 /* the session's table is full, for this process or for all */

/* Of a child at once, unless it is asked for otherwise; more come when they are touched. */
#define PROC_STACK_PAGES 1
#define PROC_STACK_MOST  512 /* that it can be asked for at once: 2 MiB */

struct proc_options {
    const char *name; /* program in the archive, and of the environment (cut to 15 bytes) */
    const void
        *image; /* the program itself, an ELF file in memory, instead; NULL: in the archive */
    size_t image_size; /* its bytes */
    int argc;
    char *const *argv;
    const struct aegis_cap *caps; /* handed over in the start block */
    size_t cap_count;             /* at most EXOS_CAPS_MAX */
    size_t stack_pages;           /* 0: PROC_STACK_PAGES */
    char *const *environment;     /* up to NULL; if it is NULL itself, this program's */

    /*
     * The child joins this process's session: it has a number, gets signals, and what parts of the
     * library hand down, descriptors among it. Its start block is its own then (proc.start: NULL).
     */
    bool member;
    const void *actions;       /* posix_spawn's file actions, or NULL; of a member */
    pid_t replaces;            /* execve: the number that is to be the child's; else 0 */
    uint64_t ignored, blocked; /* sets of signals of a member (bit n: signal n) */
    pid_t group;               /* of a member: its process group; 0: this process's; -1: its own */
    bool leads;                /* of a member: as if it had called setsid */
};

struct proc {
    uint32_t env;
    uint64_t entry; /* where it begins */
    struct exos_start
        *start;   /* the child's start block, also mapped here; what it writes isn't trusted */
    pid_t pid;    /* of a member of the session, else 0 */
    bool claimed; /* its entry still waits for proc_start */
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
 * hasn't yet. A member that has replaced itself (execve) is followed.
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
