/* What the files of proc/ share; not for programs. */
#ifndef EXOS_PROC_INTERNAL_H
#define EXOS_PROC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "libos/proc/part.h"
#include "libos/proc/proc.h"

struct table_entry;

/*
 * Give env size bytes of memory at va (any alignment), which begin with `filled` bytes of data and
 * go on with zeros; whole pages, that belong to env then, with protection prot.
 */
int64_t proc_fill(uint32_t env, uint64_t va, uint64_t size, const void *data, uint64_t filled,
                  uint32_t prot);

/* One page's share of a segment's bytes, the rest zeros: of the page at `at`, mapped at page, where
 * the segment begins at va with filled bytes of data. */
void proc_fill_page(char *page, uint64_t at, uint64_t va, const char *data, uint64_t filled);

/* Heads what one part passes on in a start block. */
struct proc_record {
    char name[16];
    uint64_t size; /* bytes behind it; the next record begins at a multiple of 16 */
    uint64_t reserved;
};

/* A start block under construction, in pages that this process keeps for that. */
struct proc_block {
    struct exos_start *start; /* page-aligned, and zeros from its size to the page's end */
    size_t size;              /* bytes of it that are used */
};

/*
 * Build the block of a child: head's members, options' arguments, environment and capabilities, and
 * what parts write for `child` (NULL: they aren't told). It is good until the next is built.
 * Returns 0, or -PROC_ARGUMENTS, -PROC_PART_ERROR - errno, -AEGIS_E_NO_PAGE.
 */
int64_t block_make(struct proc_block *block, const struct exos_start *head,
                   const struct proc_options *options, const struct exos_child *child);

/* Tell the parts that block_make told of child that it won't run. */
void block_undo(const struct exos_child *child);

/* The entry's name becomes this environment's. */
void proc_name(struct table_entry *entry, uint32_t env);

/* Before others know of a child: its process group, and whether it leads a terminal's session. */
void proc_join(pid_t pid, pid_t group, bool leads);

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
