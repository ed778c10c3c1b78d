/* What lrpc.c and lrpc_entry.S share; not for programs. */
#ifndef EXOS_IPC_LRPC_STATE_H
#define EXOS_IPC_LRPC_STATE_H

#define LRPC_SP       0
#define LRPC_TP       8
#define LRPC_FUNCTION 16
#define LRPC_ENTRY    24

/* abi/calls.def, abi/errors.def */
#define LRPC_CALL_YIELD      0x1001
#define LRPC_CALL_ACCEPT     0x1062
#define LRPC_CALL_CALL       0x1063
#define LRPC_CALL_RETURN     0x1064
#define LRPC_ERROR_BUSY      24
#define LRPC_ERROR_PEER_DIED 30

#endif
