/* What gate.c and entry.S share; not for programs. */
#ifndef EXOS_GATE_INTERNAL_H
#define EXOS_GATE_INTERNAL_H

#define GATE_SP         0
#define GATE_TP         8
#define GATE_SERVE      16
#define GATE_RECEIVE    24
#define GATE_ENTRY      32
#define GATE_SEND_ENTRY 40

/* abi/calls.def, abi/errors.def */
#define GATE_CALL_YIELD  0x1001
#define GATE_CALL_ACCEPT 0x1062
#define GATE_CALL_CALL   0x1063
#define GATE_CALL_RETURN 0x1064
#define GATE_ERROR_BUSY  24

#ifndef __ASSEMBLER__
#include <stdint.h>

#include "libos/gate/gate.h"

/* What a server finds when it is entered with somebody else's registers. */
struct gate_state {
    uint64_t sp, tp; /* to serve with */
    gate_server *serve;
    gate_receiver *receive;
    uint64_t entry, send_entry; /* for gate_accept */
};
extern struct gate_state gate_state;

/* entry.S: one gate_call, and its result; the two ways in; gate_accept, which returns an error. */
int64_t gate_enter(uint32_t index, uint64_t words[GATE_WORDS]);
void gate_called(void);
void gate_sent_to(void);
int64_t gate_begin(void);
#endif

#endif
