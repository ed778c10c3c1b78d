/*
 * Entry from the firmware, entry from user mode, and the ways back.
 *
 * Convention: in user mode sscratch holds this hart's struct hart; in the kernel tp does, and sscratch is 0,
 * so that a trap taken in the kernel (a bug) is told apart before any register is trusted. The kernel runs
 * with interrupts off; what nests is only a panic.
 */
#include "kernel/hart.h"
#include "kernel/rv64/csr.h"
#include "kernel/rv64/layout.h"
#include "kernel/rv64/paging.h"
#include "kernel/env_offsets.h"
#include "abi/call_numbers.h"

        .section .text.entry, "ax"

/* a0 = hart id, a1 = physical address of the device tree; MMU off (RISC-V SBI, HSM: boot hart). */
        .globl  _start
_start:
        csrw    sie, zero
        mv      s0, a0
        mv      s1, a1
        la      t0, bss_start
        la      t1, bss_end
1:      bgeu    t0, t1, 2f
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       1b
2:
        /*
         * A first root table of gigapages: this gigapage at itself and at KERNEL_BASE, and the physical map
         * whole, until main.c has read the device tree and maps exactly what there is (paging.c).
         */
        la      t0, boot_root
        la      t1, _start
        srli    t1, t1, 30
        slli    t2, t1, 28
        ori     t2, t2, 0xcf            /* D A X W R V */
        slli    t3, t1, 3
        add     t3, t3, t0
        sd      t2, 0(t3)               /* identity */
        li      t3, 510 * 8
        add     t3, t3, t0
        sd      t2, 0(t3)               /* KERNEL_BASE */
        li      t1, 256 * 8
        add     t1, t1, t0              /* PHYSMAP_BASE */
        li      t2, 0xc7                /* D A W R V */
        li      t3, PHYSMAP_SIZE >> 30
        li      t4, 1 << 28
3:      sd      t2, 0(t1)
        add     t2, t2, t4
        addi    t1, t1, 8
        addi    t3, t3, -1
        bnez    t3, 3b

        srli    t0, t0, PAGE_SHIFT
        li      t1, SATP_SV39
        or      t0, t0, t1
        ld      t1, high
        sfence.vma
        csrw    satp, t0
        sfence.vma
        jr      t1
        .balign 8
high:   .dword  4f
4:
        la      t0, trap_entry
        csrw    stvec, t0
        csrw    sscratch, zero
        la      tp, boot_hart
        la      sp, boot_stack_top
        mv      a0, s0
        mv      a1, s1
        tail    kernel_main

/* In a checked kernel, what the kernel might leave in registers that it is about to clear. */
        .macro  poison registers:vararg
#if CHECK
        .irp    n, \registers
        li      x\n, -75
        .endr
#endif
        .endm

/*
 * Every trap. From user mode, a native system call takes the short way: the C function that implements it
 * keeps s0..s11 and gp by its ABI, and t2..t6 because the kernel is compiled without them (CMakeLists.txt), so
 * that only ra, sp, tp are saved, and what it may have used is zeroed.
 */
        .text
        .balign 4
        .globl  trap_entry
trap_entry:
        csrrw   tp, sscratch, tp
        beqz    tp, trap_in_kernel
        sd      t0, HART_T0(tp)
#if IRQOFF
        csrr    t0, instret             /* irqoff.c: into x0's place, which is free */
        sd      t0, HART_PANIC_REGS(tp)
#endif
        csrr    t0, scause
        addi    t0, t0, -CAUSE_USER_ECALL
        bnez    t0, trap_other
        csrrw   t0, sscratch, zero
        sd      t0, HART_USER_TP(tp)
        srli    t0, a7, AEGIS_CALL_BITS
        addi    t0, t0, -(AEGIS_CALL_FIRST >> AEGIS_CALL_BITS)
        bnez    t0, call_other
        sd      ra, HART_USER_RA(tp)
        sd      sp, HART_USER_SP(tp)
        ld      sp, HART_STACK(tp)
        andi    t0, a7, (1 << AEGIS_CALL_BITS) - 1
        slli    t0, t0, 3
        add     t0, t0, tp
        ld      t0, HART_CALLS(t0)
        jalr    t0
        .globl  call_done
call_done:
        csrr    t0, sepc
        addi    t0, t0, 4
        csrw    sepc, t0
        ld      ra, HART_USER_RA(tp)
        ld      sp, HART_USER_SP(tp)
        .globl  call_return
call_return:
        poison  5, 6, 11, 12, 13, 14, 15, 16, 17
        li      t0, 0
        li      t1, 0
        li      a1, 0
        li      a2, 0
        li      a3, 0
        li      a4, 0
        li      a5, 0
        li      a6, 0
        li      a7, 0
        csrw    sscratch, tp
        ld      tp, HART_USER_TP(tp)
        sret

/* A number that is not native: NO_CALL above the native range, below it upcalled like an exception. */
call_other:
        lui     t0, AEGIS_CALL_FIRST >> 12
        bltu    a7, t0, 1f
        li      a0, -AEGIS_NO_CALL_ERROR
        csrr    t0, sepc
        addi    t0, t0, 4
        csrw    sepc, t0
        j       call_return
1:      ld      t0, HART_ENV(tp)
        j       save_all

/*
 * An exception that its environment's handler is to have goes there directly (direct.h): the kernel writes the
 * frame through its own mapping of the page, which upcall_bind pinned, reads depth once, as it is the
 * application's to write at any time, and bounds it. t1 and t2 end as values of the environment's own. It makes no
 * difference that sscratch still holds the user's tp: nothing here faults, and no interrupt comes.
 *
 * A trap in the kernel between its csrw sscratch and sret comes by here, too, and reaches trap_full, which knows it
 * by SPP: what could trap there are loads and fetches, whose faults aren't direct, at addresses beyond any region
 * that an environment has.
 */
trap_other:
        sd      t1, HART_T1(tp)
        ld      t1, HART_DIRECT(tp)
        sll     t1, t1, t0              /* t0 = scause - CAUSE_USER_ECALL */
        bgez    t1, trap_asks
trap_direct:
        ld      t1, HART_UPCALL(tp)
        lwu     t0, UPCALL_DEPTH(t1)
        addi    t0, t0, -FRAMES
        bgez    t0, trap_indirect
        addi    t0, t0, FRAMES + 1
        sw      t0, UPCALL_DEPTH(t1)
        slli    t0, t0, FRAME_SHIFT
        add     t1, t1, t0              /* the frame; t0 = its place in the page */
        sd      t2, FRAME_T2(t1)
        ld      t2, HART_HANDLER(tp)
        csrrw   t2, sepc, t2
        sd      t2, FRAME_PC(t1)
        csrr    t2, scause
        sd      t2, FRAME_CAUSE(t1)
        csrr    t2, stval
        sd      t2, FRAME_VALUE(t1)
        ld      t2, HART_T0(tp)
        sd      t2, FRAME_T0(t1)
        ld      t2, HART_T1(tp)
        sd      t2, FRAME_T1(t1)
        ld      t1, HART_UPCALL_VA(tp)
        add     t0, t0, t1
        csrrw   tp, sscratch, tp
        sret

/*
 * A page fault is the application's if its PTE doesn't allow the access: it is invalid, or the access is a store and
 * it lacks W. Whatever else there may be, the kernel mending its own PTEs (map_mend_fault) and fetches from
 * data, goes the long way, and so does a fault in a region whose table isn't the one remembered.
 */
trap_asks:
        srli    t1, t0, 3               /* causes from CAUSE_USER_ECALL to 15: page faults; no interrupt */
        bnez    t1, trap_indirect
        ld      t1, HART_DIRECT(tp)
        beqz    t1, trap_indirect
        csrr    t0, stval
        srli    t0, t0, REGION_SHIFT
        ld      t1, HART_ENV(tp)
        ld      t1, ENV_LEAF_REGION(t1)
        bne     t0, t1, trap_indirect
        csrr    t0, stval
        slli    t0, t0, 64 - REGION_SHIFT
        srli    t0, t0, 64 - REGION_SHIFT + PAGE_SHIFT
        slli    t0, t0, 3
        ld      t1, HART_ENV(tp)
        ld      t1, ENV_LEAF_TABLE(t1)
        add     t0, t0, t1
        ld      t0, 0(t0)
        andi    t1, t0, PTE_V
        beqz    t1, trap_direct
        andi    t0, t0, PTE_W
        bnez    t0, trap_indirect
        csrr    t0, scause
        addi    t0, t0, -CAUSE_STORE_PAGE_FAULT
        beqz    t0, trap_direct
trap_indirect:
        ld      t1, HART_T1(tp)

/* Everything else: all registers go to the environment's ENV page, then trap_user decides. */
trap_full:
        csrr    t0, sstatus
        andi    t0, t0, SSTATUS_SPP
        bnez    t0, trap_in_kernel_tp
        csrrw   t0, sscratch, zero
        sd      t0, HART_USER_TP(tp)
        ld      t0, HART_ENV(tp)
save_all:
        sd      ra, ENV_X(1)(t0)
        sd      sp, ENV_X(2)(t0)
        sd      gp, ENV_X(3)(t0)
        sd      t1, ENV_X(6)(t0)
        ld      t1, HART_USER_TP(tp)
        sd      t1, ENV_X(4)(t0)
        ld      t1, HART_T0(tp)
        sd      t1, ENV_X(5)(t0)
        .irp    n, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, ENV_X(\n)(t0)
        .endr
        csrr    t1, sepc
        sd      t1, ENV_PC(t0)
        ld      sp, HART_STACK(tp)
        mv      a0, t0
        csrr    a1, scause
        csrr    a2, stval
        call    trap_user
        unimp

/*
 * env_resume(env): back to user mode with all registers of env, whose address space is active. It may go on between
 * lr and sc, and another's reservation of a word that both share must not serve it: the sc here ends any, and should
 * it succeed, it stores what is there (the Unprivileged ISA, section 8.2, asks for one where contexts switch).
 */
        .globl  env_resume
env_resume:
        csrw    sscratch, tp
        addi    t1, a0, ENV_PC
        ld      t0, 0(t1)
        sc.d    zero, t0, (t1)
        csrw    sepc, t0
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9
        ld      x\n, ENV_X(\n)(a0)
        .endr
        .irp    n, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ld      x\n, ENV_X(\n)(a0)
        .endr
        ld      a0, ENV_X(10)(a0)
        sret

/*
 * env_resume_call(env): the same, for an environment that gave the processor away in a call: it keeps pc, sp, gp
 * and tp, and a0 is the result.
 */
        .globl  env_resume_call
env_resume_call:
        csrw    sscratch, tp
        ld      t0, ENV_PC(a0)
        csrw    sepc, t0
        .irp    n, 2, 3, 4
        ld      x\n, ENV_X(\n)(a0)
        .endr
        ld      a0, ENV_X(10)(a0)
        poison  1, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        .irp    n, 1, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        li      x\n, 0
        .endr
        sret

/* run_on_stack(top, function): calls a function that doesn't return on a fresh stack. */
        .globl  run_on_stack
run_on_stack:
        mv      sp, a0
        li      ra, 0                   /* where back traces end */
        jr      a1

/* panic(format, ...): keeps all registers as its caller had them, then reports. */
        .globl  panic
panic:
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, HART_PANIC_REGS + 8 * \n(tp)
        .endr
        sd      ra, HART_PANIC_REGS + 8 * 32(tp)
        tail    panic_report

/* A trap taken in the kernel: sscratch was 0 and now holds the kernel's tp. */
trap_in_kernel:
        csrrw   tp, sscratch, zero
        sd      t0, HART_T0(tp)
        j       1f
/* The same, found by SPP because sscratch was not 0 (between csrw sscratch and sret). */
trap_in_kernel_tp:
        csrw    sscratch, zero
1:
        .irp    n, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sd      x\n, HART_PANIC_REGS + 8 * \n(tp)
        .endr
        ld      t0, HART_T0(tp)
        sd      t0, HART_PANIC_REGS + 8 * 5(tp)
        csrr    t0, sepc
        sd      t0, HART_PANIC_REGS + 8 * 32(tp)
        csrr    t0, stval
        sd      t0, HART_PANIC_REGS + 8 * 33(tp)
        ld      sp, HART_EMERGENCY(tp)
        csrr    a0, scause
        call    trap_in_kernel_panic
        unimp

/* fpu_save(area), fpu_load(area): f0..f31 and fcsr; FS must not be Off. */
        .option push
        .option arch, +d
        .globl  fpu_save
fpu_save:
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fsd     f\n, 8 * \n(a0)
        .endr
        frcsr   t0
        sd      t0, 8 * 32(a0)
        ret
        .globl  fpu_load
fpu_load:
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fld     f\n, 8 * \n(a0)
        .endr
        ld      t0, 8 * 32(a0)
        fscsr   t0
        ret
        .option pop

        .bss
        .balign 4096
boot_root:
        .zero   4096
        .globl  boot_stack_top
boot_stack:
        .zero   STACK_SIZE
boot_stack_top:
