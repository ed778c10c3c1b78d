/* aegisctl stop: end the machine through its test device, and return its status. */
#include <unistd.h>

#include "client.h"
#include "commands.h"

#define LIMIT_MS 20000 /* the broker kills QEMU after 10 s */

static int stop(const struct command *command, int argc, char **argv)
{
    const char *name = INSTANCE_DEFAULT;
    long status = 0;
    const struct option_row rows[] = {
        {"status", OPTION_NUMBER, &status, "N", "exit status for QEMU to end with (default: 0)", 0,
         255},
        {"instance", OPTION_TEXT, &name, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, parsed = options_parse(command, rows, argc, argv, &count);
    struct client_session session;
    struct control_halted halted;
    struct control_halt halt;
    struct why why;

    if (parsed >= 0) {
        return parsed;
    }
    halt = (struct control_halt){.status = (uint32_t)status};
    if (client_open(&session, name, &why) != 0 ||
        client_call(&session, CONTROL_HALT, CONTROL_RECORD_halt, &halt, LIMIT_MS,
                    CONTROL_RECORD_halted, &halted, &why) != 0) {
        client_close(&session);
        return why_print(&why, "stop");
    }
    client_close(&session);
    for (int i = 0; i < 200 && instance_runs(&session.instance); i++) {
        usleep(10000); /* so that the name is free when we return */
    }
    return (int)halted.status;
}

const struct command command_stop = {
    "stop", "", 0, 0, "End the machine; returns QEMU's exit status.", stop,
};
