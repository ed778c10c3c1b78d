/* Handlers as people name them on the command line: C source, a BPF object, or an image. */
#ifndef AEGISCTL_HANDLER_H
#define AEGISCTL_HANDLER_H

#include "tools/ashc/ashlift.h"
#include "why.h"

/*
 * Compile it to an image that the kernel's limit of size admits; clang prints its own complaints.
 * Returns 0, and the image is to be freed with ashlift_free, or -1, and why says what is wrong.
 */
int handler_compile(const char *path, struct ashlift_image *image, struct why *why);

#endif
