/* aegisctl status: the machine as the agent sees it. */
#include <inttypes.h>
#include <stdio.h>

#include "client.h"
#include "commands.h"

#define PAGE_KIB 4

static void print_state(const struct control_state *state)
{
    double seconds = state->timebase != 0 ? (double)state->uptime / (double)state->timebase : 0;

    printf("uptime     %.1f s\n", seconds);
    printf("memory     %" PRIu64 " of %" PRIu64 " KiB free\n", state->pages_free * PAGE_KIB,
           state->pages_total * PAGE_KIB);
    printf("kernel     %" PRIu64 " KiB free for code, %" PRIu64 " KiB for filters and handlers\n",
           state->code_free / 1024, state->arena_free / 1024);
    printf("programs   %" PRIu32 " running\n", state->envs);
    printf("harts      %" PRIu32 "\n", state->harts);
    printf("address    %s\n",
           state->address[0] != 0 ? state->address : "none (no ip= in the boot arguments)");
    if (state->revision[0] != 0) {
        printf("revision   %s\n", state->revision);
    }
}

static void print_netif(const struct control_netif_row *row)
{
    const uint8_t *m = row->mac;

    printf("netif %-4" PRIu32 " %02x:%02x:%02x:%02x:%02x:%02x, mtu %" PRIu32 ", %" PRIu64
           " frames received, %" PRIu64 " unclaimed, %" PRIu64 " sent\n",
           row->netif, m[0], m[1], m[2], m[3], m[4], m[5], row->mtu, row->received, row->unclaimed,
           row->sent);
}

static int print_all(struct client_session *session, struct why *why)
{
    struct control_status request = {0};
    struct control_info info = {0};
    struct control_message reply;
    struct control_forward_row forward;
    struct control_informed informed;
    struct control_netif_row netif;
    struct control_state state;
    size_t position = 0;

    if (client_ask(session, CONTROL_INFO, CONTROL_RECORD_info, &info, CLIENT_LIMIT_MS, &reply,
                   why) != 0) {
        return -1;
    }
    if (control_decode(CONTROL_RECORD_informed, reply.body, reply.size, &informed) != 0) {
        return why_set(why, "the broker's reply is malformed");
    }
    printf("instance   %s, QEMU is process %" PRIu32 "\n", session->instance.name, informed.qemu);
    client_printable(informed.net);
    printf("network    %s\n", informed.net);
    while (control_next_row(CONTROL_RECORD_forward_row, reply.body, reply.size, &position,
                            &forward) > 0) {
        printf("forward    %s 127.0.0.1:%" PRIu32 " -> guest %" PRIu32 "\n",
               forward.tcp ? "TCP" : "UDP", forward.host, forward.guest);
    }
    if (client_ask(session, CONTROL_STATUS, CONTROL_RECORD_status, &request, CLIENT_LIMIT_MS,
                   &reply, why) != 0) {
        return -1;
    }
    if (control_decode(CONTROL_RECORD_state, reply.body, reply.size, &state) != 0) {
        return why_set(why, "the agent's reply is malformed");
    }
    client_printable(state.address);
    client_printable(state.revision);
    print_state(&state);
    position = 0;
    while (control_next_row(CONTROL_RECORD_netif_row, reply.body, reply.size, &position, &netif) >
           0) {
        print_netif(&netif);
    }
    return 0;
}

static int status(const struct command *command, int argc, char **argv)
{
    const char *name = INSTANCE_DEFAULT;
    const struct option_row rows[] = {
        {"instance", OPTION_TEXT, &name, "NAME", INSTANCE_HELP, 0, 0},
        {0},
    };
    int count, parsed = options_parse(command, rows, argc, argv, &count), result;
    struct client_session session;
    struct why why;

    if (parsed >= 0) {
        return parsed;
    }
    if (client_open(&session, name, &why) != 0) {
        return why_print(&why, "status");
    }
    result = print_all(&session, &why);
    client_close(&session);
    return result == 0 ? 0 : why_print(&why, "status");
}

const struct command command_status = {
    "status", "", 0, 0, "Print what the machine is doing.", status,
};
