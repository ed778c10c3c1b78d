/* Offsets in struct upcall_context and struct upcall_light (upcall.h), for entry.S. */
#ifndef EXOS_UPCALL_CONTEXT_H
#define EXOS_UPCALL_CONTEXT_H

#define CONTEXT_X(n)  (8 * (n))
#define CONTEXT_F(n)  (256 + 8 * (n))
#define CONTEXT_FCSR  512
#define CONTEXT_PC    520
#define CONTEXT_CAUSE 528
#define CONTEXT_VALUE 536
#define CONTEXT_FRAME 544
#define CONTEXT_SIZE  560 /* a multiple of 16 */

#define LIGHT_RA    0
#define LIGHT_A(n)  (8 + 8 * (n))
#define LIGHT_T(n)  (72 + 8 * ((n)-3))
#define LIGHT_SP    104
#define LIGHT_FRAME 112
#define LIGHT_SIZE  128 /* a multiple of 16 */

#define UPCALL_STACK_SIZE   8192 /* three times what the tests use at most */
#define UPCALL_STACKS_SHIFT 14   /* of both, one behind the other */
#define UPCALL_CAUSE_END    16   /* UPCALL_CAUSES */

/* Offsets in struct aegis_upcall_frame (abi/abi.h). */
#define FRAME_CAUSE 0
#define FRAME_PC    8
#define FRAME_VALUE 16
#define FRAME_T0    24
#define FRAME_T1    32
#define FRAME_T2    40
#define FRAME_SHIFT 6 /* 64 bytes each */

#define FRAMES_OFFSET 64 /* of the first, in struct aegis_upcall_page */
#define CALL_RESUME   0x1025

#endif
