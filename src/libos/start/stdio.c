/*
 * stdin, stdout and stderr, which picolibc leaves to the system. Output goes to the kernel's log a
 * line at a time; there is no input.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libos/start/internal.h"
#include "libos/start/start.h"

#define LINE_SIZE 256

struct log_file {
    FILE file;
    size_t length;
    char line[LINE_SIZE];
};

static int log_flush(FILE *file)
{
    struct log_file *log = (struct log_file *)file;
    size_t length = log->length;

    log->length = 0;
    return length && aegis_log(log->line, length) < 0 ? EOF : 0;
}

static int log_put(char c, FILE *file)
{
    struct log_file *log = (struct log_file *)file;

    log->line[log->length++] = c;
    if (c != '\n' && log->length < LINE_SIZE)
        return (unsigned char)c;
    return log_flush(file) ? EOF : (unsigned char)c;
}

static int no_input(FILE *file)
{
    (void)file;
    return _FDEV_EOF;
}

static struct log_file out = {.file =
                                  FDEV_SETUP_STREAM(log_put, NULL, log_flush, _FDEV_SETUP_WRITE)};
static struct log_file error = {.file =
                                    FDEV_SETUP_STREAM(log_put, NULL, log_flush, _FDEV_SETUP_WRITE)};
static FILE in = FDEV_SETUP_STREAM(NULL, no_input, NULL, _FDEV_SETUP_READ);

FILE *const stdin = &in;
FILE *const stdout = &out.file;
FILE *const stderr = &error.file;

void exos_stdio_flush(void)
{
    log_flush(&out.file);
    log_flush(&error.file);
}

/* picolibc's own crashes on NULL, which the standard defines: all streams, of which these two hold
 * anything. */
int fflush(FILE *file)
{
    if (!file) {
        exos_stdio_flush();
        return 0;
    }
    return file->flush ? file->flush(file) : 0;
}
