/* aegisctl console: the machine's shell, at the user's terminal or between pipes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "console_loop.h"
#include "words.h"

#define WORDS_MAX 64

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
    length = words_join(words, argv, text, sizeof(text), "command", "pipe it in", &c.why);
    if (length < 0) {
        return why_print(&c.why, "console");
    }
    console_terminal_open(&c.terminal);
    console_terminal_size(&request.columns, &request.rows);
    request.command = (struct control_bytes){(const uint8_t *)text, (uint32_t)length};
    request.plain = !c.terminal.in;
    request.own = own || request.plain || length > 0;
    c.signals = signals_catch(2, (int[]){SIGQUIT, SIGWINCH});
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
