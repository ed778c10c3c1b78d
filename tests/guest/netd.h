/* netd for tests, started as the agent does it. */
#ifndef GUEST_NETD_H
#define GUEST_NETD_H

#include "libos/proc/proc.h"

extern struct proc netd;

/* Start it on net0, as 10.0.2.15/24, with all ARP frames; fails the test if that fails. */
void netd_start(void);

/* The right to call it. */
struct aegis_cap netd_call(void);

/* Put that into this program's start block, where the library looks for it. */
void netd_introduce(void);

/* End it. */
void netd_end(void);

#endif
