/* Entry of a RISC-V Linux program: the stack pointer is set, and nothing else is needed. */
        .globl  _start
_start:
        call    runner_main
        li      a7, 93          /* exit */
        ecall

/* long system_call(a, b, c, d, e, f, number) */
        .globl  system_call
system_call:
        mv      a7, a6
        ecall
        ret
