/*
 * How parts of the library (descriptors, threads, memory, ...) take part in what happens to a
 * process, without proc knowing them.
 *
 * A part that a program doesn't use isn't linked and isn't told. Parts are told in the order of
 * their numbers, at a fork's child and at the start too; at the exit in the reverse order.
 */
#ifndef EXOS_PROC_PART_H
#define EXOS_PROC_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A process that is being made: it has its number and its memory, and doesn't run yet. */
struct exos_child {
    uint32_t env;
    uint64_t pid;        /* 0 without a session */
    const void *actions; /* posix_spawn's file actions, or NULL */
    bool replaces;       /* execve: it takes the place of this process */
};

/* Bytes that go along in the start block. */
struct exos_pass {
    uint8_t *at;  /* first that is not used or not read yet; at_spawn and at_start move it on */
    uint8_t *end; /* of the space, or of what the part wrote */
};

struct exos_part {
    const char *name; /* up to 15 characters: tells whose bytes are passed */

    /* Parent: write at pass->at what the child needs. Returns 0, or an errno value, which undoes
     * the spawn. */
    int (*at_spawn)(const struct exos_child *child, struct exos_pass *pass);
    /* Parent: the child that at_spawn was told of won't run after all. */
    void (*undo_spawn)(const struct exos_child *child);
    /* Child, before main: what at_spawn wrote; both ends are NULL without a start block. Bytes of a
     * stranger: nothing in them is trusted. */
    void (*at_start)(struct exos_pass *pass);

    /* Parent, before its memory is shared with a child: take locks, and make ready. 0 or an errno
     * value, which undoes the fork. */
    int (*before_fork)(void);
    /* Parent, after it, and also when it has failed (child->env is 0 then). */
    void (*after_fork)(const struct exos_child *child);
    /* Child: first thing, on its own copy of memory. */
    void (*in_child)(void);

    void (*at_exit)(void); /* behind what atexit registered; see proc_says_goodbye */
};

/*
 * EXOS_PART(number, part): adds a static const struct exos_part to the table. Numbers: vm 10,
 * thread 20, fd 40, ipc 50, net 60, disk 70; others as they like, from 80 to 99.
 */
#define EXOS_PART(number, part)                                                                    \
    static const struct exos_part *const exos_part_of_##part                                       \
        __attribute__((used, section(".exos_parts." #number))) = &(part)

/*
 * Set by a part whose peers would wait for ever otherwise: at_exit of all parts is called as well
 * when the process ends by _exit or by a signal, unless from within an upcall, or while something
 * is half changed. No other thread runs from then on.
 */
extern bool proc_says_goodbye;

extern const struct exos_part *const exos_parts_begin[], *const exos_parts_end[];

#endif
