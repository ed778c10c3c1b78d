/* What dirent.h leaves to a system. */
#ifndef EXOS_SYS_DIRENT_H
#define EXOS_SYS_DIRENT_H

#include <limits.h>
#include <sys/types.h>

#ifndef NAME_MAX
#define NAME_MAX 255
#endif

#define DT_UNKNOWN 0
#define DT_DIR     4
#define DT_REG     8

struct dirent {
    ino_t d_ino;
    unsigned char d_type; /* DT_* */
    char d_name[NAME_MAX + 1];
};

typedef struct exos_directory DIR;

#endif
