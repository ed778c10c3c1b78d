/* The broker's conversation with the agent in the guest: the handshake, and requests under way. */
#ifndef AEGISCTL_AGENT_H
#define AEGISCTL_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "why.h"

#define AGENT_PENDING_MAX 64
#define AGENT_LIMIT_MS    10000 /* in which the agent answers a request */

/* Who asked: a client by its slot and serial number, and its own id for the request. */
struct origin {
    int slot; /* -1: the broker itself */
    uint32_t serial, id;
};

struct pending {
    uint32_t id; /* of the request to the agent; 0: free */
    uint16_t type;
    struct origin origin;
    int64_t deadline;
};

/* Called once for each request: with the agent's reply or CONTROL_ERROR, ready to pass on. */
typedef void agent_reply(void *context, const struct origin *origin,
                         const struct control_message *reply);

struct agent {
    struct link link;
    uint64_t self;      /* ours, drawn at random */
    uint64_t peer;      /* the agent's; 0 before it answered our hello */
    uint32_t version;   /* the agent's, if it isn't ours; else 0 */
    int64_t next_hello; /* when to say it again; INT64_MAX: not yet, or no more */
    uint32_t next_id;
    struct pending pending[AGENT_PENDING_MAX];
    agent_reply *reply;
    void *context;
};

/* Take over the console's descriptor. Nothing is said before agent_greet. */
int agent_open(struct agent *agent, int fd, agent_reply *reply, void *context, struct why *why);

/* Say hello, twice a second until the agent answers. */
void agent_greet(struct agent *agent);

/* Send a request on. If that is impossible, reply is called at once with the error. */
void agent_request(struct agent *agent, const struct origin *origin, uint16_t type,
                   const uint8_t *body, uint32_t size);

/* Read and answer what is there. Returns -1 if the console is gone. */
int agent_read(struct agent *agent);

/* Do what is due: say hello again, let requests expire. */
void agent_tick(struct agent *agent);

/* When agent_tick is needed next, on the monotonic clock in ms. */
int64_t agent_next(const struct agent *agent);

/* Answer every request under way with an error, for the end of the machine or of the agent. */
void agent_fail_all(struct agent *agent, uint32_t code, const char *text);

#endif
