/*
 * Safe handlers (ASH): the application's code, run on frames of its binding in the kernel, verified
 * and compiled when it is downloaded (Wallach, Engler, Kaashoek, SIGCOMM 1996; design section 5).
 *
 * Invariant: a handler with an owner has its image and program in the arena, its code in the code
 * arena, and its maps in pages of its owner, state WINDOW, pinned; bound to binding b <=> b.handler
 * points to it.
 */
#ifndef AEGIS_KERNEL_HANDLER_H
#define AEGIS_KERNEL_HANDLER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"
#include "ash/ash.h"
#include "kernel/code.h"

struct handler {
    uint32_t owner; /* environment, 0 if the slot is free */
    uint32_t number;
    uint64_t generation;         /* of capabilities for the number; never reset */
    void *image;                 /* the kernel's copy, which the program refers to */
    struct ash_program *program; /* in the arena */
    struct code code;
    ash_handler *entry;
    uint32_t map_page; /* first page of its maps, index into pages[] */
    uint32_t map_page_count;
    int32_t fuel;       /* limit of one run */
    int32_t fuel_start; /* of it, what is left once the program's longest path is paid for */
    struct aegis_handler_status status;
    struct ash_run run;
};

/* Sizes the table. Only at boot. */
void handler_init(void);

/* How many handlers there can be. */
uint32_t handler_most(void);

/* Undoes one of those that env has downloaded, or its download that is under way; whether there was
 * none. */
bool handler_end_env(uint32_t env);

/* Handler number index, whether there is one or not; NULL beyond the table. */
const struct handler *handler_at(uint32_t index);

/* A place of the table that nobody's handler has; NULL: there is none. */
struct handler *handler_free(void);

/* Makes a free place a handler of that owner's: with its number, a new generation, on no binding.
 * All else is the caller's to fill. */
void handler_add(struct handler *place, uint32_t owner);

/* A handler by its number: whether it exists, whose it is, and its capabilities' generation. */
bool handler_valid(uint64_t index);
uint32_t handler_owner(uint64_t index);
uint64_t *handler_generation(uint64_t index);

/* Handlers that env owns. */
struct env;
uint64_t handler_held(const struct env *env);

/* What its owner's account counts of it. */
struct quota_bytes handler_bytes(const struct handler *handler);

/* Unloads the one of them with the highest number; false if there is none. */
bool handler_take(uint32_t env, uint32_t *index);

/* Takes a handler off its binding; it stays loaded. */
void handler_unbind(struct handler *handler);

#endif
