/*
 * agent: hands out what users ask for: it starts programs of the initial RAM disk and binds frames
 * to them and to handlers, on requests that aegisctl sends over the control console
 * (control/control.h). init has started it with capabilities for the console and for the root
 * binding of each network interface, and starts another if it ends otherwise than by its own
 * choice.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ash/ash.h"
#include "control/control.h"
#include "libos/proc/proc.h"

/* ---- main.c ---- */

/* The capability for the root binding of a network interface, number netif_count the loop
 * interface: DELEGATE and TAP. */
struct aegis_cap agent_root(uint32_t netif);

/* That of a disk's root extent; NULL: init gave none. */
const struct aegis_cap *agent_root_extent(uint32_t disk);

/* ---- network.c: netd ---- */

void network_begin(void);

/* Starts anew what has ended of it. Comes behind apps_reap. */
void network_look(void);

/* A capability, READ, for the page that says where netd is (libos/net/directory.h); false: none. */
bool network_directory(struct aegis_cap *cap);

/* ---- apps.c: the programs that it started ---- */

struct extents;

#define APPS_MAX AEGIS_SLOTS /* the kernel gives each environment a slot of the slice vector */

struct app {
    char name[CONTROL_APP_SIZE]; /* empty: free */
    struct proc proc;
    bool started; /* false between app_find and app_start */
};

/*
 * What a program gets from the agent: netd, a root binding to give ports of; any other, the right
 * to call each interface's netd, and to read where the first one is. Returns how many.
 */
size_t app_capabilities(const char *name, uint32_t netif, struct aegis_cap caps[EXOS_CAPS_MAX]);

#define NETD_FRAMES "netd-frames" /* its other process, which gets the root binding itself */
#define NETD        "netd" /* the program that gives ports of an interface, and gets its root binding */

/*
 * The running program of that name, or one made anew (in any case if `anew`) that app_start has to
 * set going. netif is the interface that a netd is for; argument is its argv[1], or NULL. Returns
 * NULL, with *status a negated error for proc_strerror.
 */
struct app *app_find(const char *name, uint32_t netif, const char *argument, bool anew,
                     int64_t *status);

/* A program made anew, with these arguments; otherwise as app_find. */
struct app *app_make(const char *name, uint32_t netif, int argc, char *const argv[],
                     const struct extents *extents, int64_t *status);

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
    char app[CONTROL_APP_SIZE];   /* empty: it feeds nobody beyond its handler */
    uint32_t number;              /* the kernel's */
    uint64_t generation;          /* of it, to see whether the number still means this binding */
    uint32_t env;                 /* its owner: the program's, or without one the agent's */
    uint32_t netif;
    struct handler *handler;            /* or NULL; goes with it */
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
 * Bind the frames that load asks for: to its handler, if it has one, and behind it to a running
 * program of its name, or to one that is started for it, with argument (or NULL); always to a new
 * one if `anew`. Returns the binding, or NULL with *refusal and nothing left over.
 */
struct binding *binding_make(const struct control_load *load, const char *argument, bool anew,
                             struct refusal *refusal);

/* Undo it and its handler; false with *refusal if the kernel doesn't. Of one whose program has
 * ended, the handler is left to undo. */
bool binding_undo(struct binding *binding, struct refusal *refusal);

/* Whether the kernel still has it: it goes with its program. */
bool binding_alive(const struct binding *binding);

/* Fill *refusal; returns false. */
bool refuse(struct refusal *refusal, uint32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a refusal of the kernel's: "what: NAME: sentence; remedy". */
bool refuse_kernel(struct refusal *refusal, const char *what, int64_t status);

/* ---- handlers.c: handlers that run on bindings' frames ---- */

struct handler {
    char name[ASH_NAME_SIZE];
    uint32_t number; /* the kernel's */
    uint32_t limit;  /* fuel of one run */
    uint8_t *memory; /* of its maps, NULL if it has none; from vm_alloc_run */
    uint32_t pages;  /* of it */
    uint32_t map_count;
    struct ash_map_info maps[];
};

/* Download load's handler; NULL with *refusal, in which the verifier's words are, and nothing left
 * over. */
struct handler *handler_load(const struct control_load *load, struct refusal *refusal);

/* Have it run on a binding's frames. */
bool handler_bind(const struct handler *handler, uint32_t binding, struct refusal *refusal);

/* Unbind and forget it, and free its maps. NULL does nothing. */
void handler_unload(struct handler *handler);

struct aegis_handler_status handler_status(const struct handler *handler);

/* Where map number `map` lies. */
uint8_t *handler_map(const struct handler *handler, uint32_t map);

/* ---- maps.c: requests about handlers' maps, as those of requests.c ---- */

bool request_maps(const struct control_message *message, struct refusal *refusal);
bool request_map_read(const struct control_message *message, struct refusal *refusal);
bool request_map_write(const struct control_message *message, struct refusal *refusal);

/* ---- extents.c: extents of disks for programs ---- */

#define EXTENTS_MAX 8

struct extents {
    struct aegis_cap caps[EXTENTS_MAX];
    size_t count;
    char names[CONTROL_EXTENTS_MAX]; /* of those that were made: lines for who asked */
    size_t size;
    uint32_t made[EXTENTS_MAX];
    size_t made_count;
};

/* The extents that strings name, one behind the other (messages.def); those that don't exist yet
 * are made. False with *refusal: then none was. */
bool extents_resolve(struct extents *extents, const struct control_bytes *asked,
                     struct refusal *refusal);

/* Undo what extents_resolve has made: nobody is told the secrets. */
void extents_give_back(struct extents *extents);

/* ---- start.c: the request to start a program, likewise ---- */

#define START_ARGUMENTS_MAX 32

bool request_start(const struct control_message *message, struct refusal *refusal);

/* The same for a filter that dpf_verify refuses; which names it. */
bool refuse_filter(struct refusal *refusal, const char *which, int status);

/* ---- capture.c: copies of frames for the host ---- */

/* The requests of messages.def; each answers, or returns false with *refusal. */
bool capture_begin(const struct control_message *message, struct refusal *refusal);
bool capture_frames(const struct control_message *message, struct refusal *refusal);
bool capture_end(const struct control_message *message, struct refusal *refusal);

/* Answer the requests for frames that can be answered now, at most one message a capture. */
void captures_answer(void);

/*
 * What to wait for until captures_answer has something to do: puts at most `most` predicates into
 * when, returns how many, and lowers *deadline.
 */
size_t captures_wait(struct aegis_predicate *when, size_t most, uint64_t *deadline);

/* End all: the host has forgotten them. */
void captures_end_all(void);

/* ---- console.c: the machine's shell, and clients' own ---- */

bool console_attach(const struct control_message *message, struct refusal *refusal);
bool console_output(const struct control_message *message, struct refusal *refusal);
bool console_input(const struct control_message *message, struct refusal *refusal);
bool console_resize(const struct control_message *message, struct refusal *refusal);
bool console_detach(const struct control_message *message, struct refusal *refusal);

/* Take what programs have printed, answer who waits for it, forget who is gone. */
void consoles_serve(void);

/* What to wait for until that has something to do: whether *when was set; lowers *deadline. */
bool consoles_wait(struct aegis_predicate *when, uint64_t *deadline);

/* Forget all clients: the host has. The machine's shell stays. */
void consoles_end_all(void);

/* ---- requests.c ---- */

#define REPLY_SIZE 16384 /* bytes of a reply's body, unless the host takes less */

/* Memory for the body of the reply under way. */
extern uint8_t reply_body[REPLY_SIZE];

/* How much of it the host takes. */
size_t reply_room(void);

/* Decode a request; false with *refusal. */
bool request_decode(const struct control_message *message, enum control_record record, void *to,
                    struct refusal *refusal);

/* Answer a request with a record. */
void request_reply(const struct control_message *request, enum control_record record,
                   const void *from);

/* Answer it with the first size bytes of reply_body. */
void request_reply_body(const struct control_message *request, size_t size);

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
