/*
 * First instructions, console and end of the bare programs.
 */
#include "bench/bare/bare.h"

#define TEST_DEVICE ((volatile uint32_t *)0x100000) /* QEMU's sifive_test: ends the emulator */
#define TEST_PASS   0x5555
#define TEST_FAIL   0x3333

_Noreturn void finish(int status);

/* OpenSBI enters at the lowest load address; the linker script puts this section there. */
__asm__(".section .entry, \"ax\"\n"
        ".globl bare_start\n"
        "bare_start:\n"
        "    la sp, stack_end\n"
        "    la t0, bss_start\n"
        "    la t1, bss_end\n"
        "1:  bgeu t0, t1, 2f\n"
        "    sd zero, 0(t0)\n"
        "    addi t0, t0, 8\n"
        "    j 1b\n"
        "2:  call main\n"
        "    j finish\n"
        ".text\n");

void finish(int status)
{
    *TEST_DEVICE = status == 0 ? TEST_PASS : (uint32_t)status << 16 | TEST_FAIL;
    for (;;)
        __asm__ volatile("wfi");
}

static void sbi_put(char c)
{
    register long a0 __asm__("a0") = c;
    register long a7 __asm__("a7") = 1;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "a1", "memory");
}

void sbi_puts(const char *text)
{
    while (*text)
        sbi_put(*text++);
}

void sbi_put_number(uint64_t number)
{
    char digits[21];
    int i = sizeof(digits) - 1;
    digits[i] = 0;
    do {
        digits[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    sbi_puts(&digits[i]);
}
