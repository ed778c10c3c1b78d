/* What the tests of frames in and of frames out have in common: an environment with memory, one
 * binding and its ring. */
#ifndef AEGIS_TESTS_FRAMES_H
#define AEGIS_TESTS_FRAMES_H

#include "net.h"

#define RING_AT 0x100000UL
#define SLOTS   64

extern uint32_t a; /* the environment that calls, and owns binding one */
extern long one;   /* values 0 to 31, in and out */

/* The root's capability (with TAP for a tap), in the hands of `a`: what it binds. */
long bind_for_a(const struct net_request *request);

/* A group's set-up and end; before each test `a` calls again. */
int frames_boot(void **state);
int frames_leave(void **state);
int frames_as_a(void **state);

/* What the kernel has counted at binding one. */
struct aegis_counters counters(void);

/* What the owner finds next in its ring, or NULL; it takes it with ring->tail++. */
extern struct aegis_ring *ring;
const struct aegis_slot_header *next(const uint8_t **frame);

#endif
