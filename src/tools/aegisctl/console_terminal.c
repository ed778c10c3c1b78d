#include "console_terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct console_terminal *to_restore;

void console_terminal_open(struct console_terminal *terminal)
{
    terminal->in = isatty(STDIN_FILENO) == 1;
    terminal->out = isatty(STDOUT_FILENO) == 1;
    terminal->raw = false;
}

static void restore_at_exit(void)
{
    if (to_restore != NULL) {
        console_terminal_restore(to_restore);
    }
}

int console_terminal_raw(struct console_terminal *terminal, struct why *why)
{
    struct termios raw;

    if (!terminal->in) {
        return 0;
    }
    if (tcgetattr(STDIN_FILENO, &terminal->before) != 0) {
        return why_set(why, "the terminal: %s", strerror(errno));
    }
    if (to_restore == NULL) {
        atexit(restore_at_exit);
    }
    to_restore = terminal;
    terminal->raw = true;
    raw = terminal->before;
    cfmakeraw(&raw);
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) {
        return why_set(why, "the terminal: %s", strerror(errno));
    }
    return 0;
}

void console_terminal_restore(struct console_terminal *terminal)
{
    if (terminal->raw) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
        terminal->raw = false;
    }
}

void console_terminal_size(uint32_t *columns, uint32_t *rows)
{
    struct winsize size;

    *columns = *rows = 0;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}
