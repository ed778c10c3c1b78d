/*
 * How a program begins and ends, and what it learns of its surroundings without a system call.
 *
 * a0 at _start is the address of a start block: the kernel's (struct aegis_start) for the first
 * program, ExOS's own (struct exos_start, told apart by its magic) for a program that proc_spawn
 * made. _start sets up thread-local storage and standard streams and calls main(argc, argv,
 * environ); exit flushes and ends the environment with main's status.
 */
#ifndef EXOS_START_START_H
#define EXOS_START_START_H

#include "libos/start/calls.h"

#define EXOS_START_MAGIC 0x326b6c42534f7845UL /* "ExOSBlk2"; no environment has this number */
#define EXOS_CAPS_MAX    20

/* Where a spawned program finds its block, and below which its stack begins. */
#define EXOS_START_ADDRESS AEGIS_STACK_TOP
#define EXOS_START_PAGES   48    /* that a block has at most */
#define EXOS_STRINGS_MAX   65536 /* bytes of arguments and environment, their zeros included */
#define EXOS_ARGUMENTS_MAX 8192  /* of both, in number */
#define EXOS_PASS_MAX      49152 /* bytes that parts pass on */

/* Behind it, in members of a session: the session's pages (libos/proc/session.h). */
#define EXOS_SESSION_ADDRESS (EXOS_START_ADDRESS + EXOS_START_PAGES * AEGIS_PAGE_SIZE)

/*
 * The start block of a spawned program, made by its parent: this, and behind it the pointers of
 * argv and environ, the strings, and what parts of the library pass on. The child owns all pages,
 * but the first of a child that proc_create made: that one belongs to its parent and is mapped for
 * both to read and write. Later the two may use it as they agree, each distrusting the other.
 */
struct exos_start {
    uint64_t magic;     /* EXOS_START_MAGIC */
    uint64_t env;       /* the child's number */
    uint64_t parent;    /* its parent's */
    uint64_t upper;     /* end of the program's image: the heap begins there */
    uint64_t pid;       /* in the session whose pages are mapped; 0: a member of none */
    uint64_t ignored;   /* set of signals that are ignored, */
    uint64_t blocked;   /* and of those that are blocked (bit n: signal n) */
    uint64_t replaces;  /* 1: made by execve, so that it may have children already */
    uint64_t alarm;     /* rdtime of the alarm that goes on over an execve; 0: none */
    uint64_t pass;      /* offset of what parts pass on, in the block */
    uint64_t pass_size; /* bytes */
    uint32_t argc;
    uint32_t envc;
    uint32_t cap_count;
    uint32_t ready; /* the child may set it once it serves, and its parent wait for that */
    struct aegis_cap caps[EXOS_CAPS_MAX]; /* what the parent hands over; their meaning is theirs */
    char *pointers[];                     /* argv, NULL, environ, NULL */
};

/* What this program knows of itself; set before main. */
struct exos {
    uint32_t env;                   /* its environment's number */
    uint32_t parent;                /* who spawned it; 0 for the first program */
    uint64_t upper;                 /* end of its image */
    struct exos_start *start;       /* NULL for the first program */
    const struct aegis_start *boot; /* NULL for a spawned program */
};
extern struct exos exos;

/*
 * For variables that handlers of upcalls write to, or that every program writes to at once: they
 * share the page that a fork's child gets a copy of before it runs. They begin as zeros.
 */
#define EXOS_HOT __attribute__((section(".bss.resident.hot")))

/* A store that a fork's child leaves out where it changes nothing, as it would copy the page. */
#define EXOS_SET(place, value)                                                                     \
    do {                                                                                           \
        if ((place) != (value))                                                                    \
            (place) = (value);                                                                     \
    } while (0)

/*
 * End this environment at once with a value for its exit record: bits 0 to 7 are a status, bits 8
 * to 14 the signal that was the reason, 0 if none was.
 */
_Noreturn void exos_end(uint64_t value);

/* The exposed pages: read-only, kept true by the kernel while one looks. */
static inline const volatile struct aegis_info *aegis_info(void)
{
    return (const volatile struct aegis_info *)AEGIS_EXPOSED_BASE;
}

/* A number below info->env_count; binding below info->binding_count; ppn of a page of RAM. */
static inline const volatile struct aegis_env_info *aegis_env(uint32_t env)
{
    return (const volatile struct aegis_env_info *)aegis_info()->envs + env;
}

/* The account that an environment counts to: what its group may have, and has. */
static inline const volatile struct aegis_account *aegis_account(uint32_t env)
{
    return (const volatile struct aegis_account *)aegis_info()->accounts + aegis_env(env)->account;
}

static inline const volatile struct aegis_binding_info *aegis_binding(uint32_t binding)
{
    return (const volatile struct aegis_binding_info *)aegis_info()->bindings + binding;
}

static inline const volatile struct aegis_extent_info *aegis_extent(uint32_t extent)
{
    return (const volatile struct aegis_extent_info *)aegis_info()->extents + extent;
}

static inline const volatile struct aegis_page *aegis_page(uint64_t ppn)
{
    const volatile struct aegis_info *info = aegis_info();
    return (const volatile struct aegis_page *)info->pages + (ppn - info->first_ppn);
}

/* A predicate on a member of an exposed structure that is 8 bytes wide. */
#define AEGIS_WHEN(member, operation, number)                                                      \
    ((struct aegis_predicate){.word = (const volatile uint64_t *)&(member),                        \
                              .mask = UINT64_MAX,                                                  \
                              .value = (number),                                                   \
                              .op = AEGIS_WAKE_##operation})

/*
 * A predicate that holds once environment env is ENDED: its state is byte 0 of the second word of
 * its record (struct aegis_env_info).
 */
struct aegis_predicate aegis_when_ended(uint32_t env);

#endif
