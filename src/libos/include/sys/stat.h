/* picolibc's sys/stat.h, and what of POSIX's it lacks. */
#ifndef EXOS_SYS_STAT_H
#define EXOS_SYS_STAT_H

#include_next <sys/stat.h>

/* stat: there are no symbolic links. */
int lstat(const char *path, struct stat *status);

#endif
