/* What the broker's own files share: its state, and what moves it. Nobody else includes this. */
#ifndef AEGISCTL_BROKER_STATE_H
#define AEGISCTL_BROKER_STATE_H

#include "agent.h"
#include "broker.h"
#include "clients.h"
#include "serial.h"

#define HALT_MS    10000
#define MONITOR_MS 10000 /* for QEMU's start, however little time the machine has */

enum phase { BANNER, HELLO, UP, HALT };

/* A capture that the agent makes for a client, to be ended with it. */
#define HELD_MAX 32
struct held_capture {
    uint32_t number;  /* the agent's; 0: free */
    uint64_t session; /* of the agent that numbered it */
    struct origin owner;
    bool asked; /* the agent was asked to end it */
};

struct broker {
    const struct instance *instance;
    struct machine *machine;
    struct qemu qemu;
    struct serial serial;
    struct agent agent;
    struct clients clients;
    int signals; /* signalfd */
    int report;
    enum phase phase;
    int64_t deadline; /* of the phase */
    long boot_ms;
    int status;                         /* of waitpid, once qemu.pid is 0 */
    struct why failure;                 /* why QEMU was killed; empty if it wasn't */
    struct origin halters[CLIENTS_MAX]; /* who waits for the end */
    int halter_count;
    struct held_capture held[HELD_MAX];
};

/* Say something to who started us: kind is 'R' or 'F', the first word into the report pipe. */
void broker_say(struct broker *b, char kind, const char *text);

/* Go over to a phase that may last limit_ms, or for ever if that is 0. */
void broker_enter(struct broker *b, enum phase phase, int64_t limit_ms);

/* Kill QEMU for a reason that the caller has put into b->failure; its end is seen later. */
void broker_kill(struct broker *b);

/* Ask the agent to end the machine (broker_requests.c). Does nothing the second time. */
void broker_halt(struct broker *b, uint32_t status);

/*
 * Let post and symbols find the machine's memory and kernel while it runs; at its end, close the
 * memory, with a copy left behind if keep (broker_ram.c).
 */
void broker_ram_open(const struct broker *b);
void broker_ram_close(const struct broker *b, bool keep);

/* Callbacks of agent.h and clients.h; context is the broker (broker_requests.c). */
agent_reply broker_take_reply;
clients_request broker_take_request;

/* Send a client CONTROL_ERROR, or a record (broker_requests.c). */
void broker_reply_error(struct broker *b, const struct origin *origin, uint32_t code,
                        const char *text);
void broker_reply(struct broker *b, const struct origin *origin, uint16_t type,
                  enum control_record record, const void *from);

/*
 * Captures (broker_captures.c): note what the agent answered to a client, CAPTURE or CAPTURE_END;
 * end those whose client has gone; take the answer to that, whose origin's id is the capture's
 * number.
 */
void broker_note_capture(struct broker *b, const struct origin *origin,
                         const struct control_message *reply);
void broker_end_captures(struct broker *b);
void broker_take_capture_ended(struct broker *b, const struct origin *origin,
                               const struct control_message *reply);

/* QEMU is gone: read the rest of its output, tell everybody, leave nothing behind (broker_end.c).
   Returns the exit status. */
int broker_finish(struct broker *b);

#endif
