/*
 * A stride scheduler over slices of one's own (Waldspurger and Weihl, "Stride scheduling:
 * deterministic proportional-share resource management", MIT 1995; SOSP 1995, section 7.3):
 * children get a program's slices in proportion to their tickets, by directed yields. The kernel
 * knows nothing of it.
 *
 * The children keep no slots of their own: those are given back when they join. A child that blocks
 * early is charged for what it used, and tried again in a later slice; while it doesn't run, the
 * others share its part, and it doesn't catch up later.
 */
#ifndef EXOS_SCHED_STRIDE_H
#define EXOS_SCHED_STRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRIDE_MOST    32          /* children */
#define STRIDE_TICKETS (1UL << 16) /* that one may have at most */

struct stride_child {
    uint32_t env; /* 0: free */
    bool is_idle; /* it gave back most of the last slice that it was offered */
    uint64_t tickets, pass;
    uint64_t slices; /* that it was given and used */
    uint64_t ticks;  /* that it used */
};

struct stride {
    struct stride_child children[STRIDE_MOST];
    uint64_t pass;    /* what a child would have that had always had its share */
    uint64_t tickets; /* of all */
    uint64_t turns;   /* slices given */
};

/*
 * Schedule env, a child that the program owns, from now on, with 1 to STRIDE_TICKETS tickets.
 * Returns its number in children, or a negated error: RANGE (tickets), FULL, OWNER.
 */
int64_t stride_add(struct stride *stride, uint32_t env, uint64_t tickets);

/* Give child number n other tickets; what it has had stays. RANGE. */
int64_t stride_set(struct stride *stride, size_t n, uint64_t tickets);

/* No longer schedule child number n, which ends or is to wait. */
void stride_remove(struct stride *stride, size_t n);

/*
 * Give the rest of this slice to the child whose turn it is; back in a later slice. Children that
 * have ended are removed. Returns the number of the child that ran, or -1 if none could; then it is
 * the caller's to wait, for a slice at most lest one that wakes is late.
 */
int stride_turn(struct stride *stride);

#endif
