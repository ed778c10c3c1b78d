/* A command's connection to the broker of an instance. */
#ifndef AEGISCTL_CLIENT_H
#define AEGISCTL_CLIENT_H

#include "instance.h"
#include "link.h"
#include "why.h"

#define CLIENT_LIMIT_MS 15000 /* for a request; the broker gives up on the agent before */

#define INSTANCE_DEFAULT "default"
#define INSTANCE_HELP    "name of the running machine (default: default)"

struct client_session {
    struct instance instance;
    struct link link;
    uint32_t next_id;
};

/* Connect; if there is nobody, why says whether the machine never ran or how it ended. */
int client_open(struct client_session *session, const char *instance, struct why *why);

/*
 * Ask, and wait at most limit_ms for the answer, a message of type `type | CONTROL_REPLY`. The body
 * of *reply lies in the session's memory until the next request. CONTROL_ERROR becomes the reason.
 */
int client_ask(struct client_session *session, uint16_t type, enum control_record record,
               const void *from, int64_t limit_ms, struct control_message *reply, struct why *why);

/* The same, with the reply decoded into `to`. */
int client_call(struct client_session *session, uint16_t type, enum control_record record,
                const void *from, int64_t limit_ms, enum control_record reply_record, void *to,
                struct why *why);

/* Take CONTROL_ERROR apart: returns its code, with its sentence as the reason. */
uint32_t client_error(const struct control_message *reply, struct why *why);

/* The link is closed from the other end: say why, if that is known. Returns whether the machine has
 * ended. */
bool client_hung_up(const struct client_session *session, struct why *why);

/* Replace what a terminal could take for more than text: it comes from the guest. */
void client_printable(char *text);

void client_close(struct client_session *session);

#endif
