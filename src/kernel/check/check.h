/*
 * The checked kernel: built with CHECK=1, run with 32 MiB. After each system call and each step of
 * an environment's end an independent walk recomputes every invariant of invariants.def; the first
 * that does not hold panics by name. Boot arguments: check=N walks after every Nth entry only (1 if
 * absent), mutation=NAME breaks that invariant on purpose as soon as something exists that it is
 * about; slice=N lets slices last N ticks, a half more or less at random: few, so that they end
 * everywhere, or many, so that a walk after each entry leaves time for what is due within some.
 * Rare paths are the only ones there: see hard.h.
 */
#ifndef AEGIS_KERNEL_CHECK_CHECK_H
#define AEGIS_KERNEL_CHECK_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct board;

#if CHECK
/* Takes the walk's memory and reads the boot arguments. Only at boot, after every table is made. */
void check_init(const struct board *board);

/* The walk; what is the system call or step that it follows, NULL for the last one named. */
void check_walk(const char *what);

typedef long call_function(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

/* Makes a system call over a poisoned stack, and walks; one that failed must have changed nothing.
 */
long check_call(const char *name, call_function *function, const uint64_t r[5]);

/* Fills a freed page with a pattern. */
void check_fill(void *page);

/* How long the next slice is to last, of which usual is the ordinary length: ticks. */
uint64_t check_slice(uint64_t usual);

/* Panics unless a page holds zeros. */
void check_clear(const void *page);
#else
static inline void check_init(const struct board *board)
{
    (void)board;
}

static inline void check_walk(const char *what)
{
    (void)what;
}

static inline void check_fill(void *page)
{
    (void)page;
}

static inline uint64_t check_slice(uint64_t usual)
{
    return usual;
}

static inline void check_clear(const void *page)
{
    (void)page;
}
#endif

#endif
