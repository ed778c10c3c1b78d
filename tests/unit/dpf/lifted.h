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

/* Compiles all; fails the test for one that is refused. Freed by lifted_end. */
void lifted_start(void);
void lifted_end(void);

extern struct lifted lifted[];
extern const size_t lifted_count;

#endif
