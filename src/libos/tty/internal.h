/* What the files of tty/ share. */
#ifndef EXOS_TTY_INTERNAL_H
#define EXOS_TTY_INTERNAL_H

#include "libos/tty/tty.h"

/* Requests of ioctl behind the functions of termios.h and unistd.h; argument as named. */
enum tty_request {
    TTY_GET = 0x5401,       /* struct termios */
    TTY_SET = 0x5402,       /* struct termios */
    TTY_SET_FLUSH = 0x5404, /* the same, and what was typed is forgotten */
    TTY_FORGET = 0x540b,
};

#endif
