/* The broker's other side: the aegisctl processes that are connected to its socket. */
#ifndef AEGISCTL_CLIENTS_H
#define AEGISCTL_CLIENTS_H

#include <poll.h>

#include "agent.h"
#include "instance.h"
#include "link.h"

#define CLIENTS_MAX 32
#define CLIENTS_FDS (CLIENTS_MAX + 1)

/* Called for each request; the answer goes to clients_reply, now or later. */
typedef void clients_request(void *context, const struct origin *origin,
                             const struct control_message *request);

struct client {
    struct link link;
    uint32_t serial; /* tells the users of a slot apart */
    bool dead;       /* to be closed; link_read may still be at work on it */
};

struct clients {
    int listener; /* -1: not open */
    struct client slots[CLIENTS_MAX];
    uint32_t next_serial;
    clients_request *request;
    void *context;
};

/* Make nothing yet: no socket exists before clients_open. */
void clients_init(struct clients *clients, clients_request *request, void *context);

/* Bind and listen at the instance's "control". */
int clients_open(struct clients *clients, const struct instance *instance, struct why *why);

/* Fill fds with what to poll; returns how many. */
int clients_poll(const struct clients *clients, struct pollfd fds[CLIENTS_FDS]);

/* Act on what poll found: accept, read requests, write replies. */
void clients_serve(struct clients *clients, const struct pollfd *fds, int count);

/* Queue a reply; nothing happens if who asked has left. The id of the reply is the asker's. */
void clients_reply(struct clients *clients, const struct origin *origin, uint16_t type,
                   const uint8_t *body, uint32_t size);

/* Whether who asked is still there. */
bool clients_present(const struct clients *clients, const struct origin *origin);

/* Whether replies wait to be written. */
bool clients_busy(const struct clients *clients);

void clients_close(struct clients *clients);

#endif
