/* Filters as people name them on the command line: a file, or an expression of pcap-filter(7). */
#ifndef AEGISCTL_FILTER_H
#define AEGISCTL_FILTER_H

#include <stdbool.h>

#include "tools/dpfc/dpflift.h"
#include "why.h"

/* Whether it is to be read as a file: there is one of that name, or it is "-", or begins with "/",
 * "./" or "../". */
bool filter_is_file(const char *text);

/*
 * Compile it. egress may be NULL (dpflift.h). Returns 0, and the images are to be freed with
 * dpflift_free; else why says what is wrong with the file or the expression, and the result is the
 * status to exit with: 2 if the text is wrong, 1 if it can't be read, or can't be made of atoms.
 */
int filter_compile(const char *text, struct dpflift_image *ingress, struct dpflift_image *egress,
                   struct why *why);

#endif
