/*
 * Captures end with the client that began them, however that ended: whoever holds one is written
 * down when the agent grants it, and missed at the end of each turn of the broker's loop.
 */
#include <stddef.h>

#include "broker_state.h"

/* The one of that number in the present agent; of number 0: a free place. */
static struct held_capture *find(struct broker *b, uint32_t number)
{
    for (int i = 0; i < HELD_MAX; i++) {
        struct held_capture *held = &b->held[i];

        if (held->number == number && (number == 0 || held->session == b->agent.peer)) {
            return held;
        }
    }
    return NULL;
}

/* Ask the agent to end a capture. The answer, also if it is an error, is taken below. */
static void ask(struct broker *b, uint32_t number)
{
    const struct origin self = {.slot = -1, .id = number};
    struct control_capture_end end = {.capture = number};
    uint8_t body[64];
    int size = control_encode(CONTROL_RECORD_capture_end, &end, body, sizeof body);

    agent_request(&b->agent, &self, CONTROL_CAPTURE_END, body, (uint32_t)size);
}

void broker_note_capture(struct broker *b, const struct origin *origin,
                         const struct control_message *reply)
{
    struct control_capture_ended ended;
    struct control_capturing began;

    if (reply->type == (CONTROL_CAPTURE | CONTROL_REPLY) &&
        control_decode(CONTROL_RECORD_capturing, reply->body, reply->size, &began) == 0 &&
        began.capture != 0) {
        struct held_capture *held = find(b, 0);

        if (held != NULL) {
            *held = (struct held_capture){began.capture, b->agent.peer, *origin, false};
        } else { /* more than an agent makes: its client learns when it asks for frames */
            ask(b, began.capture);
        }
    }
    if (reply->type == (CONTROL_CAPTURE_END | CONTROL_REPLY) &&
        control_decode(CONTROL_RECORD_capture_ended, reply->body, reply->size, &ended) == 0 &&
        ended.capture != 0) {
        struct held_capture *held = find(b, ended.capture);

        if (held != NULL) {
            held->number = 0;
        }
    }
}

void broker_end_captures(struct broker *b)
{
    for (int i = 0; i < HELD_MAX && b->phase == UP; i++) {
        struct held_capture *held = &b->held[i];

        if (held->number == 0 || held->asked || clients_present(&b->clients, &held->owner)) {
            continue;
        }
        if (held->session != b->agent.peer) { /* it went with the agent that made it */
            held->number = 0;
            continue;
        }
        held->asked = true;
        ask(b, held->number);
    }
}

void broker_take_capture_ended(struct broker *b, const struct origin *origin,
                               const struct control_message *reply)
{
    struct held_capture *held = find(b, origin->id);
    struct control_error error;

    if (held == NULL) {
        return;
    }
    if (reply->type == CONTROL_ERROR &&
        control_decode(CONTROL_RECORD_error, reply->body, reply->size, &error) == 0 &&
        (error.code == CONTROL_E_BUSY || error.code == CONTROL_E_TIMEOUT)) {
        held->asked = false; /* again at the next turn */
    } else {
        held->number = 0;
    }
}
