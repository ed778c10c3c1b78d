/* In place of the library's: on the host there is nobody to call. */
#ifndef EXOS_START_CALLS_H
#define EXOS_START_CALLS_H

#include "abi/abi.h"

/* What functions of headers name that no test calls. */
int64_t aegis_net_send(uint32_t binding, const struct aegis_frame_out *frames, uint64_t count);

#endif
