/*
 * Calls through gates, from both sides. Behind gate_call's ecall, and where a server is entered, every register is
 * the other side's: sp and tp too, which are loaded from places that this code names itself.
 */
#include "libos/gate/internal.h"

        .macro  clear registers:vararg
        .irp    n, \registers
        li      x\n, 0
        .endr
        .endm

        .section .text.whole.gate, "ax", @progbits

/* int64_t gate_enter(uint32_t index, uint64_t *words): the frame is ra, s0 to s11, tp, words. */
        .globl  gate_enter
        .type   gate_enter, @function
gate_enter:
        addi    sp, sp, -128
        sd      ra, 0(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sd      s\n, 8 + 8 * \n(sp)
        .endr
        sd      tp, 104(sp)
        sd      a1, 112(sp)
        lla     t0, caller_sp
        sd      sp, 0(t0)
        ld      a2, 8(a1)
        ld      a3, 16(a1)
        ld      a4, 24(a1)
        ld      a5, 32(a1)
        ld      a6, 40(a1)
        ld      a1, 0(a1)
        li      a7, GATE_CALL_CALL
        clear   1, 2, 3, 4, 5, 6, 7, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ecall
        lla     t1, caller_sp
        ld      sp, 0(t1)
        ld      tp, 104(sp)
        beqz    t0, 1f                  /* nobody answered: a0 says why */
        ld      a0, 112(sp)
        sd      a1, 0(a0)
        sd      a2, 8(a0)
        sd      a3, 16(a0)
        sd      a4, 24(a0)
        sd      a5, 32(a0)
        sd      a6, 40(a0)
        mv      a0, t0
1:      ld      ra, 0(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ld      s\n, 8 + 8 * \n(sp)
        .endr
        addi    sp, sp, 128
        ret
        .size   gate_enter, . - gate_enter

/* int64_t gate_begin(void): accepts on the stack and with the thread-local storage of its caller. */
        .globl  gate_begin
        .type   gate_begin, @function
gate_begin:
        lla     t0, gate_state
        ld      a0, GATE_ENTRY(t0)
        ld      a1, GATE_SEND_ENTRY(t0)
        sd      sp, GATE_SP(t0)
        sd      tp, GATE_TP(t0)
        li      a7, GATE_CALL_ACCEPT
        ecall
        ret
        .size   gate_begin, . - gate_begin

        .macro  own_stack
        lla     sp, gate_state
        ld      tp, GATE_TP(sp)
        ld      sp, GATE_SP(sp)
        addi    sp, sp, -48
        .endm

/* Where gate_call enters: t0 = who calls, the message in a1 to a6. */
        .globl  gate_called
        .type   gate_called, @function
        .balign 4
gate_called:
        own_stack
        sd      a1, 0(sp)
        sd      a2, 8(sp)
        sd      a3, 16(sp)
        sd      a4, 24(sp)
        sd      a5, 32(sp)
        sd      a6, 40(sp)
        mv      a0, t0
        mv      a1, sp
        li      s0, 0                   /* ends back traces */
        lla     t0, gate_state
        ld      t0, GATE_SERVE(t0)
        jalr    t0
answer: ld      a1, 0(sp)
        ld      a2, 8(sp)
        ld      a3, 16(sp)
        ld      a4, 24(sp)
        ld      a5, 32(sp)
        ld      a6, 40(sp)
        li      a7, GATE_CALL_RETURN
        clear   1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ecall
        /* It failed: the caller has to be waited for, or there is none any more. The answer is on the stack. */
        own_stack
        li      t0, -GATE_ERROR_BUSY
        bne     a0, t0, accept
        li      a0, 0
        li      a7, GATE_CALL_YIELD
        ecall
        j       answer
accept: lla     t0, gate_state
        ld      a0, GATE_ENTRY(t0)
        ld      a1, GATE_SEND_ENTRY(t0)
        li      a7, GATE_CALL_ACCEPT
        ecall
        unimp
        .size   gate_called, . - gate_called

/* Where gate_send's message enters: t0 = who sent it, a0 to a3. */
        .globl  gate_sent_to
        .type   gate_sent_to, @function
        .balign 4
gate_sent_to:
        own_stack
        sd      a0, 0(sp)
        sd      a1, 8(sp)
        sd      a2, 16(sp)
        sd      a3, 24(sp)
        mv      a0, t0
        mv      a1, sp
        li      s0, 0
        lla     t0, gate_state
        ld      t0, GATE_RECEIVE(t0)
        jalr    t0
        j       accept
        .size   gate_sent_to, . - gate_sent_to

        .section .bss.caller_sp, "aw", @nobits
        .balign 8
caller_sp:
        .zero   8
