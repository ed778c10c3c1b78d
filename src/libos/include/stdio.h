/* picolibc's stdio.h, and what of POSIX's it lacks. */
#ifndef EXOS_STDIO_H
#define EXOS_STDIO_H

#include_next <stdio.h>
#include <sys/types.h>

/*
 * A line, or what goes to the character end, into *line, which is malloc's (or NULL) and grows;
 * *size is what it holds. How many bytes, the end included, a zero behind them; -1 at the end or on
 * an error.
 */
ssize_t getline(char **line, size_t *size, FILE *file);
ssize_t getdelim(char **line, size_t *size, int end, FILE *file);

/*
 * A command of the shell, with its output ("r") or its input ("w") at the other end of a pipe,
 * which no other program gets (as with "re", "we"). NULL with errno. pclose returns the command's
 * status as waitpid does; -1: ECHILD of what popen didn't make.
 */
FILE *popen(const char *command, const char *mode);
int pclose(FILE *file);

int dprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
int vdprintf(int fd, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

#endif
