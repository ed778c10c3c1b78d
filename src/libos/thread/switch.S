/*
 * From one thread to another without the kernel. All of it is in .text.whole: the beginning of a slice finds each
 * thread either before its first instruction here, or behind its last.
 *
 * tp is the thread: below it are its registers, above it its thread-local storage. Who calls in here is a function's
 * caller, so what a function may change isn't kept; a thread that lost the processor at the end of a slice has all
 * of its registers below tp, and thread_whole in its `resume` (preempt.c).
 */
#include "libos/thread/context.h"

#define AT(member) ((member) - THREAD_SIZE)

        .macro  each_saved instruction, finstruction
        .irp    n, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
        \instruction x\n, AT(THREAD_X(\n))(tp)
        \finstruction f\n, AT(THREAD_F(\n))(tp)
        .endr
        .endm

        .section .text.whole.thread, "ax", @progbits

/* int sched_yield(void): to the next thread of the ring, or to the scheduler if that is what stands there. */
        .globl  sched_yield
        .type   sched_yield, @function
sched_yield:
        li      a0, 0
        ld      t0, AT(THREAD_NEXT)(tp)

/* From here on t0 = whom to go to. fcsr is exchanged: the C standard makes the modes and flags each thread's own. */
leave:  sd      ra, AT(THREAD_RESUME)(tp)
        sd      sp, AT(THREAD_X(2))(tp)
        each_saved sd, fsd
        ld      t1, AT(THREAD_FCSR)(t0)
        fscsr   t1, t1
        sd      t1, AT(THREAD_FCSR)(tp)
        mv      tp, t0

/* tp = who goes on; a thread that the beginning of a slice has chosen begins here, too. */
        .globl  thread_load
thread_load:
        ld      ra, AT(THREAD_RESUME)(tp)
        ld      sp, AT(THREAD_X(2))(tp)
        each_saved ld, fld
        ret
        .size   sched_yield, . - sched_yield

/* void thread_switch(uint64_t next): to that one, and no hold is left behind. */
        .globl  thread_switch
        .type   thread_switch, @function
thread_switch:
        mv      t0, a0
        li      a0, 0                   /* what sched_yield of whom it goes on with returns */
        lla     t1, exos_held
        sd      zero, 0(t1)
        j       leave
        .size   thread_switch, . - thread_switch

/*
 * All registers, of one that was interrupted. Only gp can bring the pc: no exception may come between its load and
 * the jump, whose way back uses gp. The two instructions are in the same page, which the first was just fetched from,
 * and neither touches memory but the thread's own, whose other words were just read.
 *
 * It may have been interrupted between lr and sc, and who ran since may have left a reservation of the same word with
 * another value, for which that sc would succeed. No trap lies between to end it: a sc here does, which, should it
 * succeed, stores what is there.
 */
        .globl  thread_whole
        .type   thread_whole, @function
        .balign 64
thread_whole:
        addi    t0, tp, AT(THREAD_X(0))
        ld      t1, 0(t0)
        sc.d    zero, t1, (t0)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
        fld     f\n, AT(THREAD_F(\n))(tp)
        .endr
        .irp    n, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
        ld      x\n, AT(THREAD_X(\n))(tp)
        .endr
        .balign 8
        ld      gp, AT(THREAD_X(0))(tp)
        jr      gp
        .size   thread_whole, . - thread_whole

/* A new thread's first instructions: s0 = its function, s1 = the argument. */
        .globl  thread_begin
        .type   thread_begin, @function
thread_begin:
        mv      a0, s1
        mv      t0, s0
        li      s0, 0                   /* ends back traces */
        jalr    t0
        call    pthread_exit
        unimp
        .size   thread_begin, . - thread_begin

/* The scheduler has no state of its own: it begins anew each time, holding. */
        .globl  thread_arrive
        .type   thread_arrive, @function
thread_arrive:
        lla     t0, exos_held
        li      t1, 1
        sd      t1, 0(t0)
        call    thread_schedule
        unimp
        .size   thread_arrive, . - thread_arrive

/* _Noreturn void thread_run(uint64_t next): the scheduler's way out. */
        .globl  thread_run
        .type   thread_run, @function
thread_run:
        lla     t1, exos_held
        sd      zero, 0(t1)
        mv      tp, a0
        ld      t1, AT(THREAD_FCSR)(tp)
        fscsr   t1
        li      a0, 0
        j       thread_load
        .size   thread_run, . - thread_run

/*
 * _Noreturn void thread_run_alone(uint64_t next): to one that has yielded, and for which another environment has had
 * the processor. No slice began in a prologue meanwhile: what is done there for signals is done here.
 */
        .globl  thread_run_alone
        .type   thread_run_alone, @function
thread_run_alone:
        lla     t1, exos_held
        sd      zero, 0(t1)
        mv      tp, a0
again:  ld      t1, AT(THREAD_FCSR)(tp)
        fscsr   t1
        ld      ra, AT(THREAD_RESUME)(tp)
        ld      sp, AT(THREAD_X(2))(tp)
        each_saved ld, fld
        lla     t0, exos_wait_hooks
        ld      t0, THREAD_RUNG_HOOK(t0)
        beqz    t0, 1f
        addi    sp, sp, -16
        sd      ra, 0(sp)
        jalr    t0
        ld      ra, 0(sp)
        addi    sp, sp, 16
1:      li      a0, 0
        ret
        .size   thread_run_alone, . - thread_run_alone

/*
 * int64_t thread_idle(predicates, count, deadline): aegis_wait for the scheduler. While it waits nothing is held, so
 * that pages that are asked for can be given.
 */
        .globl  thread_idle
        .type   thread_idle, @function
thread_idle:
        addi    sp, sp, -112
        sd      ra, 96(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sd      s\n, 8 * \n(sp)
        .endr
        lla     t0, exos_held
        sd      zero, 0(t0)
        li      a7, THREAD_CALL_WAIT
        ecall
        lla     t0, exos_held
        li      t1, 1
        sd      t1, 0(t0)
        ld      ra, 96(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ld      s\n, 8 * \n(sp)
        .endr
        addi    sp, sp, 112
        ret
        .size   thread_idle, . - thread_idle

/*
 * While a program has made no thread, what its only one yields to is this: it comes with tp = thread_alone's and
 * gives the processor to another environment. Of all registers the kernel keeps tp, sp and the floating-point ones.
 */
        .type   alone, @function
alone:  la      tp, __first_tls
        ld      sp, AT(THREAD_X(2))(tp)
        li      a0, 0
        li      a7, THREAD_CALL_YIELD
        ecall
        j       again
        .size   alone, . - alone

        .section .data.thread_alone, "aw", @progbits
        .balign 16
        .dword  0, alone
        .zero   THREAD_SIZE - 16
        .globl  thread_alone
thread_alone:

/* void thread_save_floating(uint64_t f[32]) */
        .section .text.thread_save_floating, "ax", @progbits
        .globl  thread_save_floating
        .type   thread_save_floating, @function
thread_save_floating:
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fsd     f\n, 8 * \n(a0)
        .endr
        ret
        .size   thread_save_floating, . - thread_save_floating
