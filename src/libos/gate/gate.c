#include "libos/gate/gate.h"

#include <stddef.h>

#include "libos/gate/internal.h"
#include "libos/start/calls.h"

_Static_assert(offsetof(struct gate_state, sp) == GATE_SP, "entry.S");
_Static_assert(offsetof(struct gate_state, tp) == GATE_TP, "entry.S");
_Static_assert(offsetof(struct gate_state, serve) == GATE_SERVE, "entry.S");
_Static_assert(offsetof(struct gate_state, receive) == GATE_RECEIVE, "entry.S");
_Static_assert(offsetof(struct gate_state, entry) == GATE_ENTRY, "entry.S");
_Static_assert(offsetof(struct gate_state, send_entry) == GATE_SEND_ENTRY, "entry.S");
_Static_assert(AEGIS_CALL_yield == GATE_CALL_YIELD, "entry.S");
_Static_assert(AEGIS_CALL_gate_accept == GATE_CALL_ACCEPT, "entry.S");
_Static_assert(AEGIS_CALL_gate_call == GATE_CALL_CALL, "entry.S");
_Static_assert(AEGIS_CALL_gate_return == GATE_CALL_RETURN, "entry.S");
_Static_assert(AEGIS_E_BUSY == GATE_ERROR_BUSY, "entry.S");

struct gate_state gate_state;

int64_t gate_invoke(uint32_t index, uint64_t words[GATE_WORDS])
{
    int64_t result;

    while ((result = gate_enter(index, words)) == -AEGIS_E_TIME)
        aegis_yield(0);
    return result;
}

int64_t gate_serve(gate_server *serve, gate_receiver *receive)
{
    struct gate_state before = gate_state;

    gate_state.serve = serve;
    gate_state.receive = receive;
    gate_state.entry = serve ? (uint64_t)gate_called : 0;
    gate_state.send_entry = receive ? (uint64_t)gate_sent_to : 0;
    int64_t error = gate_begin();
    gate_state = before; /* inside of serve: what is under way goes on with its own */
    return error;
}
