/*
 * The stubs of the system calls. Arguments are in a0 to a5 already, as the psABI passes them, and the
 * result comes in a0: a stub only names the number. The kernel keeps s0 to s11 across a call, except
 * across those that give the processor away or restart themselves: of them it restores pc, sp, gp and tp
 * alone, and the floating-point registers, which stay the environment's until another uses them. Of gate_call it
 * restores pc: what comes back in the other registers is the callee's, sp included, which is kept where no register
 * is needed to find it. Its stub returns who answered, or the error.
 */
        .macro  stub number, name
        .ifc    \name, gate_call
        .section .text.whole.aegis_\name, "ax", @progbits
        .else
        .section .text.hot.aegis_\name, "ax", @progbits
        .endif
        .globl  aegis_\name
        .type   aegis_\name, @function
aegis_\name:
        .set    saving, 0
        .irp    other, yield, wait, handler_load, page_alloc_run, cap_revoke, net_bind, net_unbind
        .ifc    \name, \other
        .set    saving, 1
        .endif
        .endr
        .ifc    \name, gate_call
        .set    saving, 1
        .endif
        .if     saving
        addi    sp, sp, -128
        sd      ra, 112(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sd      s\n, 8 * \n(sp)
        .endr
        .endif
        .ifc    \name, gate_call
        sd      tp, 104(sp)
        lla     t0, gate_call_sp
        sd      sp, 0(t0)
        .endif
        li      a7, \number
        ecall
        .ifc    \name, gate_call
        lla     t1, gate_call_sp
        ld      sp, 0(t1)
        ld      tp, 104(sp)
        beqz    t0, 1f                  /* a0 is an error */
        mv      a0, t0
1:
        .endif
        .if     saving
        ld      ra, 112(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ld      s\n, 8 * \n(sp)
        .endr
        addi    sp, sp, 128
        .endif
        ret
        .size   aegis_\name, . - aegis_\name
        .endm

#define AEGIS_CALL0(number, name, ...) stub number, name
#define AEGIS_CALL1 AEGIS_CALL0
#define AEGIS_CALL2 AEGIS_CALL0
#define AEGIS_CALL3 AEGIS_CALL0
#define AEGIS_CALL4 AEGIS_CALL0
#define AEGIS_CALL5 AEGIS_CALL0
#include "abi/calls.def"

        .section .bss.gate_call_sp, "aw", @nobits
        .balign 8
gate_call_sp:
        .zero   8
