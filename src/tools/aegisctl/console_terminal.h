/* The user's terminal while the console is attached: raw, and as it was before after any end. */
#ifndef AEGISCTL_CONSOLE_TERMINAL_H
#define AEGISCTL_CONSOLE_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "why.h"

struct console_terminal {
    bool in, out; /* whether standard input, and output, are terminals */
    bool raw;
    struct termios before;
};

/* Look at the descriptors; nothing changes yet. */
void console_terminal_open(struct console_terminal *terminal);

/* Keys come one by one and unseen, ^C among them. Does nothing if input is no terminal. */
int console_terminal_raw(struct console_terminal *terminal, struct why *why);

/* As it was; may be called again. Also registered to run at exit. */
void console_terminal_restore(struct console_terminal *terminal);

/* Its size, 0 and 0 if there is none. */
void console_terminal_size(uint32_t *columns, uint32_t *rows);

#endif
