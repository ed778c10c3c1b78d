/* Streams: what picolibc calls for each character, and the buffers behind that. */
#include "libos/fd/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libos/fd/fd.h"

static struct stream *streams; /* under exos_hold */

/* Line by line where a person reads it. */
static void decide_mode(struct stream *stream)
{
    struct stat status;
    stream->undecided = false;
    stream->mode = fstat(stream->fd, &status) == 0 && S_ISCHR(status.st_mode) ? _IOLBF : _IOFBF;
}

static void find_buffer(struct stream *stream)
{
    if (stream->undecided)
        decide_mode(stream);
    if (stream->buffer)
        return;
    stream->buffer = stream->mode == _IONBF ? NULL : malloc(BUFSIZ);
    stream->own_buffer = stream->buffer != NULL;
    stream->size = stream->buffer ? BUFSIZ : sizeof stream->small;
    if (!stream->buffer)
        stream->buffer = stream->small;
}

/* All that is in the buffer, also what another thread puts there meanwhile. What can't be written
 * stays. */
int stream_write_out(struct stream *stream)
{
    while (stream->writing && stream->used) {
        ssize_t done = write(stream->fd, stream->buffer, stream->used);
        if (done < 0)
            return EOF;
        exos_hold();
        stream->used -= (size_t)done;
        memmove(stream->buffer, stream->buffer + done, stream->used);
        exos_release();
    }
    return 0;
}

/* What was read ahead is given back to the file, if that can be sought. */
static int give_back(struct stream *stream)
{
    size_t ahead = stream->used - stream->at;
    int error = errno;
    if (ahead && lseek(stream->fd, -(off_t)ahead, SEEK_CUR) < 0)
        errno = error;
    stream->at = stream->used = 0;
    return 0;
}

int stream_begin(struct stream *stream, bool writing)
{
    if (!stream->buffer)
        find_buffer(stream);
    if (stream->writing == writing)
        return 0;
    if ((stream->writing ? stream_write_out(stream) : give_back(stream)) != 0)
        return EOF;
    stream->at = stream->used = 0;
    stream->writing = writing;
    return 0;
}

static void flush_lines(void);

int stream_fill(struct stream *stream)
{
    if (stream_begin(stream, false) != 0)
        return EOF;
    if (stream->at < stream->used)
        return 0;
    if (stream->mode != _IOFBF)
        flush_lines(); /* a question is seen before the answer is waited for */
    ssize_t got = read(stream->fd, stream->buffer, stream->mode == _IONBF ? 1 : stream->size);
    stream->at = 0;
    stream->used = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return 0;
    stream->file.cfile.file.flags |= got == 0 ? __SEOF : __SERR;
    return EOF;
}

static int put_slowly(struct stream *stream, char c)
{
    int result = EOF;
    __lock_acquire_recursive(stream->lock);
    if (stream_begin(stream, true) == 0 &&
        (stream->used < stream->size || stream_write_out(stream) == 0)) {
        stream->buffer[stream->used++] = c;
        result = (unsigned char)c;
        bool over = stream->mode == _IONBF || stream->used == stream->size ||
                    (stream->mode == _IOLBF && c == '\n');
        if (over && stream_write_out(stream) != 0)
            result = EOF;
    }
    if (result == EOF)
        stream->file.cfile.file.flags |= __SERR;
    __lock_release_recursive(stream->lock);
    return result;
}

static int stream_put(char c, FILE *file)
{
    struct stream *stream = (struct stream *)file;
    exos_hold();
    bool room = stream->writing && stream->used + 1 < stream->size &&
                (stream->mode == _IOFBF || (stream->mode == _IOLBF && c != '\n'));
    if (room)
        stream->buffer[stream->used++] = c;
    exos_release();
    return room ? (unsigned char)c : put_slowly(stream, c);
}

static int get_slowly(struct stream *stream)
{
    __lock_acquire_recursive(stream->lock);
    int result = stream_fill(stream) == 0 ? (unsigned char)stream->buffer[stream->at++]
                 : stream->file.cfile.file.flags & __SERR ? _FDEV_ERR
                                                          : _FDEV_EOF;
    __lock_release_recursive(stream->lock);
    return result;
}

static int stream_get(FILE *file)
{
    struct stream *stream = (struct stream *)file;
    int c = -1;
    exos_hold();
    if (!stream->writing && stream->at < stream->used)
        c = (unsigned char)stream->buffer[stream->at++];
    exos_release();
    return c >= 0 ? c : get_slowly(stream);
}

static int stream_flush(FILE *file)
{
    struct stream *stream = (struct stream *)file;
    __lock_acquire_recursive(stream->lock);
    int result = stream->writing ? stream_write_out(stream) : give_back(stream);
    if (result)
        file->flags |= __SERR;
    __lock_release_recursive(stream->lock);
    return result;
}

static void forget(struct stream *stream)
{
    exos_hold();
    *(stream->previous ? &stream->previous->next : &streams) = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    exos_release();
}

static int stream_close(FILE *file)
{
    struct stream *stream = (struct stream *)file;
    int result = stream_flush(file);
    forget(stream);
    if (close(stream->fd) < 0)
        result = EOF;
    __lock_close_recursive(stream->lock);
    if (stream->own_buffer)
        free(stream->buffer);
    if (stream->own_stream)
        free(stream);
    return result;
}

/* Where the next character is read or written. */
static off_t position(const struct stream *stream)
{
    off_t at = lseek(stream->fd, 0, SEEK_CUR);
    if (at < 0)
        return at;
    if (stream->writing)
        return at + (off_t)stream->used;
    return at - (off_t)(stream->used - stream->at) - (stream->file.cfile.file.unget != 0);
}

static __off_t stream_seek(FILE *file, __off_t offset, int whence)
{
    struct stream *stream = (struct stream *)file;
    __lock_acquire_recursive(stream->lock);
    off_t result = offset == 0 && whence == SEEK_CUR ? position(stream) : -1;
    if (offset != 0 || whence != SEEK_CUR) {
        off_t from = whence == SEEK_CUR ? position(stream) : 0;
        if (from >= 0 && stream_flush(file) == 0)
            result = lseek(stream->fd, from + offset, whence == SEEK_CUR ? SEEK_SET : whence);
        if (result >= 0) {
            file->unget = 0;
            file->flags &= (uint8_t)~__SEOF;
        }
    }
    __lock_release_recursive(stream->lock);
    return result;
}

static int stream_setvbuf(FILE *file, char *buffer, int mode, size_t size)
{
    struct stream *stream = (struct stream *)file;
    if (mode != _IOFBF && mode != _IOLBF && mode != _IONBF)
        return -1;
    __lock_acquire_recursive(stream->lock);
    int result = stream_flush(file);
    if (result == 0) {
        if (stream->own_buffer)
            free(stream->buffer);
        stream->own_buffer = stream->undecided = stream->writing = false;
        stream->mode = (uint8_t)mode;
        stream->buffer = mode != _IONBF && buffer && size ? buffer : NULL;
        stream->size = stream->buffer ? size : 0;
    }
    __lock_release_recursive(stream->lock);
    return result;
}

struct stream *stream_of(FILE *file)
{
    return file->put == stream_put ? (struct stream *)file : NULL;
}

bool stream_init(struct stream *stream, int fd, int flags)
{
    *stream =
        (struct stream){.file = FDEV_SETUP_EXT(stream_put, stream_get, stream_flush, stream_close,
                                               stream_seek, stream_setvbuf, (uint8_t)flags),
                        .fd = fd,
                        .undecided = true};
    __lock_init_recursive(stream->lock);
    exos_hold();
    stream->next = streams;
    if (streams)
        streams->previous = stream;
    streams = stream;
    exos_release();
    return true;
}

/* A stream that is closed by another thread meanwhile would break the chain: like everywhere, who
 * closes it sees to it that nobody uses it. */
static int flush_all(bool lines)
{
    int result = 0;
    for (struct stream *stream = streams; stream; stream = stream->next)
        if (stream->writing && stream->used && (!lines || stream->mode == _IOLBF) &&
            stream_flush(&stream->file.cfile.file) != 0)
            result = EOF;
    return result;
}

static void flush_lines(void)
{
    flush_all(true);
}

/* picolibc's own crashes on NULL, which the standard defines: all streams. */
int fflush(FILE *file)
{
    if (!file)
        return flush_all(false);
    return file->flush ? file->flush(file) : 0;
}

/* At the end input that was read ahead is given back, too: who shares the file goes on there. */
static void flush_at_exit(void)
{
    flush_all(false);
    for (struct stream *stream = streams; stream; stream = stream->next)
        stream_flush(&stream->file.cfile.file);
}

static struct stream standard[3];
FILE *const stdin = &standard[0].file.cfile.file;
FILE *const stdout = &standard[1].file.cfile.file;
FILE *const stderr = &standard[2].file.cfile.file;

/* Before other constructors, and so flushed behind all other functions of atexit. */
__attribute__((constructor(101))) static void open_standard(void)
{
    stream_init(&standard[2], STDERR_FILENO, __SWR);
    stream_init(&standard[1], STDOUT_FILENO, __SWR);
    stream_init(&standard[0], STDIN_FILENO, __SRD);
    standard[2].undecided = false;
    standard[2].mode = _IOLBF;
    atexit(flush_at_exit);
}
