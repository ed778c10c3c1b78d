/* The streams of stdio over descriptors; not for programs. */
#ifndef EXOS_FD_STREAM_H
#define EXOS_FD_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/lock.h>

/*
 * picolibc's functions work on the first member: they call put, get, flush, close, seek and setvbuf
 * there. One character at a time goes in and out of the buffer under exos_hold; the lock is for who
 * empties or fills it, and may wait.
 */
struct stream {
    struct __file_ext file;
    struct stream *next, *previous; /* all open streams */
    _LOCK_T lock;
    int fd;
    uint8_t mode;    /* _IOFBF, _IOLBF or _IONBF */
    bool undecided;  /* mode is chosen at the first use */
    bool own_buffer; /* from malloc */
    bool own_stream; /* likewise */
    bool writing;    /* buffer[0..used) waits to be written; else [at..used) to be read */
    char *buffer;    /* NULL until the first use */
    size_t size, used, at;
    char small[8]; /* the buffer of an unbuffered stream */
};

/* The stream behind a FILE, or NULL if it is one of picolibc's own (of strings). */
struct stream *stream_of(FILE *file);

/* Makes it one for descriptor fd; flags: __SRD, __SWR. Returns false without memory. */
bool stream_init(struct stream *stream, int fd, int flags);

/* Bytes out of the buffer, or room in it; 0 or EOF with errno. Caller must hold the stream's lock.
 */
int stream_write_out(struct stream *stream);
int stream_fill(struct stream *stream);
int stream_begin(struct stream *stream, bool writing);

#endif
