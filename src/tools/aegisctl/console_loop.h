/* One client of the machine's console: from attaching to the end of the shell, or of the client. */
#ifndef AEGISCTL_CONSOLE_LOOP_H
#define AEGISCTL_CONSOLE_LOOP_H

#include "client.h"
#include "console_terminal.h"

#define CONSOLE_DETACH_KEY 0x1d /* ^] */

enum console_state {
    CONSOLE_RUNS,
    CONSOLE_DETACHING, /* the agent is asked to forget the client */
    CONSOLE_DETACHED,  /* by the user, or a signal */
    CONSOLE_ENDED,     /* the shell has: status is its own */
    CONSOLE_FAILED,    /* why says why */
};

struct console {
    struct client_session session;
    struct console_terminal terminal;
    enum console_state state;
    int signals;      /* signalfd, or -1 */
    uint32_t number;  /* the agent's, of this client */
    uint32_t status;  /* of the shell */
    int64_t heard_by; /* ms: something has to be answered by then */

    uint32_t reading;  /* id of the request for output under way; 0: none */
    uint64_t position; /* of the output that comes next */
    uint8_t out[CONTROL_OUTPUT_MAX];
    size_t out_begin, out_end; /* what standard output has not taken yet */
    int64_t alive_at;          /* ms: when to say that we still are, while it takes nothing */
    uint32_t last_status;      /* of a shell whose last output waits in out */
    bool last;

    uint32_t writing; /* id of the request with input under way; 0: none */
    uint8_t in[65536];
    size_t in_fill, in_sent; /* bytes in `in`, and how many of them the request has */
    bool in_ended, end_sent; /* standard input's end, and whether the agent has taken it */
    int64_t again_at;        /* ms: when to offer what the machine had no room for; 0: it had */

    uint32_t leaving; /* id of the request to detach */
    struct why why;
};

/*
 * Attach as asked, and carry bytes until one of the last three states. Before: session and terminal
 * are open, signals is set, everything else is 0.
 */
void console_run(struct console *console, const struct control_console *request);

/* console_input.c: take what can be read of standard input, and offer it to the machine. */
void console_take_input(struct console *console);
void console_offer(struct console *console);
void console_take_written(struct console *console, const struct control_message *message);

/* Send a request; sets *id, or fails. */
void console_request(struct console *console, uint16_t type, enum control_record record,
                     const void *from, uint32_t *id);

/* Ask the agent to forget this client. */
void console_leave(struct console *console);

void console_fail(struct console *console);

#endif
