/*
 * The usual cases of three calls that change the address space (call.c: use_short_ways), which need no C. entry.S
 * comes here as to C functions: ra, sp and t0 are saved and free, a0 is the argument. Everything is looked at before
 * anything is done, and whatever is unusual goes the long way, from the start.
 */
#include "kernel/hart.h"
#include "kernel/rv64/csr.h"
#include "kernel/env_offsets.h"
#include "abi/call_numbers.h"

        .text

/*
 * env.c's env_switch to env (not t0), which isn't the one under way. FS stays on only for whose the registers' values
 * are (fpu.c).
 */
        .macro  switch_to env
        sd      \env, HART_ENV(tp)
        sd      zero, HART_DIRECT(tp)   /* direct.h */
        ld      t0, HART_FPU(tp)
        beq     t0, \env, 1f
        li      t0, SSTATUS_FS
        csrc    sstatus, t0
2:      ld      t0, ENV_SATP(\env)
        csrw    satp, t0
        .subsection 1
1:      li      t0, FS_DIRTY
        csrs    sstatus, t0
        j       2b
        .subsection 0
        .endm

        .macro  back_from_gate
        ld      ra, HART_USER_RA(tp)
        ld      sp, HART_USER_SP(tp)
        csrw    sscratch, tp
        ld      tp, HART_USER_TP(tp)
        sret
        .endm

/*
 * gate_call(a0 = index): on in the callee at its entry, with every register as it is, but t0 = the caller's number.
 * Of the caller the kernel keeps pc alone: what it wants back in other registers it saves, as it may not trust the
 * callee with them (gate.h).
 */
        .globl  gate_call_short
gate_call_short:
        csrr    t0, time
        ld      ra, HART_DONATE_UNTIL(tp)
        bgeu    t0, ra, gate_call_long
        ld      ra, HART_ENV(tp)
        srli    t0, a0, AEGIS_GATE_BITS
        bnez    t0, gate_call_long
        slli    t0, a0, 3
        add     t0, t0, ra
        ld      sp, ENV_GATES(t0)
        beqz    sp, gate_call_long
        ld      t0, ENV_STATE(sp)
        blez    t0, gate_call_long      /* doesn't accept */
        csrrw   t0, sepc, t0
        sd      t0, ENV_PC(ra)
        sd      sp, ENV_STATE(ra)
        sd      zero, ENV_STATE(sp)
        sd      ra, ENV_CALLER(sp)
        switch_to sp
        lw      t0, ENV_NUMBER(ra)
        back_from_gate

/* gate_return(): back behind the caller's ecall, likewise; t0 = the callee's number, which accepts again. */
        .globl  gate_return_short
gate_return_short:
        ld      ra, HART_ENV(tp)
        ld      sp, ENV_CALLER(ra)
        bgez    sp, gate_return_long    /* nobody, or one that may not run */
        ld      t0, ENV_ENTRY(ra)
        sd      t0, ENV_STATE(ra)
        ld      t0, ENV_PC(sp)
        addi    t0, t0, 4
        csrw    sepc, t0
        sd      zero, ENV_STATE(sp)
        switch_to sp
        lw      t0, ENV_NUMBER(ra)
        back_from_gate

/*
 * The same by way of C, which keeps all other registers: it returns the number for t0, or an error, for which the call
 * ends like any other.
 */
        .globl  gate_call_long
gate_call_long:
        ld      t0, HART_GATE_CALL(tp)
        j       1f
        .globl  gate_return_long
gate_return_long:
        ld      t0, HART_GATE_RETURN(tp)
1:      ld      sp, HART_STACK(tp)
        sd      t1, HART_MESSAGE(tp)
        .irp    n, 10, 11, 12, 13, 14, 15, 16, 17
        sd      x\n, HART_MESSAGE + 8 * (\n - 9)(tp)
        .endr
        jalr    t0
        bgez    a0, 2f
        j       call_done
2:      mv      t0, a0
        ld      t1, HART_MESSAGE(tp)
        .irp    n, 10, 11, 12, 13, 14, 15, 16, 17
        ld      x\n, HART_MESSAGE + 8 * (\n - 9)(tp)
        .endr
        back_from_gate

/*
 * yield(a0 = number) to one that could run at once, and gave the processor away in a call itself or was interrupted:
 * env_save_call and env_enter.
 */
        .globl  yield_short
yield_short:
        srli    t0, a0, ENV_BITS
        bnez    t0, yield_long
        slli    t0, a0, 3
        lla     ra, env_table
        add     t0, t0, ra
        ld      sp, 0(t0)
        ld      ra, HART_ENV(tp)
        beqz    sp, yield_long
        beq     sp, ra, yield_long
        ld      t0, ENV_STATE(sp)
        bnez    t0, yield_long
        lbu     t0, ENV_FORCED(sp)
        bnez    t0, yield_long
        ld      t0, ENV_INFO(sp)
        lbu     t0, INFO_STATE(t0)
        addi    t0, t0, -AEGIS_LIVE_STATE
        bnez    t0, yield_long
        ld      t0, HART_DONATE_UNTIL(tp)
        beqz    t0, yield_long          /* in an epilogue: nothing is left to be given */
        lbu     t0, ENV_IN_EPILOGUE(ra)
        bnez    t0, yield_long
        li      t0, 1
        sb      t0, ENV_IN_CALL(ra)
        ld      t0, HART_USER_SP(tp)
        sd      t0, ENV_X(2)(ra)
        sd      gp, ENV_X(3)(ra)
        ld      t0, HART_USER_TP(tp)
        sd      t0, ENV_X(4)(ra)
        sd      zero, ENV_X(10)(ra)
        csrr    t0, sepc
        addi    t0, t0, 4
        sd      t0, ENV_PC(ra)
        mv      a0, sp
        switch_to a0
        lbu     t0, ENV_IN_CALL(a0)
        beqz    t0, 1f
        sb      zero, ENV_IN_CALL(a0)
        j       env_resume_call
1:      j       env_resume
yield_long:
        ld      sp, HART_STACK(tp)
        ld      t0, HART_YIELD(tp)
        lla     ra, call_done
        jr      t0
