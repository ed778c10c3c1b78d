/*
 * Terminals with shells on them (libos/tty/tty.h), for console.c: the machine's, number 0, which
 * stays, and those of clients' own, which go with their client. What is printed is kept, for who
 * attaches later, in a ring of limited size.
 */
#ifndef AGENT_TERMINAL_H
#define AGENT_TERMINAL_H

#include <sys/types.h>

#include "agent.h"
#include "libos/tty/tty.h"

#define TERMINALS_MAX 8
#define NOBODY        UINT64_MAX
#define KEPT_SIZE     32768 /* bytes of output; a power of two */

struct terminal {
    struct tty tty;
    struct tty_page *page; /* NULL: free */
    pid_t shell;           /* 0: none runs */
    uint32_t env, serial;  /* that it was started in, whatever the session's table says by now */
    bool own;              /* a client's: it ends with it */
    bool ended;            /* its shell has, with status */
    int status;
    uint8_t *kept;   /* KEPT_SIZE bytes */
    uint64_t end;    /* position behind the last byte kept; below end - KEPT_SIZE all is lost */
    uint64_t seen;   /* what has been sent to some client */
    uint64_t needed; /* the first byte that an attached client has not got, by console.c; NOBODY:
                        none is attached */
};

extern struct terminal terminals[TERMINALS_MAX];

/*
 * The machine's terminal, or a new one of a client's own; with a shell running on it: interactive,
 * with bytes as they are if plain, or for command (NULL: none). NULL with *refusal.
 */
struct terminal *terminal_machine(struct refusal *refusal);
struct terminal *terminal_own(bool plain, const char *command, struct refusal *refusal);

/* Hang up, and let go of it; a shell that runs is ended. */
void terminal_close(struct terminal *terminal);

/* Take what programs have printed, as far as `needed` allows, and look whether shells have ended.
 */
void terminals_serve(void);

/* Copy what is kept from *position on, up to room bytes; *position moves up over what is lost. How
 * many. */
size_t terminal_kept(const struct terminal *terminal, uint64_t *position, uint8_t *to, size_t room);

/* Whether its shell has ended and all that was printed is kept. */
bool terminal_is_over(const struct terminal *terminal);

#endif
