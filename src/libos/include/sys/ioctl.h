/* sys/ioctl.h: what a descriptor's kind makes of a request; ENOTTY where it knows none. */
#ifndef EXOS_SYS_IOCTL_H
#define EXOS_SYS_IOCTL_H

#define FIONREAD   0x541b /* int: bytes that can be read at once */
#define FIONBIO    0x5421 /* int: of a socket: whether O_NONBLOCK is set */
#define TIOCGPGRP  0x540f /* pid_t: a terminal's foreground group, as tcgetpgrp */
#define TIOCSPGRP  0x5410
#define TIOCGWINSZ 0x5413 /* struct winsize */
#define TIOCSWINSZ 0x5414

struct winsize {
    unsigned short ws_row, ws_col;
    unsigned short ws_xpixel, ws_ypixel;
};

int ioctl(int fd, unsigned long request, ...);

#endif
