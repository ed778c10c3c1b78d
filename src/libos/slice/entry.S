/*
 * The end of a slice and the beginning of the next (slice.h). One of them is under way at a time, and no other upcall
 * that is no exception: the context is static, and the stack is theirs (upcall/entry.S), below which exceptions of the
 * hooks go.
 */
#include "libos/slice/context.h"

        .section .text.hot.slice, "ax", @progbits
/* t0 = the frame, with pc, t0, t1 and t2 of what was interrupted; all other registers are its. */
        .globl  slice_epilogue
        .type   slice_epilogue, @function
        .balign 4
slice_epilogue:
        la      t1, slice_context
        .irp    n, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, 8 * \n(t1)
        .endr
        ld      a1, SLICE_FRAME_PC(t0)
        ld      a2, SLICE_FRAME_T0(t0)
        ld      a3, SLICE_FRAME_T0 + 8(t0)
        ld      a4, SLICE_FRAME_T0 + 16(t0)
        sd      a1, 0(t1)
        sd      a2, 8 * 5(t1)
        sd      a3, 8 * 6(t1)
        sd      a4, 8 * 7(t1)
        la      sp, asynchronous_stack_top - 16 /* inside: upcall/entry.S sees by it where exceptions go */
        la      tp, __first_tls         /* a server's first instructions have its caller's (gate/entry.S) */
        mv      a0, t1
        call    slice_is_over
        li      a0, 0
        li      a7, SLICE_CALL_YIELD
        ecall                           /* the kernel goes on in the prologue */
        ebreak

/* a0 = the frame; sp as it was at the yield. The number of the frame, less one for the free one, is depth's. */
        .globl  slice_prologue
        .type   slice_prologue, @function
        .balign 4
slice_prologue:
        mv      s0, a0
        la      a0, slice_context
        call    slice_is_here
        srli    a1, s0, 12
        slli    a1, a1, 12
        sub     a1, s0, a1
        addi    a1, a1, -SLICE_FRAMES
        srli    a1, a1, SLICE_FRAME_SHIFT
        addi    a1, a1, -1
        la      a0, slice_context
        li      a7, SLICE_CALL_RESUME
        ecall
        ebreak                          /* a hook has damaged the context */

        .section .bss.resident.hot.slice, "aw", @nobits
        .balign 16
slice_context:
        .zero   SLICE_CONTEXT_SIZE
