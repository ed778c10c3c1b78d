/*
 * Whose the root bindings are: the first application's, or whoever's they were given to. What is
 * bound inside them doesn't notice.
 */
#ifndef AEGIS_KERNEL_NET_GIVE_H
#define AEGIS_KERNEL_NET_GIVE_H

#include <stdint.h>

/* Gives the roots that env has back to who gave them to it, or else to the first application. */
void net_give_end_env(uint32_t env);

#endif
