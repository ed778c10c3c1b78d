/*
 * Frames that a handler keeps for its process: a ring in two of its maps, "queue" and "ends". Also
 * compiled as BPF, so it stands alone.
 */
#ifndef NETD_HANDLERS_QUEUE_H
#define NETD_HANDLERS_QUEUE_H

#define QUEUE_SLOTS                                                                                \
    64                   /* a power of two; more frames than the fragments of the longest datagram \
                          */
#define QUEUE_FRAME 1520 /* bytes of the longest frame, and what fills it up to 8 */

struct queue_slot {
    unsigned int length; /* of the frame, bytes */
    unsigned int gap;
    unsigned char frame[QUEUE_FRAME];
};

/* How many were put, which the handler counts, and taken, which the process counts. */
struct queue_ends {
    unsigned long long head, tail;
};

#endif
