/* posix_spawn's file actions: what becomes of descriptors on the way to the new program. */
#ifndef EXOS_PROC_ACTIONS_H
#define EXOS_PROC_ACTIONS_H

#include <stddef.h>

/* One action, done in the order of the list on a copy of the parent's descriptors. */
struct exos_file_action {
    enum { EXOS_ACTION_CLOSE, EXOS_ACTION_DUP2, EXOS_ACTION_OPEN, EXOS_ACTION_FOREGROUND } what;
    int fd;           /* that is closed, duplicated, opened as, or a terminal's */
    int to;           /* DUP2: its new number; OPEN: open's flags */
    const char *path; /* OPEN */
};

/* What struct exos_child's actions points to. */
struct exos_file_actions {
    const struct exos_file_action *actions;
    size_t count;
};

#endif
