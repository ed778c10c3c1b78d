/*
 * termios.h: what a terminal makes of what is typed and printed (POSIX.1-2017, XBD 11). There are
 * no lines whose speed or parity could be set, and no timer between bytes (VTIME); who prints from
 * the background, or sets attributes, isn't stopped (TOSTOP, SIGTTOU).
 */
#ifndef EXOS_TERMIOS_H
#define EXOS_TERMIOS_H

#include <sys/types.h>

typedef unsigned char cc_t;
typedef unsigned int speed_t;
typedef unsigned int tcflag_t;

#define NCCS    12
#define VINTR   0
#define VQUIT   1
#define VERASE  2
#define VKILL   3
#define VEOF    4
#define VTIME   5
#define VMIN    6
#define VEOL    7
#define VSTART  8
#define VSTOP   9
#define VSUSP   10
#define VWERASE 11

/* c_iflag */
#define ICRNL  0x001 /* a received CR is a newline */
#define INLCR  0x002 /* not there */
#define IGNCR  0x004 /* a received CR is dropped */
#define IXON   0x008 /* not there */
#define BRKINT 0x010 /* not there, as there are no lines */
#define INPCK  0x020
#define ISTRIP 0x040
#define IUTF8  0x080 /* erasing takes whole characters; always */

/* c_oflag */
#define OPOST 0x001
#define ONLCR 0x002 /* with OPOST: a newline is printed as CR and newline */

/* c_cflag */
#define CS8   0x030
#define CREAD 0x080

/* c_lflag */
#define ISIG   0x001 /* VINTR, VQUIT and VSUSP send signals to the foreground group */
#define ICANON 0x002 /* lines are edited, and read as lines */
#define ECHO   0x008
#define ECHOE  0x010 /* always, with ECHO */
#define ECHOK  0x020
#define NOFLSH 0x080 /* signals leave what was typed */
#define IEXTEN 0x100

#define TCSANOW   0
#define TCSADRAIN 1 /* once what was printed is taken */
#define TCSAFLUSH 2 /* and what was typed is forgotten */
#define TCIFLUSH  0
#define TCOFLUSH  1
#define TCIOFLUSH 2

#define B0     0
#define B38400 38400

struct termios {
    tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
    cc_t c_cc[NCCS];
};

int tcgetattr(int fd, struct termios *attributes);
int tcsetattr(int fd, int when, const struct termios *attributes);
int tcflush(int fd, int which);
int tcdrain(int fd);
void cfmakeraw(struct termios *attributes);
speed_t cfgetispeed(const struct termios *attributes);
speed_t cfgetospeed(const struct termios *attributes);

#endif
