/* The test expressions, compiled. */
#ifndef TESTS_DPF_LIFTED_H
#define TESTS_DPF_LIFTED_H

#include <stdbool.h>
#include <stddef.h>

#include "dpf/dpf.h"

struct lifted {
    const char *text;
    bool exchanges; /* egress is what the text means with source and destination exchanged */
    struct dpf_filter ingress;
    struct dpf_filter egress; /* if exchanges */
};

/* A test group's set-up: compiles all, and fails for one that is refused. Freed by lifted_end, the
 * group's end. state is not touched. */
int lifted_start(void **state);
int lifted_end(void **state);

extern struct lifted lifted[];
extern const size_t lifted_count;

#endif
