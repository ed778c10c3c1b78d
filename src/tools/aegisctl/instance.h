/*
 * An instance is one running machine, by name. All that it leaves on the host lies in a private
 * folder (mode 0700) of that name below $XDG_RUNTIME_DIR/aegis-v, or /tmp/aegis-v-UID if there is
 * no such directory of ours:
 *
 *   lock         locked (fcntl) by the broker while it lives
 *   control      the broker's socket
 *   serial.log   what the machine printed on its serial port
 *   qemu.log     what QEMU printed on stderr
 *   broker.log   what a detached broker had to complain of
 *   ram          the machine's memory (ram.h)
 *   kernel.elf   a copy of its kernel, for post and symbols
 *   ended        one line: how the last machine ended; absent while one runs
 */
#ifndef AEGISCTL_INSTANCE_H
#define AEGISCTL_INSTANCE_H

#include <stdbool.h>

#include "why.h"

#define INSTANCE_PATH_MAX   108 /* of a UNIX socket's address, its zero included */
#define INSTANCE_FILE_MAX   11  /* characters of a file's name in it */
#define INSTANCE_FOLDER_MAX (INSTANCE_PATH_MAX - INSTANCE_FILE_MAX - 1)

struct instance {
    const char *name; /* the caller's */
    char folder[INSTANCE_FOLDER_MAX];
    int lock; /* held by instance_claim, else -1 */
};

/* Find the folder of an instance, without making it. Returns -1 if the name can't be one. */
int instance_find(struct instance *instance, const char *name, struct why *why);

/*
 * Make the folder, refuse one that isn't ours alone, take the lock, and remove what the last
 * machine left there. Returns -1 if the instance runs already or something stands in the way.
 */
int instance_claim(struct instance *instance, struct why *why);

/* Whether a broker holds the lock. */
bool instance_runs(const struct instance *instance);

/* Write the path of a file of the instance. */
void instance_path(const struct instance *instance, const char *file, char path[INSTANCE_PATH_MAX]);

/* Read the line of "ended" into text, which becomes empty if there is none. */
void instance_ended(const struct instance *instance, char *text, int size);

/* Write the line of "ended". */
void instance_end(const struct instance *instance, const char *text);

#endif
