#include "client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

/* Why nobody listens at the instance's socket. */
static int explain_absence(const struct instance *instance, int error, struct why *why)
{
    char ended[900];

    if (instance_runs(instance)) {
        return why_set(
            why,
            "instance %s is still starting, or its broker is stuck or has too many clients "
            "(%s); see %s",
            instance->name, strerror(error), instance->folder);
    }
    instance_ended(instance, ended, sizeof ended);
    if (ended[0] != 0) {
        return why_set(why, "instance %s does not run: %s", instance->name, ended);
    }
    return why_set(why, "instance %s does not run (%s/control: %s); start it with aegisctl run",
                   instance->name, instance->folder, strerror(error));
}

int client_open(struct client_session *session, const char *instance, struct why *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    *session = (struct client_session){.link.fd = -1, .next_id = 1};
    if (instance_find(&session->instance, instance, why) != 0) {
        return -1;
    }
    instance_path(&session->instance, "control", address.sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return why_set(why, "no socket: %s", strerror(errno));
    }
    /* with the broker's queue full, connect would wait for ever */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = CLIENT_LIMIT_MS / 1000},
               sizeof(struct timeval));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        explain_absence(&session->instance, errno, why);
        close(fd);
        return -1;
    }
    return link_open(&session->link, fd, why);
}

struct awaited {
    uint32_t id;
    struct control_message *reply;
};

static bool take_message(void *context, const struct control_message *message)
{
    struct awaited *awaited = context;

    if (message->id != awaited->id) {
        return true;
    }
    *awaited->reply = *message;
    return false;
}

bool client_hung_up(const struct client_session *session, struct why *why)
{
    char ended[900];

    instance_ended(&session->instance, ended, sizeof ended);
    why_set(why, "the broker of instance %s hung up%s%s", session->instance.name,
            ended[0] != 0 ? ": " : "", ended);
    return ended[0] != 0;
}

/* Wait for the reply with the id. */
static int await(struct client_session *session, uint32_t id, int64_t deadline,
                 struct control_message *reply, struct why *why)
{
    struct awaited awaited = {id, reply};

    reply->type = CONTROL_NONE;
    while (reply->type == CONTROL_NONE) {
        struct link *link = &session->link;
        struct pollfd p = {.fd = link->fd,
                           .events = (short)(POLLIN | (link_wants_write(link) ? POLLOUT : 0))};

        if (clock_ms() >= deadline) {
            return why_set(why, "the broker of instance %s did not answer in time",
                           session->instance.name);
        }
        if (poll(&p, 1, clock_left(deadline)) <= 0) {
            continue;
        }
        if (((p.revents & (POLLIN | POLLHUP)) != 0 &&
             link_read(link, take_message, &awaited) != 0) ||
            link_write(link) != 0) {
            client_hung_up(session, why);
            return -1;
        }
    }
    return 0;
}

void client_printable(char *text)
{
    for (; *text != 0; text++) {
        *text = *text >= ' ' && *text < 0x7f ? *text : '?';
    }
}

uint32_t client_error(const struct control_message *reply, struct why *why)
{
    struct control_error error;
    const char *text;

    if (reply->body == NULL ||
        control_decode(CONTROL_RECORD_error, reply->body, reply->size, &error) != 0) {
        why_set(why, "the broker's answer is malformed");
        return CONTROL_E_MALFORMED;
    }
    text = control_code_text(error.code);
    client_printable(error.text);
    why_set(why, "%s", error.text[0] != 0 ? error.text : text != NULL ? text : "refused");
    return error.code;
}

int client_ask(struct client_session *session, uint16_t type, enum control_record record,
               const void *from, int64_t limit_ms, struct control_message *reply, struct why *why)
{
    uint32_t id = session->next_id++;

    if (link_send_record(&session->link, type, id, record, from) != 0) {
        return why_set(why, "the request can't be encoded");
    }
    if (await(session, id, clock_ms() + limit_ms, reply, why) != 0) {
        return -1;
    }
    if (reply->body == NULL) {
        return why_set(why, "the broker's reply is too large");
    }
    if (reply->type == CONTROL_ERROR) {
        client_error(reply, why);
        return -1;
    }
    if (reply->type != (type | CONTROL_REPLY)) {
        return why_set(why, "the reply has type 0x%x, not 0x%x", reply->type, type | CONTROL_REPLY);
    }
    return 0;
}

int client_call(struct client_session *session, uint16_t type, enum control_record record,
                const void *from, int64_t limit_ms, enum control_record reply_record, void *to,
                struct why *why)
{
    struct control_message reply;

    if (client_ask(session, type, record, from, limit_ms, &reply, why) != 0) {
        return -1;
    }
    if (control_decode(reply_record, reply.body, reply.size, to) != 0) {
        return why_set(why, "the reply is malformed");
    }
    return 0;
}

void client_close(struct client_session *session)
{
    link_close(&session->link);
}
