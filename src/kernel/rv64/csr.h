/* Control and status registers of supervisor mode (RISC-V Privileged Architecture 1.12, chapter 4).
 */
#ifndef AEGIS_KERNEL_RV64_CSR_H
#define AEGIS_KERNEL_RV64_CSR_H

#define SSTATUS_SIE  (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP  (1UL << 8)
#define SSTATUS_VS   (3UL << 9)
#define SSTATUS_FS   (3UL << 13)
#define FS_OFF       (0UL << 13)
#define FS_CLEAN     (2UL << 13)
#define FS_DIRTY     (3UL << 13)

#define SIE_STIE (1UL << 5)
#define SIE_SEIE (1UL << 9)

#define CAUSE_INTERRUPT        (1UL << 63)
#define CAUSE_TIMER            (CAUSE_INTERRUPT | 5)
#define CAUSE_EXTERNAL         (CAUSE_INTERRUPT | 9)
#define CAUSE_MISALIGNED_FETCH 0
#define CAUSE_ILLEGAL          2
#define CAUSE_BREAKPOINT       3
#define CAUSE_MISALIGNED_LOAD  4
#define CAUSE_MISALIGNED_STORE 6
#define CAUSE_STORE_ACCESS     7
#define CAUSE_USER_ECALL       8
#define CAUSE_FETCH_PAGE_FAULT 12
#define CAUSE_LOAD_PAGE_FAULT  13
#define CAUSE_STORE_PAGE_FAULT 15

#define SATP_SV39       (8UL << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK  0xffffUL

#define CSR_STIMECMP 0x14d /* Sstc */

#if defined(__riscv) && !defined(__ASSEMBLER__)
#include <stdint.h>

#define csr_read(name)                                                                             \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, " #name : "=r"(value_)::"memory");                              \
        value_;                                                                                    \
    })
#define csr_write(name, value)                                                                     \
    __asm__ volatile("csrw " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define csr_set(name, bits)                                                                        \
    __asm__ volatile("csrs " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits)                                                                      \
    __asm__ volatile("csrc " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")

static inline uint64_t time_now(void)
{
    return csr_read(time);
}

/* Orders accesses of the kinds before (r, w: memory; i, o: devices) ahead of those after (RVWMO).
 */
#define fence(before, after) __asm__ volatile("fence " #before ", " #after ::: "memory")

/*
 * After generated code ran within a system call: t2..t6, which calls leave as they were because the
 * kernel is compiled without them (entry.S), may hold what it worked with.
 */
#define clear_call_temporaries()                                                                   \
    __asm__ volatile("li t2, 0\n\tli t3, 0\n\tli t4, 0\n\tli t5, 0\n\tli t6, 0")

/* Instructions fetched from here on see what was stored (Zifencei). */
static inline void fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

/* Forgets cached translations: all; of an address space; of an address in it (section 4.2.1). */
static inline void sfence_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

static inline void sfence_asid(uint64_t asid)
{
    __asm__ volatile("sfence.vma x0, %0" ::"r"(asid) : "memory");
}

static inline void sfence_page(uint64_t va, uint64_t asid)
{
    __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory");
}

/* Waits until an enabled interrupt is pending, or for no reason (section 3.3.3). */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

/* gp, which the kernel leaves as the application had it. */
static inline uint64_t gp_read(void)
{
    uint64_t gp;

    __asm__ volatile("mv %0, gp" : "=r"(gp));
    return gp;
}
#endif
#endif
