/* aegisctl console: the machine's shell, at the user's terminal or between pipes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "commands.h"
#include "console_loop.h"

#define WORDS_MAX 64

/* Signals that end it are read, so that the terminal is always restored. */
static int catch_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The words of a command with blanks between, as ssh does it. */
static int join(int count, char **words, char text[CONTROL_ARGUMENTS_MAX], struct why *why)
{
    size_t used = 0;

    for (int i = 0; i < count; i++) {
        size_t length = strlen(words[i]);

        if (used + length + 2 > CONTROL_ARGUMENTS_MAX) {
            return why_set(why, "the command is longer than %d bytes; pipe it in",
                           CONTROL_ARGUMENTS_MAX);
        }
        if (i > 0) {
            text[used++] = ' ';
        }
        memcpy(text + used, words[i], length);
        used += length;
    }
    return (int)used;
}

/* Say how it ended. Returns the exit status. */
static int report(struct console *c)
{
    switch (c->state) {
    case CONSOLE_ENDED:
        return (int)(c->status & 0xff);
    case CONSOLE_DETACHED:
        if (c->terminal.in) {
            fprintf(stderr, "\naegisctl: console: detached\n");
        }
        return 0;
    default:
        if (c->terminal.in) {
            fputc('\n', stderr);
        }
        return why_print(&c->why, "console");
    }
}

static int console(const struct command *command, int argc, char **argv)
{
    static struct console c;
    static char text[CONTROL_ARGUMENTS_MAX];
    const char *instance = INSTANCE_DEFAULT;
    bool own = false;
    const struct option_row rows[] = {
        {"own", OPTION_FLAG, &own, NULL,
         "a shell of one's own, which ends with the console, not the machine's", 0, 0},
        {"instance", OPTION_TEXT, &instance, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int words, length, status = options_parse(command, rows, argc, argv, &words);
    struct control_console request = {0};

    if (status >= 0) {
        return status;
    }
    length = join(words, argv, text, &c.why);
    if (length < 0) {
        return why_print(&c.why, "console");
    }
    console_terminal_open(&c.terminal);
    console_terminal_size(&request.columns, &request.rows);
    request.command = (struct control_bytes){(const uint8_t *)text, (uint32_t)length};
    request.plain = !c.terminal.in;
    request.own = own || request.plain || length > 0;
    c.signals = catch_signals();
    if (client_open(&c.session, instance, &c.why) == 0) {
        console_run(&c, &request);
    } else {
        c.state = CONSOLE_FAILED;
    }
    client_close(&c.session);
    close(c.signals);
    return report(&c);
}

const struct command command_console = {
    "console",
    "[COMMAND...]",
    0,
    WORDS_MAX,
    "Attach to the machine's shell, or run a command, or standard input, in one.",
    console,
};
