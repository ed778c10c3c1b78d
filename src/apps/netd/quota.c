#include "quota.h"

#include "libos/start/calls.h"
#include "libos/start/start.h"

#define OWNERS_MOST AEGIS_SLOTS /* from a program up to the agent: a bound, no more */

/*
 * Owners are followed up to a program that the agent has made. One whose owner has ended is the
 * owner's owner's; where that is the agent itself, it is of the group of who made it.
 */
uint32_t quota_group(uint32_t env)
{
    const uint32_t agent = aegis_env(exos.env)->maker;

    for (int i = 0; i < OWNERS_MOST; i++) {
        const volatile struct aegis_env_info *info = aegis_env(env);
        uint32_t owner = info->owner;
        if (info->maker == agent || info->serial == agent || !owner)
            return info->serial;
        if (aegis_env(owner)->serial == agent)
            return info->maker;
        env = owner;
    }
    return 0;
}
