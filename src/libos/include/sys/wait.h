/* POSIX sys/wait.h. */
#ifndef EXOS_SYS_WAIT_H
#define EXOS_SYS_WAIT_H

#include <sys/types.h>

#define WNOHANG   1
#define WUNTRACED 2 /* nobody stops: does nothing */

/* A status: the exit status shifted by 8, or the number of the signal that was the end. */
#define WIFEXITED(status)    (((status)&0x7f) == 0)
#define WEXITSTATUS(status)  ((status) >> 8 & 0xff)
#define WIFSIGNALED(status)  (((status)&0x7f) != 0)
#define WTERMSIG(status)     ((status)&0x7f)
#define WCOREDUMP(status)    0
#define WIFSTOPPED(status)   0
#define WSTOPSIG(status)     0
#define WIFCONTINUED(status) 0

/*
 * Wait for a child: any (-1), of this process's group (0), of group -pid, or process pid. Returns
 * its number and frees it; 0 with WNOHANG if none has ended. ECHILD, EINTR, EINVAL.
 */
pid_t waitpid(pid_t pid, int *status, int options);
pid_t wait(int *status);

#endif
