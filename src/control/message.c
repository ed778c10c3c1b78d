/*
 * Messages cut into segments, one a frame.
 *
 * Invariant of the receiver: while type is not CONTROL_NONE, body[0 .. have) are the first bytes of
 * message `id`, have < total <= capacity, and every segment since its first came in order.
 */
#include <string.h>

#include "control/bytes.h"
#include "control/frame.h"

#define HEAD_SIZE 16
_Static_assert(HEAD_SIZE + CONTROL_SEGMENT_MAX == CONTROL_DATA_MAX, "a segment fills a frame");

struct segment {
    uint16_t type;
    uint32_t id, total, offset, size;
    const uint8_t *data;
};

void control_send(struct control_sender *sender, uint16_t type, uint32_t id, const uint8_t *body,
                  uint32_t size)
{
    *sender = (struct control_sender){.body = body, .size = size, .id = id, .type = type};
}

size_t control_send_next(struct control_sender *sender, uint8_t wire[CONTROL_FRAME_MAX])
{
    uint8_t head[HEAD_SIZE];
    uint32_t rest = sender->size - sender->sent;
    uint32_t size = rest < CONTROL_SEGMENT_MAX ? rest : CONTROL_SEGMENT_MAX;
    const uint8_t *data = size != 0 ? sender->body + sender->sent : NULL;

    if (sender->done) {
        return 0;
    }
    put16(head, sender->type);
    put16(head + 2, 0);
    put32(head + 4, sender->id);
    put32(head + 8, sender->size);
    put32(head + 12, sender->sent);
    sender->sent += size;
    sender->done = sender->sent == sender->size;
    return control_frame_put(wire, head, sizeof head, data, size);
}

void control_receiver_init(struct control_receiver *receiver, uint8_t *body, uint32_t capacity)
{
    memset(receiver, 0, sizeof *receiver);
    receiver->body = body;
    receiver->capacity = capacity;
}

/* Whether a frame's data is a segment that a sender of this library could have sent. */
static bool parse_segment(const uint8_t *data, uint32_t size, struct segment *s)
{
    if (size < HEAD_SIZE) {
        return false;
    }
    *s = (struct segment){
        .type = get16(data),
        .id = get32(data + 4),
        .total = get32(data + 8),
        .offset = get32(data + 12),
        .size = size - HEAD_SIZE,
        .data = data + HEAD_SIZE,
    };
    if (s->type == CONTROL_NONE || get16(data + 2) != 0 || s->offset > s->total ||
        s->size > s->total - s->offset) {
        return false;
    }
    return s->size != 0 || s->total == 0;
}

/* A message's first segment: it supersedes whatever was under way. */
static void begin_message(struct control_receiver *r, const struct segment *s)
{
    if (r->type != CONTROL_NONE) {
        r->broken++;
    }
    r->type = s->type;
    r->id = s->id;
    r->total = s->total;
    r->have = 0;
}

static bool continues(const struct control_receiver *r, const struct segment *s)
{
    return r->type == s->type && r->id == s->id && r->total == s->total && r->have == s->offset;
}

/* Take a segment; whether it completes a message, which is then in *message. */
static bool take_segment(struct control_receiver *r, const struct segment *s,
                         struct control_message *message)
{
    if (s->offset == 0) {
        begin_message(r, s);
    } else if (r->type == CONTROL_NONE) {
        return false;
    } else if (!continues(r, s)) {
        r->type = CONTROL_NONE;
        r->broken++;
        return false;
    }
    if (s->total > r->capacity) { /* hand over what it was; its other segments find no message */
        *message = (struct control_message){s->type, s->id, NULL, s->total};
        r->type = CONTROL_NONE;
        return true;
    }
    memcpy(r->body + r->have, s->data, s->size);
    r->have += s->size;
    if (r->have < r->total) {
        return false;
    }
    *message = (struct control_message){r->type, r->id, r->body, r->total};
    r->type = CONTROL_NONE;
    return true;
}

size_t control_receive(struct control_receiver *receiver, const uint8_t *bytes, size_t size,
                       struct control_message *message)
{
    struct segment segment;

    message->type = CONTROL_NONE;
    for (size_t i = 0; i < size; i++) {
        const uint8_t *data;
        int n = control_frame_take(receiver, bytes[i], &data);

        if (n < 0 || !parse_segment(data, (uint32_t)n, &segment)) {
            continue;
        }
        if (take_segment(receiver, &segment, message)) {
            return i + 1;
        }
    }
    return size;
}
