/*
 * agent: the first application. It owns the machine at first and hands out what users ask for: it
 * starts programs of the initial RAM disk and binds frames to them, on requests that aegisctl sends
 * over the control console (control/control.h).
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "libos/proc/proc.h"

/* ---- apps.c: the programs that it started ---- */

#define APPS_MAX AEGIS_SLOTS /* the kernel gives each environment a slot of the slice vector */

struct app {
    char name[CONTROL_APP_SIZE]; /* empty: free */
    struct proc proc;
    bool started; /* false between app_find and app_start */
};

/*
 * The running program of that name, or one made anew (in any case if `anew`) that app_start has to
 * set going. argument is its argv[1], or NULL. Returns NULL, with *status a negated error for
 * proc_strerror.
 */
struct app *app_find(const char *name, const char *argument, bool anew, int64_t *status);

/* Set it going, if it isn't. Returns 0 or a negated error. */
int64_t app_start(struct app *app);

/* Undo app_find for a program that isn't started yet: what was bound for it failed. */
void app_abandon(struct app *app);

/* Take leave of all that have ended, and say so on the log. */
void apps_reap(void);

/* Holds once a program has ended since the last apps_reap: for aegis_wait. */
struct aegis_predicate apps_when_ended(void);

/* ---- bindings.c: the bindings that it made ---- */

#define BINDINGS_MAX 256

struct binding {
    char name[CONTROL_NAME_SIZE]; /* empty: free */
    char app[CONTROL_APP_SIZE];
    uint32_t number;     /* the kernel's */
    uint64_t generation; /* of it, to see whether the number still means this binding */
    uint32_t env, netif;
    uint32_t ingress_size, egress_size; /* bytes of the images that were asked for */
};

/* An error to report: the code, and "what: why" in words. */
struct refusal {
    uint32_t code; /* enum control_code or enum aegis_error */
    char text[CONTROL_TEXT_SIZE - 8];
};

/* In the order of their loading: the index-th, or NULL; by name, or NULL. */
struct binding *binding_at(uint32_t index);
struct binding *binding_named(const char *name);

/*
 * Bind the frames that load asks for to a running program of its name, or to one that is started
 * for it, with argument (or NULL); always to a new one if `anew`. Returns the binding, or NULL with
 * *refusal.
 */
struct binding *binding_make(const struct control_load *load, const char *argument, bool anew,
                             struct refusal *refusal);

/* Undo it; false with *refusal if the kernel doesn't. One whose program has ended is just
 * forgotten. */
bool binding_undo(struct binding *binding, struct refusal *refusal);

/* Whether the kernel still has it: it goes with its program. */
bool binding_alive(const struct binding *binding);

/* Fill *refusal; returns false. */
bool refuse(struct refusal *refusal, uint32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- requests.c ---- */

/* Answer a request. *stop is set to the exit status if the machine is to end once the answer is
 * out. */
void request_answer(const struct control_message *message, int *stop);

/* ---- session.c: the console ---- */

/* Say hello, with a session number of our own. */
void session_open(void);

/* Take what the console has, and answer it. Returns the status with which to end the machine, or
 * -1. */
int session_serve(void);

/* Send a message whose body is one record, or any body. */
void session_send(uint16_t type, uint32_t id, const uint8_t *body, uint32_t size);
void session_hello(uint64_t peer);

/* The largest body that the host takes. */
extern uint32_t session_peer_max;

#endif
