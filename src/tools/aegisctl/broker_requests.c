/* What clients ask of the broker, and what the agent answers. */
#include <string.h>

#include "broker_state.h"

void broker_halt(struct broker *b, uint32_t status)
{
    static const struct origin self = {.slot = -1};
    struct control_stop stop = {.status = status};
    uint8_t body[64];
    int size;

    if (b->phase == HALT) {
        return;
    }
    broker_enter(b, HALT, HALT_MS);
    size = control_encode(CONTROL_RECORD_stop, &stop, body, sizeof body);
    agent_request(&b->agent, &self, CONTROL_STOP, body, (uint32_t)size);
}

/* The agent's answer: to a client, or to ourselves, who ask for STOP, and for a capture's end. */
void broker_take_reply(void *context, const struct origin *origin,
                       const struct control_message *reply)
{
    struct broker *b = context;
    struct control_error error;

    if (origin->slot >= 0) {
        broker_note_capture(b, origin, reply);
        clients_reply(&b->clients, origin, reply->type, reply->body, reply->size);
        return;
    }
    if (origin->id != 0) {
        broker_take_capture_ended(b, origin, reply);
        return;
    }
    if (reply->type == CONTROL_ERROR && b->qemu.pid != 0 &&
        control_decode(CONTROL_RECORD_error, reply->body, reply->size, &error) == 0) {
        why_set(&b->failure, "%s; QEMU was killed", error.text);
        broker_kill(b);
    }
}

void broker_reply(struct broker *b, const struct origin *origin, uint16_t type,
                  enum control_record record, const void *from)
{
    uint8_t body[1024];
    int size = control_encode(record, from, body, sizeof body);

    clients_reply(&b->clients, origin, type, body, (uint32_t)size);
}

void broker_reply_error(struct broker *b, const struct origin *origin, uint32_t code,
                        const char *text)
{
    struct control_error error = {.code = code};

    strncpy(error.text, text, sizeof error.text - 1);
    broker_reply(b, origin, CONTROL_ERROR, CONTROL_RECORD_error, &error);
}

static void do_info(struct broker *b, const struct origin *origin,
                    const struct control_message *request)
{
    struct control_informed informed = {.qemu = (uint32_t)b->qemu.pid, .agent = b->agent.peer};
    uint8_t body[2048];
    size_t used;

    (void)request;
    strncpy(informed.net, b->machine->net, sizeof informed.net - 1);
    used = (size_t)control_encode(CONTROL_RECORD_informed, &informed, body, sizeof body);
    for (int i = 0; strcmp(b->machine->net, "user") == 0 && i < b->machine->forward_count; i++) {
        struct control_forward_row row = {b->machine->forwards[i].host,
                                          b->machine->forwards[i].guest,
                                          b->machine->forwards[i].tcp, 0};

        used += (size_t)control_encode_row(CONTROL_RECORD_forward_row, &row, body + used,
                                           sizeof body - used);
    }
    clients_reply(&b->clients, origin, CONTROL_INFO | CONTROL_REPLY, body, (uint32_t)used);
}

static void do_halt(struct broker *b, const struct origin *origin,
                    const struct control_message *request)
{
    struct control_halt asked;

    if (control_decode(CONTROL_RECORD_halt, request->body, request->size, &asked) != 0) {
        broker_reply_error(b, origin, CONTROL_E_MALFORMED, "broker: the message is malformed");
        return;
    }
    if (b->halter_count == CLIENTS_MAX) {
        broker_reply_error(b, origin, CONTROL_E_BUSY,
                           "broker: too many wait for the machine's end");
        return;
    }
    b->halters[b->halter_count++] = *origin;
    broker_halt(b, asked.status);
}

static void do_pass(struct broker *b, const struct origin *origin,
                    const struct control_message *request)
{
    agent_request(&b->agent, origin, request->type, request->body, request->size);
}

void broker_take_request(void *context, const struct origin *origin,
                         const struct control_message *request)
{
    static const struct {
        uint16_t type;
        void (*act)(struct broker *b, const struct origin *origin,
                    const struct control_message *request);
    } requests[] = {
        {CONTROL_LOAD, do_pass},         {CONTROL_START, do_pass},
        {CONTROL_UNLOAD, do_pass},       {CONTROL_LIST, do_pass},
        {CONTROL_STATUS, do_pass},       {CONTROL_MAPS, do_pass},
        {CONTROL_MAP_READ, do_pass},     {CONTROL_MAP_WRITE, do_pass},
        {CONTROL_CAPTURE, do_pass},      {CONTROL_FRAMES, do_pass},
        {CONTROL_CAPTURE_END, do_pass},  {CONTROL_INFO, do_info},
        {CONTROL_HALT, do_halt},         {CONTROL_CONSOLE, do_pass},
        {CONTROL_CONSOLE_READ, do_pass}, {CONTROL_CONSOLE_WRITE, do_pass},
        {CONTROL_CONSOLE_SIZE, do_pass}, {CONTROL_CONSOLE_DETACH, do_pass},
    };
    struct broker *b = context;

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        if (requests[i].type == request->type) {
            requests[i].act(b, origin, request);
            return;
        }
    }
    broker_reply_error(b, origin, CONTROL_E_UNKNOWN, "broker: no such request");
}
