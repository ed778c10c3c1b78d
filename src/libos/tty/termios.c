/* The functions of termios.h, and those of unistd.h about foreground groups. */
#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "libos/tty/internal.h"

int tcgetattr(int fd, struct termios *attributes)
{
    return ioctl(fd, TTY_GET, attributes);
}

int tcsetattr(int fd, int when, const struct termios *attributes)
{
    struct termios copy = *attributes;
    if (when != TCSANOW && when != TCSADRAIN && when != TCSAFLUSH) {
        errno = EINVAL;
        return -1;
    }
    return ioctl(fd, when == TCSAFLUSH ? TTY_SET_FLUSH : TTY_SET, &copy);
}

int tcflush(int fd, int which)
{
    struct winsize size;
    if (which < TCIFLUSH || which > TCIOFLUSH) {
        errno = EINVAL;
        return -1;
    }
    return which == TCOFLUSH ? ioctl(fd, TIOCGWINSZ, &size) : ioctl(fd, TTY_FORGET, &size);
}

/* What was written is the terminal's, in the order of its writing: there is no later. */
int tcdrain(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size);
}

void cfmakeraw(struct termios *t)
{
    t->c_iflag &= ~(tcflag_t)(BRKINT | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->c_oflag &= ~(tcflag_t)OPOST;
    t->c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG | IEXTEN);
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

speed_t cfgetispeed(const struct termios *attributes)
{
    (void)attributes;
    return B38400;
}

speed_t cfgetospeed(const struct termios *attributes)
{
    (void)attributes;
    return B38400;
}

pid_t tcgetpgrp(int fd)
{
    pid_t group;
    return ioctl(fd, TIOCGPGRP, &group) < 0 ? -1 : group;
}

int tcsetpgrp(int fd, pid_t group)
{
    return ioctl(fd, TIOCSPGRP, &group);
}
