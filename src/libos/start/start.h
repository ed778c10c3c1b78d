/*
 * How a program begins and ends, and what it learns of its surroundings without a system call.
 *
 * a0 at _start is the address of a start block: the kernel's (struct aegis_start) for the first
 * program, ExOS's own (struct exos_start, told apart by its magic) for a program that proc_spawn
 * made. _start sets up thread-local storage and standard streams and calls main(argc, argv); exit
 * flushes and ends the environment with main's status.
 */
#ifndef EXOS_START_START_H
#define EXOS_START_START_H

#include "libos/start/calls.h"

#define EXOS_START_MAGIC 0x316b6c42534f7845UL /* "ExOSBlk1"; no environment has this number */
#define EXOS_CAPS_MAX    10

/* Where proc_spawn puts the block, and below which the stack begins. */
#define EXOS_START_ADDRESS (AEGIS_STACK_TOP - AEGIS_PAGE_SIZE)

/*
 * The start block of a spawned program: one page that its parent owns, mapped for both to read and
 * write. The parent fills it before the child runs; later the two may use it as they agree, each
 * distrusting the other.
 */
struct exos_start {
    uint64_t magic;  /* EXOS_START_MAGIC */
    uint64_t env;    /* the child's number */
    uint64_t parent; /* its parent's */
    uint64_t upper;  /* end of the program's image: the heap begins there */
    uint32_t argc;
    uint32_t cap_count;
    struct aegis_cap caps[EXOS_CAPS_MAX]; /* what the parent hands over; their meaning is theirs */
    char arguments[]; /* argc zero-terminated strings, one behind the other, to the page's end */
};
#define EXOS_ARGUMENTS_SIZE (AEGIS_PAGE_SIZE - sizeof(struct exos_start))

/* What this program knows of itself; set before main. */
struct exos {
    uint32_t env;                   /* its environment's number */
    uint32_t parent;                /* who spawned it; 0 for the first program */
    uint64_t upper;                 /* end of its image */
    struct exos_start *start;       /* NULL for the first program */
    const struct aegis_start *boot; /* NULL for a spawned program */
};
extern struct exos exos;

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
