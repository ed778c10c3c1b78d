/*
 * void around_ebreak(const uint64_t in[32], uint64_t out[32], const double fin[32], double fout[32]);
 * void around_null(...), around_illegal(...);
 *
 * Load all registers but x2 and x4 from in and fin, execute c.ebreak, the null system call (which needs a7 to
 * be its number) or an illegal instruction of 4 bytes, and store what they are then. As any function they keep what their caller expects.
 */
#define FRAME 256

        .macro  around name, instruction
        .text
        .globl  \name
        .type   \name, @function
\name:
        addi    sp, sp, -FRAME
        sd      ra, 0(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sd      s\n, 8 + 8 * \n(sp)
        fsd     fs\n, 104 + 8 * \n(sp)
        .endr
        sd      a1, 200(sp)
        sd      a3, 208(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fld     f\n, 8 * \n(a2)
        .endr
        .irp    n, 1, 3, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ld      x\n, 8 * \n(a0)
        .endr
        ld      a0, 80(a0)

        .option push
        .option rvc
        \instruction
        .option pop

        sd      t6, 216(sp)
        ld      t6, 200(sp)
        .irp    n, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        sd      x\n, 8 * \n(t6)
        .endr
        ld      t5, 216(sp)
        sd      t5, 248(t6)
        ld      t6, 208(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fsd     f\n, 8 * \n(t6)
        .endr
        ld      ra, 0(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ld      s\n, 8 + 8 * \n(sp)
        fld     fs\n, 104 + 8 * \n(sp)
        .endr
        addi    sp, sp, FRAME
        ret
        .size   \name, . - \name
        .endm

        around  around_ebreak, c.ebreak
        around  around_null, ecall
        around  around_illegal, ".4byte 0x0000000b" /* custom-0: an instruction of nobody's */

/*
 * void skip_handler(void), note_handler(void): handlers for aegis_upcall_bind, which go on behind the instruction of
 * 4 bytes. note_handler first puts all registers, as the kernel left them, into noted_registers, but gp, which it
 * needs for that, and which is free for it.
 */
        .globl  note_handler, skip_handler, noted_registers
note_handler:
        la      gp, noted_registers
        .irp    n, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, 8 * \n(gp)
        .endr
skip_handler:
        ld      t1, 8(t0)               /* struct aegis_upcall_frame, pc */
        addi    t1, t1, 4
        sd      t1, 8(t0)
        j       upcall_tail

        .bss
        .balign 8
noted_registers:
        .zero   256

/*
 * void around_gate(const uint64_t in[32], uint64_t out[32]): the same with all registers, sp and tp too: makes the call
 * that in says and stores what comes back. Keeps its own in memory that it names itself; f0 is lost.
 */
        .text
        .globl  around_gate
        .type   around_gate, @function
around_gate:
        lla     t0, kept
        sd      ra, 0(t0)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sd      s\n, 8 + 8 * \n(t0)
        .endr
        sd      sp, 104(t0)
        sd      tp, 112(t0)
        sd      a1, 120(t0)
        mv      t0, a0
        .irp    n, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ld      x\n, 8 * \n(t0)
        .endr
        ld      t0, 40(t0)
        ecall
        fmv.d.x f0, t0
        lla     t0, kept
        ld      t0, 120(t0)
        .irp    n, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, 8 * \n(t0)
        .endr
        fmv.x.d t1, f0
        sd      t1, 40(t0)
        lla     t0, kept
        ld      ra, 0(t0)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ld      s\n, 8 + 8 * \n(t0)
        .endr
        ld      sp, 104(t0)
        ld      tp, 112(t0)
        ret
        .size   around_gate, . - around_gate

        .bss
kept:   .zero   128
