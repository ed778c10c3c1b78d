/* The first instructions of a program: a0 = its start block, sp = the top of its stack. */
        .section .text.start, "ax", @progbits
        .globl  _start
        .type   _start, @function
_start:
        .option push
        .option norelax
        la      tp, __first_tls
        .option pop
        li      ra, 0                   /* ends back traces */
        li      s0, 0
        andi    sp, sp, -16
        call    exos_begin
        unimp
        .size   _start, . - _start
