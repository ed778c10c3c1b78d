/*
 * The slice vector: of each hart, 64 slots of 10 ms a round, whose order is the schedule (SOSP '95,
 * section 5.1.1). This file's half is who has which slot; slice_round.h goes round them.
 *
 * A slot has an owner, whose account counts it, and an environment that runs in it: its owner's
 * own, or one that showed the owner's capability with DELEGATE. So an application level scheduler
 * lends its slots and takes them back.
 *
 * Invariant: slot.owner == 0 <=> slot.env == 0; otherwise both have a structure, and slice_runs has
 * env's; env_infos[n].slots counts the slots whose env n is.
 */
#ifndef AEGIS_KERNEL_SLICE_H
#define AEGIS_KERNEL_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/abi.h"

struct env;

extern struct aegis_slot *slice_slots;      /* exposed; AEGIS_SLOTS of hart 0 */
extern uint32_t slice_slot_end;             /* no slot from here on is taken */
extern struct env *slice_runs[AEGIS_SLOTS]; /* who runs in each of them; NULL: it is free */

/*
 * A bit for each slot that was taken in this round of the vector, ahead of the slot under way: its
 * first turn is in the next round. Otherwise who leaves a slot that has had its turn for one that
 * has not, and so on, runs in all free ones.
 */
extern uint64_t slice_fresh;

/* What waits for the boundary of two slices; in one word, since mostly it is nothing. */
extern union slice_chores {
    struct {
        bool rx_unfinished;      /* some interface has frames left (rx.h) */
        bool net_end_unsettled;  /* some has bindings that its classifier doesn't know to be gone:
                                    net_end_settle */
        uint32_t ending_without; /* environments that are ENDING and have no slot in which what they
                                    hold could be taken back */
    };
    uint64_t any;
} slice_chores;

void slice_init(void);

/* Whether a slot is free. */
bool slice_is_free(void);

/* Gives env a free slot of its own, whose account has room for it; false if there is none. */
bool slice_grant(uint32_t env);

/* env, which has been granted a slot, has its structure now. */
void slice_begin_env(struct env *env);

/* env has ended: frees its slots, gives those that it was lent back, and takes what it lent. */
void slice_end_env(uint32_t env);

/* Slots that env owns. */
uint64_t slice_held(const struct env *env);

/* Takes a slot of env's: one that it has lent, or its last. *number says which: abort.h. */
bool slice_take(uint32_t env, uint32_t *number);

/* Of capabilities for slots, whose index is hart << 32 | slot: resources.def. */
bool slice_valid(uint64_t index);
uint32_t slice_owner(uint64_t index);
uint64_t *slice_generation(uint64_t index);
bool slice_sever(uint64_t index);

#endif
