/*
 * Calls in registers (lrpc.h), from both sides. It lies in .text.whole: in between, sp and tp are the other side's.
 */
#include "libos/ipc/lrpc_state.h"

        .section .text.whole.lrpc, "ax", @progbits

        .macro  clear registers:vararg
        .irp    n, \registers
        li      \n, 0
        .endr
        .endm

/*
 * The call of who trusts nobody: gate and words are in a0 to a6, and t0 tells afterwards who answered, as after the
 * ecall. All other registers are gone: lrpc.h has the compiler save what it needs.
 */
        .globl  lrpc_cross
        .type   lrpc_cross, @function
lrpc_cross:
        lla     t0, client
        sd      ra, 0(t0)
        sd      sp, 8(t0)
        sd      tp, 16(t0)
        li      a7, LRPC_CALL_CALL
        clear   ra, sp, tp, t1, t2, t3, t4, t5, t6, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
        ecall
        lla     t1, client
        ld      ra, 0(t1)
        ld      sp, 8(t1)
        ld      tp, 16(t1)
        ret
        .size   lrpc_cross, . - lrpc_cross

/* Behind a trusting call's ecall, by its `call`: a0 is the error. Of a server that has ended only pc came back. */
        .globl  lrpc_failed
        .type   lrpc_failed, @function
lrpc_failed:
        li      t1, -LRPC_ERROR_PEER_DIED
        beq     a0, t1, 1f
        ret
1:      lla     t1, lrpc_state
        ld      sp, LRPC_SP(t1)         /* not the stack that is lost: lrpc.c */
        ld      tp, LRPC_TP(t1)
        j       lrpc_peer_died
        .size   lrpc_failed, . - lrpc_failed

/* Accepts on the stack of its caller. */
        .globl  lrpc_begin
        .type   lrpc_begin, @function
lrpc_begin:
        lla     t0, lrpc_server
        addi    t1, sp, -32
        sd      t1, LRPC_SP(t0)
        sd      tp, LRPC_TP(t0)
        ld      a0, LRPC_ENTRY(t0)
        li      a1, 0
        li      a7, LRPC_CALL_ACCEPT
        ecall
        ret
        .size   lrpc_begin, . - lrpc_begin

/*
 * On the server's stack, with the caller's sp and tp on it, in whose place the answer comes from a0: t2 keeps it, which
 * the kernel leaves alone, for a return that fails.
 */
        .macro  serve
        mv      t1, sp
        mv      t3, tp
        lla     sp, lrpc_server
        ld      t2, LRPC_FUNCTION(sp)
        ld      tp, LRPC_TP(sp)
        ld      sp, LRPC_SP(sp)
        sd      t1, 0(sp)
        sd      t3, 8(sp)
        mv      a0, t0
        jalr    t2
        mv      t2, a0
        ld      tp, 8(sp)
        ld      sp, 0(sp)
        li      a7, LRPC_CALL_RETURN
        .endm

/* A call that is trusted: t0 = who calls, a1 to a6 = the words. */
        .globl  lrpc_enter_trusting
        .type   lrpc_enter_trusting, @function
        .balign 4
lrpc_enter_trusting:
        serve
        ecall
        j       unanswered
        .size   lrpc_enter_trusting, . - lrpc_enter_trusting

/*
 * A call of a stranger's. The function keeps s0 to s11 as a function does, so what the caller gets there is its own;
 * of what it used otherwise nothing goes back.
 */
        .globl  lrpc_enter_untrusting
        .type   lrpc_enter_untrusting, @function
        .balign 4
lrpc_enter_untrusting:
        serve
        clear   ra, t1, t3, t4, t5, t6, a1, a2, a3, a4, a5, a6
        ecall
        j       unanswered
        .size   lrpc_enter_untrusting, . - lrpc_enter_untrusting

/* A return that failed: the caller can't go on now, or has ended. */
unanswered:
        li      t0, -LRPC_ERROR_BUSY
        lla     t1, lrpc_server
        ld      tp, LRPC_TP(t1)
        ld      sp, LRPC_SP(t1)
        bne     a0, t0, 1f
        sd      t2, 16(sp)
        li      a0, 0
        li      a7, LRPC_CALL_YIELD
        ecall
        ld      a0, 16(sp)
        ld      t2, 16(sp)
        ld      tp, 8(sp)
        ld      sp, 0(sp)
        li      a7, LRPC_CALL_RETURN
        clear   ra, t1, t3, t4, t5, t6, a1, a2, a3, a4, a5, a6
        ecall
        j       unanswered
1:      ld      a0, LRPC_ENTRY(t1)      /* the next one */
        li      a1, 0
        li      a7, LRPC_CALL_ACCEPT
        ecall
        unimp

        .section .bss.client, "aw", @nobits
        .balign 8
client: .zero   24
