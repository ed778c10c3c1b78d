/*
 * The stubs of the system calls. Arguments are in a0 to a5 already, as the psABI passes them, and the
 * result comes in a0: a stub only names the number. The kernel keeps s0 to s11 across a call, except
 * across those that give the processor away or restart themselves: of them it restores pc, sp, gp and tp
 * alone, and the floating-point registers, which stay the environment's until another uses them. Of gate_call it
 * restores pc: what comes back in the other registers is the callee's, sp included, which is kept where no register
 * is needed to find it. Its stub returns who answered, or the error.
 *
 * A call with pointers that says ADDRESS may mean memory that isn't there yet: then its stub has that touched
 * (vm/touch.c) and calls once more. Until it knows it keeps the arguments in t2 to t6, which the kernel leaves alone
 * (entry.S: the short way), or, where it saves registers, with those. net_send runs a binding's egress filter, whose code
 * uses these registers: they come back as zero, so its three arguments go on the stack.
 */
#include "libos/start/stubs.h"

        .macro  keep_arguments count
        mv      t2, a0
        .if     \count > 1
        mv      t3, a1
        .endif
        .if     \count > 2
        mv      t4, a2
        .endif
        .if     \count > 3
        mv      t5, a3
        .endif
        .if     \count > 4
        mv      t6, a4
        .endif
        .endm

        .macro  stub number, name, pointers, count
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
        addi    sp, sp, -160
        sd      ra, 112(sp)
        .if     \pointers
        .irp    n, 0, 1, 2, 3, 4
        sd      a\n, 120 + 8 * \n(sp)
        .endr
        .endif
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sd      s\n, 8 * \n(sp)
        .endr
        .endif
        .set    filters, 0
        .ifc    \name, net_send
        .set    filters, 1
        addi    sp, sp, -32
        sd      a0, 0(sp)
        sd      a1, 8(sp)
        sd      a2, 16(sp)
        .endif
        .if     (\pointers) && !saving && !filters
        keep_arguments \count
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
        .if     \pointers
        li      t0, -STUBS_ADDRESS
        beq     a0, t0, 2f
3:
        .endif
        .if     saving
        ld      ra, 112(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ld      s\n, 8 * \n(sp)
        .endr
        addi    sp, sp, 160
        .endif
        .if     filters
        addi    sp, sp, 32
        .endif
        ret
        .if     \pointers
2:
        .if     saving
        .irp    n, 0, 1, 2, 3, 4
        ld      a\n, 120 + 8 * \n(sp)
        .endr
        keep_arguments \count
        li      t0, \number
        call    stub_again
        j       3b
        .else
        .if     filters
        ld      t2, 0(sp)
        ld      t3, 8(sp)
        ld      t4, 16(sp)
        addi    sp, sp, 32
        .endif
        li      t0, \number
        tail    stub_again
        .endif
        .endif
        .size   aegis_\name, . - aegis_\name
        .endm

/* How many of a call's arguments are pointers. */
#define V(...) 0
#define P(...) 1
#define E(...)
#define AEGIS_CALL0(number, name, e, s)                stub number, name, 0, 0
#define AEGIS_CALL1(number, name, a, e, s)             stub number, name, a, 1
#define AEGIS_CALL2(number, name, a, b, e, s)          stub number, name, a+b, 2
#define AEGIS_CALL3(number, name, a, b, c, e, s)       stub number, name, a+b+c, 3
#define AEGIS_CALL4(number, name, a, b, c, d, e, s)    stub number, name, a+b+c+d, 4
#define AEGIS_CALL5(number, name, a, b, c, d, f, e, s) stub number, name, a+b+c+d+f, 5
#include "abi/calls.def"

/* The call number t0 with arguments t2 to t6 once more, if all that they point to can be touched. */
        .section .text.stub_again, "ax", @progbits
        .type   stub_again, @function
stub_again:
        addi    sp, sp, -64
        sd      ra, 56(sp)
        sd      t0, 48(sp)
        sd      zero, 40(sp)
        .irp    n, 2, 3, 4, 5, 6
        sd      t\n, 8 * (\n - 2)(sp)
        .endr
        mv      a0, t0
        mv      a1, sp
        call    vm_touch_arguments
        mv      t0, a0
        li      a0, -STUBS_ADDRESS
        beqz    t0, 1f
        ld      a7, 48(sp)
        .irp    n, 0, 1, 2, 3, 4
        ld      a\n, 8 * \n(sp)
        .endr
        ecall                           /* ra comes back from the stack: this may be wait */
1:      ld      ra, 56(sp)
        addi    sp, sp, 64
        ret
        .size   stub_again, . - stub_again

        .section .bss.gate_call_sp, "aw", @nobits
        .balign 8
gate_call_sp:
        .zero   8
