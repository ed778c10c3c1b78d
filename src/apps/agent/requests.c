#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/net/net.h"
#include "libos/time/time.h"
#include "revision.h"

uint8_t reply_body[REPLY_SIZE];

size_t reply_room(void)
{
    return session_peer_max < sizeof reply_body ? session_peer_max : sizeof reply_body;
}

void request_reply_body(const struct control_message *request, size_t size)
{
    session_send(request->type | CONTROL_REPLY, request->id, reply_body, (uint32_t)size);
}

void request_reply(const struct control_message *request, enum control_record record,
                   const void *from)
{
    int size = control_encode(record, from, reply_body, sizeof reply_body);
    request_reply_body(request, size < 0 ? 0 : (size_t)size);
}

static void reply_error(const struct control_message *request, const struct refusal *refusal)
{
    struct control_error error = {.code = refusal->code};
    snprintf(error.text, sizeof error.text, "agent: %s", refusal->text);
    int size = control_encode(CONTROL_RECORD_error, &error, reply_body, sizeof reply_body);
    session_send(CONTROL_ERROR, request->id, reply_body, size < 0 ? 0 : (uint32_t)size);
}

bool request_decode(const struct control_message *message, enum control_record record, void *to,
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
    if (!request_decode(message, CONTROL_RECORD_load, &asked, refusal))
        return false;
    struct binding *b = binding_make(&asked, NULL, false, refusal);
    if (!b)
        return false;
    if (b->handler)
        printf("agent: handler %u (%s) for binding %u\n", (unsigned)b->handler->number,
               b->handler->name, (unsigned)b->number);
    printf("agent: binding %u (%s) to %s (environment %u)\n", (unsigned)b->number, b->name,
           b->app[0] ? b->app : "its handler alone", (unsigned)b->env);
    struct control_loaded loaded = {
        .binding = b->number, .env = b->env, .slots = aegis_binding(b->number)->slots};
    if (b->handler) {
        struct aegis_handler_status did = handler_status(b->handler);
        loaded.handler = b->handler->number;
        loaded.insns = did.insns;
        loaded.code = did.code;
        loaded.guards = did.guards;
        loaded.maps = b->handler->map_count;
    }
    request_reply(message, CONTROL_RECORD_loaded, &loaded);
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
    if (binding_alive(b) && aegis_net_counters(b->number, &counters, NULL) == 0) {
        row.env = b->env;
        row.received = counters.received - counters.dropped;
        row.dropped = counters.dropped;
        row.sent = counters.sent;
        row.refused = counters.refused;
    }
    if (b->handler) {
        memcpy(row.handler, b->handler->name, sizeof row.handler);
        row.unbound = binding_alive(b) && handler_status(b->handler).binding == AEGIS_NO_BINDING;
    }
    return row;
}

static struct control_handler_row handler_row(const struct handler *h)
{
    struct aegis_handler_status did = handler_status(h);
    struct control_handler_row row = {.handler = h->number,
                                      .insns = did.insns,
                                      .code = did.code,
                                      .accesses = did.accesses,
                                      .guards = did.guards,
                                      .maps = h->map_count,
                                      .limit = h->limit,
                                      .strikes = did.strikes,
                                      .strikes_most = AEGIS_STRIKES,
                                      .runs = did.runs,
                                      .fuel = did.fuel,
                                      .aborted = did.verdicts[ASH_ABORTED],
                                      .dropped = did.verdicts[ASH_DROP],
                                      .passed = did.verdicts[ASH_PASS],
                                      .sent = did.verdicts[ASH_TX],
                                      .refused = did.refused};
    memcpy(row.abort, did.abort, sizeof row.abort);
    return row;
}

/* The binding's row, and its handler's if wanted; the bytes written, or negative if they don't fit.
 */
static int put_rows(const struct binding *b, bool detail, uint8_t *to, size_t room)
{
    struct control_binding_row row = binding_row(b);
    int used = control_encode_row(CONTROL_RECORD_binding_row, &row, to, room);
    if (used < 0 || !detail || !b->handler)
        return used;
    struct control_handler_row h = handler_row(b->handler);
    int size = control_encode_row(CONTROL_RECORD_handler_row, &h, to + used, room - (size_t)used);
    return size < 0 ? size : used + size;
}

/* What undoing a binding undoes. */
static struct control_unloaded undoing(const struct binding *b)
{
    struct control_binding_row row = binding_row(b);
    struct control_unloaded unloaded = {.binding = row.binding,
                                        .env = row.env,
                                        .received = row.received,
                                        .dropped = row.dropped,
                                        .sent = row.sent};
    memcpy(unloaded.app, row.app, sizeof unloaded.app);
    memcpy(unloaded.handler, row.handler, sizeof unloaded.handler);
    if (b->handler) {
        unloaded.runs = handler_status(b->handler).runs;
        unloaded.pages = b->handler->pages;
    }
    return unloaded;
}

static bool unload(const struct control_message *message, struct refusal *refusal)
{
    struct control_unload asked;
    if (!request_decode(message, CONTROL_RECORD_unload, &asked, refusal))
        return false;
    struct binding *b = binding_named(asked.name);
    if (!b)
        return refuse(refusal, CONTROL_E_NO_NAME, "no binding has the name %s", asked.name);
    struct control_unloaded unloaded = undoing(b);
    if (!binding_undo(b, refusal))
        return false;
    request_reply(message, CONTROL_RECORD_unloaded, &unloaded);
    return true;
}

static bool list(const struct control_message *message, struct refusal *refusal)
{
    struct control_list asked;
    struct control_listed listed = {0};
    if (!request_decode(message, CONTROL_RECORD_list, &asked, refusal))
        return false;

    size_t capacity = reply_room();
    int head = control_encode(CONTROL_RECORD_listed, &listed, reply_body, capacity);
    size_t used = head < 0 ? 0 : (size_t)head;
    uint32_t index = asked.start;
    for (struct binding *b; (b = binding_at(index)); index++) {
        int size = put_rows(b, asked.detail, reply_body + used, capacity - used);
        if (size < 0)
            break;
        used += (size_t)size;
    }
    listed.next = binding_at(index) && index > asked.start ? index : 0;
    control_encode(CONTROL_RECORD_listed, &listed, reply_body,
                   (size_t)head); /* the same size, now with next */
    request_reply_body(message, used);
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
                                  .code_free = info->code_free,
                                  .arena_free = info->arena_free,
                                  .revision = AEGIS_REVISION};
    struct net_address address;

    if (!request_decode(message, CONTROL_RECORD_status, &asked, refusal))
        return false;
    net_boot_address(&address, state.address);
    int used = control_encode(CONTROL_RECORD_state, &state, reply_body, sizeof reply_body);
    for (uint32_t i = 0; used > 0 && i < info->netif_count; i++) {
        struct control_netif_row row = netif_row(i);
        int size = control_encode_row(CONTROL_RECORD_netif_row, &row, reply_body + used,
                                      sizeof reply_body - (size_t)used);
        used += size < 0 ? 0 : size;
    }
    request_reply_body(message, used < 0 ? 0 : (size_t)used);
    return true;
}

static bool stop(const struct control_message *message, struct refusal *refusal, int *exit_status)
{
    struct control_stop asked;
    if (!request_decode(message, CONTROL_RECORD_stop, &asked, refusal))
        return false;
    if (asked.status > 255)
        return refuse(refusal, CONTROL_E_MALFORMED, "an exit status is 0 to 255, not %u",
                      (unsigned)asked.status);
    request_reply(message, CONTROL_RECORD_stopping, &(struct control_stopping){0});
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
        {CONTROL_CAPTURE, capture_begin},
        {CONTROL_FRAMES, capture_frames},
        {CONTROL_CAPTURE_END, capture_end},
        {CONTROL_START, request_start},
        {CONTROL_MAPS, request_maps},
        {CONTROL_MAP_READ, request_map_read},
        {CONTROL_MAP_WRITE, request_map_write},
        {CONTROL_CONSOLE, console_attach},
        {CONTROL_CONSOLE_READ, console_output},
        {CONTROL_CONSOLE_WRITE, console_input},
        {CONTROL_CONSOLE_SIZE, console_resize},
        {CONTROL_CONSOLE_DETACH, console_detach},
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
