/*
 * How many ports a group of programs may have, so that one that takes all it gets leaves some to
 * others. A group is a program that netd's own maker, the agent, has started, with whatever that
 * has started in turn.
 */
#ifndef NETD_QUOTA_H
#define NETD_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_FEW 16 /* ports that a group may have even of what is reserved */

/* What somebody has, or may have. */
struct quota {
    uint32_t ports;
    uint32_t bindings; /* the kernel's: netd's, and those inside of them */
};

/* One more port, on the loop interface as well. */
static inline void quota_count(struct quota *q, bool has_loop)
{
    q->ports++;
    q->bindings += has_loop ? 4 : 2;
}

/*
 * Which group's a program is, now: a number that no other group has had. Of those whose makers have
 * ended nobody can say any more which program they came from: they are one group together.
 */
#define QUOTA_ORPHANS 0
uint32_t quota_group(uint32_t env);

/*
 * Whether a group that has `own`, where all together have `used` of `most`, may have one more: half
 * at most; of the last eighth a few ports. Pure.
 */
static inline bool quota_allows(const struct quota *most, const struct quota *used,
                                const struct quota *own)
{
    struct quota with = *own;

    quota_count(&with, true);
    if (with.ports > most->ports / 2 || with.bindings > most->bindings / 2)
        return false;
    return own->ports < QUOTA_FEW || (used->ports < most->ports - most->ports / 8 &&
                                      used->bindings < most->bindings - most->bindings / 8);
}

#endif
