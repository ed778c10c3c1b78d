/* aegisctl list: the bindings that were loaded. */
#include <inttypes.h>
#include <stdio.h>

#include "client.h"
#include "commands.h"

static void print_row(const struct control_binding_row *row)
{
    printf("%-31s %7" PRIu32 " %-15s %4" PRIu32 " %5" PRIu32 " %7" PRIu32 " %10" PRIu64 " %8" PRIu64
           " %10" PRIu64 "  %s%s\n",
           row->name, row->binding, row->app[0] != 0 ? row->app : "-", row->env, row->netif,
           row->ingress_size + row->egress_size, row->received, row->dropped, row->sent,
           row->handler[0] != 0 ? row->handler : "-", row->unbound ? " (unbound)" : "");
}

static void print_detail(const struct control_binding_row *row)
{
    printf("%s: binding %" PRIu32 " on interface %" PRIu32, row->name, row->binding, row->netif);
    if (row->env == 0) {
        printf("; %s has ended, and took it along\n", row->app);
    } else if (row->app[0] != 0) {
        printf("; its owner is %s (environment %" PRIu32 ")\n", row->app, row->env);
    } else {
        printf("; its owner is the agent (environment %" PRIu32 "): it feeds its handler alone\n",
               row->env);
    }
    printf("  filters    ingress %" PRIu32 " bytes, egress %" PRIu32 " bytes\n", row->ingress_size,
           row->egress_size);
    printf("  frames     %" PRIu64 " received, %" PRIu64 " dropped, %" PRIu64 " sent, %" PRIu64
           " refused by the egress filter\n",
           row->received, row->dropped, row->sent, row->refused);
}

static void print_handler(const struct control_binding_row *row, struct control_handler_row *h)
{
    printf("  handler    %" PRIu32 " %s: %" PRIu32 " instructions, %" PRIu32
           " bytes of code, %" PRIu32 " accesses (%" PRIu32 " guarded), %" PRIu32 " maps\n",
           h->handler, row->handler, h->insns, h->code, h->accesses, h->guards, h->maps);
    printf("  runs       %" PRIu64 ", fuel %" PRIu64 " spent, %" PRIu32 " a run at most\n", h->runs,
           h->fuel, h->limit);
    printf("  verdicts   PASS %" PRIu64 ", DROP %" PRIu64 ", TX %" PRIu64 " (%" PRIu64
           " refused), ABORTED %" PRIu64 "\n",
           h->passed, h->dropped, h->sent, h->refused, h->aborted);
    printf("  strikes    %" PRIu32 " of %" PRIu32 "%s\n", h->strikes, h->strikes_most,
           row->unbound ? ": unbound; frames go past it" : "");
    if (h->abort[0] != 0) {
        client_printable(h->abort);
        printf("  last abort handler %" PRIu32 " %s\n", h->handler, h->abort);
    }
}

/* The rows of one page, in the order in which they came: a binding, then its handler. */
static int print_rows(const struct control_message *reply, bool verbose)
{
    struct control_binding_row row;
    struct control_handler_row h;
    size_t position = 0, behind = 0;
    int status;

    while ((status = control_next_row(CONTROL_RECORD_binding_row, reply->body, reply->size,
                                      &position, &row)) > 0) {
        client_printable(row.handler);
        if (!verbose) {
            print_row(&row);
            continue;
        }
        print_detail(&row);
        if (row.handler[0] == 0) {
            continue;
        }
        if (control_next_row(CONTROL_RECORD_handler_row, reply->body, reply->size, &behind, &h) <=
            0) {
            return -1;
        }
        print_handler(&row, &h);
    }
    return status;
}

/* One page of the list. *next becomes where to go on, 0 at the end. */
static int print_page(struct client_session *session, bool verbose, uint32_t *next, struct why *why)
{
    struct control_list request = {.start = *next, .detail = verbose};
    struct control_message reply;
    struct control_listed listed;

    if (client_ask(session, CONTROL_LIST, CONTROL_RECORD_list, &request, CLIENT_LIMIT_MS, &reply,
                   why) != 0) {
        return -1;
    }
    if (control_decode(CONTROL_RECORD_listed, reply.body, reply.size, &listed) != 0 ||
        print_rows(&reply, verbose) < 0 || (listed.next != 0 && listed.next <= *next)) {
        return why_set(why, "the reply is malformed");
    }
    *next = listed.next;
    return 0;
}

static int list(const struct command *command, int argc, char **argv)
{
    const char *name = INSTANCE_DEFAULT;
    bool verbose = false;
    const struct option_row rows[] = {
        {"v", OPTION_FLAG, &verbose, NULL, "what each binding and its handler have done", 0, 0},
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
    if (!verbose) {
        printf("%-31s %7s %-15s %4s %5s %7s %10s %8s %10s  %s\n", "name", "binding", "app", "env",
               "netif", "bytes", "received", "dropped", "sent", "handler");
    }
    do {
        status = print_page(&session, verbose, &next, &why);
    } while (status == 0 && next != 0);
    client_close(&session);
    return status == 0 ? 0 : why_print(&why, "list");
}

const struct command command_list = {
    "list", "[-v]", 0, 0, "Print the bindings that were loaded, with their counts of frames.", list,
};
