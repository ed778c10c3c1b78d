/* What aegisctl rtt prints of its measurement. */
#ifndef AEGISCTL_RTT_PRINT_H
#define AEGISCTL_RTT_PRINT_H

#include <stdint.h>

struct rtt_result {
    const int64_t *times; /* ns, ascending, of the answered ones */
    long answered, lost, wrong;
    long size, port;
};

enum rtt_format {
    RTT_HISTOGRAM, /* and the table, whose two lines are always the last */
    RTT_TABLE,
    RTT_JSON,
};

/* Print on stdout. */
void rtt_print(const struct rtt_result *result, enum rtt_format format);

#endif
