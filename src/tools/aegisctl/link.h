/*
 * A connection that carries messages of the control protocol: the broker's to the agent and to each
 * client, a client's to the broker. Non-blocking; whoever owns it polls its descriptor.
 */
#ifndef AEGISCTL_LINK_H
#define AEGISCTL_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "control/control.h"
#include "why.h"

struct link {
    int fd; /* -1: not open */
    struct control_receiver receiver;
    uint8_t *memory; /* of the receiver, CONTROL_BODY_MAX bytes */
    uint8_t *out;    /* frames that wait to be written */
    size_t out_begin, out_end, out_size;
};

/* Called for each message; returns false to leave link_read at once (the link may be closed then).
 */
typedef bool link_handler(void *context, const struct control_message *message);

/* Take over a descriptor; it is closed by link_close, and also if this fails. */
int link_open(struct link *link, int fd, struct why *why);

/* Close the descriptor and free all memory. Does nothing to a link that is not open. */
void link_close(struct link *link);

/* Queue a message. Returns -1 if so much waits already that the peer must be stuck. */
int link_send(struct link *link, uint16_t type, uint32_t id, const uint8_t *body, uint32_t size);

/* Encode a record and queue it as a message. Returns -1 as link_send does. */
int link_send_record(struct link *link, uint16_t type, uint32_t id, enum control_record record,
                     const void *from);

/* Queue CONTROL_ERROR. */
int link_send_error(struct link *link, uint32_t id, uint32_t code, const char *text);

bool link_wants_write(const struct link *link);

/* Write what the descriptor takes. Returns -1 if the peer is gone. */
int link_write(struct link *link);

/* Read what is there and hand out messages. Returns 0, or -1 if the peer is gone. */
int link_read(struct link *link, link_handler *handler, void *context);

#endif
