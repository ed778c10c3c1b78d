/*
 * The ways into a signal's handler, and the way back (deliver.c). On the stack lies a ucontext_t; the way back
 * loads all registers from it, and the pc through gp, which nothing else uses (upcall/entry.S).
 */
#include "libos/proc/deliver.h"

/* The ucontext is at sp, and all registers but sp and pc are those of what was interrupted. */
        .section .text.hot.signal, "ax", @progbits
        .macro  save
        .irp    n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, UC_X(\n)(sp)
        .endr
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fsd     f\n, UC_F(\n)(sp)
        .endr
        frcsr   a0
        sd      a0, UC_FCSR(sp)
        .endm

/* void signal_here(void): as if a signal had interrupted the caller behind this call. */
        .globl  signal_here
        .type   signal_here, @function
        .balign 4
signal_here:
        addi    sp, sp, -UC_SIZE
        save
        sd      ra, UC_X(0)(sp)
        addi    a1, sp, UC_SIZE
        sd      a1, UC_X(2)(sp)
        mv      a0, sp
        li      a1, 0
        call    signal_dispatch
        j       signal_return
        .size   signal_here, . - signal_here

/* An upcall has set pc to this place, and sp to room for a ucontext; signal_from has what they were. */
        .globl  signal_trampoline
        .type   signal_trampoline, @function
        .balign 4
signal_trampoline:
        save
        la      a0, signal_from
        ld      a1, SIGNAL_FROM_PC(a0)
        ld      a2, SIGNAL_FROM_SP(a0)
        sd      a1, UC_X(0)(sp)
        sd      a2, UC_X(2)(sp)
        ld      a1, SIGNAL_FROM_FAULT(a0)
        sd      zero, SIGNAL_FROM_BUSY(a0)
        mv      a0, sp
        call    signal_dispatch
        .size   signal_trampoline, . - signal_trampoline
/* It goes on here: */
        j       signal_return

/*
 * No listener is told of slices that begin in here (.text.whole, slice.h): another delivery would have no
 * register left to come back through. A reservation that the handler has left ends, as in thread/switch.S.
 */
        .section .text.whole, "ax", @progbits
        .type   signal_return, @function
        .balign 4
signal_return:
        addi    a1, sp, UC_X(0)
        ld      a0, 0(a1)
        sc.d    zero, a0, (a1)
        sd      a0, UC_X(3)(sp)
        ld      a0, UC_FCSR(sp)
        fscsr   a0
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fld     f\n, UC_F(\n)(sp)
        .endr
        .irp    n, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ld      x\n, UC_X(\n)(sp)
        .endr
        ld      gp, UC_X(3)(sp)         /* both in one line of 16 bytes: no fault can come between the two */
        ld      sp, UC_X(2)(sp)
        jr      gp
        .size   signal_return, . - signal_return
