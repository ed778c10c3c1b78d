#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/net.h"
#include "libos/time/time.h"
#include "revision.h"

#define BODY_SIZE 4096 /* of a reply, unless the host takes less */

static uint8_t body[BODY_SIZE];

static void reply(const struct control_message *request, enum control_record record,
                  const void *from)
{
    int size = control_encode(record, from, body, sizeof body);
    session_send(request->type | CONTROL_REPLY, request->id, body, size < 0 ? 0 : (uint32_t)size);
}

static void reply_error(const struct control_message *request, const struct refusal *refusal)
{
    struct control_error error = {.code = refusal->code};
    snprintf(error.text, sizeof error.text, "agent: %s", refusal->text);
    int size = control_encode(CONTROL_RECORD_error, &error, body, sizeof body);
    session_send(CONTROL_ERROR, request->id, body, size < 0 ? 0 : (uint32_t)size);
}

static bool decode(const struct control_message *message, enum control_record record, void *to,
                   struct refusal *refusal)
{
    if (control_decode(record, message->body, message->size, to))
        return refuse(refusal, CONTROL_E_MALFORMED, "a request of type %u is malformed",
                      message->type);
    return true;
}

static bool load(const struct control_message *message, struct refusal *refusal)
{
    struct control_load asked;
    if (!decode(message, CONTROL_RECORD_load, &asked, refusal))
        return false;
    struct binding *b = binding_make(&asked, NULL, false, refusal);
    if (!b)
        return false;
    printf("agent: binding %u (%s) to %s (environment %u)\n", (unsigned)b->number, b->name, b->app,
           (unsigned)b->env);
    struct control_loaded loaded = {
        .binding = b->number, .env = b->env, .slots = aegis_binding(b->number)->slots};
    reply(message, CONTROL_RECORD_loaded, &loaded);
    return true;
}

static bool unload(const struct control_message *message, struct refusal *refusal)
{
    struct control_unload asked;
    if (!decode(message, CONTROL_RECORD_unload, &asked, refusal))
        return false;
    struct binding *b = binding_named(asked.name);
    if (!b)
        return refuse(refusal, CONTROL_E_NO_NAME, "no binding has the name %s", asked.name);
    if (!binding_undo(b, refusal))
        return false;
    reply(message, CONTROL_RECORD_unloaded, &(struct control_unloaded){0});
    return true;
}

static struct control_binding_row binding_row(const struct binding *b)
{
    struct aegis_counters counters = {0};
    struct control_binding_row row = {.binding = b->number,
                                      .netif = b->netif,
                                      .ingress_size = b->ingress_size,
                                      .egress_size = b->egress_size};
    memcpy(row.name, b->name, sizeof row.name);
    memcpy(row.app, b->app, sizeof row.app);
    if (binding_alive(b) && aegis_net_counters(b->number, &counters) == 0) {
        row.env = b->env;
        row.received = counters.received - counters.dropped;
        row.dropped = counters.dropped;
        row.sent = counters.sent;
    }
    return row;
}

static bool list(const struct control_message *message, struct refusal *refusal)
{
    struct control_list asked;
    struct control_listed listed = {0};
    if (!decode(message, CONTROL_RECORD_list, &asked, refusal))
        return false;

    size_t capacity = session_peer_max < sizeof body ? session_peer_max : sizeof body;
    int head = control_encode(CONTROL_RECORD_listed, &listed, body, capacity);
    size_t used = head < 0 ? 0 : (size_t)head;
    uint32_t index = asked.start;
    for (struct binding *b; (b = binding_at(index)); index++) {
        struct control_binding_row row = binding_row(b);
        int size =
            control_encode_row(CONTROL_RECORD_binding_row, &row, body + used, capacity - used);
        if (size < 0)
            break;
        used += (size_t)size;
    }
    listed.next = binding_at(index) && index > asked.start ? index : 0;
    control_encode(CONTROL_RECORD_listed, &listed, body,
                   (size_t)head); /* the same size, now with next */
    session_send(message->type | CONTROL_REPLY, message->id, body, (uint32_t)used);
    return true;
}

static uint32_t count_live(void)
{
    uint32_t live = 0;
    for (uint32_t env = 1; env < aegis_info()->env_count; env++)
        live += aegis_env(env)->state == AEGIS_ENV_LIVE;
    return live;
}

static struct control_netif_row netif_row(uint32_t number)
{
    const volatile struct aegis_netif_info *netif = &aegis_info()->netifs[number];
    struct control_netif_row row = {.netif = number,
                                    .mtu = netif->mtu,
                                    .received = netif->received,
                                    .unclaimed = netif->unclaimed,
                                    .sent = netif->sent};
    for (size_t i = 0; i < sizeof row.mac; i++)
        row.mac[i] = netif->mac[i];
    return row;
}

static bool status(const struct control_message *message, struct refusal *refusal)
{
    struct control_status asked;
    const volatile struct aegis_info *info = aegis_info();
    struct control_state state = {.uptime = time_now(),
                                  .timebase = info->timebase,
                                  .pages_total = info->page_count,
                                  .pages_free = info->free_pages,
                                  .envs = count_live(),
                                  .harts = info->harts,
                                  .revision = AEGIS_REVISION};
    struct net_address address;

    if (!decode(message, CONTROL_RECORD_status, &asked, refusal))
        return false;
    net_boot_address(&address, state.address);
    int used = control_encode(CONTROL_RECORD_state, &state, body, sizeof body);
    for (uint32_t i = 0; used > 0 && i < info->netif_count; i++) {
        struct control_netif_row row = netif_row(i);
        int size = control_encode_row(CONTROL_RECORD_netif_row, &row, body + used,
                                      sizeof body - (size_t)used);
        used += size < 0 ? 0 : size;
    }
    session_send(message->type | CONTROL_REPLY, message->id, body, used < 0 ? 0 : (uint32_t)used);
    return true;
}

static bool stop(const struct control_message *message, struct refusal *refusal, int *exit_status)
{
    struct control_stop asked;
    if (!decode(message, CONTROL_RECORD_stop, &asked, refusal))
        return false;
    if (asked.status > 255)
        return refuse(refusal, CONTROL_E_MALFORMED, "an exit status is 0 to 255, not %u",
                      (unsigned)asked.status);
    reply(message, CONTROL_RECORD_stopping, &(struct control_stopping){0});
    *exit_status = (int)asked.status;
    return true;
}

void request_answer(const struct control_message *message, int *exit_status)
{
    static const struct {
        uint16_t type;
        bool (*answer)(const struct control_message *message, struct refusal *refusal);
    } requests[] = {
        {CONTROL_LOAD, load},
        {CONTROL_UNLOAD, unload},
        {CONTROL_LIST, list},
        {CONTROL_STATUS, status},
    };
    struct refusal refusal = {0};
    bool done = false, known = false;

    if (!message->body && message->size) {
        refuse(&refusal, CONTROL_E_TOO_BIG, "a message of %u bytes is too large",
               (unsigned)message->size);
        reply_error(message, &refusal);
        return;
    }
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (message->type == requests[i].type) {
            known = true;
            done = requests[i].answer(message, &refusal);
        }
    if (message->type == CONTROL_STOP) {
        known = true;
        done = stop(message, &refusal, exit_status);
    }
    if (!known)
        refuse(&refusal, CONTROL_E_UNKNOWN,
               "no request has type %u; host and guest were built from different sources",
               message->type);
    if (!done)
        reply_error(message, &refusal);
}
