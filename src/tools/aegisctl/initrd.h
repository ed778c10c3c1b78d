/* The archive of programs, looked at before a machine is started with it. */
#ifndef AEGISCTL_INITRD_H
#define AEGISCTL_INITRD_H

#include "why.h"

/* Whether the file is an archive that the machine can begin with; else -1, and why says what is
 * wrong with it. */
int initrd_check(const char *path, struct why *why);

#endif
