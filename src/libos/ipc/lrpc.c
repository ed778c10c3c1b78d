#include "libos/ipc/lrpc.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "libos/ipc/lrpc_state.h"

/* What lrpc_entry.S finds when all registers are somebody else's. */
struct lrpc_state {
    uint64_t sp, tp; /* to serve with; of a client: where a peer's end is told */
    lrpc_function *function;
    uint64_t entry; /* for gate_accept */
};
_Static_assert(offsetof(struct lrpc_state, sp) == LRPC_SP, "lrpc_entry.S");
_Static_assert(offsetof(struct lrpc_state, tp) == LRPC_TP, "lrpc_entry.S");
_Static_assert(offsetof(struct lrpc_state, function) == LRPC_FUNCTION, "lrpc_entry.S");
_Static_assert(offsetof(struct lrpc_state, entry) == LRPC_ENTRY, "lrpc_entry.S");
_Static_assert(AEGIS_CALL_yield == LRPC_CALL_YIELD, "lrpc_entry.S");
_Static_assert(AEGIS_CALL_gate_accept == LRPC_CALL_ACCEPT, "lrpc_entry.S");
_Static_assert(AEGIS_CALL_gate_call == LRPC_CALL_CALL, "lrpc_entry.S");
_Static_assert(AEGIS_CALL_gate_return == LRPC_CALL_RETURN, "lrpc_entry.S");
_Static_assert(AEGIS_E_BUSY == LRPC_ERROR_BUSY, "lrpc_entry.S");
_Static_assert(AEGIS_E_PEER_DIED == LRPC_ERROR_PEER_DIED, "lrpc_entry.S");

static jmp_buf *when_peer_dies;
static char __attribute__((aligned(16))) last_stack[1024]; /* of a client that has lost its own */
extern char __first_tls[];
struct lrpc_state lrpc_server;
struct lrpc_state lrpc_state = {.sp = (uint64_t)(last_stack + sizeof last_stack),
                                .tp = (uint64_t)__first_tls};

int64_t lrpc_begin(void);
void lrpc_enter_trusting(void);
void lrpc_enter_untrusting(void);
_Noreturn void lrpc_peer_died(void);

int64_t lrpc_serve(lrpc_function *function, bool trusting)
{
    struct lrpc_state before = lrpc_server;

    lrpc_server.function = function;
    lrpc_server.entry = (uint64_t)(trusting ? lrpc_enter_trusting : lrpc_enter_untrusting);
    int64_t error = lrpc_begin();
    lrpc_server = before; /* inside of a function that serves: that goes on with its own */
    return error;
}

void lrpc_when_peer_dies(jmp_buf *where)
{
    uint64_t tp;
    __asm__("mv %0, tp" : "=r"(tp));
    when_peer_dies = where;
    lrpc_state.tp = tp;
}

/* lrpc_entry.S: on the stack and with the thread-local storage that are named above. */
void lrpc_peer_died(void)
{
    static const char text[] = "a server that was trusted with all registers has ended\n";
    if (when_peer_dies)
        longjmp(*when_peer_dies, 1);
    aegis_log(text, sizeof text - 1);
    aegis_env_end(0, 134); /* as abort: the program's own data may be half changed */
    for (;;)
        aegis_yield(0);
}
