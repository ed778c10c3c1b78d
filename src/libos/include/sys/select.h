/* POSIX sys/select.h: picolibc's, with sets of as many descriptors as elsewhere. */
#ifndef EXOS_SYS_SELECT_H
#define EXOS_SYS_SELECT_H

#ifndef FD_SETSIZE
#define FD_SETSIZE 1024
#endif

#include_next <sys/select.h>

#endif
