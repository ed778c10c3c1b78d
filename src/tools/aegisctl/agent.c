#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"

#define HELLO_MS 500

int agent_open(struct agent *agent, int fd, agent_reply *reply, void *context, struct why *why)
{
    memset(agent, 0, sizeof *agent);
    agent->link.fd = -1;
    agent->next_hello = INT64_MAX;
    agent->reply = reply;
    agent->context = context;
    if (getrandom(&agent->self, sizeof agent->self, 0) != sizeof agent->self) {
        return why_set(why, "no random number: %s", strerror(errno));
    }
    agent->self |= 1; /* never 0 */
    return link_open(&agent->link, fd, why);
}

static void say_hello(struct agent *agent, uint64_t peer)
{
    struct control_hello hello = {
        .version = CONTROL_VERSION,
        .self = agent->self,
        .peer = peer,
        .body_max = CONTROL_BODY_MAX,
    };

    link_send_record(&agent->link, CONTROL_HELLO, 0, CONTROL_RECORD_hello, &hello);
}

void agent_greet(struct agent *agent)
{
    say_hello(agent, 0);
    agent->next_hello = clock_ms() + HELLO_MS;
}

/* Give an error to who asked. */
static void reply_error(struct agent *agent, const struct origin *origin, uint32_t code,
                        const char *text)
{
    struct control_error error = {.code = code};
    uint8_t body[CONTROL_TEXT_SIZE + 64];
    struct control_message message = {.type = CONTROL_ERROR, .body = body};

    strncpy(error.text, text, sizeof error.text - 1);
    message.size = (uint32_t)control_encode(CONTROL_RECORD_error, &error, body, sizeof body);
    agent->reply(agent->context, origin, &message);
}

static struct pending *find(struct agent *agent, uint32_t id)
{
    for (int i = 0; i < AGENT_PENDING_MAX; i++) {
        if (agent->pending[i].id == id) {
            return &agent->pending[i];
        }
    }
    return NULL;
}

void agent_request(struct agent *agent, const struct origin *origin, uint16_t type,
                   const uint8_t *body, uint32_t size)
{
    struct pending *p = find(agent, 0);

    if (p == NULL) {
        reply_error(agent, origin, CONTROL_E_BUSY, "broker: too many requests are under way");
        return;
    }
    if (++agent->next_id == 0) {
        agent->next_id = 1;
    }
    *p = (struct pending){agent->next_id, type, *origin, clock_ms() + AGENT_LIMIT_MS};
    if (link_send(&agent->link, type, p->id, body, size) != 0) {
        p->id = 0;
        reply_error(agent, origin, CONTROL_E_BUSY, "broker: the agent takes no more requests");
    }
}

void agent_fail_all(struct agent *agent, uint32_t code, const char *text)
{
    for (int i = 0; i < AGENT_PENDING_MAX; i++) {
        struct pending *p = &agent->pending[i];
        struct origin origin = p->origin;

        if (p->id != 0) {
            p->id = 0;
            reply_error(agent, &origin, code, text);
        }
    }
}

static void take_hello(struct agent *agent, const struct control_message *message)
{
    struct control_hello hello;

    if (message->body == NULL ||
        control_decode(CONTROL_RECORD_hello, message->body, message->size, &hello) != 0) {
        return;
    }
    if (hello.peer != agent->self) { /* it has just started, or answers an earlier broker */
        say_hello(agent, hello.self);
        return;
    }
    if (agent->peer != 0 && agent->peer != hello.self) {
        agent_fail_all(agent, CONTROL_E_GONE, "broker: the agent restarted meanwhile");
    }
    agent->peer = hello.self;
    agent->version = hello.version != CONTROL_VERSION ? hello.version : 0;
    agent->next_hello = INT64_MAX;
}

static bool take_message(void *context, const struct control_message *message)
{
    struct agent *agent = context;
    struct pending *p = message->id != 0 ? find(agent, message->id) : NULL;

    if (message->type == CONTROL_HELLO) {
        take_hello(agent, message);
    } else if (p != NULL && message->body != NULL &&
               (message->type == (p->type | CONTROL_REPLY) || message->type == CONTROL_ERROR)) {
        struct origin origin = p->origin;

        p->id = 0;
        agent->reply(agent->context, &origin, message);
    }
    return true;
}

int agent_read(struct agent *agent)
{
    return link_read(&agent->link, take_message, agent);
}

void agent_tick(struct agent *agent)
{
    int64_t now = clock_ms();

    if (now >= agent->next_hello) {
        agent_greet(agent);
    }
    for (int i = 0; i < AGENT_PENDING_MAX; i++) {
        struct pending *p = &agent->pending[i];
        struct origin origin = p->origin;
        char text[80];

        if (p->id != 0 && now >= p->deadline) {
            p->id = 0;
            snprintf(text, sizeof text, "broker: the agent did not answer within %d s",
                     AGENT_LIMIT_MS / 1000);
            reply_error(agent, &origin, CONTROL_E_TIMEOUT, text);
        }
    }
}

int64_t agent_next(const struct agent *agent)
{
    int64_t next = agent->next_hello;

    for (int i = 0; i < AGENT_PENDING_MAX; i++) {
        const struct pending *p = &agent->pending[i];

        if (p->id != 0 && p->deadline < next) {
            next = p->deadline;
        }
    }
    return next;
}
