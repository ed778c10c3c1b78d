/*
 * Where netd is now: a page of the agent's, which every program that it starts, and what that
 * starts in turn, may map to read. So who has it finds a netd that was started anew.
 */
#ifndef EXOS_NET_DIRECTORY_H
#define EXOS_NET_DIRECTORY_H

#include <stdint.h>

#include "abi/abi.h"

#define NET_DIRECTORY_MAGIC 0x72694474654e7845UL /* "ExNetDir" */

struct net_directory {
    uint64_t magic;
    uint64_t version;      /* odd while the agent changes what follows */
    struct aegis_cap netd; /* CALL, for that of the first interface; all 0: there is none now */
};

#endif
