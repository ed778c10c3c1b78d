/*
 * Memory for generated code: classifiers, egress checks, handlers. It is executed at CODE_BASE,
 * where it can't be written, read in PHYSMAP, where it can't either, and written through an alias
 * that exists only while a piece is open.
 *
 * Invariant: outside code_open .. code_close no PTE of the kernel maps the arena writable.
 */
#ifndef AEGIS_KERNEL_CODE_H
#define AEGIS_KERNEL_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_UNIT 64 /* bytes: pieces are multiples, and so aligned */

struct code {
    uint32_t unit;  /* first unit of the piece */
    uint32_t units; /* 0: no piece */
};

/* Takes the arena that paging.c has set aside; its pages become CODE. Only at boot, after
 * page_init and expose_init. */
void code_init(void);

/* A piece being looked for; all zero to begin with. */
struct code_search {
    uint32_t at;     /* the next unit */
    uint32_t run;    /* free ones before it */
    uint64_t pieces; /* that had been taken by anybody */
};

/* A step of taking a piece of at least bytes; false if there is more to do. units is 0 if there is
 * none. */
bool code_alloc_step(struct code_search *search, size_t bytes, struct code *code);

/* Gives the piece back, and forgets it. Nobody may be executing it. */
void code_free(struct code *code);

/* Gives back what of the piece lies behind its first bytes. */
void code_trim(struct code *code, size_t bytes);

/* Makes the piece writable, at the address returned, until code_close. One piece at a time. */
uint8_t *code_open(const struct code *code);

/*
 * Ends the writable alias, and makes instruction fetches see what was written (fence.i: on this
 * hart, the only one that runs; others would need one of their own before they execute it).
 */
void code_close(const struct code *code);

/* Whether a unit belongs to a piece, and how many do. */
bool code_is_used(uint32_t unit);
uint64_t code_count_used(void);

/* Bytes of the arena that a piece takes; 0 for none. */
static inline uint64_t code_bytes(const struct code *code)
{
    return (uint64_t)code->units * CODE_UNIT;
}

/* Where the piece is executed. */
void *code_entry(const struct code *code);

#endif
