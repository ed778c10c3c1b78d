#include "quota.h"

#include "libos/start/calls.h"
#include "libos/start/start.h"

/*
 * Owners are followed up to one whose owner is the agent: a program that the agent has made, or
 * what is left of one, which the agent has since its makers have ended.
 */
uint32_t quota_group(uint32_t env)
{
    const uint32_t agent = aegis_env(exos.env)->maker;

    for (uint32_t i = 0; i < aegis_info()->env_count; i++) {
        const volatile struct aegis_env_info *info = aegis_env(env);
        uint32_t owner = info->owner;
        if (info->maker == agent || info->serial == agent || !owner)
            return info->serial;
        if (aegis_env(owner)->serial == agent)
            return QUOTA_ORPHANS;
        env = owner;
    }
    return QUOTA_ORPHANS;
}
