/*
 * Terminals. One is a page of memory that a server (the agent) shares with the programs on it: two
 * rings, the attributes of termios.h, the window's size, the foreground group. The kernel knows
 * nothing of it.
 *
 *   server    takes what a person typed (tty_input), edits lines, echoes, sends signals (line.c);
 *             takes what programs print (tty_output)
 *   programs  read and write by descriptors of the kind "tty" (object.c), and wait in exos_wait
 *
 * Who shares the page can spoil the terminal for the others on it, as with any terminal; nobody
 * loses more by it: each side bounds what it reads there, and a lock left by somebody who has ended
 * is taken over.
 */
#ifndef EXOS_TTY_TTY_H
#define EXOS_TTY_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#define TTY_MAGIC    0x6c616e696d726554UL /* "Terminal" */
#define TTY_IN_SIZE  1024                 /* cells; powers of two */
#define TTY_OUT_SIZE 1024                 /* bytes */
#define TTY_LINE_MAX                                                                               \
    512 /* bytes of an edited line, its newline included; as in other systems, at                  \
           least 256 (_POSIX_MAX_CANON) */

/* A cell of the input ring: a byte, and what it ends. */
#define TTY_CELL_BYTE 0x0ff
#define TTY_CELL_LAST 0x100 /* a read ends with this byte */
#define TTY_CELL_END                                                                               \
    0x200 /* no byte: a read ends before it, and returns 0 if it has nothing else */

/* tty_page.flags; the server's */
#define TTY_TERMINAL                                                                               \
    1                 /* isatty; else a pair of pipes: nothing is edited, nothing is translated    \
                       */
#define TTY_ENDED   2 /* no input will follow what is there */
#define TTY_HUNG_UP 4 /* the terminal is gone: reads find the end, writes fail with EIO */

/* Counts are of all cells or bytes ever; a ring's place is the count modulo its size. */
struct tty_page {
    uint64_t magic;
    uint64_t events;            /* the server counts what readers and writers may wait for */
    uint64_t in_tail;           /* the server's: cells put in */
    uint64_t in_floor;          /* the server's: cells before it are forgotten */
    uint64_t in_head;           /* readers': cells taken, under in_lock */
    uint64_t out_tail;          /* writers': bytes put in, under out_lock */
    uint64_t out_head;          /* the server's: bytes taken */
    uint64_t in_lock, out_lock; /* serial << 32 | environment of who is at it; 0: nobody */
    uint64_t starved;           /* the server has input for which there was no room */
    int64_t group;              /* foreground process group; 0: all are in the foreground */
    int64_t server;             /* process number of the server, to be rung, */
    uint32_t server_env;        /* and its environment */
    uint32_t server_serial;
    uint32_t flags;
    uint16_t rows, columns; /* 0: unknown */
    struct termios attributes;
    uint32_t reserved[16];
    uint16_t in[TTY_IN_SIZE];
    uint8_t out[TTY_OUT_SIZE];
};
_Static_assert(sizeof(struct tty_page) <= 4096, "a page");

/* ---- server ---- */

/* The server's side. Nothing that others can write is trusted, and what it decides by is its own.
 */
struct tty {
    struct tty_page *page;
    uint64_t in_tail, out_head;
    char line[TTY_LINE_MAX]; /* the edited line, its newline not in it */
    size_t length;
    bool wake; /* something was changed that others may wait for */
    /* What the person is to see beside what programs print. */
    void (*echo)(void *context, const char *bytes, size_t size);
    /* A signal for the foreground group. */
    void (*signal)(void *context, int number);
    void *context;
};

/* Begin with a zeroed page, which stays the caller's; terminal: TTY_TERMINAL, with usual
 * attributes. */
void tty_init(struct tty *tty, struct tty_page *page, bool terminal);

/*
 * Take what was typed, and return how many bytes of it: fewer than size if there is no room. On a
 * terminal the bytes that send signals need none, and forget what was typed before them.
 */
size_t tty_input(struct tty *tty, const uint8_t *bytes, size_t size);

/* Nothing follows. On a terminal that is as if VEOF were typed, each time it is called. */
void tty_input_end(struct tty *tty);

/* Take up to room bytes of what programs printed; how many. */
size_t tty_output(struct tty *tty, uint8_t *to, size_t room);

/* Bytes that wait for tty_output. */
size_t tty_waiting(const struct tty *tty);

/* The window's size has changed; SIGWINCH to the foreground group. */
void tty_resize(struct tty *tty, uint16_t columns, uint16_t rows);

void tty_hang_up(struct tty *tty);

/* After any of these: let readers and writers look again, if there was a change. */
void tty_wake(struct tty *tty);

/* ---- programs: rings.c, the page's other side ---- */

/* Take up to count bytes of input. How many; 0: the end; -1: there is nothing yet. Caller holds
 * in_lock. */
ssize_t tty_take(struct tty_page *page, uint8_t *to, size_t count);

/* Put as many of count bytes as fit, newlines translated as attributes say; how many were taken.
 * Caller holds out_lock. */
size_t tty_put(struct tty_page *page, const uint8_t *bytes, size_t count);

/* Whether tty_take would not return -1. */
bool tty_readable(const struct tty_page *page);

/* Whether tty_put would take something. */
bool tty_room(const struct tty_page *page);

/* Forget what was typed. Caller holds in_lock. */
void tty_forget(struct tty_page *page);

/* Bytes that can be read at once. */
size_t tty_readable_bytes(const struct tty_page *page);

/* ---- descriptors: object.c ---- */

struct fd_object;

/*
 * In the server: an object of a terminal's page, which must lie in memory of vm_shared_alloc, to be
 * installed as descriptors (fd_install) and passed to programs. NULL: no memory.
 */
struct fd_object *tty_object(struct tty_page *page);

#endif
