/* What the files of proc/ share; not for programs. */
#ifndef EXOS_PROC_INTERNAL_H
#define EXOS_PROC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "image/elf.h"
#include "libos/proc/part.h"
#include "libos/proc/proc.h"

struct table_entry;

/* Find the program that options name and read it. Returns 0, or a negated PROC_*_ERROR. */
int64_t proc_find_program(const struct proc_options *options, struct elf_program *program);

/*
 * Give env size bytes of memory at va (any alignment), which begin with `filled` bytes of data and
 * go on with zeros; whole pages, that belong to env then, with protection prot.
 */
int64_t proc_fill(uint32_t env, uint64_t va, uint64_t size, const void *data, uint64_t filled,
                  uint32_t prot);

/*
 * Map a segment that isn't written to into env, from pages that this program keeps for all children
 * that run it. Returns 0, or a negated kernel error.
 */
int64_t proc_share_image(uint32_t env, const struct elf_segment *segment, uint32_t prot);

/* Give up the pages that are kept; returns whether there were any. */
bool proc_drop_images(void);

/* A fork's child: the pages are its parent's to keep. */
void proc_forget_images(void);

/* Heads what one part passes on in a start block. */
struct proc_record {
    char name[16];
    uint64_t size; /* bytes behind it; the next record begins at a multiple of 16 */
    uint64_t reserved;
};

/* A start block under construction, in the heap. */
struct proc_block {
    struct exos_start *start; /* NULL: there is none */
    size_t size;              /* bytes of it that are used */
};

/*
 * Build the block of a child: head's members, options' arguments, environment and capabilities, and
 * what parts write for `child` (NULL: they aren't told). block_free frees it, whether this succeeds
 * or not. Returns 0, or -PROC_ARGUMENTS, -PROC_PART_ERROR - errno, -AEGIS_E_NO_PAGE.
 */
int64_t block_make(struct proc_block *block, const struct exos_start *head,
                   const struct proc_options *options, const struct exos_child *child);
void block_free(struct proc_block *block);

/* Tell the parts that block_make told of child that it won't run. */
void block_undo(const struct exos_child *child);

/* The entry's name becomes this environment's. */
void proc_name(struct table_entry *entry, uint32_t env);

/* Before others know of a child: its process group. */
void proc_join(pid_t pid, pid_t group);

/* Forget a child that has ended, as waitpid does. */
void proc_release(pid_t pid);

/* Be the process that the start block says: its session's pages are mapped. */
void proc_enter(const struct exos_start *start);

/* A fork's child has none of its parent's pending signals, nor its alarm. */
void proc_forget_signals(void);

/* What the start block says of signals is this process's from now on. */
void proc_begin_signals(const struct exos_start *start);

/* The signals that a child begins with as ignored and blocked. */
void proc_signals(uint64_t *ignored, uint64_t *blocked);

/* Options for a member that runs the program of a path, as POSIX's functions name it. */
struct proc_options proc_member(const char *path, char *const argv[], char *const envp[]);
const char *proc_file_of(const char *path);

/* The errno value for an error of proc_create. */
int proc_errno(int64_t error);

#endif
