/*
 * Where the kernel enters an exception's handler, and the way back.
 *
 * On entry t0 = the frame, which holds cause, pc, value, t0, t1, t2; all registers but those three are as they were. The
 * context goes to ExOS's exception stack: from its top, or, when the exception came from a handler on either
 * stack, from where that one is (there is no red zone below sp). AEGIS_UPCALL_FRAMES bounds how often.
 */
#include "libos/upcall/context.h"

        .section .text.hot.upcall, "ax", @progbits
        .globl  upcall_entry
        .type   upcall_entry, @function
        .balign 4
upcall_entry:
        ld      t1, FRAME_CAUSE(t0)
        li      t2, UPCALL_CAUSE_END
        bgeu    t1, t2, upcall_full
        slli    t1, t1, 3
        la      t2, upcall_lights
        add     t2, t2, t1
        ld      t2, 0(t2)
        beqz    t2, upcall_full

/* A light handler, at t2: what a function may change of the integer registers is saved, and nothing else. */
        la      t1, upcall_stack
        sub     t1, sp, t1
        srli    t1, t1, UPCALL_STACKS_SHIFT
        beqz    t1, light_nested
        la      t1, upcall_stack_top - LIGHT_SIZE
2:      sd      sp, LIGHT_SP(t1)
        sd      ra, LIGHT_RA(t1)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        sd      a\n, LIGHT_A(\n)(t1)
        .endr
        .irp    n, 3, 4, 5, 6
        sd      t\n, LIGHT_T(\n)(t1)
        .endr
        sd      t0, LIGHT_FRAME(t1)
        mv      sp, t1
        mv      a0, t1
        jalr    t2
        mv      t2, a0
        beqz    a0, 1f
        la      a1, upcall_counted
        li      a2, 1
        amoadd.d zero, a2, (a1)         /* an upcall that comes here counts, too */
1:
        ld      t0, LIGHT_FRAME(sp)
        ld      ra, LIGHT_RA(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        ld      a\n, LIGHT_A(\n)(sp)
        .endr
        .irp    n, 3, 4, 5, 6
        ld      t\n, LIGHT_T(\n)(sp)
        .endr
        ld      sp, LIGHT_SP(sp)
        bnez    t2, upcall_tail
        j       upcall_full
light_nested:
        andi    t1, sp, -16
        addi    t1, t1, -LIGHT_SIZE
        j       2b

upcall_full:
        ld      t1, FRAME_CAUSE(t0)
        bltz    t1, 3f
        la      t1, upcall_stack
        sub     t2, sp, t1
        li      t1, 2 * UPCALL_STACK_SIZE
        bltu    t2, t1, 1f
        la      t1, upcall_stack_top
        j       2f
/*
 * An upcall that is no exception has a stack of its own: it may come between any two instructions here, where
 * a context on the other stack is half written and sp doesn't show it. Only one is under way at a time; the
 * exceptions of its own handler go below it on its stack, for the same reason.
 */
3:      la      t1, asynchronous_stack_top
        j       2f
1:      andi    t1, sp, -16
2:      addi    t1, t1, -CONTEXT_SIZE

        .irp    n, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, CONTEXT_X(\n)(t1)
        .endr
        mv      sp, t1
        sd      t0, CONTEXT_FRAME(sp)
        ld      a1, FRAME_T0(t0)
        ld      a2, FRAME_T1(t0)
        ld      a3, FRAME_T2(t0)
        sd      a1, CONTEXT_X(5)(sp)
        sd      a2, CONTEXT_X(6)(sp)
        sd      a3, CONTEXT_X(7)(sp)
        ld      a1, FRAME_PC(t0)
        ld      a2, FRAME_CAUSE(t0)
        ld      a3, FRAME_VALUE(t0)
        sd      a1, CONTEXT_PC(sp)
        sd      a2, CONTEXT_CAUSE(sp)
        sd      a3, CONTEXT_VALUE(sp)
        bgez    a2, 4f
        la      tp, __first_tls         /* a server's first instructions have its caller's tp (gate/entry.S) */
4:
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fsd     f\n, CONTEXT_F(\n)(sp)
        .endr
        frcsr   a1
        sd      a1, CONTEXT_FCSR(sp)

        mv      a0, sp
        call    upcall_dispatch

        ld      a1, CONTEXT_FCSR(sp)
        fscsr   a1
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fld     f\n, CONTEXT_F(\n)(sp)
        .endr
        ld      a1, CONTEXT_CAUSE(sp)
        bltz    a1, asynchronous_end
        ld      t0, CONTEXT_FRAME(sp)
        ld      a1, CONTEXT_PC(sp)
        ld      a2, CONTEXT_X(5)(sp)
        ld      a3, CONTEXT_X(6)(sp)
        ld      a4, CONTEXT_X(7)(sp)
        sd      a1, FRAME_PC(t0)
        sd      a2, FRAME_T0(t0)
        sd      a3, FRAME_T1(t0)
        sd      a4, FRAME_T2(t0)
        .irp    n, 1, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ld      x\n, CONTEXT_X(\n)(sp)
        .endr
        ld      sp, CONTEXT_X(2)(sp)

/*
 * The tail. Its loads come from the pinned frame only, so none of them faults. The frame is free from the
 * moment depth is lowered, and still read three times after: no exception can come in between, and an
 * asynchronous upcall has to leave this frame alone (it uses the one above the depth that it finds).
 *
 * The exception may have come between lr and sc: a reservation of the same word that the handler has left must not
 * serve that sc. One here ends it; should it succeed, it stores to cause, which nobody reads any more.
 */
        .globl  upcall_tail
upcall_tail:
        sc.d    zero, zero, (t0)
        ld      gp, FRAME_PC(t0)
        srli    t2, t0, 12
        slli    t2, t2, 12              /* the upcall page: depth is its first word */
        lw      t1, 0(t2)
        addi    t1, t1, -1
        sw      t1, 0(t2)
        ld      t1, FRAME_T1(t0)
        ld      t2, FRAME_T2(t0)
        ld      t0, FRAME_T0(t0)
        jr      gp
        .globl  upcall_tail_end
upcall_tail_end:

/*
 * gp may have been in use, and all other registers: the kernel restores them from the context, whose x0 is the
 * pc's place there. depth becomes what it was: two less than the frame's number and one make it. If it doesn't
 * return, all is said; if it does, the context is damaged, and what ends the program names its place.
 */
asynchronous_end:
        ld      t0, CONTEXT_FRAME(sp)
        ld      a1, CONTEXT_PC(sp)
        sd      a1, CONTEXT_X(0)(sp)
        srli    a1, t0, 12
        slli    a1, a1, 12
        sub     a1, t0, a1
        addi    a1, a1, -FRAMES_OFFSET
        srli    a1, a1, FRAME_SHIFT
        addi    a1, a1, -1
        mv      a0, sp
        li      a7, CALL_RESUME
        ecall
        ebreak
        .size   upcall_entry, . - upcall_entry

/* bool upcall_probe(const volatile uint64_t *word, uint64_t *value): dispatch knows the two labels. */
        .globl  upcall_probe, upcall_probe_load, upcall_probe_failed
        .type   upcall_probe, @function
upcall_probe:
upcall_probe_load:
        ld      a0, 0(a0)
        sd      a0, 0(a1)
        li      a0, 1
        ret
upcall_probe_failed:
        li      a0, 0
        ret
        .size   upcall_probe, . - upcall_probe

/* bool upcall_touch(void *address, bool write): likewise. The word that holds the byte is written with what it holds. */
        .globl  upcall_touch, upcall_touch_load, upcall_touch_store
        .type   upcall_touch, @function
upcall_touch:
        bnez    a1, 1f
upcall_touch_load:
        lbu     a0, 0(a0)
        li      a0, 1
        ret
1:      andi    a0, a0, -4
upcall_touch_store:
        amoadd.w zero, zero, (a0)
        li      a0, 1
        ret
        .size   upcall_touch, . - upcall_touch

        .if     1 << UPCALL_STACKS_SHIFT != 2 * UPCALL_STACK_SIZE
        .error  "UPCALL_STACKS_SHIFT"
        .endif
        .section .bss.resident.upcall_stack, "aw", @nobits
        .balign 16
upcall_stack:
        .zero   UPCALL_STACK_SIZE
        .globl  upcall_stack_top
upcall_stack_top:
        .zero   UPCALL_STACK_SIZE       /* right behind: the entry takes both for one range */
        .globl  asynchronous_stack_top
asynchronous_stack_top:
