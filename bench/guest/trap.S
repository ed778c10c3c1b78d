/*
 * Exception handlers of the rows, entered by the kernel with t0 = the frame and all else as it was. They go
 * back through the library's own tail (libos/upcall/entry.S), so what they cost includes it.
 */
#include "libos/upcall/context.h"

        .macro  handler name
        .globl  \name
        .balign 4
\name:
        .endm

        .macro  skip_instruction
        ld      t1, FRAME_PC(t0)
        addi    t1, t1, 4
        sd      t1, FRAME_PC(t0)
        .endm

/* The integer registers that a function and a system call may change; t1 and t2 are in the frame. */
        .macro  save_callers
        addi    sp, sp, -112
        sd      ra, 0(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        sd      a\n, 8 + 8 * \n(sp)
        .endr
        sd      t3, 72(sp)
        sd      t4, 80(sp)
        sd      t5, 88(sp)
        sd      t6, 96(sp)
        sd      t0, 104(sp)
        .endm

        .macro  restore_callers
        ld      ra, 0(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        ld      a\n, 8 + 8 * \n(sp)
        .endr
        ld      t3, 72(sp)
        ld      t4, 80(sp)
        ld      t5, 88(sp)
        ld      t6, 96(sp)
        ld      t0, 104(sp)
        addi    sp, sp, 112
        .endm

        .text
handler trap_skip
        skip_instruction
        j       upcall_tail

/* The counter first: what came before it is the kernel's. */
handler trap_note
        csrr    t1, instret
        la      t2, port_noted
        sd      t1, 0(t2)
        skip_instruction
        j       upcall_tail

/* protect(0, port_page, 1, READ | WRITE), then the store again. */
handler trap_unprotect
        save_callers
        li      a0, 0
        la      a1, port_page
        ld      a1, 0(a1)
        li      a2, 1
        li      a3, 3
        call    aegis_protect
        restore_callers
        j       upcall_tail
