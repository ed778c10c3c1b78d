/* aegisctl unload: undo a binding. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "commands.h"

static void report(const char *name, struct control_unloaded *unloaded)
{
    printf("%s: binding %" PRIu32 " undone", name, unloaded->binding);
    if (unloaded->env == 0) {
        printf("; %s had ended, and took it along", unloaded->app);
    } else {
        printf("%s%s; %" PRIu64 " frames received, %" PRIu64 " dropped, %" PRIu64 " sent",
               unloaded->app[0] != 0 ? ", which fed " : "", unloaded->app, unloaded->received,
               unloaded->dropped, unloaded->sent);
    }
    if (unloaded->handler[0] != 0) {
        client_printable(unloaded->handler);
        printf("\n%s: handler %s unloaded after %" PRIu64 " runs, %" PRIu32
               " pages of its maps freed",
               name, unloaded->handler, unloaded->runs, unloaded->pages);
    }
    printf("\n");
}

static int unload(const struct command *command, int argc, char **argv)
{
    const char *name = INSTANCE_DEFAULT;
    const struct option_row rows[] = {
        {"instance", OPTION_TEXT, &name, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct control_unloaded unloaded;
    struct control_unload request = {0};
    struct client_session session;
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (!control_is_name(argv[0], sizeof request.name)) {
        return usage_error(command, "\"%s\" is no name of a binding: 1 to %zu of A-Z a-z 0-9 . _ -",
                           argv[0], sizeof request.name - 1);
    }
    strcpy(request.name, argv[0]);
    if (client_open(&session, name, &why) != 0 ||
        client_call(&session, CONTROL_UNLOAD, CONTROL_RECORD_unload, &request, CLIENT_LIMIT_MS,
                    CONTROL_RECORD_unloaded, &unloaded, &why) != 0) {
        client_close(&session);
        return why_print(&why, "unload");
    }
    client_close(&session);
    report(request.name, &unloaded);
    return 0;
}

const struct command command_unload = {
    "unload", "NAME", 1, 1, "Undo the binding of that name, and its handler.", unload,
};
