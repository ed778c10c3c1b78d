/* aegisctl list: the bindings that were loaded. */
#include <inttypes.h>
#include <stdio.h>

#include "client.h"
#include "commands.h"

static void print_row(const struct control_binding_row *row)
{
    printf("%-31s %7" PRIu32 " %-15s %4" PRIu32 " %5" PRIu32 " %7" PRIu32 " %10" PRIu64 " %8" PRIu64
           " %10" PRIu64 "\n",
           row->name, row->binding, row->app, row->env, row->netif,
           row->ingress_size + row->egress_size, row->received, row->dropped, row->sent);
}

/* One page of the list. *next becomes where to go on, 0 at the end. */
static int print_page(struct client_session *session, uint32_t *next, struct why *why)
{
    struct control_list request = {.start = *next};
    struct control_binding_row row;
    struct control_message reply;
    struct control_listed listed;
    size_t position = 0;
    int status;

    if (client_ask(session, CONTROL_LIST, CONTROL_RECORD_list, &request, CLIENT_LIMIT_MS, &reply,
                   why) != 0) {
        return -1;
    }
    if (control_decode(CONTROL_RECORD_listed, reply.body, reply.size, &listed) != 0) {
        return why_set(why, "the reply is malformed");
    }
    while ((status = control_next_row(CONTROL_RECORD_binding_row, reply.body, reply.size, &position,
                                      &row)) > 0) {
        print_row(&row);
    }
    if (status < 0 || (listed.next != 0 && listed.next <= *next)) {
        return why_set(why, "the reply is malformed");
    }
    *next = listed.next;
    return 0;
}

static int list(const struct command *command, int argc, char **argv)
{
    const char *name = INSTANCE_DEFAULT;
    const struct option_row rows[] = {
        {"instance", OPTION_TEXT, &name, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, status = options_parse(command, rows, argc, argv, &count);
    struct client_session session;
    uint32_t next = 0;
    struct why why;

    if (status >= 0) {
        return status;
    }
    if (client_open(&session, name, &why) != 0) {
        return why_print(&why, "list");
    }
    printf("%-31s %7s %-15s %4s %5s %7s %10s %8s %10s\n", "name", "binding", "app", "env", "netif",
           "bytes", "received", "dropped", "sent");
    do {
        status = print_page(&session, &next, &why);
    } while (status == 0 && next != 0);
    client_close(&session);
    return status == 0 ? 0 : why_print(&why, "list");
}

const struct command command_list = {
    "list", "", 0, 0, "Print the bindings that were loaded, with their counts of frames.", list,
};
