/*
 * Protected control transfer between C programs (design section 4; Engler, Kaashoek and O'Toole,
 * "Exokernel", SOSP 1995, section 5.5): a server's function runs on the caller's slice, in the
 * server's address space.
 *
 * The kernel passes all registers; here six of them carry the message, and the others are zero on
 * the way there and back, so that neither side learns what the other worked with. What a function
 * keeps is kept in memory across the call: the server isn't trusted with it.
 */
#ifndef EXOS_GATE_GATE_H
#define EXOS_GATE_GATE_H

#include <stdint.h>

#include "abi/abi.h"

#define GATE_WORDS 6 /* of a message: a1 to a6 */

/*
 * Calls the server behind gate number index (aegis_gate_bind) with words, which become its answer.
 * Waits for the next slice if too little of this one is left. Returns the server's number, or
 * negated RANGE, NO_GATE, BUSY (it serves somebody, or nobody yet: try again later), PEER_DIED (it
 * ended while it served; it may have done its work or not); then words are as they were. Not for
 * handlers of upcalls.
 */
int64_t gate_invoke(uint32_t index, uint64_t words[GATE_WORDS]);

/* Serves environment number caller: words is its message, and afterwards the answer. */
typedef void gate_server(uint32_t caller, uint64_t words[GATE_WORDS]);

/* Takes a message that environment number sender left by aegis_gate_send. */
typedef void gate_receiver(uint32_t sender, const uint64_t words[AEGIS_SEND_WORDS]);

/*
 * Serves calls with serve and messages with receive, one after the other, on the present stack;
 * each may be NULL, but not both. Between them the program doesn't run, but for upcalls. Returns
 * only if it can't begin: negated STATE inside of serve, INVALID if both are NULL.
 */
int64_t gate_serve(gate_server *serve, gate_receiver *receive);

#endif
