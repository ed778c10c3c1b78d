/* POSIX sys/wait.h. */
#ifndef EXOS_SYS_WAIT_H
#define EXOS_SYS_WAIT_H

#include <sys/types.h>

#define WNOHANG    1
#define WUNTRACED  2 /* also of children that have stopped */
#define WCONTINUED 8 /* also of those that go on then */

/* A status: the exit status shifted by 8; the number of the signal that was the end; 0x7f and the
 * signal that has stopped it shifted by 8; or 0xffff, it goes on. */
#define WIFEXITED(status)    (((status)&0x7f) == 0)
#define WEXITSTATUS(status)  ((status) >> 8 & 0xff)
#define WIFSIGNALED(status)  ((((status) + 1) & 0x7f) > 1)
#define WTERMSIG(status)     ((status)&0x7f)
#define WCOREDUMP(status)    0
#define WIFSTOPPED(status)   (((status)&0xff) == 0x7f)
#define WSTOPSIG(status)     ((status) >> 8 & 0xff)
#define WIFCONTINUED(status) ((status) == 0xffff)

/*
 * Wait for a child: any (-1), of this process's group (0), of group -pid, or process pid. Returns
 * its number, and frees it if it has ended; 0 with WNOHANG if there is nothing to tell. ECHILD,
 * EINTR, EINVAL.
 */
pid_t waitpid(pid_t pid, int *status, int options);
pid_t wait(int *status);

#endif
