/* One capture from its beginning to its end: a tap in the machine, asked for its copies. */
#ifndef AEGISCTL_CAPTURE_LOOP_H
#define AEGISCTL_CAPTURE_LOOP_H

#include "capture_clock.h"
#include "capture_output.h"
#include "client.h"

enum capture_state {
    CAPTURE_RUNS,
    CAPTURE_ENDING, /* COUNT, a signal, no reader: the agent is asked to undo the tap */
    CAPTURE_ENDED,
    CAPTURE_MACHINE_ENDED, /* in order; why says how */
    CAPTURE_FAILED,        /* why says why; the broker undoes the tap once the session is closed */
};

struct capture {
    struct client_session session;
    struct capture_clock clock;
    struct capture_output output;
    enum capture_state state;
    uint64_t most;      /* frames to take; 0: no end */
    uint64_t captured;  /* frames written */
    uint64_t dropped;   /* frames that were missed because the machine's ring was full, */
    uint64_t unwritten; /* and those that a signal came before */
    uint32_t number;    /* the agent's */
    uint32_t asked;     /* id of the request for frames that is under way; 0: none */
    uint32_t end;       /* id of the request to end; 0: none */
    int64_t asked_at;   /* ns */
    bool signalled;     /* ended by a signal: what came before it is still written, */
    bool stuck;         /* unless the reader takes nothing */
    int signals;        /* signalfd */
    struct why why;
};

/*
 * Capture until something ends it. Before: session and output are open, signals is a signalfd (or
 * -1), most is set, everything else is 0. netif, filter and snaplen as in control_capture. After:
 * state is one of the last three, and the counts are final.
 */
void capture_run(struct capture *c, const struct control_capture *request);

#endif
