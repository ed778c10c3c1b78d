/*
 * stdio's functions that open streams, and those that move many bytes, which picolibc's do one by
 * one.
 */
#define _GNU_SOURCE /* dup3 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/fd/fd.h"
#include "libos/fd/stream.h"

#define LINE_FIRST 128 /* bytes that getdelim begins with */

/* "r+e" to open's flags; -1 if it is no mode. */
static int parse_mode(const char *mode)
{
    int flags = *mode == 'r'   ? O_RDONLY
                : *mode == 'w' ? O_WRONLY | O_CREAT | O_TRUNC
                : *mode == 'a' ? O_WRONLY | O_CREAT | O_APPEND
                               : -1;
    for (mode++; flags >= 0 && *mode; mode++)
        flags = *mode == '+'   ? (flags & ~O_ACCMODE) | O_RDWR
                : *mode == 'e' ? flags | O_CLOEXEC
                : *mode == 'x' ? flags | O_EXCL
                : *mode == 'b' ? flags
                               : -1;
    if (flags < 0)
        errno = EINVAL;
    return flags;
}

static int stream_flags(int flags)
{
    int access = flags & O_ACCMODE;
    return access == O_RDONLY ? __SRD : access == O_WRONLY ? __SWR : __SRD | __SWR;
}

static FILE *make(int fd, int flags)
{
    struct stream *stream = malloc(sizeof *stream);
    if (!stream)
        return NULL;
    stream_init(stream, fd, stream_flags(flags));
    stream->own_stream = true;
    return &stream->file.cfile.file;
}

FILE *fdopen(int fd, const char *mode)
{
    int flags = parse_mode(mode), has = fcntl(fd, F_GETFL);
    if (flags < 0 || has < 0)
        return NULL;
    if ((has & O_ACCMODE) != O_RDWR && (has & O_ACCMODE) != (flags & O_ACCMODE)) {
        errno = EINVAL;
        return NULL;
    }
    if (flags & O_APPEND)
        fcntl(fd, F_SETFL, has | O_APPEND);
    return make(fd, flags);
}

FILE *fopen(const char *path, const char *mode)
{
    int flags = parse_mode(mode);
    int fd = flags < 0 ? -1 : open(path, flags, 0666);
    FILE *file = fd < 0 ? NULL : make(fd, flags);
    if (!file && fd >= 0)
        close(fd);
    return file;
}

/* The stream stays and so does its descriptor's number, so that stdout is what descriptor 1 is. */
FILE *freopen(const char *path, const char *mode, FILE *file)
{
    struct stream *stream = stream_of(file);
    int flags = parse_mode(mode);
    fflush(file);
    int fd = !stream || flags < 0 ? -1 : open(path, flags, 0666);
    if (fd < 0) {
        if (stream)
            fclose(file);
        return NULL;
    }
    int to = stream->fd;
    if (fd != to) {
        dup3(fd, to, flags & O_CLOEXEC);
        close(fd);
    }
    stream->writing = false;
    stream->at = stream->used = 0;
    stream->undecided = true;
    file->unget = 0;
    file->flags = (uint8_t)((file->flags & (__SEXT | __SCLOSE)) | stream_flags(flags));
    return file;
}

int fileno(FILE *file)
{
    struct stream *stream = stream_of(file);
    return stream ? stream->fd : (int)fd_result(-EBADF);
}

/* Into the buffer, or past it where there is more than it holds. Caller must hold the lock. */
static size_t write_many(struct stream *stream, const char *bytes, size_t count)
{
    size_t done = 0;
    if (stream_begin(stream, true) != 0 ||
        (stream->mode == _IONBF && stream_write_out(stream) != 0))
        return 0;
    while (done < count) {
        size_t left = count - done, room = stream->size - stream->used;
        if (stream->used == 0 && (left >= stream->size || stream->mode == _IONBF)) {
            ssize_t part = write(stream->fd, bytes + done, left);
            if (part < 0)
                return done;
            done += (size_t)part;
            continue;
        }
        size_t part = left < room ? left : room;
        exos_hold();
        memcpy(stream->buffer + stream->used, bytes + done, part);
        stream->used += part;
        exos_release();
        done += part;
        if (stream->used == stream->size && stream_write_out(stream) != 0)
            return done;
    }
    if (stream->mode == _IOLBF && memchr(bytes, '\n', count) && stream_write_out(stream) != 0)
        return 0;
    return done;
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file)
{
    struct stream *stream = stream_of(file);
    size_t total, done = 0;
    if (!(file->flags & __SWR) || !size || !count || __builtin_mul_overflow(size, count, &total))
        return 0;
    if (stream) {
        __lock_acquire_recursive(stream->lock);
        done = write_many(stream, bytes, total);
        if (done < total)
            file->flags |= __SERR;
        __lock_release_recursive(stream->lock);
    } else {
        while (done < total && file->put(((const char *)bytes)[done], file) >= 0)
            done++;
    }
    return done / size;
}

int fputs(const char *text, FILE *file)
{
    size_t length = strlen(text);
    return length && fwrite(text, 1, length, file) != length ? EOF : 0;
}

/* Caller must hold the lock. */
static size_t read_many(struct stream *stream, char *bytes, size_t count)
{
    size_t done = 0;
    while (done < count && stream_fill(stream) == 0) {
        size_t here = stream->used - stream->at;
        size_t part = count - done < here ? count - done : here;
        memcpy(bytes + done, stream->buffer + stream->at, part);
        stream->at += part;
        done += part;
    }
    return done;
}

size_t fread(void *bytes, size_t size, size_t count, FILE *file)
{
    struct stream *stream = stream_of(file);
    char *to = bytes;
    size_t total, done = 0;
    if (!(file->flags & __SRD) || !size || !count || __builtin_mul_overflow(size, count, &total))
        return 0;
    int c = 0;
    while (done < total && (!stream || file->unget) && (c = getc(file)) != EOF)
        to[done++] = (char)c;
    if (stream && done < total) {
        __lock_acquire_recursive(stream->lock);
        done += read_many(stream, to + done, total - done);
        __lock_release_recursive(stream->lock);
    }
    return done / size;
}

/* picolibc's answers NULL, and so loses it, where the last line of a file has no end. */
char *fgets(char *line, int size, FILE *file)
{
    char *at = line;
    int c = 0;
    bool had_failed = ferror(file);

    if (size <= 0)
        return NULL;
    while (at < line + size - 1 && c != '\n' && (c = getc(file)) != EOF)
        *at++ = (char)c;
    if (c == EOF && (at == line || (ferror(file) && !had_failed)))
        return NULL;
    *at = 0;
    return line;
}

ssize_t getdelim(char **line, size_t *size, int end, FILE *file)
{
    size_t used = 0;
    int c;
    if (!line || !size)
        return fd_result(-EINVAL);
    if (!*line)
        *size = 0;
    while ((c = getc(file)) != EOF) {
        if (used + 2 > *size) {
            size_t more = *size ? 2 * *size : LINE_FIRST;
            char *grown = realloc(*line, more);
            if (!grown)
                return -1;
            *line = grown;
            *size = more;
        }
        (*line)[used++] = (char)c;
        if (c == end)
            break;
    }
    if (used == 0)
        return -1;
    (*line)[used] = 0;
    return (ssize_t)used;
}

ssize_t getline(char **line, size_t *size, FILE *file)
{
    return getdelim(line, size, '\n', file);
}

int vdprintf(int fd, const char *format, va_list arguments)
{
    char *text;
    int length = vasprintf(&text, format, arguments);
    if (length < 0)
        return length;
    ssize_t done = write(fd, text, (size_t)length);
    free(text);
    return (int)done;
}

int dprintf(int fd, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = vdprintf(fd, format, arguments);
    va_end(arguments);
    return result;
}
