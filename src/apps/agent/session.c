#include "agent.h"

#include <stdio.h>
#include <unistd.h>

#include "libos/console/console.h"
#include "libos/time/time.h"

#define SEND_LIMIT                                                                                 \
    2000000000UL /* ns for one frame: then the host isn't reading, and the message is dropped */
#define CHUNK 512

uint32_t session_peer_max = CONTROL_SEGMENT_MAX;

static struct control_receiver receiver;
static uint8_t received[CONTROL_BODY_MAX];
static uint64_t self, peer; /* of the hellos; peer is 0 until the host has said one */

void session_send(uint16_t type, uint32_t id, const uint8_t *body, uint32_t size)
{
    static uint8_t wire[CONTROL_FRAME_MAX];
    struct control_sender sender;
    size_t length;

    control_send(&sender, type, id, body, size);
    while ((length = control_send_next(&sender, wire)))
        if (console_write(wire, length, time_after(SEND_LIMIT)) != (int64_t)length)
            return; /* the host asks again, or has gone */
}

void session_hello(uint64_t to)
{
    struct control_hello hello = {
        .version = CONTROL_VERSION, .self = self, .peer = to, .body_max = CONTROL_BODY_MAX};
    uint8_t body[64];
    int size = control_encode(CONTROL_RECORD_hello, &hello, body, sizeof body);
    session_send(CONTROL_HELLO, 0, body, size < 0 ? 0 : (uint32_t)size);
}

void session_open(void)
{
    control_receiver_init(&receiver, received, sizeof received);
    if (getentropy(&self, sizeof self) || self == 0)
        self = time_now() | 1; /* enough to be told from an agent before; it guards nothing */
    session_hello(0);
}

/*
 * Requests before it were for the agent before us, whose host has learned, or learns by our hello,
 * that they failed: they are not carried out.
 *
 * The host's hello, also in answer to ours: ours with its session tells it that we are here. What
 * it began to send before it restarted is dropped by the receiver, at its first new frame.
 */
static void take_hello(const struct control_message *message)
{
    struct control_hello hello;
    if (!message->body ||
        control_decode(CONTROL_RECORD_hello, message->body, message->size, &hello))
        return;
    if (hello.self != peer) { /* whoever began them is gone */
        captures_end_all();
        consoles_end_all();
    }
    peer = hello.self;
    session_peer_max = hello.body_max;
    session_hello(hello.self);
}

int session_serve(void)
{
    uint8_t chunk[CHUNK];
    struct control_message message;
    int64_t size;
    int stop = -1;

    while (stop < 0 && (size = console_read(chunk, sizeof chunk)) > 0)
        for (size_t used = 0; used < (size_t)size && stop < 0;) {
            used += control_receive(&receiver, chunk + used, (size_t)size - used, &message);
            if (message.type == CONTROL_HELLO)
                take_hello(&message);
            else if (message.type != CONTROL_NONE && peer)
                request_answer(&message, &stop);
        }
    return stop;
}
